#include "../base/assertions.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "service/difference.h"

#define NOW_US    (INT64_C(1795341600) * CLOCK_SECOND_US)
#define LEEWAY_US (30 * CLOCK_SECOND_US)

static void expect(const char *line) {
    struct arena arena;
    struct buffer buffer;
    arena_init(&arena, 1u << 20);
    buffer_init(&buffer, &arena, 4096);
    metrics_write(&buffer);
    const char *text = arena_print(&arena, "%.*s", (int)buffer.size, buffer.data).data;
    if (strstr(text, line) == NULL) fail_msg("%s is not in %s", line, text);
    arena_release(&arena);
}

static void one_metric_for_each_issuer(void **state) {
    (void)state;
    struct difference *shop = difference_of("walletd", "shop"), *bank = difference_of("walletd", "bank");
    assert_non_null(shop);
    assert_ptr_equal(shop, difference_of("walletd", "shop"));
    assert_ptr_not_equal(shop, bank);
    assert_ptr_not_equal(shop, difference_of("discountd", "shop"));
    difference_measure(shop, NOW_US + 20 * CLOCK_SECOND_US, NOW_US, NOW_US, LEEWAY_US);
    difference_measure(bank, NOW_US - 21 * CLOCK_SECOND_US, NOW_US, NOW_US, LEEWAY_US);
    expect("\nwalletd_clock_difference_seconds{issuer=\"bank\"} -21\n");
}

static void it_is_measured_to_the_second(void **state) {
    (void)state;
    struct difference *shop = difference_of("walletd", "shop");
    static const struct {
        int64_t date_s, before_us, after_us;
        const char *line;
    } cases[] = {
        {0, 0, 0, "{issuer=\"shop\"} 1\n"}, /* half a second ahead on average */
        {0, 100000, 200000, "{issuer=\"shop\"} 0\n"},
        {0, 900000, 950000, "{issuer=\"shop\"} 0\n"},
        {-1, 100000, 200000, "{issuer=\"shop\"} -1\n"},
        {30, 400000, 600000, "{issuer=\"shop\"} 30\n"},
        {-30, 400000, 600000, "{issuer=\"shop\"} -30\n"},
        {5, 0, 9000000, "{issuer=\"shop\"} 1\n"}, /* a slow answer: its middle */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        difference_measure(shop, NOW_US + cases[i].date_s * CLOCK_SECOND_US, NOW_US + cases[i].before_us, NOW_US + cases[i].after_us,
                           LEEWAY_US);
        expect(cases[i].line);
    }
}

static void there_are_not_more_than_fit(void **state) {
    (void)state;
    char name[16];
    size_t made = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "s%d", i);
        made += difference_of("walletd", name) != NULL;
    }
    assert_true(made > 16 && made < 100);
    assert_non_null(difference_of("walletd", "shop"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_metric_for_each_issuer),
        cmocka_unit_test(it_is_measured_to_the_second),
        cmocka_unit_test(there_are_not_more_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
