/* When to try again: exponential with jitter, so that those who failed together do not come back together. One of these for each thing that is
 * tried by itself: an item, a fund, and all calls of a delivery while nothing comes back. Not thread-safe: its owner's thread only. */
#pragma once

#include <stdint.h>

#define BACKOFF_FIRST_US INT64_C(50000)
#define BACKOFF_MOST_US  INT64_C(5000000)

struct backoff {
    uint32_t attempts;   /* that failed in a row */
    int64_t retry_at_us; /* monotonic: not before */
};

/* One more has failed: to be tried again between half of and the whole 50 ms × 2^attempts from now, at most 5 s; as late as the other side
 * asked for (Retry-After, 0: it did not) when that is longer, up to the same 5 s. Never earlier than was said before. */
void backoff_fail(struct backoff *backoff, int64_t now_us, int64_t retry_after_ms);
/* It went well: the next failure is a first one. */
void backoff_clear(struct backoff *backoff);
