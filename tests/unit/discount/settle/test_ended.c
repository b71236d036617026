/* When Wallet is asked what has ended, from where on, and what is believed of its answer. */
#include "fake_client.h"

#include "discount/settle/ended.h"

#define SESSION "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
#define USER    "019aab20-4c00-7a31-9f00-5b1e2c3d4e02"
#define CUTOFF  "019aab20-4c00-7a31-9f00-5b1e2c3d4e03"
#define END     "2023-11-14T22:23:20Z" /* ten minutes after the clock of the tests */

#define END_US (INT64_C(1700000600) * CLOCK_SECOND_US)
#define LATER  "{\"session_id\":\"" CUTOFF "\",\"expires_at\":\"2024-01-01T00:00:00Z\"}"

#define ONE_SESSION \
    "{\"session_id\":\"" SESSION "\",\"user_id\":null,\"sessions_before\":null,\"kept_session_id\":null,\"expires_at\":\"" END "\"}"
#define ALL_BEFORE                                                                                                                         \
    "{\"session_id\":null,\"user_id\":\"" USER "\",\"sessions_before\":\"" CUTOFF "\",\"kept_session_id\":null,\"expires_at\":\"" END "\"" \
    "}"
#define LONGEST_CURSOR      "0123456789012345678901234567890123456789012345678901234567890123"
#define PAGE(items, cursor) "{\"data\":[" items "],\"next_cursor\":\"" cursor "\"}"

static struct calls calls;
static struct ended ended;

static struct id id_of(const char *text) {
    struct id id;
    assert_true(result_is_ok(id_parse(text_of(text), &id)));
    return id;
}

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    ended = (struct ended){.calls = &calls, .clock_leeway_us = CLOCK_SECOND_US};
    return result_is_ok(revocations_create(0, &ended.revocations)) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    ended_free(&ended);
    revocations_free(ended.revocations);
    return 0;
}

static bool is_over(const char *user, const char *session) { return revocations_contain(ended.revocations, id_of(user), id_of(session)); }

/* It is asked when it is due, and answers like this. */
static void answer(int status, const char *body) {
    if (ended.due_us == 0) ended_ask(&ended, fake_now_us);
    if (ended.due_us > fake_now_us) fake_now_us = ended.due_us;
    ended_ask(&ended, fake_now_us);
    assert_int_equal(fake_client.count, 1);
    assert_int_equal(ended_next_us(&ended), INT64_MAX);
    size_t cleared = fake_client.cleared;
    fake_answer(0, status, body);
    assert_int_equal(fake_client.cleared, cleared + 1);
}

static void test_it_is_asked_from_where_it_was_told(void **state) {
    (void)state;
    int64_t start_us = fake_now_us;
    ended_ask(&ended, fake_now_us);
    assert_int_equal(ended_next_us(&ended), start_us + CLOCK_SECOND_US / 4);
    assert_int_equal(fake_client.started, 0);
    fake_now_us = ended_next_us(&ended);
    ended_ask(&ended, fake_now_us);
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/v1/revocations?limit=200");
    fake_now_us += 9 * CLOCK_SECOND_US;
    ended_ask(&ended, fake_now_us); /* one at a time */
    assert_int_equal(fake_client.started, 1);
    fake_answer(0, 200, PAGE(ONE_SESSION "," ALL_BEFORE, "abc"));
    assert_int_equal(ended_next_us(&ended), fake_now_us); /* there may be more: at once */
    ended_ask(&ended, fake_now_us);
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/v1/revocations?limit=200&cursor=abc");
    fake_answer(0, 200, PAGE(ONE_SESSION, "d"));
    assert_int_equal(ended_next_us(&ended), fake_now_us); /* one is enough */
    ended_ask(&ended, fake_now_us);
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/v1/revocations?limit=200&cursor=d");
    fake_answer(0, 200, PAGE("", LONGEST_CURSOR));
    assert_int_equal(ended_next_us(&ended), fake_now_us + CLOCK_SECOND_US);
    ended_ask(&ended, ended_next_us(&ended));
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/v1/revocations?limit=200&cursor=" LONGEST_CURSOR);
    fake_answer(0, 200, PAGE("", "e"));
    assert_true(is_over(CUTOFF, SESSION));
    assert_true(is_over(USER, USER));
    assert_false(is_over(USER, CUTOFF)); /* not older */
}

static void test_it_is_remembered_until_no_token_is_taken(void **state) {
    (void)state;
    answer(200, PAGE(ONE_SESSION, "a"));
    fake_now_us = END_US + 2 * CLOCK_SECOND_US - 1; /* within the leeway of both clocks */
    answer(200, PAGE(ALL_BEFORE, "b"));
    assert_true(is_over(USER, SESSION));
    assert_true(is_over(USER, USER));
    fake_now_us++;
    answer(200, PAGE(LATER, "c"));
    assert_false(is_over(USER, SESSION));
}

static void test_an_answer_of_no_use_loses_no_place(void **state) {
    (void)state;
    static const char *const bodies[] = {"",
                                         "[]",
                                         "{}",
                                         "{\"data\":[]}",
                                         "{\"data\":1,\"next_cursor\":\"x\"}",
                                         PAGE("1", "x"),
                                         PAGE("{}", "x"),
                                         PAGE("{\"session_id\":\"" SESSION "\"}", "x"),
                                         PAGE("{\"session_id\":\"no\",\"expires_at\":\"" END "\"}", "x"),
                                         PAGE("{\"session_id\":\"" SESSION "\",\"user_id\":\"" USER "\",\"expires_at\":\"" END "\"}", "x"),
                                         PAGE("{\"user_id\":\"" USER "\",\"expires_at\":\"" END "\"}", "x"),
                                         PAGE("{\"expires_at\":\"" END "\"}", "x"),
                                         PAGE("{\"session_id\":\"" SESSION "\",\"user_id\":\"" USER "\",\"sessions_before\":\"" CUTOFF
                                              "\",\"expires_at\":\"" END "\"}",
                                              "x"),
                                         PAGE("{\"session_id\":\"" SESSION "\",\"kept_session_id\":\"no\",\"expires_at\":\"" END "\"}",
                                              "x"),
                                         "null",
                                         "{\"data\":[],\"data\":[],\"next_cursor\":\"x\"}",
                                         PAGE("", LONGEST_CURSOR "4")};
    answer(200, PAGE("", "here"));
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        int64_t errors = atomic_load(&calls_metric_errors.value);
        answer(200, bodies[i]);
        assert_int_equal(ended_next_us(&ended), fake_now_us + CLOCK_SECOND_US);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
    }
    answer(503, PAGE(ONE_SESSION, "x"));
    fake_now_us = ended_next_us(&ended);
    ended_ask(&ended, fake_now_us);
    fake_end(0, result_error(RESULT_IO), 200, PAGE(ONE_SESSION, "x"));
    calls.instance.ours = id_of(USER);
    fake_now_us = ended_next_us(&ended);
    ended_ask(&ended, fake_now_us);
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, CUTOFF); /* a stranger */
    fake_answer(0, 200, PAGE(ONE_SESSION, "x"));
    assert_false(is_over(USER, SESSION));
    assert_int_equal(ended.cursor_size, 4);
    assert_memory_equal(ended.cursor, "here", 4);
    answer(422, "");
    assert_int_equal(ended.cursor_size, 0); /* from the beginning */
}

/* What can't be asked now is asked a second later, and a row of failures is one line. */
static void test_what_fails_is_said_once_and_tried_again(void **state) {
    (void)state;
    answer(200, PAGE("", "here"));
    expect_nothing_logged();
    answer(503, "");
    expect_logged(LOG_INFO, "revocations_not_read");
    answer(503, "");
    expect_nothing_logged();
    answer(200, PAGE("", "here"));
    expect_logged(LOG_INFO, "revocations_read_again");
    answer(200, PAGE("", "here"));
    expect_nothing_logged();
    fake_client.refuses = true;
    fake_now_us = ended_next_us(&ended);
    ended_ask(&ended, fake_now_us);
    assert_int_equal(ended_next_us(&ended), fake_now_us + CLOCK_SECOND_US);
    fake_client.refuses = false;
    size_t started = fake_client.started;
    calls_give_up(&calls);
    fake_now_us = ended_next_us(&ended);
    ended_ask(&ended, fake_now_us);
    assert_int_equal(fake_client.started, started);
}

static void test_nobody_is_asked_for_nobody(void **state) {
    (void)state;
    struct ended none = {.calls = &calls};
    ended_ask(&none, fake_now_us);
    ended_ask(&none, fake_now_us + CLOCK_SECOND_US);
    assert_int_equal(ended_next_us(&none), INT64_MAX);
    assert_int_equal(fake_client.started, 0);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_asked_from_where_it_was_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_remembered_until_no_token_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_of_no_use_loses_no_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_fails_is_said_once_and_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_asked_for_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
