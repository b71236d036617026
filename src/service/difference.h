/* By how much the clocks of others differ from ours, measured from the Date of their answers (RFC 9110, section 6.6.1) and shown as a metric. */
#pragma once

#include <stdint.h>

struct difference;

/* The metric SERVICE_clock_difference_seconds{issuer="ISSUER"}: how far their clock is ahead of ours; it lives as long as the process. Asking for it
 * again gives the same one. Before the threads start. NULL: there are too many. */
struct difference *difference_of(const char *service, const char *issuer);
/* One answer: its Date, and our clock before and after. Logs when the two differ by more than the leeway, and when they do no more. One thread. */
void difference_measure(struct difference *difference, int64_t date_us, int64_t before_us, int64_t after_us, int64_t leeway_us);
