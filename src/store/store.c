/* The store thread.
 *
 *            ┌────────────────────────────── nothing waits ──────────────────────────────┐
 *            ▼                                                                           │
 *        ┌───────┐ a push, a due probe, a due idle ┌──────┐ something waits ┌─────────┐  │ all decided
 *        │ ASLEEP│────────────────────────────────▶│ TICK │────────────────▶│ COLLECT │  │
 *        └───────┘                                 └──────┘                 └─────────┘  │
 *            │ stopping and nothing admitted          ▲                          │       │
 *            ▼                                        │                          ▼       │
 *          ENDED                                      │   DONE ◀── PUBLISH ◀── TRY: begin, load, decide, save, commit
 *                                                     │    │ │                   │ failure
 *                                                     └────┘ └───────────────────┼──────────────────────────────────────┘
 *                                                                                ▼
 *                                                                            ROLLBACK ─▶ DONE with the error   (disk, memory, time; or one alone)
 *                                                                                    ├─▶ TRY each alone        (a bad row among several)
 *                                                                                    └─▶ TRY once more         (the connection was lost before COMMIT)
 *
 *   commit ─▶ COMMIT_DOUBTFUL ─▶ SETTLE with pauses until it is known ─▶ PUBLISH or ROLLBACK; stopping, and for SETTLE_STOPPING_US: DONE with TIMEOUT
 *   commit, idle ─▶ COMMIT_FENCED ─▶ another process is the writer: nothing is tried any more, whatever comes is DONE with UNAVAILABLE
 *
 * After TRY failed for the disk the store is unwritable, with a reason. It stays so until the engine's probe, a small durable write, succeeds:
 * 100 ms after the failure, then with doubled pauses up to 1 s. Meanwhile each batch is tried all the same, and one that succeeds makes
 * the probe due at once. A successful batch alone proves nothing: it may have had nothing to write.
 *
 * Admission is one word: how many outside and internal operations were admitted and are not in a batch yet, and whether the store is
 * stopping. A submitter takes its place in that word before it pushes, so that the thread, once stopping, knows what is still to come. */
#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/meter.h"

#define PROBE_PAUSE_MIN_US (CLOCK_SECOND_US / 10)
#define PROBE_PAUSE_MAX_US CLOCK_SECOND_US

#define SETTLE_PAUSE_MIN_US (CLOCK_SECOND_US / 100)
#define SETTLE_PAUSE_MAX_US CLOCK_SECOND_US
#define SETTLE_STOPPING_US  (10 * CLOCK_SECOND_US) /* so long a stopping store still asks what became of its last commit */

#define ADMITTED_STOPPING      (UINT64_C(1) << 63)
#define ADMITTED_INTERNAL_ONE  (UINT64_C(1) << 32)
#define ADMITTED_INTERNAL_MASK (UINT64_C(0x7fffffff) << 32)
#define ADMITTED_OUTSIDE_MASK  UINT64_C(0xffffffff)

/* Why it can't write: constants. */
struct condition {
    const char *state, *reason;
};

struct store {
    struct store_engine engine;
    const struct clock *clock;
    uint32_t queue_limit;
    int64_t idle_interval_us;
    struct store_meter *meter;
    void (*fenced)(void *context);
    void *fenced_context;

    struct queue queue;
    struct waker waker;
    _Atomic uint64_t admitted;
    _Atomic(const struct condition *) condition; /* NULL: writable */
    _Atomic int64_t now_us;

    pthread_t thread;
    bool is_started;

    /* The store thread's own. */
    struct queue_link *rest;                        /* taken from the queue, first in line */
    struct queue_link *rehearsals, *last_rehearsal; /* put aside, oldest first */
    struct store_operation *batch[LIMIT_STORE_BATCH];
    size_t batch_count;
    bool is_fenced;
    int64_t idle_due_us; /* monotonic, like the next three */
    int64_t probe_due_us;
    int64_t probe_last_us;
    int64_t probe_pause_us;
};

struct result store_create(const struct store_engine *engine, const struct store_options *options, struct store **ret_store) {
    CHECK(engine->begin != NULL && engine->load != NULL && engine->decide != NULL && engine->save != NULL);
    CHECK(engine->commit != NULL && engine->rollback != NULL && engine->publish != NULL);
    CHECK(options->clock != NULL && options->name != NULL && options->idle_interval_us >= 0);
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) return result_error(RESULT_FULL);
    store->meter = store_meter_of(options->name);
    if (store->meter == NULL || !result_is_ok(waker_init(&store->waker))) {
        free(store);
        return result_error(RESULT_FULL);
    }
    store->engine = *engine;
    store->clock = options->clock;
    store->fenced = options->fenced;
    store->fenced_context = options->fenced_context;
    store->queue_limit = options->queue_limit == 0 ? LIMIT_STORE_QUEUE : options->queue_limit;
    store->idle_interval_us = options->idle_interval_us == 0 ? CLOCK_SECOND_US : options->idle_interval_us;
    store->idle_due_us = clock_monotonic_us(store->clock) + store->idle_interval_us;
    queue_init(&store->queue, UINT32_MAX); /* the limit is kept by `admitted`, which knows internal operations */
    atomic_init(&store->admitted, 0);
    atomic_init(&store->condition, NULL);
    atomic_init(&store->now_us, clock_now_us(store->clock));
    metric_set(&store->meter->writable, 1);
    *ret_store = store;
    return result_ok();
}

void store_free(struct store *store) {
    if (store == NULL) return;
    CHECK(!store->is_started);
    CHECK((atomic_load(&store->admitted) & ~ADMITTED_STOPPING) == 0);
    waker_close(&store->waker);
    free(store);
}

/* ---- any thread ---- */

static struct result admit(struct store *store, bool is_internal) {
    uint64_t admitted = atomic_load_explicit(&store->admitted, memory_order_relaxed);
    uint64_t next;
    do {
        if (admitted & ADMITTED_STOPPING) return result_error(RESULT_UNAVAILABLE);
        if (!is_internal && (admitted & ADMITTED_OUTSIDE_MASK) >= store->queue_limit) return result_error(RESULT_FULL);
        CHECK((admitted & ADMITTED_INTERNAL_MASK) != ADMITTED_INTERNAL_MASK);
        next = admitted + (is_internal ? ADMITTED_INTERNAL_ONE : 1);
    } while (!atomic_compare_exchange_weak_explicit(&store->admitted, &admitted, next, memory_order_acq_rel, memory_order_relaxed));
    return result_ok();
}

static struct result submit(struct store *store, struct store_operation *operation, bool is_internal) {
    CHECK(operation->done != NULL);
    TRY(admit(store, is_internal));
    operation->is_internal = is_internal;
    operation->submitted_monotonic_us = clock_monotonic_us(store->clock);
    metric_add(&store->meter->queue_depth, 1);
    bool was_empty = false;
    struct result pushed = queue_push(&store->queue, &operation->link, &was_empty);
    CHECK(result_is_ok(pushed)); /* it has no limit of its own */
    if (was_empty) waker_wake(&store->waker);
    return result_ok();
}

struct result store_submit(struct store *store, struct store_operation *operation) {
    return submit(store, operation, false);
}

struct result store_submit_internal(struct store *store, struct store_operation *operation) {
    return submit(store, operation, true);
}

bool store_is_writable(const struct store *store, const char **ret_reason) {
    const struct condition *condition = atomic_load_explicit(&store->condition, memory_order_acquire);
    if (ret_reason != NULL) *ret_reason = condition == NULL ? NULL : condition->reason;
    return condition == NULL;
}

const char *store_state(const struct store *store) {
    const struct condition *condition = atomic_load_explicit(&store->condition, memory_order_acquire);
    return condition == NULL ? "ok" : condition->state;
}

bool store_is_stopping(const struct store *store) {
    return (atomic_load_explicit(&store->admitted, memory_order_acquire) & ADMITTED_STOPPING) != 0;
}

int64_t store_now_us(const struct store *store) { return atomic_load_explicit(&store->now_us, memory_order_acquire); }

/* ---- whether the disk takes writes ---- */

static const struct condition *condition_of(struct result failure) {
    static const struct condition full = {"full", "The disk is full."};
    static const struct condition unavailable = {"unavailable",
                                                 "The database is locked by another process, or its server is not to be reached."};
    static const struct condition late = {"unavailable", "The database does not answer in time."};
    static const struct condition failing = {"failing", "The disk reports errors."};
    switch (failure.code) {
    case RESULT_FULL: return &full;
    case RESULT_UNAVAILABLE: return &unavailable;
    case RESULT_TIMEOUT: return &late;
    case RESULT_OK:
    case RESULT_INVALID:
    case RESULT_NOT_FOUND:
    case RESULT_CONFLICT:
    case RESULT_DENIED:
    case RESULT_IO:
    case RESULT_CORRUPT: return &failing;
    }
    return &failing;
}

static void mark_unwritable(struct store *store, struct result failure) {
    const struct condition *condition = condition_of(failure);
    const struct condition *before = atomic_exchange_explicit(&store->condition, condition, memory_order_acq_rel);
    metric_set(&store->meter->writable, 0);
    if (before != NULL) return;
    store->probe_pause_us = PROBE_PAUSE_MIN_US;
    store->probe_last_us = clock_monotonic_us(store->clock);
    store->probe_due_us = store->probe_last_us + store->probe_pause_us;
    LOG(LOG_ERROR, "store_unwritable", LOG_STRING("reason", condition->reason));
}

static void mark_writable(struct store *store) {
    atomic_store_explicit(&store->condition, NULL, memory_order_release);
    metric_set(&store->meter->writable, 1);
    LOG(LOG_INFO, "store_writable", LOG_STRING("reason", "a write reached the disk again"));
}

static void note_success(struct store *store) {
    if (store_is_writable(store, NULL)) return;
    int64_t earliest_us =
        store->probe_last_us + PROBE_PAUSE_MIN_US; /* a stream of batches that write nothing must not become a stream of probes */
    if (store->probe_due_us > earliest_us) store->probe_due_us = earliest_us;
}

static void note_fenced(struct store *store) {
    if (store->is_fenced) return;
    store->is_fenced = true;
    static const struct condition taken_over = {"taken over", "Another process is the writer of this database now."};
    atomic_store_explicit(&store->condition, &taken_over, memory_order_release);
    metric_set(&store->meter->writable, 0);
    LOG(LOG_ERROR, "store_fenced", LOG_STRING("reason", "another process has taken over: this one writes nothing any more, and ends"));
    if (store->fenced != NULL) store->fenced(store->fenced_context);
}

static void probe_when_due(struct store *store) {
    if (store_is_writable(store, NULL) || store->is_fenced) return;
    int64_t now_us = clock_monotonic_us(store->clock);
    if (now_us < store->probe_due_us) return;
    struct result outcome = store->engine.probe == NULL ? result_ok() : store->engine.probe(store->engine.self);
    if (result_is_ok(outcome)) {
        mark_writable(store);
        return;
    }
    mark_unwritable(store, outcome);
    store->probe_pause_us *= 2;
    if (store->probe_pause_us > PROBE_PAUSE_MAX_US) store->probe_pause_us = PROBE_PAUSE_MAX_US;
    store->probe_last_us = clock_monotonic_us(store->clock);
    store->probe_due_us = store->probe_last_us + store->probe_pause_us;
}

static void idle_when_due(struct store *store) {
    if (store->engine.idle == NULL || store->is_fenced || clock_monotonic_us(store->clock) < store->idle_due_us) return;
    bool is_busy = store->rest != NULL || queue_count(&store->queue) > 0;
    enum commit_end end = store->engine.idle(store->engine.self, is_busy);
    if (end == COMMIT_FENCED) note_fenced(store);
    if (end == NOT_COMMITTED) mark_unwritable(store, result_error(RESULT_UNAVAILABLE)); /* said before somebody writes in vain */
    store->idle_due_us = clock_monotonic_us(store->clock) + store->idle_interval_us;
}

static int64_t timely_in_us(const struct store *store) {
    return store->engine.due_in_us == NULL || store->is_fenced ? INT64_MAX : store->engine.due_in_us(store->engine.self);
}

/* ---- one batch ---- */

static uint32_t weight_of(const struct store_operation *operation) { return operation->weight == 0 ? 1 : operation->weight; }

static void leave_queue(struct store *store, size_t count, uint64_t leaving) {
    atomic_fetch_sub_explicit(&store->admitted, leaving, memory_order_acq_rel);
    metric_add(&store->meter->queue_depth, -(int64_t)count);
}

/* It stays admitted. */
static void put_aside(struct store *store, struct store_operation *operation) {
    operation->link.next = NULL;
    if (store->rehearsals == NULL)
        store->rehearsals = &operation->link;
    else
        store->last_rehearsal->next = &operation->link;
    store->last_rehearsal = &operation->link;
}

/* Fills the batch with what waits, up to its bounds. What was taken and does not fit stays first in line. */
static void collect(struct store *store) {
    int64_t now_us = clock_monotonic_us(store->clock);
    uint64_t weight = 0;
    uint64_t leaving = 0;
    size_t count = 0;
    while (count < LIMIT_STORE_BATCH) {
        if (store->rest == NULL) store->rest = queue_take_all(&store->queue);
        if (store->rest == NULL) break;
        struct store_operation *operation = CONTAINER_OF(store->rest, struct store_operation, link);
        if (operation->is_rehearsal) {
            store->rest = store->rest->next;
            put_aside(store, operation);
            continue;
        }
        weight += weight_of(operation);
        if (count > 0 && weight > LIMIT_STORE_BATCH_WEIGHT) break;
        store->rest = store->rest->next;
        store->batch[count++] = operation;
        leaving += operation->is_internal ? ADMITTED_INTERNAL_ONE : 1;
        metric_observe(&store->meter->queue_wait, now_us - operation->submitted_monotonic_us);
    }
    store->batch_count = count;
    if (count == 0) return;
    leave_queue(store, count, leaving);
    metric_observe(&store->meter->batch_size, (int64_t)count);
}

/* The oldest of those put aside, alone. One behind each batch: who rehearses makes nobody else's batches smaller. */
static bool collect_rehearsal(struct store *store) {
    if (store->rehearsals == NULL) return false;
    struct store_operation *operation = CONTAINER_OF(store->rehearsals, struct store_operation, link);
    store->rehearsals = store->rehearsals->next;
    store->batch[0] = operation;
    store->batch_count = 1;
    leave_queue(store, 1, operation->is_internal ? ADMITTED_INTERNAL_ONE : 1);
    return true;
}

static int64_t advance_time(struct store *store) {
    int64_t now_us = clock_now_us(store->clock);
    int64_t last_us = atomic_load_explicit(&store->now_us, memory_order_relaxed);
    if (now_us < last_us) return last_us; /* the wall clock was set back */
    atomic_store_explicit(&store->now_us, now_us, memory_order_release);
    return now_us;
}

static void finish(struct store_operation *const *operations, size_t count, struct result outcome) {
    for (size_t i = 0; i < count; i++) operations[i]->done(operations[i], outcome);
}

/* Asks what became of a commit until it is known, or until a stopping store has asked for long enough. */
static enum commit_end settle(struct store *store) {
    int64_t pause_us = SETTLE_PAUSE_MIN_US, stopping_us = 0;
    LOG(LOG_WARN, "commit_doubtful", LOG_STRING("reason", "the server did not say whether it committed"));
    for (;;) {
        enum commit_end end = store->engine.settle(store->engine.self);
        if (end != COMMIT_DOUBTFUL) {
            LOG(LOG_INFO, "commit_settled", LOG_STRING("end", end == COMMITTED ? "committed" : "not committed"));
            return end;
        }
        int64_t now_us = clock_monotonic_us(store->clock);
        if (store_is_stopping(store) && stopping_us == 0) stopping_us = now_us;
        if (stopping_us != 0 && now_us - stopping_us >= SETTLE_STOPPING_US) return end;
        waker_clear(&store->waker);
        waker_wait(&store->waker, pause_us);
        pause_us = 2 * pause_us > SETTLE_PAUSE_MAX_US ? SETTLE_PAUSE_MAX_US : 2 * pause_us;
    }
}

static struct result commit(struct store *store) {
    struct result reason = result_ok();
    int64_t before_us = clock_monotonic_us(store->clock);
    enum commit_end end = store->engine.commit(store->engine.self, &reason);
    if (end == COMMIT_DOUBTFUL) end = settle(store);
    metric_observe(&store->meter->commit_time, clock_monotonic_us(store->clock) - before_us);
    switch (end) {
    case COMMITTED: return result_ok();
    case NOT_COMMITTED: return result_is_ok(reason) ? result_error(RESULT_UNAVAILABLE) : reason;
    case COMMIT_FENCED: note_fenced(store); return result_error(RESULT_UNAVAILABLE);
    case COMMIT_DOUBTFUL: return result_error(RESULT_TIMEOUT);
    }
    return result_error(RESULT_TIMEOUT);
}

/* *ret_was_open: the transaction was begun, so that a lost connection may have been an old one. */
static struct result attempt(struct store *store, struct store_operation *const *operations, size_t count, bool *ret_was_open) {
    const struct store_engine *engine = &store->engine;
    *ret_was_open = false;
    if (store->is_fenced) return result_error(RESULT_UNAVAILABLE);
    TRY(engine->begin(engine->self));
    *ret_was_open = true;
    TRY(engine->load(engine->self, operations, count));
    engine->decide(engine->self, operations, count, advance_time(store));
    if (operations[0]->is_rehearsal) return result_ok();
    TRY(engine->save(engine->self));
    return commit(store);
}

/* Whether the failure says something about the disk, the memory or another process, and not about one of the operations. */
static bool concerns_all(struct result failure) {
    switch (failure.code) {
    case RESULT_FULL:
    case RESULT_IO:
    case RESULT_UNAVAILABLE:
    case RESULT_TIMEOUT: return true;
    case RESULT_OK:
    case RESULT_INVALID:
    case RESULT_NOT_FOUND:
    case RESULT_CONFLICT:
    case RESULT_DENIED:
    case RESULT_CORRUPT: return false;
    }
    return false;
}

/* Tries these as one transaction and publishes; after a failure nothing of them is left anywhere. */
static struct result attempt_and_publish(struct store *store, struct store_operation *const *operations, size_t count) {
    bool was_open = false;
    struct result outcome = attempt(store, operations, count, &was_open);
    if (outcome.code == RESULT_UNAVAILABLE && was_open && !store->is_fenced) {
        store->engine.rollback(store->engine.self);
        outcome = attempt(store, operations, count, &was_open);
    }
    if (result_is_ok(outcome) && operations[0]->is_rehearsal) {
        store->engine.rollback(store->engine.self);
        return outcome;
    }
    if (result_is_ok(outcome)) {
        store->engine.publish(store->engine.self);
        note_success(store);
        return outcome;
    }
    store->engine.rollback(store->engine.self);
    metric_add(&store->meter->failures[outcome.code], 1);
    if (concerns_all(outcome) && !store->is_fenced) mark_unwritable(store, outcome);
    return outcome;
}

static void run_collected(struct store *store) {
    struct store_operation *const *operations = store->batch;
    size_t count = store->batch_count;
    struct result outcome = attempt_and_publish(store, operations, count);
    if (result_is_ok(outcome) || concerns_all(outcome) || count == 1) {
        finish(operations, count, outcome);
        return;
    }
    LOG(LOG_WARN, "store_batch_split", LOG_STRING("result", result_name(outcome)), LOG_INTEGER("operations", count));
    for (size_t i = 0; i < count; i++) {
        outcome = attempt_and_publish(store, operations + i, 1);
        if (concerns_all(outcome)) { /* the rest would only wait for the same failure, one by one */
            finish(operations + i, count - i, outcome);
            return;
        }
        finish(operations + i, 1, outcome);
    }
}

bool store_run_batch(struct store *store) {
    probe_when_due(store);
    idle_when_due(store);
    if (timely_in_us(store) <= 0) store->engine.timely(store->engine.self);
    collect(store);
    bool has_run = store->batch_count > 0;
    if (has_run) run_collected(store);
    if (!collect_rehearsal(store)) return has_run;
    run_collected(store);
    return true;
}

/* ---- the thread ---- */

static int64_t pause_us(const struct store *store) {
    int64_t due_us = INT64_MAX;
    if (store->engine.idle != NULL) due_us = store->idle_due_us;
    if (!store_is_writable(store, NULL) && store->probe_due_us < due_us) due_us = store->probe_due_us;
    int64_t timely_us = timely_in_us(store);
    if (due_us == INT64_MAX && timely_us == INT64_MAX) return -1;
    int64_t left_us = due_us == INT64_MAX ? INT64_MAX : due_us - clock_monotonic_us(store->clock);
    if (timely_us < left_us) left_us = timely_us;
    return left_us < 0 ? 0 : left_us;
}

/* Until nothing more can come. An operation that was admitted but not pushed yet wakes us when it is pushed. */
static void *run(void *context) {
    struct store *store = context;
    for (;;) {
        waker_clear(&store->waker);
        while (store_run_batch(store)) {
        }
        if (atomic_load_explicit(&store->admitted, memory_order_acquire) == ADMITTED_STOPPING) return NULL;
        waker_wait(&store->waker, pause_us(store));
    }
}

struct result store_start(struct store *store) {
    CHECK(!store->is_started);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are the main thread's business */
    int error = pthread_create(&store->thread, NULL, run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) return result_error(RESULT_FULL);
    pthread_setname_np(store->thread, "store");
    store->is_started = true;
    return result_ok();
}

void store_stop(struct store *store) {
    atomic_fetch_or_explicit(&store->admitted, ADMITTED_STOPPING, memory_order_acq_rel);
    if (!store->is_started) {
        while (store_run_batch(store)) {
        }
        return;
    }
    waker_wake(&store->waker);
    CHECK(pthread_join(store->thread, NULL) == 0);
    store->is_started = false;
}
