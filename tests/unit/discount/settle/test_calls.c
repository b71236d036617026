#include "fake_client.h"

static struct calls calls;
static struct arena arena;
static size_t ended;

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    arena_init(&arena, LIMIT_ARENA_BYTES);
    ended = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    arena_release(&arena);
    return 0;
}

static void note_end(struct http_call *call) {
    (void)call;
    ended++;
}

static void test_names_the_address_and_the_caller(void **state) {
    (void)state;
    struct http_call call = {.method = "GET", .done = note_end};
    assert_true(result_is_ok(calls_start(&calls, &call, TEXT("/v1/credits"), &arena)));
    assert_string_equal(call.url, "http://wallet/v1/credits");
    assert_string_equal(call.bearer, "token");
    assert_true(call.timeout_ms >= 1000);
    assert_string_equal(call.header_name, INSTANCE_HEADER);
    fake_answer(0, 200, "");
    assert_int_equal(ended, 1);
}

static void test_a_token_that_is_not_taken_is_dropped(void **state) {
    (void)state;
    static const struct {
        int status;
        bool is_dropped;
    } rows[] = {{0, false}, {429, false}, {500, false}, {404, false}, {401, true}, {403, true}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct http_call call = {.status = rows[i].status};
        int64_t before = atomic_load(&calls_metric_errors.value);
        free(calls.token.text);
        calls.token.text = strdup("token");
        calls_note_failure(&calls, &call);
        assert_int_equal(calls.token.text == NULL, rows[i].is_dropped);
        assert_int_equal(atomic_load(&calls_metric_errors.value), before + 1);
    }
}

/* Who is not there may come back as an older copy; who refuses is there. */
static void test_a_wallet_that_is_not_there_is_a_reason_to_compare(void **state) {
    (void)state;
    const struct http_call refused = {.status = 503}, lost = {.outcome = result_error(RESULT_IO)};
    calls_note_failure(&calls, &refused);
    assert_false(calls.must_compare);
    calls_note_failure(&calls, &lost);
    assert_true(calls.must_compare);
    calls_note_failure(&calls, &refused); /* it stays one until somebody has looked */
    assert_true(calls.must_compare);
}

static void test_without_room_nothing_is_started(void **state) {
    (void)state;
    struct http_call call = {.method = "GET", .done = note_end};
    arena_release(&arena);
    arena_init(&arena, 8);
    assert_int_equal(calls_start(&calls, &call, TEXT("/v1/credits"), &arena).code, RESULT_FULL);
    arena_init(&arena, LIMIT_ARENA_BYTES);
    assert_int_equal(calls_start(&calls, &call, (struct text){NULL, 0}, &arena).code, RESULT_FULL); /* its path found none */
    assert_int_equal(fake_client.started, 0);
}

/* What a stranger says is turned into no answer; what is none stays what it is, and nothing is learnt from it. */
static void test_what_a_stranger_says_is_no_answer(void **state) {
    (void)state;
    static const char ours[] = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01", another[] = "019aab20-4c00-7a31-9f00-5b1e2c3d4e02";
    struct http_call call = {.status = 200, .outcome = result_error(RESULT_IO)};
    snprintf(call.header, sizeof call.header, "%s", another);
    calls_judge(&calls, &call);
    assert_int_equal(call.outcome.code, RESULT_IO);
    call.outcome = result_ok();
    snprintf(call.header, sizeof call.header, "%s", ours);
    calls_judge(&calls, &call);
    assert_true(result_is_ok(call.outcome));
    snprintf(call.header, sizeof call.header, "%s", another);
    calls_judge(&calls, &call);
    assert_int_equal(call.outcome.code, RESULT_DENIED);
}

/* Once one is ours, who gives no name may be anybody; before, nobody has one. */
static void test_whose_answer_it_certainly_is(void **state) {
    (void)state;
    struct http_call named = {.header = "x"}, unnamed = {.header = ""};
    assert_true(calls_is_named(&calls, &named));
    assert_true(calls_is_named(&calls, &unnamed));
    calls.instance.ours = (struct id){{1}};
    assert_true(calls_is_named(&calls, &named));
    assert_false(calls_is_named(&calls, &unnamed));
}

/* No shorter than it is said, so that nobody is woken too early, and no longer by more than a millisecond. */
static void test_how_long_it_waits(void **state) {
    (void)state;
    static const struct { int64_t wait_us, waited_ms; } rows[] = {{-5, 0}, {0, 0}, {1, 1}, {1000, 1}, {1001, 2}, {1000000, 1000}};
    struct waker waker;
    assert_true(result_is_ok(waker_init(&waker)));
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        calls_run(&calls, &waker, rows[i].wait_us);
        assert_int_equal(fake_client.waited_ms, rows[i].waited_ms);
    }
    calls_give_up(&calls);
    int64_t before_us = clock_monotonic_us(&clock_system);
    calls_run(&calls, &waker, 2000);
    assert_true(clock_monotonic_us(&clock_system) - before_us >= 2000);
    calls_run(&calls, &waker, -1); /* not for ever */
    waker_close(&waker);
}

static void test_giving_up_ends_what_is_under_way(void **state) {
    (void)state;
    struct http_call all[2] = {{.method = "GET", .done = note_end}, {.method = "GET", .done = note_end}};
    for (size_t i = 0; i < 2; i++) assert_true(result_is_ok(calls_start(&calls, &all[i], TEXT("/"), &arena)));
    calls_give_up(&calls);
    assert_int_equal(ended, 2);
    assert_int_equal(all[0].outcome.code, RESULT_IO);
    assert_null(calls.client);
    struct waker waker;
    assert_true(result_is_ok(waker_init(&waker)));
    waker_wake(&waker);
    calls_run(&calls, &waker, INT64_C(20) * CLOCK_SECOND_US); /* goes on waiting for messages, and clears the waker */
    assert_false(waker_wait(&waker, 0));
    waker_close(&waker);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_the_address_and_the_caller, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_token_that_is_not_taken_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wallet_that_is_not_there_is_a_reason_to_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_nothing_is_started, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_stranger_says_is_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whose_answer_it_certainly_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_how_long_it_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_giving_up_ends_what_is_under_way, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
