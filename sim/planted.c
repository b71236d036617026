#include "sim/planted.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"
#include "sim/children.h"

#define SEEDS_MAX 10000u

#ifdef PLANTED_LIST /* planted_faults.h, of scripts/plant */
#define PLANTED_NAME(name, sentence, test) [PLANTED_##name] = sentence,
static const char *const names[PLANTED_COUNT] = {PLANTED_LIST(PLANTED_NAME)};
#define PLANTED_WORD(name, sentence, test) [PLANTED_##name] = #name,
static const char *const words[PLANTED_COUNT] = {PLANTED_LIST(PLANTED_WORD)};
#define PLANTED_TEST(name, sentence, test) [PLANTED_##name] = test,
static const char *const tests[PLANTED_COUNT] = {PLANTED_LIST(PLANTED_TEST)}; /* "": the simulator's own */
#else
static const char *const names[1], *const words[1], *const tests[1];
#endif

int planted_by_name(const char *name) {
    for (int planted = 1; planted < (int)ARRAY_COUNT(words); planted++) {
        if (strcasecmp(words[planted], name) == 0) return planted;
    }
    return -1;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct hunt {
    int planted;
    uint64_t kept_seed;             /* where it was found before; 0: it is not known */
    uint64_t next_seed, found_seed; /* the smallest that failed; 0: none yet */
    char failure[sizeof((struct outcome *)NULL)->failure];
    uint64_t step;
    double started_s, ended_s;
} hunts[ARRAY_COUNT(names)];

/* Worlds end in any order: those under way when one has failed may have smaller seeds. */
static void note(struct hunt *hunt, const struct job *job, const struct outcome *outcome) {
    hunt->ended_s = seconds_now();
    if (outcome->kind == OUTCOME_SOUND || (hunt->found_seed != 0 && hunt->found_seed < job->seed)) return;
    hunt->found_seed = job->seed;
    hunt->step = outcome->step;
    memcpy(hunt->failure, outcome->failure, sizeof hunt->failure);
}

/* ---- from seed 1 on: one fault, as many worlds at once as there are processes ---- */

static bool next_seed(void *context, struct job *ret_job) {
    struct hunt *hunt = context;
    if (hunt->next_seed > SEEDS_MAX) return false;
    *ret_job = (struct job){.seed = hunt->next_seed++, .planted = hunt->planted};
    return true;
}

static bool seed_done(void *context, const struct job *job, const struct outcome *outcome) {
    struct hunt *hunt = context;
    note(hunt, job, outcome);
    return hunt->found_seed == 0;
}

/* ---- the kept seeds: one world of each fault. Whose fails there needs no hunt: one from seed 1 would end there, or before ---- */

/* A table that we wrote. */
static void read_kept(FILE *kept) {
    char line[1024];
    while (fgets(line, sizeof line, kept) != NULL) {
        for (int planted = 1; planted < (int)ARRAY_COUNT(names); planted++) {
            size_t size = strlen(names[planted]);
            if (strncmp(line, "| ", 2) != 0 || strncmp(line + 2, names[planted], size) != 0) continue;
            (void)sscanf(line + 2 + size, " | %" SCNu64 " |", &hunts[planted].kept_seed);
        }
    }
}

static bool next_kept(void *context, struct job *ret_job) {
    int *planted = context;
    while (*planted < (int)ARRAY_COUNT(names) && hunts[*planted].kept_seed == 0) ++*planted;
    if (*planted == (int)ARRAY_COUNT(names)) return false;
    hunts[*planted].started_s = seconds_now();
    *ret_job = (struct job){.seed = hunts[*planted].kept_seed, .planted = *planted};
    ++*planted;
    return true;
}

static bool kept_done(void *context, const struct job *job, const struct outcome *outcome) {
    (void)context;
    note(&hunts[job->planted], job, outcome);
    return true;
}

/* ---- all of them ---- */

static void try_kept(size_t job_count) {
    int first = 1;
    struct children children = {.count = job_count, .next = next_kept, .done = kept_done, .context = &first};
    children_run(&children);
}

static void hunt_from_first(struct hunt *hunt, int planted, size_t job_count) {
    *hunt = (struct hunt){.planted = planted, .next_seed = 1, .started_s = seconds_now()};
    struct children children = {.count = job_count, .next = next_seed, .done = seed_done, .context = hunt};
    children_run(&children);
}

static void write_row(FILE *table, const char *name, struct hunt *hunt) {
    double seconds = hunt->ended_s - hunt->started_s;
    if (hunt->found_seed == 0) {
        fprintf(table, "| %s | not found | | %.1f | |\n", name, seconds);
        return;
    }
    char *end = strstr(hunt->failure, ": ");
    if (end != NULL && strncmp(hunt->failure, "the services' assertions", 24) != 0) *end = '\0';
    for (char *bar = strchr(hunt->failure, '|'); bar != NULL; bar = strchr(bar, '|')) *bar = '/'; /* it would begin a column */
    fprintf(table, "| %s | %" PRIu64 " | %" PRIu64 " | %.1f | %s |\n", name, hunt->found_seed, hunt->step, seconds, hunt->failure);
}

int planted_find_all(size_t job_count, FILE *kept, FILE *table) {
    if (ARRAY_COUNT(names) == 1) {
        fprintf(stderr, "sim: this build has no planted faults: scripts/write-planted makes one\n");
        return 2;
    }
    int missed = 0;
    fprintf(table,
            "# Planted faults\n\nEach was planted into the product, alone, and the simulator ran %sseeds from 1 on until a world failed.\n",
            kept == NULL ? "" : "the seed that found it before, then ");
    fprintf(table,
            "Made by `scripts/write-planted`.\n\n| fault | seed | step | seconds | what broke |\n| --- | ---: | ---: | ---: | --- |\n");
    if (kept != NULL) {
        read_kept(kept);
        try_kept(job_count);
    }
    for (int planted = 1; planted < (int)ARRAY_COUNT(names); planted++) {
        struct hunt *hunt = &hunts[planted];
        if (tests[planted][0] != '\0') continue;
        if (hunt->found_seed == 0) hunt_from_first(hunt, planted, job_count);
        missed += hunt->found_seed == 0;
        write_row(table, names[planted], hunt);
        fflush(table);
    }
    return missed == 0 ? 0 : 1;
}
