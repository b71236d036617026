/* What is drawn of which past: the unit of time, what of it fits, and that every size there is has room for every number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "discount/plot.h"

#define NOW INT64_C(1795687203) /* 2026-11-26T10:00:03Z */

static struct board_snapshot snapshot;
static struct board_minutes minutes;
static struct arena arena;
static struct buffer buffer;

static int begin(void **state) {
    (void)state;
    memset(&snapshot, 0, sizeof snapshot);
    memset(&minutes, 0, sizeof minutes);
    snapshot.view.max_redemptions = 1000;
    arena_init(&arena, 1024 * 1024);
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static void add_second(int64_t second, uint32_t claimed, uint32_t rejected) {
    snapshot.seconds[snapshot.second_count++] = (struct second_counts){second, claimed, claimed, rejected};
    snapshot.view.redeemed += claimed;
    snapshot.view.taken += claimed;
    snapshot.view.credited += claimed;
    if (minutes.count == 0 || minutes.minutes[minutes.count - 1].minute < second / 60)
        minutes.minutes[minutes.count++].minute = second / 60;
    struct minute_counts *minute = &minutes.minutes[minutes.count - 1];
    minute->claimed += claimed;
    minute->credited += claimed;
    minute->rejected += rejected;
}

/* As a text, until the end of the test. */
static const char *draw(int64_t width, int64_t height) {
    buffer_init(&buffer, &arena, 4096);
    plot_write(&buffer, (struct plot_size){width, height}, TEXT("<b>\"&"), &snapshot, &minutes, NOW * CLOCK_SECOND_US);
    buffer_append_byte(&buffer, '\0');
    assert_false(buffer.failed);
    return buffer.data;
}

static void test_nothing_yet(void **state) {
    (void)state;
    const char *drawn = draw(960, 540);
    assert_non_null(strstr(drawn, "No claims yet"));
    assert_non_null(strstr(drawn, "per second"));
    assert_non_null(strstr(drawn, "<title>&lt;b&gt;&quot;&amp;</title>"));
    assert_non_null(strstr(drawn, "0 of 1,000 places taken"));
}

static void test_a_crowd_is_drawn_by_seconds(void **state) {
    (void)state;
    for (int64_t i = 0; i < 20; i++) add_second(NOW - 25 + i, 50, 7);
    const char *drawn = draw(960, 540);
    assert_non_null(strstr(drawn, "per second"));
    assert_null(strstr(drawn, "No claims yet"));
    assert_non_null(strstr(drawn, "1,000 of 1,000 places taken"));
    assert_non_null(strstr(drawn, ">10:00:00</text>"));
}

static void test_more_than_a_quarter_of_an_hour_is_drawn_by_minutes(void **state) {
    (void)state;
    add_second(NOW - 1000, 1, 0);
    add_second(NOW - 10, 1, 0);
    const char *drawn = draw(960, 540);
    assert_non_null(strstr(drawn, "per minute"));
    assert_null(strstr(drawn, "per second"));
    assert_non_null(strstr(drawn, ">2026-11-26 UTC</text>"));
}

/* The seconds have forgotten what the minutes know. */
static void test_what_is_in_no_second_any_more_is_drawn_by_minutes(void **state) {
    (void)state;
    minutes.minutes[minutes.count++] = (struct minute_counts){NOW / 60 - 2000, 5, 5, 5};
    add_second(NOW - 10, 1, 0);
    const char *drawn = draw(960, 540);
    assert_non_null(strstr(drawn, "per minute"));
    assert_non_null(strstr(drawn, "2026-11-25 \xe2\x80\x93 2026-11-26 UTC")); /* a day of it */
}

static void test_what_is_long_over_is_drawn_as_it_was(void **state) {
    (void)state;
    add_second(NOW - 864000, 400, 0);
    add_second(NOW - 864000 + 5, 600, 100);
    const char *drawn = draw(960, 540);
    assert_non_null(strstr(drawn, "per second"));
    assert_non_null(strstr(drawn, ">2026-11-16 UTC</text>"));
}

static void test_every_size_has_room_for_everything(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{PLOT_WIDTH_MIN, PLOT_HEIGHT_MIN},
                                       {PLOT_WIDTH_MAX, PLOT_HEIGHT_MIN},
                                       {PLOT_WIDTH_MIN, PLOT_HEIGHT_MAX},
                                       {PLOT_WIDTH_MAX, PLOT_HEIGHT_MAX}};
    snapshot.view.max_redemptions = 100000000;
    for (int64_t i = 0; i < (int64_t)BOARD_SECONDS; i++)
        add_second(NOW - 2 * (int64_t)BOARD_SECONDS + 2 * i, (uint32_t)(i * 97 % 50000), UINT32_MAX / 1000);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) assert_non_null(strstr(draw(sizes[i][0], sizes[i][1]), "</svg>\n"));
    size_t seconds = snapshot.second_count;
    for (size_t i = 0; i < seconds; i++) snapshot.seconds[i].second = NOW - (int64_t)(seconds - i) + 1;
    minutes.count = 0; /* by seconds, as many as there are */
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) assert_non_null(strstr(draw(sizes[i][0], sizes[i][1]), "per second"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_yet, begin, end),
        cmocka_unit_test_setup_teardown(test_a_crowd_is_drawn_by_seconds, begin, end),
        cmocka_unit_test_setup_teardown(test_more_than_a_quarter_of_an_hour_is_drawn_by_minutes, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_in_no_second_any_more_is_drawn_by_minutes, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_long_over_is_drawn_as_it_was, begin, end),
        cmocka_unit_test_setup_teardown(test_every_size_has_room_for_everything, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
