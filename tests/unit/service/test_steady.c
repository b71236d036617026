#include "../base/assertions.h"

#include "service/steady.h"

#define START_US (INT64_C(1795341600) * CLOCK_SECOND_US)
#define HOUR_US  (3600 * CLOCK_SECOND_US)

static int64_t wall_us, monotonic_us;

static int64_t read_wall(void *context) {
    (void)context;
    return wall_us;
}

static int64_t read_monotonic(void *context) {
    (void)context;
    return monotonic_us;
}

static const struct clock clock_here = {.now_us = read_wall, .monotonic_us = read_monotonic};
static struct steady steady;

static int begin(void **state) {
    (void)state;
    wall_us = START_US;
    monotonic_us = 7;
    steady_init(&steady, &clock_here);
    return 0;
}

static int64_t look(void) {
    steady_observe(&steady, &clock_here, wall_us);
    return steady_now_us(&steady, &clock_here);
}

static void pass(int64_t duration_us) {
    wall_us += duration_us;
    monotonic_us += duration_us;
}

static void it_is_the_wall_clock_as_long_as_nobody_touches_that(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        pass(700000);
        assert_int_equal(look(), wall_us);
    }
}

static void it_goes_on_when_the_clock_is_set_back(void **state) {
    (void)state;
    pass(HOUR_US);
    assert_int_equal(look(), START_US + HOUR_US);
    wall_us -= HOUR_US;
    assert_int_equal(look(), START_US + HOUR_US);
    pass(10);
    wall_us -= HOUR_US; /* and again */
    assert_int_equal(look(), START_US + HOUR_US + 10);
    pass(STEADY_KEPT_US);
    pass(-10);
    assert_int_equal(look(), START_US + HOUR_US + STEADY_KEPT_US);
    pass(1); /* nothing signed before can be good any more */
    pass(CLOCK_SECOND_US);
    assert_int_equal(look(), wall_us);
}

static void it_follows_a_clock_that_is_set_forward(void **state) {
    (void)state;
    wall_us += HOUR_US;
    assert_int_equal(look(), START_US + HOUR_US);
    wall_us -= 10;
    assert_int_equal(look(), START_US + HOUR_US);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_the_wall_clock_as_long_as_nobody_touches_that, begin),
        cmocka_unit_test_setup(it_goes_on_when_the_clock_is_set_back, begin),
        cmocka_unit_test_setup(it_follows_a_clock_that_is_set_forward, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
