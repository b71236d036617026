/* When the books are compared, and by which pages. */
#include "compared.h"

/* ---- when ---- */

static void test_it_begins_soon_and_looks_less_and_less_often(void **state) {
    (void)state;
    int64_t start_us = fake_now_us;
    run();
    assert_int_equal(fake_client.count, 0);
    assert_int_equal(next(), start_us + SECOND_US / 4);
    fake_now_us = next() - 1;
    run();
    assert_int_equal(fake_client.count, 0);
    fake_now_us++;
    run();
    assert_string_equal(fake_client.calls[0]->method, "GET");
    assert_string_equal(fake_client.calls[0]->url, LIST);
    assert_int_equal(next(), INT64_MAX);
    fake_now_us += 9 * SECOND_US;
    run(); /* one at a time */
    assert_int_equal(fake_client.count, 1);
    static const int64_t pauses_s[] = {2, 4, 8, 16, 32, 60, 60};
    for (size_t i = 0; i < ARRAY_COUNT(pauses_s); i++) {
        answer(200, BOTH);
        assert_int_equal(next(), fake_now_us + pauses_s[i] * SECOND_US);
    }
    assert_int_equal(told.compared, 1); /* once */
    assert_int_equal(told.claims_looks + told.funds_looks, 0);
    assert_int_equal(told.walk_runs > 0, true);
    told.walk_next_us = fake_now_us + 5;
    assert_int_equal(next(), fake_now_us + 5); /* the walk has its own times */
    calls_give_up(&calls);
    fake_now_us += 100 * SECOND_US;
    size_t runs = told.walk_runs;
    run();
    assert_int_equal(told.walk_runs, runs);
    assert_int_equal(fake_client.count, 0);
}

static void test_what_waits_for_it_is_looked_at_at_once(void **state) {
    (void)state;
    set_books(1, BOOKS_NOT_COMPARED);
    run();
    assert_int_equal(fake_client.count, 1);
    fake_answer(0, 200, BOTH);
    assert_int_equal(books(1), BOOKS_AGREE);
    assert_int_equal(told.claims_looks, 1);
    assert_int_equal(told.funds_looks, 1);
    assert_int_equal(told.compared, 1);
}

static void test_a_reason_to_look_is_followed_at_once_and_soon_again(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) answer(200, BOTH);
    calls.must_compare = true;
    run();
    assert_false(calls.must_compare);
    assert_int_equal(fake_client.count, 1);
    calls.must_compare = true;
    run();
    assert_true(calls.must_compare); /* it may have come too late for this one */
    fake_answer(0, 200, BOTH);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    run();
    assert_false(calls.must_compare);
    assert_int_equal(fake_client.count, 1);
}

static void test_another_wallet_is_compared_with_anew(void **state) {
    (void)state;
    calls.instance.ours.bytes[0] = 1;
    run(); /* the first one */
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(fake_client.count, 0);
    answer(200, BOTH);
    answer(200, BOTH);
    set_books(0, BOOKS_CONFLICTED);
    calls.instance.ours.bytes[0] = 3;
    run();
    assert_int_equal(books(0), BOOKS_NOT_COMPARED); /* these were another one's conflicts */
    end_call(200, BOTH);
    set_books(1, BOOKS_RECOVERING);
    rebuild.state = REBUILD_MAKING;
    calls.instance.ours.bytes[0] = 2;
    run();
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    assert_int_equal(books(1), BOOKS_RECOVERING);
    assert_int_equal(fake_client.count, 1);
    end_call(200, BOTH);
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    run();
    assert_int_equal(books(0), BOOKS_AGREE);
}

/* ---- pages ---- */

static void test_all_pages_are_one_look(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    answer(200, PAGE(FUND(SECOND_ID, "100000", "0", "open"), "\"a\""));
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    assert_string_equal(fake_client.calls[0]->url, LIST "&cursor=a");
    answer(200, PAGE(FUND(FIRST_ID, "100000", "0", "open"), "\"" LONGEST "\""));
    assert_string_equal(fake_client.calls[0]->url, LIST "&cursor=" LONGEST);
    answer(200, PAGE("", "null"));
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(told.adopts, 0);
    fake_now_us = next();
    run();
    assert_string_equal(fake_client.calls[0]->url, LIST); /* from the beginning */
}

static void test_a_page_of_no_use_is_a_failure(void **state) {
    (void)state;
    static const char *const bodies[] = {"",
                                         "[]",
                                         "null",
                                         "{}",
                                         "{\"data\":1}",
                                         "{\"data\":[],\"data\":[]}",
                                         PAGE("1", "null"),
                                         PAGE("", "\"a\""),
                                         PAGE(FUND(FIRST_ID, "-1", "-1", "open"), "null"),
                                         PAGE(FUND(FIRST_ID, "5", "-1", "open"), "null"),
                                         PAGE(FUND(FIRST_ID, "5", "6", "open"), "null"),
                                         PAGE(FUND(FIRST_ID, "9007199254740992", "6", "open"), "null"),
                                         PAGE("{\"reference\":\"" FIRST_ID "\",\"funded\":5,\"credited\":5}", "null"),
                                         PAGE(FUND(FIRST_ID, "5", "5", "open"), "\"" LONGEST "x\"")};
    set_books(0, BOOKS_NOT_COMPARED);
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        int64_t errors = atomic_load(&calls_metric_errors.value);
        answer(200, bodies[i]);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
        assert_int_equal(books(0), BOOKS_NOT_COMPARED);
        if (i == 0)
            expect_logged(LOG_INFO, "books_not_compared");
        else
            expect_nothing_logged();
        assert_true(next() > fake_now_us);
        run(); /* not at once */
        assert_int_equal(fake_client.count, 0);
    }
    answer(200, BOTH);
    answer(200, BOTH);
    answer(503, "");
    answer(200, BOTH);
    assert_int_equal(comparison.backoff.attempts, 0);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
}

static void test_what_is_no_answer_is_a_failure(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
    } cases[] = {{{RESULT_IO}, 200}, {{RESULT_IO}, 404}, {{RESULT_OK}, 503}, {{RESULT_OK}, 403}};
    set_books(0, BOOKS_NOT_COMPARED);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (calls.token.text == NULL) calls.token.text = strdup("token");
        fake_now_us = next() > fake_now_us ? next() : fake_now_us;
        run();
        fake_client.calls[0]->retry_after_ms = 4000;
        fake_end(0, cases[i].outcome, cases[i].status, BOTH);
        assert_int_equal(books(0), BOOKS_NOT_COMPARED);
        assert_int_equal(next(), fake_now_us + 4 * SECOND_US);
    }
    if (calls.token.text == NULL) calls.token.text = strdup("token");
    calls.instance.ours.bytes[0] = 1;
    comparison.instance = calls.instance.ours;
    fake_now_us = next();
    run();
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "019aab20-4c00-7a31-9f00-5b1e2c3d4e02");
    fake_answer(0, 200, BOTH); /* a stranger */
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    fake_now_us = next();
    run();
    fake_answer(0, 404, "{}"); /* of nobody by name */
    assert_int_equal(books(0), BOOKS_NOT_COMPARED);
    fake_now_us = next();
    fake_client.refuses = true;
    run();
    assert_int_equal(fake_client.count, 0);
    assert_true(next() > fake_now_us);
    assert_int_equal(told.compared, 0);
}

static void test_a_wallet_that_has_no_list_holds_nothing_up(void **state) {
    (void)state;
    set_books(0, BOOKS_NOT_COMPARED);
    set_books(1, BOOKS_RECOVERING);
    answer(404, "{}");
    expect_logged(LOG_WARN, "books_not_comparable");
    assert_int_equal(books(0), BOOKS_AGREE);
    assert_int_equal(books(1), BOOKS_RECOVERING);
    assert_int_equal(told.compared, 0);
    assert_int_equal(told.claims_looks, 1);
    assert_int_equal(next(), fake_now_us + 2 * SECOND_US);
    set_books(1, BOOKS_AGREE);
    answer(404, "{}");
    expect_nothing_logged();
    assert_int_equal(told.compared, 1);
    assert_int_equal(told.claims_looks, 1);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_it_begins_soon_and_looks_less_and_less_often),
        TEST(test_what_waits_for_it_is_looked_at_at_once),
        TEST(test_a_reason_to_look_is_followed_at_once_and_soon_again),
        TEST(test_another_wallet_is_compared_with_anew),
        TEST(test_all_pages_are_one_look),
        TEST(test_a_page_of_no_use_is_a_failure),
        TEST(test_what_is_no_answer_is_a_failure),
        TEST(test_a_wallet_that_has_no_list_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
