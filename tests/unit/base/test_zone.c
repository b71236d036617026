/* Days by the system's own rules: Iran's, which had summer time until 2022, and Germany's, whose days have 23 to 25 hours. */
#include "base/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

static int64_t at(const char *text) {
    int64_t time_us;
    assert_true(result_is_ok(clock_parse(text_of(text), &time_us)));
    return time_us;
}

static const struct zone *zone_of(const char *name) {
    const struct zone *zone, *again;
    assert_true(result_is_ok(zone_find(text_of(name), &zone)));
    assert_true(result_is_ok(zone_find(text_of(name), &again)));
    assert_ptr_equal(zone, again);
    return zone;
}

static void check_day(const char *name, const char *now, const char *start, const char *end) {
    int64_t start_us, end_us;
    zone_day(zone_of(name), at(now), &start_us, &end_us);
    assert_int_equal(start_us, at(start));
    assert_int_equal(end_us, at(end));
}

static void test_days(void **state) {
    (void)state;
    check_day("UTC", "2026-11-26T23:59:59.999999Z", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z");
    check_day("UTC", "1969-12-31T12:00:00Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z");
    check_day("Asia/Tehran", "2026-11-26T20:29:59.999999Z", "2026-11-25T20:30:00Z", "2026-11-26T20:30:00Z");
    check_day("Asia/Tehran", "2026-11-26T20:30:00Z", "2026-11-26T20:30:00Z", "2026-11-27T20:30:00Z");
    check_day("Asia/Tehran", "2021-07-01T20:00:00Z", "2021-07-01T19:30:00Z", "2021-07-02T19:30:00Z"); /* summer time */
    check_day("Asia/Tehran", "2026-07-01T20:00:00Z", "2026-06-30T20:30:00Z", "2026-07-01T20:30:00Z"); /* none any more */
    check_day("Asia/Tehran", "2021-03-22T00:00:00Z", "2021-03-21T20:30:00Z", "2021-03-22T19:30:00Z"); /* it has no midnight: 23 hours */
    check_day("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    check_day("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
}

static void check_month(const char *zone, const char *moment, const char *from, const char *until) {
    int64_t start_us, end_us;
    zone_month(zone_of(zone), at(moment), &start_us, &end_us);
    assert_int_equal(start_us, at(from));
    assert_int_equal(end_us, at(until));
}

static void test_months(void **state) {
    (void)state;
    check_month("UTC", "2026-02-28T23:59:59Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
    check_month("UTC", "2024-02-29T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
    check_month("UTC", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    check_month("Asia/Tehran", "2026-12-31T20:29:59Z", "2026-11-30T20:30:00Z", "2026-12-31T20:30:00Z");
    check_month("Asia/Tehran", "2026-12-31T20:30:00Z", "2026-12-31T20:30:00Z", "2027-01-31T20:30:00Z");
    check_month("Europe/Berlin", "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"); /* summer time begins */
    assert_string_equal(zone_name(zone_of("Asia/Tehran")), "Asia/Tehran");
}

static void test_clocks_on_the_wall(void **state) {
    (void)state;
    int64_t day, minute;
    zone_local(zone_of("Asia/Tehran"), at("2026-11-26T06:30:59Z"), &day, &minute);
    assert_int_equal(day, at("2026-11-26T00:00:00Z") / CLOCK_SECOND_US / 86400);
    assert_int_equal(minute, 10 * 60);
    assert_int_equal(zone_moment(zone_of("Asia/Tehran"), day, 10 * 60), at("2026-11-26T06:30:00Z"));
    assert_int_equal(zone_moment(zone_of("Asia/Tehran"), day, 1440), at("2026-11-26T20:30:00Z"));
}

static void test_names(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "Asia/Teheran",
                                      "+03:30",
                                      "../../etc/passwd",
                                      "/etc/localtime",
                                      "IRST-3:30",
                                      "Asia/",
                                      "Asia Tehran",
                                      "Asia/0123456789012345678901234567890123456789012345"};
    const struct zone *zone;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (result_is_ok(zone_find(text_of(bad[i]), &zone))) fail_msg("%s is a zone", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_days), cmocka_unit_test(test_months),
                                       cmocka_unit_test(test_clocks_on_the_wall), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
