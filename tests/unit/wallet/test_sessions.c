/* Users, sessions and refresh tokens. */
#include "desk.h"

#define LIFETIME_US INT64_C(1000000)

static struct hash hash_of(const char *secret) { return crypto_hash(text_of(secret)); }

static struct login *log_in(struct desk *desk, struct id user_id, const char *password_hash, const char *secret) {
    struct login *login = desk_begin(desk, &login_action, sizeof *login);
    login->command = (struct session_command){.user_id = user_id,
                                              .password_hash = password_hash,
                                              .token_hash = hash_of(secret),
                                              .refresh_lifetime_us = LIFETIME_US};
    desk_decide(desk, &login->operation);
    return login;
}

static int64_t reuse_interval_us; /* of all that is refreshed */

static struct refresh *make_refresh(struct desk *desk, struct id session_id, const char *secret, const char *next) {
    struct refresh *refresh = desk_begin(desk, &refresh_action, sizeof *refresh);
    refresh->command = (struct refresh_command){.session_id = session_id,
                                                .token_hash = hash_of(secret),
                                                .next_token_hash = hash_of(next),
                                                .is_ours = strcmp(secret, "other") != 0,
                                                .refresh_lifetime_us = LIFETIME_US,
                                                .reuse_interval_us = reuse_interval_us};
    return refresh;
}

static enum ledger_outcome refresh(struct desk *desk, struct id session_id, const char *secret, const char *next) {
    struct refresh *refresh = make_refresh(desk, session_id, secret, next);
    desk_decide(desk, &refresh->operation);
    return refresh->grant.outcome;
}

static enum ledger_outcome try_registration(struct desk *desk, const char *name, const char *phone) {
    struct registration *registration = desk_make_registration(desk, name, phone);
    desk_decide(desk, &registration->operation);
    return registration->outcome;
}

static void names_and_phones_are_unique(void **state) {
    struct desk *desk = *state;
    struct registration *first = desk_make_registration(desk, "sara", "09121234567");
    struct registration *same_name = desk_make_registration(desk, "sara", NULL);
    struct registration *same_phone = desk_make_registration(desk, "reza", "+98 912 123 4567");
    desk_submit(desk, &first->operation); /* in one batch: the second sees what the first has done */
    desk_submit(desk, &same_name->operation);
    desk_submit(desk, &same_phone->operation);
    desk_run(desk);
    assert_int_equal(first->outcome, LEDGER_APPLIED);
    assert_int_equal(same_name->outcome, LEDGER_USERNAME_TAKEN);
    assert_int_equal(same_phone->outcome, LEDGER_PHONE_TAKEN);
    assert_int_equal(try_registration(desk, "sara", NULL), LEDGER_USERNAME_TAKEN);
    assert_int_equal(try_registration(desk, "ali", "00989121234567"), LEDGER_PHONE_TAKEN);
    assert_int_equal(desk_balance(desk, first->user.id), 0);
}

static struct result see_session(void *context, const struct row *row) { return row_session(row, 0, context); }

static void a_refresh_token_is_good_once(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct id session = log_in(desk, sara, DESK_PASSWORD, "one")->grant.session.id;
    assert_int_equal(refresh(desk, session, "other", "x"), LEDGER_TOKEN_INVALID); /* a guess ends nothing */
    assert_int_equal(refresh(desk, session, "one", "two"), LEDGER_APPLIED);
    assert_int_equal(refresh(desk, session, "two", "three"), LEDGER_APPLIED);
    assert_int_equal(refresh(desk, session, "one", "x"), LEDGER_TOKEN_REVOKED); /* used before, and forgotten: the session ends */
    assert_int_equal(refresh(desk, session, "three", "x"), LEDGER_TOKEN_REVOKED);
    struct session row = {0};
    ask_session(desk->reader, session, see_session, &row);
    assert_true(result_is_ok(batch_run(desk->reader)));
    assert_true(row.ended_at_us != 0);
}

static void two_uses_in_one_batch_end_the_session(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct id session = log_in(desk, sara, DESK_PASSWORD, "one")->grant.session.id;
    struct refresh *first = make_refresh(desk, session, "one", "two"), *second = make_refresh(desk, session, "one", "three");
    desk_submit(desk, &first->operation);
    desk_submit(desk, &second->operation);
    desk_run(desk);
    assert_int_equal(first->grant.outcome, LEDGER_APPLIED);
    assert_int_equal(second->grant.outcome, LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(desk, session, "two", "four"), LEDGER_TOKEN_REVOKED);
}

static struct result row_counted(void *count, const struct row *row) {
    *(int64_t *)count = row_integer(row, 0);
    return result_ok();
}

static int64_t count_tokens(struct desk *desk, struct id session_id) {
    static const struct question question = {.name = "tokens of a session",
                                             .sql = "SELECT count(*) FROM refresh_tokens WHERE session_id = $1",
                                             .parameters = {COLUMN_ID}};
    int64_t count = -1;
    batch_ask(desk->reader, &question, (struct value[]){value_id(session_id)}, row_counted, &count);
    assert_true(result_is_ok(batch_run(desk->reader)));
    return count;
}

/* However often it is refreshed, and whatever of it is copied. */
static void a_living_session_has_few_tokens(void **state) {
    struct desk *desk = *state;
    struct id session = log_in(desk, desk_register(desk, "sara"), DESK_PASSWORD, "0")->grant.session.id;
    char from[16] = "0", to[16];
    for (int i = 1; i <= 40; i++) { /* used ones are forgotten at once */
        snprintf(to, sizeof to, "%d", i);
        assert_int_equal(refresh(desk, session, from, to), LEDGER_APPLIED);
        assert_true(count_tokens(desk, session) <= 2);
        memcpy(from, to, sizeof from);
    }
    reuse_interval_us = INT64_C(1000000000000);
    for (int i = 41; i <= 80; i++) { /* the same one all the time: 40 successors */
        snprintf(to, sizeof to, "%d", i);
        assert_int_equal(refresh(desk, session, from, to), LEDGER_APPLIED);
        assert_true(count_tokens(desk, session) <= 2 * SESSION_TOKENS_MAX + 1);
    }
    memcpy(from, to, sizeof from);
    for (int i = 81; i <= 120; i++) { /* one after the other, each is good for another moment */
        snprintf(to, sizeof to, "%d", i);
        assert_int_equal(refresh(desk, session, from, to), LEDGER_APPLIED);
        assert_true(count_tokens(desk, session) <= 2 * SESSION_TOKENS_MAX + 1);
        memcpy(from, to, sizeof from);
    }
    reuse_interval_us = 0;
    assert_int_equal(refresh(desk, session, "70", "x"), LEDGER_APPLIED); /* the younger ones of the 40 live on, unused */
    assert_int_equal(refresh(desk, session, "45", "x"), LEDGER_TOKEN_REVOKED);
}

static void a_refresh_token_expires(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct id session = log_in(desk, sara, DESK_PASSWORD, "one")->grant.session.id;
    desk->now_us += LIFETIME_US - 2000;
    assert_int_equal(refresh(desk, session, "one", "two"), LEDGER_APPLIED);
    desk->now_us += LIFETIME_US;
    assert_int_equal(refresh(desk, session, "two", "three"), LEDGER_TOKEN_EXPIRED);
    assert_int_equal(refresh(desk, session, "two", "three"), LEDGER_TOKEN_EXPIRED);
}

static void logging_out_ends_one_session(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct id one = log_in(desk, sara, DESK_PASSWORD, "one")->grant.session.id,
              two = log_in(desk, sara, DESK_PASSWORD, "two")->grant.session.id;
    struct logout *end = desk_begin(desk, &logout_action, sizeof *end);
    end->session_id = one;
    desk_decide(desk, &end->operation);
    assert_int_equal(refresh(desk, one, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(desk, two, "two", "x"), LEDGER_APPLIED);
}

static void a_new_password_ends_all_other_sessions(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct id one = log_in(desk, sara, DESK_PASSWORD, "one")->grant.session.id,
              two = log_in(desk, sara, DESK_PASSWORD, "two")->grant.session.id;
    struct password_change *change = desk_begin(desk, &change_password_action, sizeof *change);
    change->command = (struct password_command){.user_id = sara,
                                                .session_id = two,
                                                .password_hash = DESK_PASSWORD,
                                                .next_password_hash = "$argon2id$new"};
    desk_decide(desk, &change->operation);
    assert_int_equal(change->outcome, LEDGER_APPLIED);
    assert_int_equal(refresh(desk, one, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(desk, two, "two", "three"), LEDGER_APPLIED);
    /* A login that had matched the old password comes too late. */
    assert_int_equal(log_in(desk, sara, DESK_PASSWORD, "y")->grant.outcome, LEDGER_INVALID_CREDENTIALS);
    struct login *new = log_in(desk, sara, "$argon2id$new", "z");
    assert_int_equal(new->grant.outcome, LEDGER_APPLIED);
    assert_int_equal(refresh(desk, new->grant.session.id, "z", "w"), LEDGER_APPLIED);
    /* So does a second change that had matched the old one. */
    struct password_change *late = desk_begin(desk, &change_password_action, sizeof *late);
    late->command = change->command;
    desk_decide(desk, &late->operation);
    assert_int_equal(late->outcome, LEDGER_INVALID_CREDENTIALS);
}

static struct result see_count(void *context, const struct row *row) {
    (void)row;
    ++*(int64_t *)context;
    return result_ok();
}

static int64_t count_rows(struct desk *desk, struct id session, const char *secret) {
    int64_t count = 0;
    struct hash hash = hash_of(secret);
    ask_session(desk->reader, session, see_count, &count);
    ask_token(desk->reader, session, &hash, see_count, &count);
    assert_true(result_is_ok(batch_run(desk->reader)));
    return count;
}

/* With its tokens, because no foreign key takes them along. */
static void an_expired_session_is_forgotten_after_a_week(void **state) {
    struct desk *desk = *state;
    struct id sara = desk_register(desk, "sara");
    struct id session = log_in(desk, sara, DESK_PASSWORD, "one")->grant.session.id;
    int64_t week_us = 7 * 24 * 3600 * CLOCK_SECOND_US;
    desk->now_us += LIFETIME_US + week_us - 10000;
    desk_run(desk); /* idle, and nothing else */
    assert_int_equal(count_rows(desk, session, "one"), 2);
    assert_int_equal(refresh(desk, session, "one", "two"), LEDGER_TOKEN_EXPIRED);
    desk->now_us += 2 * CLOCK_SECOND_US;
    desk_run(desk);
    assert_int_equal(count_rows(desk, session, "one"), 0);
    assert_int_equal(refresh(desk, session, "one", "two"), LEDGER_TOKEN_INVALID);
}

static int open_desk(void **state) {
    *state = desk_open();
    return 0;
}
static int close_desk(void **state) {
    desk_close(*state);
    return 0;
}

#define AT_A_DESK(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        AT_A_DESK(names_and_phones_are_unique),
        AT_A_DESK(a_refresh_token_is_good_once),
        AT_A_DESK(two_uses_in_one_batch_end_the_session),
        AT_A_DESK(a_living_session_has_few_tokens),
        AT_A_DESK(a_refresh_token_expires),
        AT_A_DESK(logging_out_ends_one_session),
        AT_A_DESK(a_new_password_ends_all_other_sessions),
        AT_A_DESK(an_expired_session_is_forgotten_after_a_week),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
