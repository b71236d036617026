#include "../base/assertions.h"

#include <stdlib.h>
#include <string.h>

#include "service/progress.h"

#define ROWS 4096 /* between two looks at the clock */

static int64_t time_us;

static int64_t what_time_it_is(void *context) {
    (void)context;
    return time_us;
}

static const struct clock watch = {.now_us = what_time_it_is, .monotonic_us = what_time_it_is};

static void it_is_told_once_a_second(void **state) {
    (void)state;
    char *said = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&said, &size);
    assert_non_null(out);
    struct progress progress = {.out = out, .clock = &watch};
    time_us = 5 * CLOCK_SECOND_US;
    progress_begin(&progress);
    time_us = 6 * CLOCK_SECOND_US - 1;
    progress_tell_sometimes(&progress, "entries", ROWS, 10 * ROWS);
    time_us = 6 * CLOCK_SECOND_US;
    progress_tell_sometimes(&progress, "entries", ROWS + 1, 10 * ROWS); /* nobody looks at the clock for each row */
    progress_tell_sometimes(&progress, "entries", 2 * ROWS, 10 * ROWS);
    progress_tell_sometimes(&progress, "entries", 3 * ROWS, 10 * ROWS);
    time_us = 7 * CLOCK_SECOND_US;
    progress_tell_sometimes(&progress, "entries", 4 * ROWS, 10 * ROWS);
    progress_tell(&progress, "entries", 40960, 40960);
    time_us = 8 * CLOCK_SECOND_US - 1;
    progress_tell_sometimes(&progress, "holds", ROWS, ROWS);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(said, "entries: 8192 of 40960\nentries: 16384 of 40960\nentries: 40960 of 40960\n");
    free(said);
}

static void nobody_waits(void **state) {
    (void)state;
    progress_begin(NULL);
    progress_tell_sometimes(NULL, "entries", ROWS, ROWS);
    progress_tell(NULL, "entries", ROWS, ROWS);
}

static void each_ten_per_cent_is_told_and_the_end_once(void **state) {
    (void)state;
    int shown = 0, told[8] = {0};
    size_t count = 0;
    for (int percent = 0; percent <= 100; percent += 7)
        if (progress_percent_is_due(&shown, percent)) told[count++] = percent;
    assert_int_equal(count, 7);
    assert_true(told[0] == 14 && told[1] == 28 && told[6] == 98);
    assert_true(progress_percent_is_due(&shown, 100));
    assert_false(progress_percent_is_due(&shown, 100));
    shown = -1;
    assert_false(progress_percent_is_due(&shown, 0));
    assert_true(progress_percent_is_due(&shown, 9));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_once_a_second),
        cmocka_unit_test(nobody_waits),
        cmocka_unit_test(each_ten_per_cent_is_told_and_the_end_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
