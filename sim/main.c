/* The command line: one seed, many seeds, or the planted faults. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/param.h"
#include "sim/boot.h"
#include "sim/children.h"
#include "sim/planted.h"
#include "sim/shrink.h"

static struct {
    const char *seed, *seeds, *without, *table, *kept, *fault;
    int64_t jobs, users, actions, steps;
    bool prints_events, keeps_going, is_planted;
} settings;

static const struct param params[] = {
    {.name = "seed",
     .kind = PARAM_TEXT,
     .target = &settings.seed,
     .optional = true,
     .sentence = "Replay this one world, and show its events"},
    {.name = "seeds", .kind = PARAM_TEXT, .target = &settings.seeds, .optional = true, .sentence = "Run the worlds of seeds A..B"},
    {.name = "planted",
     .kind = PARAM_FLAG,
     .target = &settings.is_planted,
     .default_text = "no",
     .sentence = "Find each planted fault (a build by scripts/write-planted)"},
    {.name = "fault",
     .kind = PARAM_TEXT,
     .target = &settings.fault,
     .optional = true,
     .sentence = "Plant this fault, named as its patch, in the worlds of --seed or --seeds"},
    {.name = "table", .kind = PARAM_TEXT, .target = &settings.table, .optional = true, .sentence = "File for the table of planted faults"},
    {.name = "kept",
     .kind = PARAM_TEXT,
     .target = &settings.kept,
     .optional = true,
     .sentence = "An earlier table: each planted fault is looked for where it was found then, before it is hunted from seed 1"},
    {.name = "users",
     .kind = PARAM_INTEGER,
     .target = &settings.users,
     .default_text = "0",
     .min = 0,
     .max = 1000,
     .sentence = "At most so many users; 0: as the seed says"},
    {.name = "actions",
     .kind = PARAM_INTEGER,
     .target = &settings.actions,
     .default_text = "0",
     .min = 0,
     .max = 1000,
     .sentence = "At most so many actions of each; 0: as the seed says"},
    {.name = "steps",
     .kind = PARAM_INTEGER,
     .target = &settings.steps,
     .default_text = "0",
     .min = 0,
     .max = WORLD_STEPS_MAX,
     .sentence = "A world that has not ended after so many steps has failed; 0: more than any takes"},
    {.name = "without",
     .kind = PARAM_TEXT,
     .target = &settings.without,
     .optional = true,
     .sentence = "Kinds of faults that are left out, as hexadecimal bits, as a failure prints them"},
    {.name = "jobs",
     .kind = PARAM_INTEGER,
     .target = &settings.jobs,
     .default_text = "0",
     .min = 0,
     .max = 15,
     .sentence = "Worlds at once; 0: one for each processor"},
    {.name = "events",
     .kind = PARAM_FLAG,
     .target = &settings.prints_events,
     .default_text = "no",
     .sentence = "Print every event of --seed"},
    {.name = "keep-going", .kind = PARAM_FLAG, .target = &settings.keeps_going, .default_text = "no", .sentence = "Go on after a failure"},
};

static struct world_limits limits_of_settings(void) {
    return (struct world_limits){.users_max = (uint32_t)settings.users,
                                 .actions_max = (uint32_t)settings.actions,
                                 .steps_max = (uint64_t)settings.steps,
                                 .faults_off = settings.without == NULL ? 0 : (uint32_t)strtoul(settings.without, NULL, 16),
                                 .prints_events = settings.prints_events};
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t job_count(void) {
    if (settings.jobs > 0) return (size_t)settings.jobs;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > 15 ? 15 : (size_t)processors;
}

/* ---- failures ---- */

static void print_hash(const struct hash *hash) {
    for (size_t i = 0; i < 16; i++) printf("%02x", hash->bytes[i]);
}

static void print_failure(const struct job *job, const struct outcome *outcome) {
    printf("\nseed %" PRIu64 " FAILED at step %" PRIu64 ", %.3f s of its time\n  %s\n%s\n", job->seed, outcome->step,
           (double)outcome->world_us / 1e6, outcome->failure, outcome->text);
    printf("  replay: build/sim --seed %" PRIu64 " --users %u --actions %u --without %x --steps %" PRIu64 " --events\n", job->seed,
           job->limits.users_max, job->limits.actions_max, job->limits.faults_off, job->limits.steps_max);
}

static void report_failure(const struct job *job, const struct outcome *outcome) {
    struct job smaller = *job;
    static struct outcome smallest;
    smallest = *outcome;
    printf("\nseed %" PRIu64 " failed: %s; making it smaller\n", job->seed, outcome->failure);
    if (outcome->kind != OUTCOME_HUNG) shrink(&smaller, &smallest); /* each try would take seconds */
    print_failure(&smaller, &smallest);
}

/* ---- one seed ---- */

static int run_one(void) {
    struct job job = {.seed = strtoull(settings.seed, NULL, 10), .limits = limits_of_settings(), .planted = __wrap_planted_fault};
    static struct outcome outcome;
    child_run(&job, &outcome);
    printf("seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " events, %.3f s of its time, hash ", job.seed, outcome.step,
           outcome.event_count, (double)outcome.world_us / 1e6);
    print_hash(&outcome.hash);
    printf("\n");
    if (outcome.kind == OUTCOME_SOUND) return 0;
    print_failure(&job, &outcome);
    return 1;
}

/* ---- many seeds ---- */

struct campaign {
    uint64_t next_seed, last_seed, done_count, failed_count, steps;
    struct hash hashes; /* those of all worlds, one laid over the other: the same however they were divided among processes */
    double started_s, shown_s;
    uint64_t fault_counts[FAULT_COUNT], fault_worlds[FAULT_COUNT];
    struct {
        char name[48];
        uint64_t count;
    } reached[64];
    struct job failed_jobs[8];
    struct outcome *failed_outcomes[8];
};

static bool next_seed(void *context, struct job *ret_job) {
    struct campaign *campaign = context;
    if (campaign->next_seed > campaign->last_seed) return false;
    *ret_job = (struct job){.seed = campaign->next_seed++, .limits = limits_of_settings(), .planted = __wrap_planted_fault};
    return true;
}

static void add_coverage(struct campaign *campaign, const struct outcome *outcome) {
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        campaign->fault_counts[i] += outcome->fault_counts[i];
        campaign->fault_worlds[i] += outcome->fault_counts[i] > 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(outcome->reached) && outcome->reached[i].name[0] != '\0'; i++) {
        size_t place = 0;
        while (campaign->reached[place].name[0] != '\0' && strcmp(campaign->reached[place].name, outcome->reached[i].name) != 0) place++;
        memcpy(campaign->reached[place].name, outcome->reached[i].name, sizeof campaign->reached[place].name);
        campaign->reached[place].count += outcome->reached[i].count;
    }
}

static void show_progress(struct campaign *campaign, bool is_last) {
    double now_s = seconds_now();
    if (!is_last && now_s - campaign->shown_s < 1) return;
    campaign->shown_s = now_s;
    double elapsed_s = now_s - campaign->started_s;
    fprintf(stderr, "%s%" PRIu64 " seeds, %.1f a second, %" PRIu64 " failed%s", isatty(STDERR_FILENO) ? "\r" : "", campaign->done_count,
            elapsed_s > 0 ? (double)campaign->done_count / elapsed_s : 0, campaign->failed_count,
            isatty(STDERR_FILENO) && !is_last ? "" : "\n");
}

static bool seed_done(void *context, const struct job *job, const struct outcome *outcome) {
    struct campaign *campaign = context;
    campaign->done_count++;
    campaign->steps += outcome->step;
    for (size_t i = 0; i < sizeof campaign->hashes.bytes; i++) campaign->hashes.bytes[i] ^= outcome->hash.bytes[i];
    add_coverage(campaign, outcome);
    show_progress(campaign, false);
    if (outcome->kind == OUTCOME_SOUND) return true;
    if (campaign->failed_count < ARRAY_COUNT(campaign->failed_jobs)) {
        campaign->failed_jobs[campaign->failed_count] = *job;
        campaign->failed_outcomes[campaign->failed_count] = malloc(sizeof *outcome);
        CHECK(campaign->failed_outcomes[campaign->failed_count] != NULL);
        *campaign->failed_outcomes[campaign->failed_count] = *outcome;
    }
    campaign->failed_count++;
    printf("seed %" PRIu64 " failed: %s\n", job->seed, outcome->failure);
    return settings.keeps_going;
}

static void print_coverage(const struct campaign *campaign) {
    printf("\nfaults            times      in worlds\n");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        printf("  %-22s %9" PRIu64 " %9" PRIu64 "\n", fault_kinds[i].name, campaign->fault_counts[i], campaign->fault_worlds[i]);
    }
    printf("states\n");
    for (size_t i = 0; i < ARRAY_COUNT(campaign->reached) && campaign->reached[i].name[0] != '\0'; i++) {
        printf("  %-40s %9" PRIu64 "\n", campaign->reached[i].name, campaign->reached[i].count);
    }
}

static int run_many(void) {
    static struct campaign campaign;
    char *end = NULL;
    campaign.next_seed = strtoull(settings.seeds, &end, 10);
    if (strncmp(end, "..", 2) != 0) {
        fprintf(stderr, "sim: --seeds takes A..B\n");
        return 2;
    }
    campaign.last_seed = strtoull(end + 2, NULL, 10);
    campaign.started_s = seconds_now();
    struct children children = {.count = job_count(), .next = next_seed, .done = seed_done, .context = &campaign};
    children_run(&children);
    show_progress(&campaign, true);
    print_coverage(&campaign);
    for (size_t i = 0; i < ARRAY_COUNT(campaign.failed_jobs) && campaign.failed_outcomes[i] != NULL; i++) {
        report_failure(&campaign.failed_jobs[i], campaign.failed_outcomes[i]);
    }
    double elapsed_s = seconds_now() - campaign.started_s;
    printf("hash over all worlds ");
    print_hash(&campaign.hashes);
    printf("\n%" PRIu64 " seeds, %" PRIu64 " steps, %.1f s, %.1f seeds a second, %" PRIu64 " failed\n", campaign.done_count, campaign.steps,
           elapsed_s, (double)campaign.done_count / elapsed_s, campaign.failed_count);
    return campaign.failed_count == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    size_t positional_count = 0;
    if (param_wants_help(argc, argv)) {
        printf("usage: sim --seed N | --seeds A..B | --planted\n\n");
        param_help("sim", params, ARRAY_COUNT(params), stdout);
        return 0;
    }
    struct result parsed = param_parse("sim", params, ARRAY_COUNT(params), NULL, argc, argv, NULL, 0, &positional_count, stderr);
    if (!result_is_ok(parsed)) return 2;
    if ((settings.seed != NULL) + (settings.seeds != NULL) + settings.is_planted != 1) {
        fprintf(stderr, "sim: one of --seed, --seeds and --planted, please\n");
        return 2;
    }
    __wrap_planted_fault = settings.fault == NULL ? 0 : planted_by_name(settings.fault);
    if (__wrap_planted_fault < 0) {
        fprintf(stderr, "sim: this build has no planted fault %s: scripts/write-planted makes one with all that are in sim/planted\n",
                settings.fault);
        return 2;
    }
    /* Before the working directory changes. */
    FILE *table = settings.table == NULL ? stdout : fopen(settings.table, "w"),
         *kept = settings.kept == NULL ? NULL : fopen(settings.kept, "r");
    if (table == NULL || (settings.kept != NULL && kept == NULL)) {
        fprintf(stderr, "sim: %s cannot be %s\n", table == NULL ? settings.table : settings.kept, table == NULL ? "written" : "read");
        return 2;
    }
    /* Big tables come as fresh pages, which cost nothing until they are touched, and never out of the heap, where they would be wiped. */
    CHECK(mallopt(M_MMAP_THRESHOLD, 16 * 1024) == 1);
    boot_prepare();
    int code = settings.is_planted ? planted_find_all(job_count(), kept, table) : settings.seed != NULL ? run_one() : run_many();
    boot_clean();
    fclose(table);
    if (kept != NULL) fclose(kept);
    return code;
}
