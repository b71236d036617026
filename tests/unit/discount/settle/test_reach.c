#include "fake_client.h"

#include "discount/settle/reach.h"

static struct calls calls;
static struct readiness readiness;
static struct reach reach;
static const char *said;
static bool is_news;

bool readiness_say(struct readiness *told, enum concern concern, const char *state) {
    assert_ptr_equal(told, &readiness);
    assert_int_equal(concern, CONCERN_WALLET_REACH);
    said = state;
    return is_news;
}

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&reach, 0xFF, sizeof reach);
    reach_init(&reach, &calls, &readiness);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    reach_free(&reach);
    return 0;
}

static void ask(void) {
    fake_now_us = reach_next_us(&reach) > fake_now_us ? reach_next_us(&reach) : fake_now_us;
    reach_ask(&reach, fake_now_us);
}

static void test_when_it_is_asked(void **state) {
    (void)state;
    assert_string_equal(said, "unknown");
    assert_true(reach_next_us(&reach) <= fake_now_us); /* at once */
    ask();
    assert_int_equal(fake_client.started, 1);
    assert_string_equal(fake_client.calls[0]->method, "GET");
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/.well-known/jwks.json");
    assert_int_equal(fake_client.calls[0]->timeout_ms, 2000);
    assert_int_equal(reach_next_us(&reach), INT64_MAX); /* its answer wakes */
    fake_now_us += 9 * CLOCK_SECOND_US;
    reach_ask(&reach, fake_now_us); /* one at a time */
    assert_int_equal(fake_client.started, 1);
    fake_answer(0, 200, "");
    assert_int_equal(fake_client.cleared, 1);
    assert_int_equal(reach_next_us(&reach), fake_now_us + 2 * CLOCK_SECOND_US);
    reach_ask(&reach, reach_next_us(&reach) - 1);
    assert_int_equal(fake_client.started, 1);
    fake_client.refuses = true;
    ask();
    assert_int_equal(reach_next_us(&reach), fake_now_us + 2 * CLOCK_SECOND_US);
    fake_client.refuses = false;
    calls_give_up(&calls);
    ask();
    assert_int_equal(fake_client.started, 1);
}

static void test_what_is_said(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        const char *says;
    } rows[] = {{{RESULT_OK}, 200, "ok"},          {{RESULT_OK}, 401, "ok"},          {{RESULT_OK}, 500, "ok"},
                {{RESULT_OK}, 501, "ok"},          {{RESULT_OK}, 502, "unreachable"}, {{RESULT_OK}, 503, "unreachable"},
                {{RESULT_OK}, 504, "unreachable"}, {{RESULT_OK}, 505, "ok"},          {{RESULT_IO}, 0, "unreachable"}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        ask();
        fake_end(0, rows[i].outcome, rows[i].status, "");
        assert_string_equal(said, rows[i].says);
    }
}

static void test_without_room_nothing_is_asked(void **state) {
    (void)state;
    reach.arena.limit_bytes = 8;
    ask();
    assert_int_equal(fake_client.started, 0);
    assert_int_equal(reach_next_us(&reach), fake_now_us + 2 * CLOCK_SECOND_US);
}

static void test_what_is_news_is_logged(void **state) {
    (void)state;
    is_news = true;
    ask();
    fake_answer(0, 200, "");
    expect_logged(LOG_INFO, "wallet_reached");
    ask();
    fake_answer(0, 502, "");
    expect_logged(LOG_WARN, "wallet_unreachable");
    is_news = false;
    ask();
    fake_answer(0, 502, "");
    expect_nothing_logged();
}

static void test_nothing_is_asked_that_nobody_wants_to_know(void **state) {
    (void)state;
    said = NULL;
    reach_init(&reach, &calls, NULL);
    assert_int_equal(reach_next_us(&reach), INT64_MAX);
    reach_ask(&reach, fake_now_us);
    assert_int_equal(fake_client.started, 0);
    assert_null(said);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_when_it_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_nothing_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_news_is_logged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_asked_that_nobody_wants_to_know, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
