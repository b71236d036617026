/* The table of foreign codes: each is found, nothing else is, and it grows while it is asked. */
#include "discount/foreign_codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 5000u

static struct hash hash_of(uint32_t number) { return crypto_hash((struct text){(const char *)&number, sizeof number}); }

static void test_each_is_found_and_nothing_else(void **state) {
    (void)state;
    struct foreign_codes codes = {NULL};
    uint32_t batch, index;
    struct hash hash = hash_of(1);
    assert_false(foreign_codes_find(&codes, &hash, &batch, &index));
    for (uint32_t i = 0; i < COUNT; i++) {
        hash = hash_of(i);
        assert_true(result_is_ok(foreign_codes_reserve(&codes, 1)));
        foreign_codes_add(&codes, &hash, i / 100 + 1, i % 100 + 1);
    }
    for (uint32_t i = 0; i < 2 * COUNT; i++) {
        hash = hash_of(i);
        assert_int_equal(foreign_codes_find(&codes, &hash, &batch, &index), i < COUNT);
        if (i >= COUNT) continue;
        assert_int_equal(batch, i / 100 + 1);
        assert_int_equal(index, i % 100 + 1);
    }
    foreign_codes_clear(&codes);
    assert_false(foreign_codes_find(&codes, &hash, &batch, &index));
}

/* Those whose marks begin alike stand one behind the other; a mark of 0 is not the empty place. */
static void test_marks_that_meet(void **state) {
    (void)state;
    struct foreign_codes codes = {NULL};
    struct hash alike[4] = {{{0}}, {{64}}, {{0, 0, 0, 0, 0, 0, 0, 1}}, {{128}}};
    uint32_t batch, index;
    assert_true(result_is_ok(foreign_codes_reserve(&codes, 3)));
    for (uint32_t i = 0; i < 3; i++) foreign_codes_add(&codes, &alike[i], 7, i + 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(foreign_codes_find(&codes, &alike[i], &batch, &index));
        assert_int_equal(index, i + 1);
    }
    assert_false(foreign_codes_find(&codes, &alike[3], &batch, &index));
    foreign_codes_clear(&codes);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_is_found_and_nothing_else), cmocka_unit_test(test_marks_that_meet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
