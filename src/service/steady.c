#include "service/steady.h"

/* Clocks are compared again after so long, or as soon as the wall clock has gone back. */
#define LOOK_EVERY_US CLOCK_SECOND_US

static void look(struct steady *steady, const struct clock *clock, int64_t wall_us) {
    int64_t monotonic_us = clock_monotonic_us(clock), offset_us = wall_us - monotonic_us;
    steady->wall_us = wall_us;
    if (offset_us < steady->offset_us && monotonic_us - steady->seen_us <= STEADY_KEPT_US) return;
    steady->offset_us = offset_us;
    steady->seen_us = monotonic_us;
}

void steady_init(struct steady *steady, const struct clock *clock) {
    int64_t monotonic_us = clock_monotonic_us(clock), wall_us = clock_now_us(clock);
    *steady = (struct steady){.offset_us = wall_us - monotonic_us, .seen_us = monotonic_us, .wall_us = wall_us};
}

void steady_observe(struct steady *steady, const struct clock *clock, int64_t wall_us) {
    if (wall_us >= steady->wall_us && wall_us - steady->wall_us < LOOK_EVERY_US) return;
    look(steady, clock, wall_us);
}

int64_t steady_now_us(const struct steady *steady, const struct clock *clock) { return clock_monotonic_us(clock) + steady->offset_us; }
