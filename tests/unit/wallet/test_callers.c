#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wallet/callers.h"

static void test_counts_each_by_its_name(void **state) {
    (void)state;
    struct callers *callers;
    assert_true(result_is_ok(callers_create(&callers)));
    assert_int_equal(callers_find(callers, TEXT("shop")).credits, 0);
    callers_add(callers, TEXT("shop"), 41, TEXT("first"));
    callers_add(callers, TEXT("shopper"), 1, TEXT("other"));
    callers_add(callers, TEXT("shop"), 1, TEXT("newest one"));
    struct caller_count count = callers_find(callers, TEXT("shop"));
    assert_int_equal(count.credits, 42);
    assert_true(text_equal((struct text){count.last_reference, count.last_reference_size}, TEXT("newest one")));
    assert_int_equal(callers_find(callers, TEXT("shopper")).credits, 1);
    callers_free(callers);
}

static void test_has_an_end(void **state) {
    (void)state;
    struct callers *callers;
    char name[16];
    assert_true(result_is_ok(callers_create(&callers)));
    for (unsigned i = 0; i < CALLERS_MAX + 5; i++) {
        snprintf(name, sizeof name, "caller%u", i);
        callers_add(callers, text_of(name), 1, TEXT("reference"));
        assert_int_equal(callers_find(callers, text_of(name)).credits, i < CALLERS_MAX ? 1 : 0);
    }
    callers_add(callers, TEXT("caller0"), 1, TEXT("reference"));
    assert_int_equal(callers_find(callers, TEXT("caller0")).credits, 2);
    callers_free(callers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_each_by_its_name),
        cmocka_unit_test(test_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
