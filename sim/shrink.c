#include "sim/shrink.h"

#include <string.h>

#define USERS_START   24u
#define ACTIONS_START 14u

/* Another failure than the one that was found would lead astray. */
static bool fails_alike(const struct outcome *a, const struct outcome *b) {
    const char *end = strchr(a->failure, ':');
    size_t size = end == NULL ? strlen(a->failure) : (size_t)(end - a->failure);
    return b->kind != OUTCOME_SOUND && strncmp(a->failure, b->failure, size) == 0;
}

static bool try_smaller(struct job *job, struct outcome *outcome, const struct world_limits *limits) {
    struct job smaller = *job;
    static struct outcome result;
    smaller.limits = *limits;
    child_run(&smaller, &result);
    if (!fails_alike(outcome, &result)) return false;
    *job = smaller;
    *outcome = result;
    return true;
}

static void shrink_number(struct job *job, struct outcome *outcome, bool is_users, uint32_t start) {
    uint32_t value = is_users ? job->limits.users_max : job->limits.actions_max;
    if (value == 0) value = start;
    for (uint32_t step = value / 2; step > 0;) {
        struct world_limits limits = job->limits;
        if (is_users) {
            limits.users_max = value - step;
        } else {
            limits.actions_max = value - step;
        }
        if (value > step && try_smaller(job, outcome, &limits)) {
            value -= step;
        } else {
            step /= 2;
        }
    }
}

void shrink(struct job *job, struct outcome *outcome) {
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        struct world_limits limits = job->limits;
        limits.faults_off |= UINT32_C(1) << i;
        if (limits.faults_off != job->limits.faults_off) (void)try_smaller(job, outcome, &limits);
    }
    shrink_number(job, outcome, false, ACTIONS_START);
    shrink_number(job, outcome, true, USERS_START);
}
