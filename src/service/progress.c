#include "service/progress.h"

#include <inttypes.h>

#define LOOK_ROWS       4096 /* between two looks at the clock */
#define PERCENT_AT_ONCE 10

void progress_begin(struct progress *progress) {
    if (progress != NULL) progress->told_us = clock_monotonic_us(progress->clock);
}

void progress_tell(struct progress *progress, const char *what, int64_t done, int64_t due) {
    if (progress == NULL) return;
    fprintf(progress->out, "%s: %" PRId64 " of %" PRId64 "\n", what, done, due);
    fflush(progress->out);
    progress->told_us = clock_monotonic_us(progress->clock);
}

void progress_tell_sometimes(struct progress *progress, const char *what, int64_t done, int64_t due) {
    if (progress == NULL || done % LOOK_ROWS != 0) return;
    if (clock_monotonic_us(progress->clock) - progress->told_us >= CLOCK_SECOND_US) progress_tell(progress, what, done, due);
}

bool progress_percent_is_due(int *shown, int percent) {
    if (percent == *shown || (percent < *shown + PERCENT_AT_ONCE && percent < 100)) return false;
    *shown = percent;
    return true;
}
