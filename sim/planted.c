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

struct hunt {
    int planted;
    uint64_t next_seed, found_seed; /* the smallest that failed; 0: none yet */
    char failure[sizeof((struct outcome *)NULL)->failure];
    uint64_t step;
};

static bool next_job(void *context, struct job *ret_job) {
    struct hunt *hunt = context;
    if (hunt->next_seed > SEEDS_MAX) return false;
    *ret_job = (struct job){.seed = hunt->next_seed++, .planted = hunt->planted};
    return true;
}

/* Worlds end in any order: those under way when one has failed may have smaller seeds. */
static bool job_done(void *context, const struct job *job, const struct outcome *outcome) {
    struct hunt *hunt = context;
    if (outcome->kind != OUTCOME_SOUND && (hunt->found_seed == 0 || job->seed < hunt->found_seed)) {
        hunt->found_seed = job->seed;
        hunt->step = outcome->step;
        memcpy(hunt->failure, outcome->failure, sizeof hunt->failure);
    }
    return hunt->found_seed == 0;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int planted_find_all(size_t job_count, FILE *table) {
    if (ARRAY_COUNT(names) == 1) {
        fprintf(stderr, "sim: this build has no planted faults: scripts/write-planted makes one\n");
        return 2;
    }
    int missed = 0;
    fprintf(table,
            "# Planted faults\n\nEach was planted into the product, alone, and the simulator ran seeds from 1 on until a world failed.\n"
            "Made by `scripts/write-planted`.\n\n| fault | seed | step | seconds | what broke |\n| --- | ---: | ---: | ---: | --- |\n");
    for (int planted = 1; planted < (int)ARRAY_COUNT(names); planted++) {
        if (tests[planted][0] != '\0') continue;
        struct hunt hunt = {.planted = planted, .next_seed = 1};
        struct children children = {.count = job_count, .next = next_job, .done = job_done, .context = &hunt};
        double before_s = seconds_now();
        children_run(&children);
        char *end = strstr(hunt.failure, ": ");
        if (end != NULL && strncmp(hunt.failure, "the services' assertions", 24) != 0) *end = '\0';
        for (char *bar = strchr(hunt.failure, '|'); bar != NULL; bar = strchr(bar, '|')) *bar = '/'; /* it would begin a column */
        if (hunt.found_seed == 0) {
            missed++;
            fprintf(table, "| %s | not found | | %.1f | |\n", names[planted], seconds_now() - before_s);
        } else {
            fprintf(table, "| %s | %" PRIu64 " | %" PRIu64 " | %.1f | %s |\n", names[planted], hunt.found_seed, hunt.step,
                    seconds_now() - before_s, hunt.failure);
        }
        fflush(table);
    }
    return missed == 0 ? 0 : 1;
}
