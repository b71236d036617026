#include "assertions.h"

#include "base/result.h"

static struct result pass_on(struct result inner) {
    TRY(inner);
    return result_error(RESULT_TIMEOUT); /* reached only when the inner one was fine */
}

static void names_are_all_different(void **state) {
    (void)state;
    for (int a = RESULT_OK; a <= RESULT_TIMEOUT; a++) {
        assert_string_not_equal(result_name(result_error((enum result_code)a)), "unknown");
        for (int b = RESULT_OK; b < a; b++) {
            assert_string_not_equal(result_name(result_error((enum result_code)a)), result_name(result_error((enum result_code)b)));
        }
    }
}

static void try_returns_only_failures(void **state) {
    (void)state;
    assert_result(pass_on(result_error(RESULT_IO)), RESULT_IO);
    assert_result(pass_on(result_ok()), RESULT_TIMEOUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_all_different), cmocka_unit_test(try_returns_only_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
