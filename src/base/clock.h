/* Time: microseconds since 1970-01-01T00:00:00Z in an int64_t named *_us, written as RFC 3339 in UTC. */
#pragma once

#include <stdint.h>

#include "base/text.h"

#define CLOCK_TEXT_BYTES 27 /* 2026-11-22T10:00:00.123456Z */
#define CLOCK_SECOND_US  INT64_C(1000000)

/* Where now comes from: the system, or a simulation. */
struct clock {
    int64_t (*now_us)(void *context);       /* wall clock */
    int64_t (*monotonic_us)(void *context); /* never goes back; for durations and deadlines */
    void *context;
};

extern const struct clock clock_system;

static inline int64_t clock_now_us(const struct clock *clock) { return clock->now_us(clock->context); }
static inline int64_t clock_monotonic_us(const struct clock *clock) { return clock->monotonic_us(clock->context); }

void clock_format(int64_t time_us, char text[CLOCK_TEXT_BYTES]); /* no terminator; years 0000..9999 */
/* RFC 3339, section 5.6, any offset, up to nine fraction digits (below a microsecond is cut); RESULT_INVALID. */
struct result clock_parse(struct text text, int64_t *ret_time_us) MUST_CHECK;
