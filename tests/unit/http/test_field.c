#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_blanks_are_cut(void **state) {
    (void)state;
    assert_true(text_equal(field_trimmed(TEXT(" \ta b\t ")), TEXT("a b")));
    assert_int_equal(field_trimmed(TEXT(" \t ")).size, 0);
    assert_int_equal(field_trimmed(TEXT("")).size, 0);
}

static void test_a_token_ends_where_it_must(void **state) {
    (void)state;
    assert_int_equal(field_token_size(TEXT("a-b=c")), 3);
    assert_int_equal(field_token_size(TEXT("\"a\"")), 0);
    assert_true(field_is_token(TEXT("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(field_is_token(TEXT("a b")));
    assert_false(field_is_token(TEXT("\xc3\xa9")));
    assert_false(field_is_token(TEXT("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blanks_are_cut),
        cmocka_unit_test(test_a_token_ends_where_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
