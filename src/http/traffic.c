#include "http/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/route.h"

#define LABELS_BYTES_MAX 200
#define NAME_BYTES_MAX   96
#define NAMES            6u

/* Every status that the services answer; anything else is counted as "other". */
static const int statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 409, 410,
                               412, 413, 414, 415, 422, 428, 429, 431, 500, 502, 503, 504};
#define STATUS_COUNT (ARRAY_COUNT(statuses) + 1)

struct route_traffic {
    char labels[STATUS_COUNT][LABELS_BYTES_MAX];
    char latency_labels[LABELS_BYTES_MAX];
    struct metric by_status[STATUS_COUNT];
    struct metric latency;
};

struct traffic {
    struct traffic *next;
    char service[NAME_BYTES_MAX];
    const struct route *table;
    char names[NAMES][NAME_BYTES_MAX];
    struct metric connections, exchanges, displaced, faults, refusals;
    size_t route_count;
    struct route_traffic routes[]; /* the last one: requests without a route */
};

/* Metrics live as long as the process (base/metrics.h), and so do these. */
static struct traffic *all;

static void register_gauge(struct metric *metric, const char *name, const char *help) {
    *metric = (struct metric){.name = name, .help = help, .labels = "", .kind = METRIC_GAUGE};
    metrics_register(metric);
}

static void register_failures(struct metric *metric, const char *name, const char *labels) {
    *metric = (struct metric){.name = name,
                              .help = "Requests that were answered 500 or 503, of all routes.",
                              .labels = labels,
                              .kind = METRIC_COUNTER};
    metrics_register(metric);
}

static void register_route(struct traffic *traffic, struct route_traffic *of, const char *method, const char *path, bool is_watched) {
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        char status[12] = "other";
        if (i < ARRAY_COUNT(statuses)) snprintf(status, sizeof(status), "%d", statuses[i]);
        snprintf(of->labels[i], LABELS_BYTES_MAX, "route=\"%s%s%s\",status=\"%s\"", method, method[0] != '\0' ? " " : "", path, status);
        of->by_status[i] = (struct metric){.name = traffic->names[0],
                                           .help = "Requests answered, by route and status.",
                                           .labels = of->labels[i],
                                           .kind = METRIC_COUNTER,
                                           .is_quiet = !is_watched};
        metrics_register(&of->by_status[i]);
    }
    snprintf(of->latency_labels, LABELS_BYTES_MAX, "route=\"%s%s%s\"", method, method[0] != '\0' ? " " : "", path);
    of->latency = (struct metric){.name = traffic->names[1],
                                  .help = "Time from a request's head to its answer.",
                                  .labels = of->latency_labels,
                                  .kind = METRIC_HISTOGRAM,
                                  .is_duration = true,
                                  .is_quiet = !is_watched};
    metrics_register(&of->latency);
}

static struct traffic *traffic_create(const struct http_service *service) {
    static const char *const suffixes[NAMES] = {"http_requests_total", "http_request_duration_seconds",    "http_connections",
                                                "http_exchanges",      "http_connections_displaced_total", "http_failures_total"};
    struct traffic *traffic = calloc(1, sizeof(*traffic) + (service->route_count + 1) * sizeof(struct route_traffic));
    if (traffic == NULL) return NULL;
    snprintf(traffic->service, NAME_BYTES_MAX, "%s", service->name);
    traffic->table = service->routes;
    traffic->route_count = service->route_count;
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) snprintf(traffic->names[i], NAME_BYTES_MAX, "%s_%s", service->name, suffixes[i]);
    for (size_t i = 0; i < service->route_count; i++)
        register_route(traffic, &traffic->routes[i], service->routes[i].method, service->routes[i].path,
                       (service->routes[i].flags & ROUTE_WATCHED) != 0);
    register_route(traffic, &traffic->routes[service->route_count], "", "none", false);
    register_gauge(&traffic->connections, traffic->names[2], "Connections open.");
    register_gauge(&traffic->exchanges, traffic->names[3], "Requests in progress.");
    traffic->displaced = (struct metric){.name = traffic->names[4],
                                         .help = "Connections closed to make room for those of others.",
                                         .labels = "",
                                         .kind = METRIC_COUNTER};
    metrics_register(&traffic->displaced);
    register_failures(&traffic->faults, traffic->names[5], "status=\"500\"");
    register_failures(&traffic->refusals, traffic->names[5], "status=\"503\"");
    return traffic;
}

struct traffic *traffic_for(const struct http_service *service) {
    for (struct traffic *traffic = all; traffic != NULL; traffic = traffic->next) {
        if (traffic->table == service->routes && strcmp(traffic->service, service->name) == 0) return traffic;
    }
    struct traffic *traffic = traffic_create(service);
    if (traffic == NULL) return NULL;
    traffic->next = all;
    all = traffic;
    return traffic;
}

void traffic_count(struct traffic *traffic, const struct route *route, int status, int64_t latency_us) {
    size_t index = route != NULL ? (size_t)(route - traffic->table) : traffic->route_count;
    CHECK(index <= traffic->route_count);
    struct route_traffic *of = &traffic->routes[index];
    size_t place = 0;
    while (place < ARRAY_COUNT(statuses) && statuses[place] != status) place++;
    metric_add(&of->by_status[place], 1);
    metric_observe(&of->latency, latency_us);
    if (status == 500) metric_add(&traffic->faults, 1);
    if (status == 503) metric_add(&traffic->refusals, 1);
}

void traffic_count_displaced(struct traffic *traffic) { metric_add(&traffic->displaced, 1); }

void traffic_add_connections(struct traffic *traffic, int delta) { metric_add(&traffic->connections, delta); }

void traffic_add_exchanges(struct traffic *traffic, int delta) { metric_add(&traffic->exchanges, delta); }
