/* Answers by status, and how long they took. */
#pragma once

#include "http/client.h"

#define TALLY_STATUS_MAX 600

struct tally {
    uint64_t by_status[TALLY_STATUS_MAX];
    uint64_t broken; /* no answer at all: refused, cut or timed out */
    int64_t *latencies_us;
    size_t latency_count, latency_capacity;
};

/* Counts one call that has ended; the latency of one without an answer says nothing and is left out. */
void tally_add_answer(struct tally *tally, const struct http_call *call, int64_t latency_us);
void tally_sort_latencies(struct tally *tally);
/* Of sorted latencies, by nearest rank: the smallest one that `percent` of all don't exceed; 0 when there are none. 100 is the largest. */
int64_t tally_percentile_us(const struct tally *tally, unsigned percent);
void tally_free(struct tally *tally);
