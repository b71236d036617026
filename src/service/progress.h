/* How far a long command has come, for who waits: a line a second at most, on standard error. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"

struct progress {
    FILE *out;
    const struct clock *clock;
    int64_t told_us; /* when it was last said */
};

/* In all of these NULL is fine: nobody waits. */
void progress_begin(struct progress *progress);
/* "what: done of due", now. */
void progress_tell(struct progress *progress, const char *what, int64_t done, int64_t due);
/* The same, when it was last said a second ago or longer. Cheap enough for each row. */
void progress_tell_sometimes(struct progress *progress, const char *what, int64_t done, int64_t due);

/* Of what is known in per cent: whether this is to be said, at each ten more, and once at the end. *shown is what was said last; it begins at what need
 * not be said. */
bool progress_percent_is_due(int *shown, int percent);
