/* Users, sessions and refresh tokens. */
#include "books.h"

#define LIFETIME_US INT64_C(1000000)

static struct hash hash_of(const char *secret) { return crypto_hash(text_of(secret)); }

static struct wallet_operation *log_in(struct books *books, struct id user_id, const char *password_hash, const char *secret) {
    struct wallet_operation *operation = books_begin(books, COMMAND_START_SESSION);
    operation->command.start_session = (struct session_command){.user_id = user_id,
                                                                .password_hash = password_hash,
                                                                .token_hash = hash_of(secret),
                                                                .refresh_lifetime_us = LIFETIME_US};
    return books_decide(books, operation);
}

static struct wallet_operation *make_refresh(struct books *books, struct id session_id, const char *secret, const char *next) {
    struct wallet_operation *operation = books_begin(books, COMMAND_REFRESH_SESSION);
    operation->command.refresh_session = (struct refresh_command){.session_id = session_id,
                                                                  .token_hash = hash_of(secret),
                                                                  .next_token_hash = hash_of(next),
                                                                  .refresh_lifetime_us = LIFETIME_US};
    return operation;
}

static enum ledger_outcome refresh(struct books *books, struct id session_id, const char *secret, const char *next) {
    return books_decide(books, make_refresh(books, session_id, secret, next))->outcome;
}

static void names_and_phones_are_unique(void **state) {
    struct books *books = *state;
    struct wallet_operation *first = books_make_registration(books, "sara", "09121234567");
    struct wallet_operation *same_name = books_make_registration(books, "sara", NULL);
    struct wallet_operation *same_phone = books_make_registration(books, "reza", "+98 912 123 4567");
    books_submit(books, first); /* in one batch: the second sees what the first has done */
    books_submit(books, same_name);
    books_submit(books, same_phone);
    books_run(books);
    assert_int_equal(first->outcome, LEDGER_APPLIED);
    assert_int_equal(same_name->outcome, LEDGER_USERNAME_TAKEN);
    assert_int_equal(same_phone->outcome, LEDGER_PHONE_TAKEN);
    assert_int_equal(books_decide(books, books_make_registration(books, "sara", NULL))->outcome, LEDGER_USERNAME_TAKEN);
    assert_int_equal(books_decide(books, books_make_registration(books, "ali", "00989121234567"))->outcome, LEDGER_PHONE_TAKEN);
    assert_int_equal(books_balance(books, first->user.id), 0);
}

static void a_refresh_token_is_good_once(void **state) {
    struct books *books = *state;
    struct id sara = books_register(books, "sara");
    struct id session = log_in(books, sara, BOOKS_HASH, "one")->session.id;
    assert_int_equal(refresh(books, session, "other", "x"), LEDGER_TOKEN_INVALID); /* a guess ends nothing */
    assert_int_equal(refresh(books, session, "one", "two"), LEDGER_APPLIED);
    assert_int_equal(refresh(books, session, "two", "three"), LEDGER_APPLIED);
    assert_int_equal(refresh(books, session, "one", "x"), LEDGER_TOKEN_REVOKED); /* used before: the session ends */
    assert_int_equal(refresh(books, session, "three", "x"), LEDGER_TOKEN_REVOKED);
    struct session row;
    bool found = false;
    assert_true(result_is_ok(books->rows.read_session(books->rows.self, session, &row, &found)));
    assert_true(found && row.ended_at_us != 0);
}

static void two_uses_in_one_batch_end_the_session(void **state) {
    struct books *books = *state;
    struct id sara = books_register(books, "sara");
    struct id session = log_in(books, sara, BOOKS_HASH, "one")->session.id;
    struct wallet_operation *first = make_refresh(books, session, "one", "two"), *second = make_refresh(books, session, "one", "three");
    books_submit(books, first);
    books_submit(books, second);
    books_run(books);
    assert_int_equal(first->outcome, LEDGER_APPLIED);
    assert_int_equal(second->outcome, LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(books, session, "two", "four"), LEDGER_TOKEN_REVOKED);
}

static void a_refresh_token_expires(void **state) {
    struct books *books = *state;
    struct id sara = books_register(books, "sara");
    struct id session = log_in(books, sara, BOOKS_HASH, "one")->session.id;
    books->now_us += LIFETIME_US - 2000;
    assert_int_equal(refresh(books, session, "one", "two"), LEDGER_APPLIED);
    books->now_us += LIFETIME_US;
    assert_int_equal(refresh(books, session, "two", "three"), LEDGER_TOKEN_EXPIRED);
    assert_int_equal(refresh(books, session, "two", "three"), LEDGER_TOKEN_EXPIRED);
}

static void logging_out_ends_one_session(void **state) {
    struct books *books = *state;
    struct id sara = books_register(books, "sara");
    struct id one = log_in(books, sara, BOOKS_HASH, "one")->session.id, two = log_in(books, sara, BOOKS_HASH, "two")->session.id;
    struct wallet_operation *end = books_begin(books, COMMAND_END_SESSION);
    end->command.end_session = one;
    assert_int_equal(books_decide(books, end)->outcome, LEDGER_APPLIED);
    assert_int_equal(refresh(books, one, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(books, two, "two", "x"), LEDGER_APPLIED);
}

static void a_new_password_ends_all_other_sessions(void **state) {
    struct books *books = *state;
    struct id sara = books_register(books, "sara");
    struct id one = log_in(books, sara, BOOKS_HASH, "one")->session.id, two = log_in(books, sara, BOOKS_HASH, "two")->session.id;
    struct wallet_operation *change = books_begin(books, COMMAND_CHANGE_PASSWORD);
    change->command.change_password =
        (struct password_command){.user_id = sara, .session_id = two, .password_hash = BOOKS_HASH, .next_password_hash = "$argon2id$new"};
    assert_int_equal(books_decide(books, change)->outcome, LEDGER_APPLIED);
    assert_int_equal(refresh(books, one, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(books, two, "two", "three"), LEDGER_APPLIED);
    /* A login that had matched the old password comes too late. */
    assert_int_equal(log_in(books, sara, BOOKS_HASH, "y")->outcome, LEDGER_INVALID_CREDENTIALS);
    struct wallet_operation *new = log_in(books, sara, "$argon2id$new", "z");
    assert_int_equal(new->outcome, LEDGER_APPLIED);
    assert_int_equal(refresh(books, new->session.id, "z", "w"), LEDGER_APPLIED);
    /* So does a second change that had matched the old one. */
    struct wallet_operation *late = books_begin(books, COMMAND_CHANGE_PASSWORD);
    late->command.change_password = change->command.change_password;
    assert_int_equal(books_decide(books, late)->outcome, LEDGER_INVALID_CREDENTIALS);
}

static int open_memory(void **state) {
    *state = books_open_memory();
    return 0;
}
static int open_sqlite(void **state) {
    *state = books_open_sqlite();
    return 0;
}
static int close_books(void **state) {
    books_close(*state);
    return 0;
}

#define ON_BOTH(test) \
    cmocka_unit_test_setup_teardown(test, open_memory, close_books), cmocka_unit_test_setup_teardown(test, open_sqlite, close_books)

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        ON_BOTH(names_and_phones_are_unique), ON_BOTH(a_refresh_token_is_good_once), ON_BOTH(two_uses_in_one_batch_end_the_session),
        ON_BOTH(a_refresh_token_expires),     ON_BOTH(logging_out_ends_one_session), ON_BOTH(a_new_password_ends_all_other_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
