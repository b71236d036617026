/* What was taken back, and Wallet counts otherwise than we: told, walked once, and explained by it. */
#include "compared.h"

#define TAKEN_BACK(credited, reversed)                                                                   \
    "{\"reference\":\"" FIRST_ID "\",\"funded\":100000,\"credited\":" credited ",\"reversed\":" reversed \
    ",\"released\":0,\"state\":\"open\"}"
#define LOOK(credited, reversed) PAGE(TAKEN_BACK(credited, reversed) "," FUND(SECOND_ID, "100000", "0", "open"), "null")

static void credit_here(int64_t count) {
    campaigns[0].redeemed = campaigns[0].credited = count;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
}

static int64_t odd(void) { return atomic_load(&comparison_metric_reversals.value); }

static void test_what_was_taken_back_there_alone_is_walked_once(void **state) {
    (void)state;
    credit_here(3);
    answer(200, LOOK("2000", "1000"));
    expect_logged(LOG_WARN, "books_differ");
    assert_int_equal(odd(), 1);
    run();
    assert_int_equal(told.walks, 1);
    assert_int_equal(told.walked, 1);
    end_walk(true);
    for (size_t i = 0; i < 2; i++) {
        answer(200, LOOK("2000", "1000"));
        run();
        expect_nothing_logged();
        assert_int_equal(odd(), 1);
        assert_int_equal(told.walks, 1); /* it is explained */
    }
    answer(200, LOOK("1000", "2000"));
    run();
    assert_int_equal(told.walks, 2); /* and one more is not */
    end_walk(true);
    answer(200, LOOK("3000", "0"));
    assert_int_equal(odd(), 0);
}

static void test_a_walk_that_was_given_up_explains_nothing(void **state) {
    (void)state;
    credit_here(3);
    answer(200, LOOK("2000", "1000"));
    run();
    assert_int_equal(told.walks, 1);
    end_walk(false);
    answer(200, LOOK("2000", "1000"));
    run();
    assert_int_equal(told.walks, 2);
}

static void test_what_can_not_have_been_taken_back_is_no_page(void **state) {
    (void)state;
    int64_t errors = atomic_load(&calls_metric_errors.value);
    answer(200, LOOK("0", "-1"));
    assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_taken_back_there_alone_is_walked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_walk_that_was_given_up_explains_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_not_have_been_taken_back_is_no_page, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
