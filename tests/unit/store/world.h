/* A store over a fake engine that keeps a diary of its steps, with a clock of its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/store.h"

#define OPERATIONS_MAX 4000
#define BATCHES_MAX    4096

enum step { STEP_BEGIN, STEP_LOAD, STEP_SAVE, STEP_COMMIT, STEP_PROBE, STEP_COUNT };

struct operation {
    struct store_operation base;
    struct world *world;
    size_t number;
    bool is_poisoned; /* load refuses it with CONFLICT */
    size_t done_count;
    size_t done_position;
    struct result outcome;
    bool was_published;
};

/* An engine that keeps a diary, and fails when told. The store thread writes, the test reads after the store has stopped or run. */
struct world {
    struct store *store;
    struct store_engine engine;
    struct clock clock;
    int64_t now_us;
    int64_t monotonic_us;
    enum result_code failures[STEP_COUNT];
    enum commit_end commit_ends_as, idle_ends_as; /* of the first commit, of each idle */
    enum commit_end settled[4];                   /* what each question after a doubtful commit is answered */
    size_t settles, fences;
    size_t fail_commit_number; /* the commit with this number fails with failures[STEP_COMMIT] once; 0: each */

    char diary[256];
    size_t batch_sizes[BATCHES_MAX];
    size_t batches;
    size_t decided[OPERATIONS_MAX];
    size_t decided_count;
    int64_t decided_at_us;
    size_t done_count;
    size_t commits, publishes, probes, idles, busy_idles, rollbacks;
    bool is_published;

    sem_t *commit_entered;
    sem_t *commit_may_go;
    struct operation operations[OPERATIONS_MAX];
};

static inline void note(struct world *world, char step) {
    size_t size = strlen(world->diary);
    if (size + 1 < sizeof world->diary) world->diary[size] = step;
}

static inline struct result verdict(const struct world *world, enum step step) { return result_error(world->failures[step]); }

static inline struct result fake_begin(void *self) {
    struct world *world = self;
    note(world, 'b');
    world->is_published = false;
    return verdict(world, STEP_BEGIN);
}

static inline struct operation *operation_of(struct store_operation *base) { return CONTAINER_OF(base, struct operation, base); }

static inline struct result fake_load(void *self, struct store_operation *const *operations, size_t count) {
    struct world *world = self;
    note(world, 'l');
    if (world->batches < BATCHES_MAX) world->batch_sizes[world->batches++] = count;
    for (size_t i = 0; i < count; i++) {
        if (operation_of(operations[i])->is_poisoned) return result_error(RESULT_CONFLICT);
    }
    return verdict(world, STEP_LOAD);
}

static inline void fake_decide(void *self, struct store_operation *const *operations, size_t count, int64_t now_us) {
    struct world *world = self;
    note(world, 'd');
    world->decided_at_us = now_us;
    for (size_t i = 0; i < count && world->decided_count < OPERATIONS_MAX; i++) {
        world->decided[world->decided_count++] = operation_of(operations[i])->number;
    }
}

static inline struct result fake_save(void *self) {
    note(self, 's');
    return verdict(self, STEP_SAVE);
}

static inline enum commit_end fake_settle(void *self) {
    struct world *world = self;
    note(world, '?');
    world->monotonic_us += CLOCK_SECOND_US;
    return world->settled[world->settles < 3 ? world->settles++ : 3];
}

static inline enum commit_end fake_commit(void *self, struct result *ret_reason) {
    struct world *world = self;
    note(world, 'c');
    world->commits++;
    if (world->commit_entered != NULL) {
        sem_post(world->commit_entered);
        sem_wait(world->commit_may_go);
    }
    if (world->commit_ends_as != COMMITTED && world->commits == 1) return world->commit_ends_as;
    if (world->fail_commit_number != 0 && world->commits != world->fail_commit_number) return COMMITTED;
    *ret_reason = verdict(world, STEP_COMMIT);
    return result_is_ok(*ret_reason) ? COMMITTED : NOT_COMMITTED;
}

static inline void fake_rollback(void *self) {
    struct world *world = self;
    note(world, 'r');
    world->rollbacks++;
}

static inline void fake_publish(void *self) {
    struct world *world = self;
    note(world, 'p');
    world->publishes++;
    world->is_published = true;
}

static inline struct result fake_probe(void *self) {
    struct world *world = self;
    world->probes++;
    return verdict(world, STEP_PROBE);
}

static inline enum commit_end fake_idle(void *self, bool is_busy) {
    struct world *world = self;
    world->idles++;
    world->busy_idles += is_busy;
    return world->idle_ends_as;
}

static inline void fake_fenced(void *context) { ((struct world *)context)->fences++; }

static inline void fake_done(struct store_operation *base, struct result outcome) {
    struct operation *operation = operation_of(base);
    struct world *world = operation->world;
    note(world, 'D');
    operation->done_count++;
    operation->done_position = world->done_count++;
    operation->outcome = outcome;
    operation->was_published = world->is_published;
    memset(&operation->base.link, 0xff, sizeof operation->base.link); /* it is ours again: the store must not follow the link */
}

static inline int64_t fake_now_us(void *context) { return ((struct world *)context)->now_us; }
static inline int64_t fake_monotonic_us(void *context) { return ((struct world *)context)->monotonic_us; }

static inline struct world *make_world(bool has_own_clock, uint32_t queue_limit) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->now_us = 1000 * CLOCK_SECOND_US;
    world->monotonic_us = 50 * CLOCK_SECOND_US;
    world->clock = has_own_clock ? (struct clock){fake_now_us, fake_monotonic_us, world} : clock_system;
    world->engine = (struct store_engine){world,         fake_begin,   fake_load,  fake_decide, fake_save, fake_commit, fake_settle,
                                          fake_rollback, fake_publish, fake_probe, fake_idle,   NULL,      NULL};
    for (size_t i = 0; i < OPERATIONS_MAX; i++) {
        world->operations[i] = (struct operation){.base = {.done = fake_done}, .world = world, .number = i};
    }
    struct store_options options = {
        .name = "test", .clock = &world->clock, .queue_limit = queue_limit, .fenced = fake_fenced, .fenced_context = world};
    assert_true(result_is_ok(store_create(&world->engine, &options, &world->store)));
    return world;
}

static inline void free_world(struct world *world) {
    store_stop(world->store);
    store_free(world->store);
    free(world);
}

static inline void submit(struct world *world, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        assert_int_equal(store_submit(world->store, &world->operations[i].base).code, RESULT_OK);
    }
}

static inline void clear_diary(struct world *world) { memset(world->diary, 0, sizeof world->diary); }
