#include "service/measures.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/metrics.h"
#include "base/process.h"
#include "service/version.h"

#define NAME_BYTES 64u
#define PATH_BYTES 4200u
#define PARTS_MAX  5u

static char names[4][NAME_BYTES], labels[2 * NAME_BYTES];
static struct part {
    const char *name;
    char labels[NAME_BYTES];
    struct metric ok;
} parts[PARTS_MAX];
static size_t part_count;
static struct metric build = {.name = names[0], .help = "Which program runs: always 1.", .labels = labels, .kind = METRIC_GAUGE};
static struct metric database = {
    .name = names[1], .help = "Size of the database's file.", .labels = "", .kind = METRIC_GAUGE, .is_quiet = true};
static struct metric wal = {
    .name = names[2], .help = "Size of the database's write-ahead log.", .labels = "", .kind = METRIC_GAUGE, .is_quiet = true};

void measures_register(const char *program) {
    static const char *const endings[] = {"build_info", "database_bytes", "wal_bytes", "part_ok"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) snprintf(names[i], NAME_BYTES, "%s_%s", program, endings[i]);
    snprintf(labels, sizeof labels, "version=\"%s\",commit=\"%s\"", SERVICE_VERSION, service_commit);
    metrics_register(&build);
    metrics_register(&database);
    metrics_register(&wal);
    metric_set(&build, 1);
    process_register_metrics();
    measures_register_part("store");
    measures_register_part("keys");
    measures_register_part("audit");
}

void measures_register_part(const char *name) {
    CHECK(part_count < PARTS_MAX);
    struct part *part = &parts[part_count++];
    part->name = name;
    snprintf(part->labels, sizeof part->labels, "part=\"%s\"", name);
    part->ok = (struct metric){.name = names[3],
                               .help = "1 while /readyz says \"ok\" of the part, else 0.",
                               .labels = part->labels,
                               .kind = METRIC_GAUGE};
    metrics_register(&part->ok);
}

static int64_t size_of(const char *path, const char *ending) {
    char whole[PATH_BYTES];
    struct stat status;
    int size = snprintf(whole, sizeof whole, "%s%s", path, ending);
    return size > 0 && (size_t)size < sizeof whole && stat(whole, &status) == 0 ? (int64_t)status.st_size : 0;
}

void measures_take(const struct service *service) {
    process_measure();
    for (size_t i = 0; i < part_count; i++) {
        const char *state = readiness_state(&service->readiness, service->store, parts[i].name);
        metric_set(&parts[i].ok, state != NULL && strcmp(state, "ok") == 0);
    }
    if (service->database_path == NULL) return;
    metric_set(&database, size_of(service->database_path, ""));
    metric_set(&wal, size_of(service->database_path, "-wal"));
}
