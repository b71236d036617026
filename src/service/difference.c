#include "service/difference.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#define DIFFERENCES_MAX 32u
#define NAME_BYTES      96u

struct difference {
    char issuer[NAME_BYTES], name[NAME_BYTES], labels[2 * NAME_BYTES];
    struct metric metric;
    bool is_too_large;
};

/* Metrics live as long as the process (base/metrics.h), and so do these. */
static struct difference all[DIFFERENCES_MAX];
static size_t count;

struct difference *difference_of(const char *service, const char *issuer) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s_clock_difference_seconds", service);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].issuer, issuer) == 0 && strcmp(all[i].name, name) == 0) return &all[i];
    }
    if (count == DIFFERENCES_MAX) return NULL;
    struct difference *difference = &all[count++];
    snprintf(difference->issuer, sizeof difference->issuer, "%s", issuer);
    memcpy(difference->name, name, sizeof name);
    snprintf(difference->labels, sizeof difference->labels, "issuer=\"%.*s\"", (int)NAME_BYTES - 1, difference->issuer);
    difference->metric = (struct metric){.name = difference->name,
                                         .help = "How far the clock of another is ahead of ours, by its last answer.",
                                         .labels = difference->labels,
                                         .kind = METRIC_GAUGE};
    metrics_register(&difference->metric);
    return difference;
}

void difference_measure(struct difference *difference, int64_t date_us, int64_t before_us, int64_t after_us, int64_t leeway_us) {
    /* Date is cut to a second, and was written somewhere between our two looks: to the nearest second nothing better is known. */
    int64_t ahead_us = date_us + CLOCK_SECOND_US / 2 - (before_us + (after_us - before_us) / 2);
    int64_t half_us = ahead_us < 0 ? -CLOCK_SECOND_US / 2 : CLOCK_SECOND_US / 2;
    int64_t ahead_s = (ahead_us + half_us) / CLOCK_SECOND_US;
    metric_set(&difference->metric, ahead_s);
    bool is_too_large = ahead_s * CLOCK_SECOND_US > leeway_us || -ahead_s * CLOCK_SECOND_US > leeway_us;
    if (is_too_large == difference->is_too_large) return;
    difference->is_too_large = is_too_large;
    LOG(is_too_large ? LOG_WARN : LOG_INFO, is_too_large ? "clocks_differ" : "clocks_agree", LOG_STRING("issuer", difference->issuer),
        LOG_INTEGER("ahead_s", ahead_s));
}
