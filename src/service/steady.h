/* What the wall clock would say if nobody had set it back.
 *
 * A clock that is set back makes every token that was signed before look as if it came from the future. Within the life of a process that can be
 * known: the monotonic clock goes on. Tokens that the wall clock calls too early are therefore held against this time as well. It is kept for
 * STEADY_KEPT_US after the clock went back, which is longer than any access token lives, and ends with the process. Not for deadlines, and not
 * shared: each loop has its own. */
#pragma once

#include "base/clock.h"

#define STEADY_KEPT_US (48 * 3600 * CLOCK_SECOND_US)

struct steady {
    int64_t offset_us; /* wall minus monotonic, the largest that was seen */
    int64_t seen_us;   /* monotonic: when it was seen last */
    int64_t wall_us;   /* at the last look */
};

void steady_init(struct steady *steady, const struct clock *clock);
/* The wall clock says `wall_us` now. Call it as often as there is something to judge: it is one comparison most of the time. */
void steady_observe(struct steady *steady, const struct clock *clock, int64_t wall_us);
/* Never before the wall clock, as it was observed last. */
int64_t steady_now_us(const struct steady *steady, const struct clock *clock);
