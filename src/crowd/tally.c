#include "crowd/tally.h"

#include <stdlib.h>

#include "base/check.h"

#define LATENCIES_AT_FIRST 4096u

void tally_add_answer(struct tally *tally, const struct http_call *call, int64_t latency_us) {
    if (!result_is_ok(call->outcome) || call->status < 0 || call->status >= TALLY_STATUS_MAX) {
        tally->broken++;
        return;
    }
    tally->by_status[call->status]++;
    if (tally->latency_count == tally->latency_capacity) {
        size_t capacity = tally->latency_capacity == 0 ? LATENCIES_AT_FIRST : tally->latency_capacity * 2;
        int64_t *latencies = realloc(tally->latencies_us, capacity * sizeof(*latencies));
        CHECK(latencies != NULL);
        tally->latencies_us = latencies;
        tally->latency_capacity = capacity;
    }
    tally->latencies_us[tally->latency_count++] = latency_us;
}

static int compare_latency(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

void tally_sort_latencies(struct tally *tally) {
    if (tally->latency_count > 0) qsort(tally->latencies_us, tally->latency_count, sizeof(int64_t), compare_latency);
}

int64_t tally_percentile_us(const struct tally *tally, unsigned percent) {
    CHECK(percent >= 1 && percent <= 100);
    if (tally->latency_count == 0) return 0;
    size_t rank = (tally->latency_count * percent + 99) / 100;
    return tally->latencies_us[rank - 1];
}

void tally_free(struct tally *tally) {
    free(tally->latencies_us);
    *tally = (struct tally){0};
}
