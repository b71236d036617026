#include "base/metrics.h"

#include <inttypes.h>
#include <search.h>
#include <string.h>

#include "base/check.h"

/* The last bucket takes all that is above the largest bound. */
#define BUCKET_OVERFLOW (METRIC_BUCKETS - 1)
/* Quantiles use every bucket; the text shows every second one, which keeps a page of many routes within one reply. */
#define BUCKET_STEP_SHOWN 2

/* In registration order, those of one name side by side, as the format demands. Only read once the threads run. */
static struct metric *registered;
static struct metric *newest_name; /* the last of them all */
/* Trees (tsearch(3)): a service has a series for each route with each status, and starts often in tests. */
static void *by_name;   /* of the first of each name */
static void *by_series; /* of all: name and labels */

static int compare_names(const void *left, const void *right) {
    return strcmp(((const struct metric *)left)->name, ((const struct metric *)right)->name);
}

static int compare_series(const void *left, const void *right) {
    int by_names = compare_names(left, right);
    return by_names != 0 ? by_names : strcmp(((const struct metric *)left)->labels, ((const struct metric *)right)->labels);
}

/* The one that is equal: itself, when there was none. */
static struct metric *put(struct metric *metric, void **tree, int (*compare)(const void *, const void *)) {
    struct metric **node = tsearch(metric, tree, compare);
    CHECK(node != NULL);
    return *node;
}

void metrics_register(struct metric *metric) {
    CHECK(metric->name != NULL && metric->help != NULL && metric->labels != NULL && metric->last_namesake == NULL);
    CHECK(put(metric, &by_series, compare_series) == metric);
    struct metric *first = put(metric, &by_name, compare_names);
    CHECK(first->kind == metric->kind);
    struct metric *before = first == metric ? newest_name : first->last_namesake;
    struct metric **place = before == NULL ? &registered : &before->next;
    metric->next = *place;
    *place = metric;
    if (metric->next == NULL) newest_name = metric;
    first->last_namesake = metric->last_namesake = metric;
}

void metric_add(struct metric *metric, int64_t delta) { atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed); }

void metric_set(struct metric *metric, int64_t value) { atomic_store_explicit(&metric->value, value, memory_order_relaxed); }

/* The largest value that belongs into the bucket. */
static int64_t bucket_bound(bool is_duration, size_t index) {
    if (!is_duration) return INT64_C(1) << index;
    int64_t power = INT64_C(16) << (index / 2);
    return index % 2 == 0 ? power : power * INT64_C(1414213562) / INT64_C(1000000000);
}

static size_t bucket_of(bool is_duration, int64_t value) {
    if (value <= bucket_bound(is_duration, 0)) return 0;
    /* The largest power of two below the value, and the bucket behind that which ends there. */
    size_t power = 63u - (size_t)__builtin_clzll((uint64_t)value - 1);
    size_t index = is_duration ? 2 * (power - 4) + 1 : power + 1;
    if (is_duration && index < BUCKET_OVERFLOW && value > bucket_bound(true, index)) index++;
    return index < BUCKET_OVERFLOW ? index : BUCKET_OVERFLOW;
}

void metric_observe(struct metric *metric, int64_t value) {
    CHECK(metric->kind == METRIC_HISTOGRAM);
    if (value < 0) value = 0;
    atomic_fetch_add_explicit(&metric->buckets[bucket_of(metric->is_duration, value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->sum, value, memory_order_relaxed);
}

static int64_t load(const _Atomic int64_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

int64_t metric_quantile(const struct metric *metric, double quantile) {
    CHECK(metric->kind == METRIC_HISTOGRAM && quantile >= 0.0 && quantile <= 1.0);
    int64_t counts[METRIC_BUCKETS];
    int64_t total = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        counts[i] = load(&metric->buckets[i]);
        total += counts[i];
    }
    if (total == 0) return 0;
    int64_t rank = (int64_t)(quantile * (double)total);
    if ((double)rank < quantile * (double)total || rank == 0) rank++;
    int64_t seen = 0;
    for (size_t i = 0; i < BUCKET_OVERFLOW; i++) {
        seen += counts[i];
        if (seen >= rank) return bucket_bound(metric->is_duration, i);
    }
    return bucket_bound(metric->is_duration, BUCKET_OVERFLOW - 1);
}

static const char *kind_name(enum metric_kind kind) {
    switch (kind) {
    case METRIC_COUNTER: return "counter";
    case METRIC_GAUGE: return "gauge";
    case METRIC_HISTOGRAM: return "histogram";
    }
    return "untyped";
}

/* Durations are kept in microseconds and shown in seconds, the format's base unit. */
static void write_value(struct buffer *buffer, bool is_duration, int64_t value) {
    if (is_duration) {
        buffer_print(buffer, "%" PRId64 ".%06" PRId64, value / 1000000, value % 1000000);
    } else {
        buffer_append_integer(buffer, value);
    }
}

static void write_sample(struct buffer *buffer, const struct metric *metric, const char *suffix) {
    bool has_labels = metric->labels[0] != '\0';
    buffer_print(buffer, "%s%s%s%s%s ", metric->name, suffix, has_labels ? "{" : "", metric->labels, has_labels ? "}" : "");
}

static void write_bucket(struct buffer *buffer, const struct metric *metric, size_t index, int64_t cumulative) {
    buffer_print(buffer, "%s_bucket{%s%sle=\"", metric->name, metric->labels, metric->labels[0] != '\0' ? "," : "");
    if (index == BUCKET_OVERFLOW) {
        buffer_append(buffer, TEXT("+Inf"));
    } else {
        write_value(buffer, metric->is_duration, bucket_bound(metric->is_duration, index));
    }
    buffer_print(buffer, "\"} %" PRId64 "\n", cumulative);
}

/* The count comes from the buckets themselves, so that +Inf and _count agree even while other threads observe. */
static void write_histogram(struct buffer *buffer, const struct metric *metric) {
    int64_t cumulative = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        cumulative += load(&metric->buckets[i]);
        if (i % BUCKET_STEP_SHOWN == 0 || i == BUCKET_OVERFLOW) write_bucket(buffer, metric, i, cumulative);
    }
    write_sample(buffer, metric, "_sum");
    write_value(buffer, metric->is_duration, load(&metric->sum));
    buffer_append_byte(buffer, '\n');
    write_sample(buffer, metric, "_count");
    buffer_print(buffer, "%" PRId64 "\n", cumulative);
}

static bool has_happened(const struct metric *metric) {
    bool any = load(&metric->value) != 0;
    for (size_t i = 0; metric->kind == METRIC_HISTOGRAM && i < METRIC_BUCKETS && !any; i++) any = load(&metric->buckets[i]) != 0;
    return any;
}

bool metrics_write_next(struct buffer *buffer, const struct metric **place) {
    const struct metric *last = *place, *metric = last == NULL ? registered : last->next;
    while (metric != NULL && metric->is_quiet && !has_happened(metric)) metric = metric->next;
    if (metric == NULL) return false;
    if (last == NULL || strcmp(last->name, metric->name) != 0)
        buffer_print(buffer, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, kind_name(metric->kind));
    if (metric->kind == METRIC_HISTOGRAM) {
        write_histogram(buffer, metric);
    } else {
        write_sample(buffer, metric, "");
        write_value(buffer, metric->is_duration, load(&metric->value));
        buffer_append_byte(buffer, '\n');
    }
    *place = metric;
    return true;
}

void metrics_write(struct buffer *buffer) {
    const struct metric *place = NULL;
    while (metrics_write_next(buffer, &place)) continue;
}
