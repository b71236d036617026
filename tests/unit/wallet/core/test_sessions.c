/* Sessions and refresh tokens, to the microsecond. */
#include "core.h"

#define LIFETIME_US INT64_C(1000000)

static struct hash hash_of(const char *secret) { return crypto_hash(text_of(secret)); }

static struct session *log_in(struct core *core, const struct user *user, const char *secret) {
    struct session *session = NULL;
    struct session_command command = {.user_id = user->id,
                                      .password_hash = CORE_PASSWORD,
                                      .token_hash = hash_of(secret),
                                      .refresh_lifetime_us = LIFETIME_US};
    assert_int_equal(ledger_start_session(&core->ledger, &command, core->now_us, &session), LEDGER_APPLIED);
    return session;
}

static int64_t reuse_interval_us; /* of all that is refreshed */
static bool are_ours;             /* also unknown ones */

static enum ledger_outcome refresh(struct core *core, struct id session_id, const char *secret, const char *next) {
    struct session *session = NULL;
    struct refresh_command command = {.session_id = session_id,
                                      .token_hash = hash_of(secret),
                                      .next_token_hash = hash_of(next),
                                      .is_ours = are_ours,
                                      .refresh_lifetime_us = LIFETIME_US,
                                      .reuse_interval_us = reuse_interval_us};
    enum ledger_outcome outcome = ledger_refresh_session(&core->ledger, &command, core->now_us, &session);
    assert_ptr_equal(session, outcome == LEDGER_APPLIED ? ledger_find_session(&core->ledger, session_id) : NULL);
    return outcome;
}

static void a_token_is_good_until_the_moment_it_expires(void **state) {
    struct core *core = *state;
    struct session *session = log_in(core, core_register(core, "sara"), "one");
    assert_int_equal(session->expires_at_us, CORE_START_US + LIFETIME_US);
    core->now_us += LIFETIME_US; /* exactly: no longer */
    assert_int_equal(refresh(core, session->id, "one", "two"), LEDGER_TOKEN_EXPIRED);
    core->now_us -= 1;
    assert_int_equal(refresh(core, session->id, "one", "two"), LEDGER_APPLIED);
    assert_int_equal(session->expires_at_us, core->now_us + LIFETIME_US); /* and lives anew */
    assert_int_equal(session->generation, 2);
}

static void a_second_use_ends_the_session_and_an_unknown_token_does_not(void **state) {
    struct core *core = *state;
    struct session *session = log_in(core, core_register(core, "sara"), "one");
    assert_int_equal(refresh(core, session->id, "guess", "x"), LEDGER_TOKEN_INVALID);
    assert_int_equal(refresh(core, (struct id){{9}}, "one", "x"), LEDGER_TOKEN_INVALID);
    assert_int_equal(session->ended_at_us, 0);
    assert_int_equal(refresh(core, session->id, "one", "two"), LEDGER_APPLIED);
    core->now_us += 2 * LIFETIME_US; /* a copy is a copy, expired or not */
    assert_int_equal(refresh(core, session->id, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(session->ended_at_us, core->now_us);
    core->now_us += 1;
    assert_int_equal(refresh(core, session->id, "two", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(session->ended_at_us, core->now_us - 1); /* it ended once */
}

static void within_a_moment_a_token_has_many_successors(void **state) {
    struct core *core = *state;
    reuse_interval_us = 100;
    struct session *session = log_in(core, core_register(core, "sara"), "one");
    const struct refresh_token *one = ledger_find_token(&core->ledger, session->id, &(struct hash){0});
    assert_null(one);
    struct hash hash = hash_of("one");
    one = ledger_find_token(&core->ledger, session->id, &hash);
    assert_false(one->is_used);
    assert_int_equal(refresh(core, session->id, "one", "two"), LEDGER_APPLIED);
    int64_t used_us = core->now_us;
    assert_true(one->is_used);
    assert_int_equal(one->reusable_until_us, used_us + 100);
    core->now_us += 99;
    assert_int_equal(refresh(core, session->id, "one", "other"), LEDGER_APPLIED);
    assert_int_equal(one->reusable_until_us, used_us + 100); /* a second use does not make it longer */
    assert_int_equal(refresh(core, session->id, "two", "three"), LEDGER_APPLIED);
    assert_int_equal(refresh(core, session->id, "other", "another"), LEDGER_APPLIED);
    assert_int_equal(session->generation, 5);
    core->now_us += 1;
    assert_int_equal(refresh(core, session->id, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(session->ended_at_us, core->now_us);
    assert_int_equal(refresh(core, session->id, "three", "x"), LEDGER_TOKEN_REVOKED);
    reuse_interval_us = 0;
}

static void a_copy_that_was_forgotten_ends_the_session_all_the_same(void **state) {
    struct core *core = *state;
    struct session *session = log_in(core, core_register(core, "sara"), "one");
    assert_int_equal(refresh(core, session->id, "old", "x"), LEDGER_TOKEN_INVALID);
    assert_int_equal(session->ended_at_us, 0);
    are_ours = true;
    assert_int_equal(refresh(core, (struct id){{9}}, "old", "x"), LEDGER_TOKEN_INVALID);
    assert_int_equal(refresh(core, session->id, "old", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(session->ended_at_us, core->now_us);
    are_ours = false;
}

static void an_end_is_an_end(void **state) {
    struct core *core = *state;
    const struct user *sara = core_register(core, "sara");
    struct session *one = log_in(core, sara, "one"), *two = log_in(core, sara, "two");
    one->state = ROW_KEPT;
    assert_int_equal(ledger_end_session(&core->ledger, one->id, core->now_us), LEDGER_APPLIED);
    assert_int_equal(one->state, ROW_CHANGED);
    assert_int_equal(ledger_end_session(&core->ledger, one->id, core->now_us + 1), LEDGER_APPLIED);
    assert_int_equal(one->ended_at_us, core->now_us); /* the first end is the one that counts */
    assert_int_equal(two->state, ROW_NEW);
    assert_int_equal(ledger_end_session(&core->ledger, (struct id){{9}}, core->now_us), LEDGER_APPLIED);
    assert_int_equal(refresh(core, one->id, "one", "x"), LEDGER_TOKEN_REVOKED);
    assert_int_equal(refresh(core, two->id, "two", "x"), LEDGER_APPLIED);
}

static void older_ones_are_cut_off_but_the_one_that_is_kept(void **state) {
    (void)state;
    struct id cutoff = {{5}}, kept = {{3}};
    assert_true(session_is_cut_off((struct id){{4}}, cutoff, kept));
    assert_false(session_is_cut_off((struct id){{3}}, cutoff, kept));
    assert_false(session_is_cut_off((struct id){{5}}, cutoff, kept));
    assert_false(session_is_cut_off((struct id){{6}}, cutoff, kept));
    assert_false(session_is_cut_off((struct id){{1}}, (struct id){{0}}, (struct id){{0}})); /* no change yet */
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_token_is_good_until_the_moment_it_expires),
        CORE_TEST(a_second_use_ends_the_session_and_an_unknown_token_does_not),
        CORE_TEST(within_a_moment_a_token_has_many_successors),
        CORE_TEST(a_copy_that_was_forgotten_ends_the_session_all_the_same),
        CORE_TEST(an_end_is_an_end),
        cmocka_unit_test(older_ones_are_cut_off_but_the_one_that_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
