#include "assertions.h"

#include "base/clock.h"

static void assert_formats(int64_t time_us, const char *expected) {
    char text[CLOCK_TEXT_BYTES];
    clock_format(time_us, text);
    assert_text(((struct text){text, sizeof text}), expected);
    int64_t back = 1;
    assert_ok(clock_parse((struct text){text, sizeof text}, &back));
    assert_int_equal(back, time_us);
}

static void formatting(void **state) {
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00.000000Z");
    assert_formats(-1, "1969-12-31T23:59:59.999999Z");
    assert_formats(INT64_C(1795341600123456), "2026-11-22T10:00:00.123456Z");
    assert_formats(INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
    assert_formats(INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z");
    assert_formats(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
}

static void every_day_of_800_years_comes_back(void **state) {
    (void)state;
    const int64_t day_us = INT64_C(86400) * CLOCK_SECOND_US;
    char last[CLOCK_TEXT_BYTES] = "";
    for (int64_t day = -146097; day < 146097; day++) {
        char text[CLOCK_TEXT_BYTES];
        clock_format(day * day_us, text);
        int64_t back = 1;
        assert_ok(clock_parse((struct text){text, sizeof text}, &back));
        assert_true(back == day * day_us);
        assert_true(memcmp(last, text, sizeof text) < 0);
        memcpy(last, text, sizeof text);
    }
}

static void assert_parses(const char *text, int64_t expected_us) {
    int64_t time_us = 1;
    assert_ok(clock_parse(text_of(text), &time_us));
    assert_int_equal(time_us, expected_us);
}

static void parsing_offsets_and_fractions(void **state) {
    (void)state;
    assert_parses("2026-11-22T10:00:00Z", INT64_C(1795341600000000));
    assert_parses("2026-11-22t10:00:00z", INT64_C(1795341600000000));
    assert_parses("2026-11-22T13:30:00+03:30", INT64_C(1795341600000000));
    assert_parses("2026-11-22T02:00:00-08:00", INT64_C(1795341600000000));
    assert_parses("2026-11-22T10:00:00-00:00", INT64_C(1795341600000000));
    assert_parses("1970-01-01T00:00:00.5Z", 500000);
    assert_parses("1970-01-01T00:00:00.123456999Z", 123456);
    assert_parses("1970-01-01T00:00:00.000001Z", 1);
    assert_parses("2024-02-29T00:00:00Z", INT64_C(1709164800000000));
}

static void what_is_no_time_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00Z",
        "2026-11-22T10:00:00ZZ",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00.1234567890Z",
        "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:60Z",
        "2016-12-31T23:59:60Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T24:00:00Z",
        "2026-13-22T10:00:00Z",
        "2026-00-22T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+01:60",
        "2026-11-22T10:00:00+0100",
        "2026-11-22T10:00:00+1",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "-026-11-22T10:00:00Z",
        "+2026-11-22T10:00:00Z",
        "2026-1-22T10:00:00Z",
    };
    int64_t time_us = 77;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (result_is_ok(clock_parse(text_of(bad[i]), &time_us))) fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(time_us, 77);
}

static void the_systems_clocks_run(void **state) {
    (void)state;
    assert_true(clock_now_us(&clock_system) > INT64_C(1700000000) * CLOCK_SECOND_US);
    int64_t before_us = clock_monotonic_us(&clock_system);
    assert_true(clock_monotonic_us(&clock_system) >= before_us);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formatting),
        cmocka_unit_test(every_day_of_800_years_comes_back),
        cmocka_unit_test(parsing_offsets_and_fractions),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(the_systems_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
