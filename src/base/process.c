#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/metrics.h"

/* Fields of /proc/self/stat behind the name, which ends with the last parenthesis: proc(5) counts the name as the second. */
#define FIELD_THREADS 20
#define FIELD_VIRTUAL 23
#define FIELD_PAGES   24
#define STAT_BYTES    1024

static struct metric cpu = {.name = "process_cpu_seconds_total",
                            .help = "Processor time of user and system.",
                            .labels = "",
                            .kind = METRIC_COUNTER,
                            .is_duration = true};
static struct metric resident = {.name = "process_resident_memory_bytes", .help = "Memory in use.", .labels = "", .kind = METRIC_GAUGE};
static struct metric virtual = {.name = "process_virtual_memory_bytes",
                                .help = "Address space in use.",
                                .labels = "",
                                .kind = METRIC_GAUGE};
static struct metric descriptors = {.name = "process_open_fds", .help = "Open descriptors.", .labels = "", .kind = METRIC_GAUGE};
static struct metric descriptors_max = {.name = "process_max_fds",
                                        .help = "Descriptors that may be open.",
                                        .labels = "",
                                        .kind = METRIC_GAUGE};
static struct metric threads = {.name = "process_threads", .help = "Threads.", .labels = "", .kind = METRIC_GAUGE};
static struct metric started = {.name = "process_start_time_seconds",
                                .help = "Since when it runs, in Unix time.",
                                .labels = "",
                                .kind = METRIC_GAUGE,
                                .is_duration = true};

void process_register_metrics(void) {
    struct metric *all[] = {&cpu, &resident, &virtual, &descriptors, &descriptors_max, &threads, &started};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) metrics_register(all[i]);
    metric_set(&started, clock_now_us(&clock_system));
}

static void measure_stat(void) {
    char text[STAT_BYTES];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t size = read(file, text, sizeof text - 1);
    (void)close(file);
    if (size <= 0) return;
    text[size] = '\0';
    const char *at = strrchr(text, ')');
    long long values[FIELD_PAGES + 1] = {0};
    for (int field = 3; at != NULL && field <= FIELD_PAGES; field++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && field > 3) (void)sscanf(at, "%lld", &values[field]); /* the third is a letter */
    }
    metric_set(&threads, values[FIELD_THREADS]);
    metric_set(&virtual, values[FIELD_VIRTUAL]);
    metric_set(&resident, values[FIELD_PAGES] * sysconf(_SC_PAGESIZE));
}

static int64_t count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = -3; /* itself, and the folder's two */
    if (folder == NULL) return 0;
    while (readdir(folder) != NULL) count++;
    (void)closedir(folder);
    return count;
}

void process_measure(void) {
    struct timespec used;
    struct rlimit limit;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) metric_set(&cpu, used.tv_sec * CLOCK_SECOND_US + used.tv_nsec / 1000);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) metric_set(&descriptors_max, (int64_t)limit.rlim_cur);
    metric_set(&descriptors, count_descriptors());
    measure_stat();
}
