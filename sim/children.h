/* Worlds in processes, several at a time: an abort in the middle concerns no other world. A process lives through some worlds, one after the other,
 * because a fresh one has to touch all its memory again, which costs as much as a world; when one fails there, it is run once more in a process
 * of its own, and that outcome counts. */
#pragma once

#include "sim/world.h"

#define CHILD_TEXT_BYTES 16384u

enum outcome_kind { OUTCOME_SOUND, OUTCOME_FAILED, OUTCOME_DIED, OUTCOME_HUNG };

struct outcome {
    enum outcome_kind kind;
    uint64_t seed;
    uint64_t step, event_count;
    int64_t world_us;
    struct hash hash;
    uint64_t fault_counts[FAULT_COUNT];
    struct {
        char name[48];
        uint64_t count;
    } reached[64];
    char failure[EVENT_BYTES * 2];
    char text[CHILD_TEXT_BYTES]; /* what it wrote on standard error: the last events */
};

struct job {
    uint64_t seed;
    struct world_limits limits;
    int planted; /* 0: none */
};

extern int __wrap_planted_fault; /* what the programs see as planted_fault: the one that is on in this process; 0: none */

/* Runs one and waits. */
void child_run(const struct job *job, struct outcome *ret_outcome);

/* Runs the jobs that `next` gives, `count` at a time, until it returns false; `done` sees each outcome, and returns
 * whether to go on. What is under way then still ends. */
struct children {
    size_t count;
    bool (*next)(void *context, struct job *ret_job);
    bool (*done)(void *context, const struct job *job, const struct outcome *outcome);
    void *context;
};
void children_run(const struct children *children);
