/* Counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4). Any thread, relaxed atomics, nothing allocated after
 * start. A metric is registered once, before the threads start, and lives as long as the process. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/buffer.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Buckets grow by √2 from 16 µs to about 67 s (durations, exposed in seconds), or by 2 from 1 (sizes). */
#define METRIC_BUCKETS 46

struct metric {
    const char *name; /* "walletd_http_requests_total" */
    const char *help;
    const char *labels; /* "route=\"GET /v1/wallet\",status=\"200\"" or "" */
    enum metric_kind kind;
    bool is_duration; /* values are microseconds, shown as seconds */
    bool is_quiet;    /* not shown before something has happened: one of many that may never count anything */
    _Atomic int64_t value;
    _Atomic int64_t sum;
    _Atomic int64_t buckets[METRIC_BUCKETS];
    /* Set by metrics_register. */
    struct metric *next;
    struct metric *last_namesake; /* of the first of its name: the last one; of another: one of them */
};

void metrics_register(struct metric *metric);
void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);
void metric_observe(struct metric *metric, int64_t value);             /* histograms */
int64_t metric_quantile(const struct metric *metric, double quantile); /* histograms: upper bound of the bucket; 0 when empty */
void metrics_write(struct buffer *buffer);                             /* all that are registered, grouped by name */
/* The same one by one: NULL is the first place; false when there is none behind it. Once the threads run. */
bool metrics_write_next(struct buffer *buffer, const struct metric **place);
