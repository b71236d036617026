#include "discount/settle/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"

#define NOW_US INT64_C(1000000000)

static void test_doubles_up_to_the_most(void **state) {
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct backoff backoff = {0};
        int64_t whole_us = BACKOFF_FIRST_US;
        for (uint32_t attempt = 0; attempt < 100; attempt++) {
            backoff.retry_at_us = 0;
            backoff_fail(&backoff, NOW_US, 0);
            assert_int_equal(backoff.attempts, attempt + 1);
            assert_in_range(backoff.retry_at_us - NOW_US, whole_us / 2, whole_us - 1);
            whole_us = whole_us * 2 < BACKOFF_MOST_US ? whole_us * 2 : BACKOFF_MOST_US;
        }
    }
}

static void test_those_who_failed_together_come_back_apart(void **state) {
    (void)state;
    size_t different = 0;
    struct backoff first = {0};
    backoff_fail(&first, NOW_US, 0);
    int64_t last_us = 0;
    for (int i = 0; i < 200; i++) {
        struct backoff other = {0};
        backoff_fail(&other, NOW_US, 0);
        different += other.retry_at_us != first.retry_at_us;
        if (other.retry_at_us - NOW_US > last_us) last_us = other.retry_at_us - NOW_US;
    }
    assert_true(different > 100);
    assert_true(last_us > BACKOFF_FIRST_US * 9 / 10); /* over all of the time that there is */
}

static void test_waits_as_long_as_it_is_asked_to(void **state) {
    (void)state;
    struct backoff backoff = {0};
    backoff_fail(&backoff, NOW_US, 3000);
    assert_int_equal(backoff.retry_at_us, NOW_US + 3000000);
    backoff_clear(&backoff);
    backoff_fail(&backoff, NOW_US, 4999); /* to the millisecond */
    assert_int_equal(backoff.retry_at_us, NOW_US + 4999000);
    backoff_clear(&backoff);
    backoff_fail(&backoff, NOW_US, 1); /* shorter than its own: its own */
    assert_in_range(backoff.retry_at_us - NOW_US, BACKOFF_FIRST_US / 2, BACKOFF_FIRST_US - 1);
    backoff_clear(&backoff);
    backoff_fail(&backoff, NOW_US, INT64_MAX); /* but not for ever */
    assert_int_equal(backoff.retry_at_us, NOW_US + BACKOFF_MOST_US);
}

static void test_is_never_earlier_than_was_said(void **state) {
    (void)state;
    struct backoff backoff = {0};
    backoff_fail(&backoff, NOW_US, 4000);
    for (int i = 0; i < 3; i++) backoff_fail(&backoff, NOW_US, 0);
    assert_int_equal(backoff.retry_at_us, NOW_US + 4000000);
}

static void test_a_success_makes_the_next_failure_a_first_one(void **state) {
    (void)state;
    struct backoff backoff = {0};
    for (int i = 0; i < 8; i++) backoff_fail(&backoff, NOW_US, 0);
    backoff_clear(&backoff);
    assert_int_equal(backoff.attempts, 0);
    assert_int_equal(backoff.retry_at_us, 0);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_most),
        cmocka_unit_test(test_those_who_failed_together_come_back_apart),
        cmocka_unit_test(test_waits_as_long_as_it_is_asked_to),
        cmocka_unit_test(test_is_never_earlier_than_was_said),
        cmocka_unit_test(test_a_success_makes_the_next_failure_a_first_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
