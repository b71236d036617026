#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "crowd/watch.h"

static void test_a_line_says_what_the_report_says(void **state) {
    (void)state;
    static const struct {
        struct watch_counts counts;
        const char *line;
    } cases[] = {
        {{0}, "places     [........................] 0 of 0 left   claimed 0   credited 0   refused 0"},
        {{1000, 1000, 0, 0, 0}, "places     [........................] 1,000 of 1,000 left   claimed 0   credited 0   refused 0"},
        {{1000, 500, 500, 431, 1204},
         "places     [############............] 500 of 1,000 left   claimed 500   credited 431   refused 1,204"},
        {{1000, 1, 999, 999, 0}, "places     [#######################.] 1 of 1,000 left   claimed 999   credited 999   refused 0"},
        {{1000, 0, 1000, 1000, 12345678},
         "places     [########################] 0 of 1,000 left   claimed 1,000   credited 1,000   refused 12,345,678"},
        {{999, 0, 1200, 1200, 100}, "places     [########################] 0 of 999 left   claimed 1,200   credited 1,200   refused 100"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char line[WATCH_LINE_BYTES];
        watch_line(&cases[i].counts, line);
        assert_string_equal(line, cases[i].line);
    }
}

static void test_the_largest_counts_fit(void **state) {
    (void)state;
    char line[WATCH_LINE_BYTES];
    const int64_t places = 100000000, most = INT64_C(9007199254740991);
    watch_line(&(struct watch_counts){places, places, places, places, most}, line);
    assert_non_null(strstr(line, "refused 9,007,199,254,740,991"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_says_what_the_report_says),
        cmocka_unit_test(test_the_largest_counts_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
