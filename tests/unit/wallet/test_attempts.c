#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "wallet/attempts.h"

#define ADDRESS ((struct address){{1}})

static int make(void **state) { return result_is_ok(attempts_create((struct attempts **)state)) ? 0 : -1; }
static int drop(void **state) {
    attempts_free(*state);
    return 0;
}

static void ten_failures_are_free_and_then_it_waits_longer_each_time(void **state) {
    struct attempts *attempts = *state;
    int64_t now_us = 1000;
    for (int i = 0; i < ATTEMPTS_FREE; i++) {
        assert_int_equal(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, now_us), 0);
        attempts_failed(attempts, TEXT("sara"), ADDRESS, now_us);
    }
    int64_t wait_us = ATTEMPTS_FIRST_WAIT_US;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, now_us), wait_us);
        now_us += wait_us;
        assert_int_equal(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, now_us), 0);
        attempts_failed(attempts, TEXT("sara"), ADDRESS, now_us);
        wait_us = wait_us * 2 < ATTEMPTS_LONGEST_WAIT_US ? wait_us * 2 : ATTEMPTS_LONGEST_WAIT_US;
    }
}

static void another_name_or_address_is_not_held_up(void **state) {
    struct attempts *attempts = *state;
    for (int i = 0; i < ATTEMPTS_FREE; i++) attempts_failed(attempts, TEXT("sara"), ADDRESS, 0);
    assert_true(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, 1) > 0);
    assert_int_equal(attempts_wait_us(attempts, TEXT("reza"), ADDRESS, 1), 0);
    assert_int_equal(attempts_wait_us(attempts, TEXT("sara"), ((struct address){{2}}), 1), 0);
}

static void a_success_forgets(void **state) {
    struct attempts *attempts = *state;
    for (int i = 0; i < ATTEMPTS_FREE - 1; i++) attempts_failed(attempts, TEXT("sara"), ADDRESS, 0);
    attempts_succeeded(attempts, TEXT("sara"), ADDRESS);
    attempts_failed(attempts, TEXT("sara"), ADDRESS, 0);
    assert_int_equal(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, 1), 0);
}

static void time_forgets(void **state) {
    struct attempts *attempts = *state;
    for (int i = 0; i < ATTEMPTS_FREE - 1; i++) attempts_failed(attempts, TEXT("sara"), ADDRESS, 0);
    attempts_failed(attempts, TEXT("sara"), ADDRESS, ATTEMPTS_FORGET_US);
    assert_int_equal(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, ATTEMPTS_FORGET_US + 1), 0);
}

static void the_table_stays_bounded(void **state) {
    struct attempts *attempts = *state;
    for (int i = 0; i < 200000; i++) {
        char name[16];
        int size = snprintf(name, sizeof name, "u%d", i);
        attempts_failed(attempts, (struct text){name, (size_t)size}, ADDRESS, i);
    }
    for (int i = 0; i < ATTEMPTS_FREE; i++) attempts_failed(attempts, TEXT("sara"), ADDRESS, 300000);
    assert_true(attempts_wait_us(attempts, TEXT("sara"), ADDRESS, 300001) > 0);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ten_failures_are_free_and_then_it_waits_longer_each_time, make, drop),
        cmocka_unit_test_setup_teardown(another_name_or_address_is_not_held_up, make, drop),
        cmocka_unit_test_setup_teardown(a_success_forgets, make, drop),
        cmocka_unit_test_setup_teardown(time_forgets, make, drop),
        cmocka_unit_test_setup_teardown(the_table_stays_bounded, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
