/* The service's days and months, and the zone that they were counted in last. */
#include "wallet/calendar.h"

#include "base/clock.h"
#include "desk.h"

static int64_t at(const char *text) {
    int64_t moment_us = 0;
    assert_true(result_is_ok(clock_parse(text_of(text), &moment_us)));
    return moment_us;
}

static const struct zone *zone_of(const char *name) {
    const struct zone *zone = NULL;
    assert_true(result_is_ok(zone_find(text_of(name), &zone)));
    return zone;
}

static void check(const char *moment, const char *day_from, const char *day_until, const char *month_from, const char *month_until) {
    struct calendar calendar = calendar_of(zone_of("Asia/Tehran"));
    struct period day, month;
    calendar.find(calendar.zone, at(moment), &day, &month);
    assert_int_equal(day.from_us, at(day_from));
    assert_int_equal(day.until_us, at(day_until));
    assert_int_equal(month.from_us, at(month_from));
    assert_int_equal(month.until_us, at(month_until));
}

static void days_and_months_turn_at_the_midnight_of_the_zone(void **state) {
    (void)state;
    check("2026-11-30T20:29:59.999999Z", "2026-11-29T20:30:00Z", "2026-11-30T20:30:00Z", "2026-10-31T20:30:00Z", "2026-11-30T20:30:00Z");
    check("2026-11-30T20:30:00Z", "2026-11-30T20:30:00Z", "2026-12-01T20:30:00Z", "2026-11-30T20:30:00Z", "2026-12-31T20:30:00Z");
}

static void another_zone_is_written_down_once(void **state) {
    (void)state;
    struct desk *desk = desk_open();
    struct data_meta meta;
    assert_true(result_is_ok(data_read_meta(desk->writer, &meta)));
    assert_string_equal(meta.time_zone, "UTC");
    for (int i = 0; i < 2; i++) {
        assert_true(result_is_ok(calendar_review(desk->writer, text_of(meta.time_zone), zone_of("Asia/Tehran"), desk->now_us)));
        assert_true(result_is_ok(data_read_meta(desk->writer, &meta)));
        assert_string_equal(meta.time_zone, "Asia/Tehran");
    }
    desk_close(desk);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(days_and_months_turn_at_the_midnight_of_the_zone),
                                       cmocka_unit_test(another_zone_is_written_down_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
