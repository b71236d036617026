#include "sim/planted.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/planted.h"
#include "sim/children.h"

#define SEEDS_MAX 10000u

static const char *const names[PLANTED_COUNT] = {
    [PLANTED_REPLY_BEFORE_COMMIT] = "reply before the commit",
    [PLANTED_PUBLISH_BEFORE_COMMIT] = "snapshot published before the commit",
    [PLANTED_FAILED_COMMIT_ANSWERED] = "a failed commit answered as done",
    [PLANTED_BATCH_WAITS_UNTIL_FULL] = "a batch waits until it is full",
    [PLANTED_FSYNC_LEFT_OUT] = "commits without fsync: torn and lost pages are accepted",
    [PLANTED_OLD_STATE_READ] = "a loop reads an old state",
    [PLANTED_LOST_WAKE_UP] = "lost wake-up of the store",
    [PLANTED_TIME_GOES_BACK] = "a place is dated by a clock that went back",
    [PLANTED_REPLAY_OF_ANOTHER_BODY] = "a used key replays for another body",
    [PLANTED_KEPT_ANSWER_NOT_SAVED] = "the answer under a key is not saved",
    [PLANTED_KEPT_ANSWER_NOT_LOADED] = "a key is looked up and written in two transactions",
    [PLANTED_KEPT_ANSWER_DROPPED_EARLY] = "the answer under a key is dropped after a second",
    [PLANTED_REFERENCE_NOT_RECOGNISED] = "Wallet does not recognise a reference",
    [PLANTED_CREDIT_OUT_OF_NOTHING] = "a credit is not taken from its fund",
    [PLANTED_SIDE_OF_A_TRANSFER_LOST] = "one side of a transfer is not saved",
    [PLANTED_WORKING_SET_KEPT_AFTER_ROLLBACK] = "the working set outlives a rollback",
    [PLANTED_ONE_PLACE_TOO_MANY] = "one place too many",
    [PLANTED_PHONE_NOT_ASKED] = "another winner's phone is not asked for",
    [PLANTED_PAUSE_NOT_ASKED] = "a paused campaign gives places",
    [PLANTED_EXPIRY_OFF_BY_ONE] = "expiry off by one second",
    [PLANTED_SNAPSHOT_NOT_PUBLISHED] = "a change is not published to the loops",
    [PLANTED_WINNER_NOT_PUBLISHED] = "a winner is not published to the loops",
    [PLANTED_MARK_NOT_SAVED] = "the mark of a credit is counted but not saved",
    [PLANTED_CLAIM_FORGOTTEN_AT_RESTART] = "a claim is forgotten at restart",
    [PLANTED_CLAIM_FORGOTTEN_WHEN_NOT_MARKED] = "credited, then the mark failed: the claim is forgotten",
    [PLANTED_NEW_REFERENCE_AT_EACH_TRY] = "a claim is settled under a new reference at each try",
    [PLANTED_SETTLER_NOT_WOKEN] = "lost wake-up of the settler",
    [PLANTED_FUND_RELEASED_TOO_EARLY] = "a fund is released before its last claim is paid",
    [PLANTED_TOP_UP_WITHOUT_LOOKING] = "a fund is topped up again without looking",
};

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

#ifdef HAMYAN_PLANTED
static const bool has_planted = true;
#else
static const bool has_planted = false;
#endif

int planted_find_all(size_t job_count, FILE *table) {
    if (!has_planted) {
        fprintf(stderr, "sim: this build has no planted faults: meson setup -Dplanted=true FOLDER && ninja -C FOLDER sim\n");
        return 2;
    }
    int missed = 0;
    fprintf(table,
            "# Planted faults\n\nEach was planted into the product, alone, and the simulator ran seeds from 1 on until a world failed.\n"
            "Made by `scripts/write-planted`.\n\n| fault | seed | step | seconds | what broke |\n| --- | ---: | ---: | ---: | --- |\n");
    for (int planted = PLANTED_NONE + 1; planted < PLANTED_COUNT; planted++) {
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
