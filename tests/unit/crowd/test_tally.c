#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "crowd/tally.h"

static void add(struct tally *tally, int status, int64_t latency_us) {
    struct http_call call = {.outcome = result_ok(), .status = status};
    tally_add_answer(tally, &call, latency_us);
}

static void test_answers_are_counted_by_status_and_broken_calls_apart(void **state) {
    (void)state;
    struct tally tally = {0};
    add(&tally, 201, 5);
    add(&tally, 410, 6);
    add(&tally, 410, 7);
    struct http_call broken = {.outcome = result_error(RESULT_IO), .status = 201};
    tally_add_answer(&tally, &broken, 1000000);
    add(&tally, TALLY_STATUS_MAX, 8);
    assert_int_equal(tally.by_status[201], 1);
    assert_int_equal(tally.by_status[410], 2);
    assert_int_equal(tally.broken, 2);
    assert_int_equal(tally.latency_count, 3);
    tally_free(&tally);
}

static void test_percentiles_are_by_nearest_rank(void **state) {
    (void)state;
    struct tally tally = {0};
    assert_int_equal(tally_percentile_us(&tally, 50), 0);
    for (int64_t latency_us = 1000; latency_us >= 1; latency_us--) add(&tally, 200, latency_us);
    tally_sort_latencies(&tally);
    assert_int_equal(tally_percentile_us(&tally, 1), 10);
    assert_int_equal(tally_percentile_us(&tally, 50), 500);
    assert_int_equal(tally_percentile_us(&tally, 90), 900);
    assert_int_equal(tally_percentile_us(&tally, 99), 990);
    assert_int_equal(tally_percentile_us(&tally, 100), 1000);
    tally_free(&tally);
}

static void test_a_single_latency_is_every_percentile(void **state) {
    (void)state;
    struct tally tally = {0};
    add(&tally, 200, 7);
    tally_sort_latencies(&tally);
    assert_int_equal(tally_percentile_us(&tally, 1), 7);
    assert_int_equal(tally_percentile_us(&tally, 50), 7);
    assert_int_equal(tally_percentile_us(&tally, 100), 7);
    tally_free(&tally);
}

static void test_more_answers_than_the_first_room_are_all_kept(void **state) {
    (void)state;
    struct tally tally = {0};
    for (int64_t latency_us = 0; latency_us < 10000; latency_us++) add(&tally, 503, latency_us);
    tally_sort_latencies(&tally);
    assert_int_equal(tally.latency_count, 10000);
    assert_int_equal(tally_percentile_us(&tally, 100), 9999);
    tally_free(&tally);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_counted_by_status_and_broken_calls_apart),
        cmocka_unit_test(test_percentiles_are_by_nearest_rank),
        cmocka_unit_test(test_a_single_latency_is_every_percentile),
        cmocka_unit_test(test_more_answers_than_the_first_room_are_all_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
