#include "store/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store_meter *meters;

static void set_up(struct metric *metric, const char *name, const char *labels, const char *help, enum metric_kind kind, bool is_duration) {
    metric->name = name;
    metric->labels = labels;
    metric->help = help;
    metric->kind = kind;
    metric->is_duration = is_duration;
    metrics_register(metric);
}

static bool print_names(struct store_meter *meter, const char *name) {
    static const char *const endings[] = {"store_queue_depth",    "store_queue_wait_seconds", "store_batch_size",
                                          "store_commit_seconds", "store_writable",           "store_failures_total"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        int size = snprintf(meter->names[i], sizeof meter->names[i], "%s_%s", name, endings[i]);
        if (size < 0 || (size_t)size >= sizeof meter->names[i]) return false;
    }
    return true;
}

struct store_meter *store_meter_of(const char *name) {
    struct store_meter *meter = calloc(1, sizeof *meter);
    if (meter == NULL || !print_names(meter, name)) {
        free(meter);
        return NULL;
    }
    for (struct store_meter *known = meters; known != NULL; known = known->next) {
        if (strcmp(known->names[0], meter->names[0]) != 0) continue;
        free(meter);
        return known;
    }
    set_up(&meter->queue_depth, meter->names[0], "", "Operations that wait for the store thread.", METRIC_GAUGE, false);
    set_up(&meter->queue_wait, meter->names[1], "", "From the submission of an operation to its batch.", METRIC_HISTOGRAM, true);
    set_up(&meter->batch_size, meter->names[2], "", "Operations in one transaction.", METRIC_HISTOGRAM, false);
    set_up(&meter->commit_time, meter->names[3], "", "Time of one commit, with its fsync.", METRIC_HISTOGRAM, true);
    set_up(&meter->writable, meter->names[4], "", "1 when the last write reached the disk.", METRIC_GAUGE, false);
    for (int code = RESULT_OK + 1; code < STORE_RESULT_CODES; code++) {
        snprintf(meter->labels[code], sizeof meter->labels[code], "result=\"%s\"", result_name(result_error((enum result_code)code)));
        set_up(&meter->failures[code], meter->names[5], meter->labels[code], "Transactions that failed, by reason.", METRIC_COUNTER, false);
    }
    meter->next = meters;
    meters = meter;
    return meter;
}
