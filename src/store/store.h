/* The batch runner: the only writer and the sequencer of a service.
 *
 *   submit (any thread) ─▶ queue ─▶ collect ─▶ begin ─▶ load ─▶ decide ─▶ save ─▶ commit(fsync) ─▶ publish ─▶ done, in order
 *                                                                 │ failure
 *                                                                 └─▶ rollback ─▶ done with the error
 *
 * Invariants: an operation is decided in the order of its push, after everything pushed before it; done(OK) is called only after the commit
 * that holds its effect; snapshots are published after the commit and before any done of the batch; after a failure nothing of the batch is
 * in the database nor in the working set. A batch is what waits, at most LIMIT_STORE_BATCH: a lone request never waits for company.
 * A batch that fails for another reason than disk or memory is run again one operation at a time, so that one bad row refuses one request. One whose
 * connection to a server was lost before its commit is run again as it is. A commit that was not answered is doubtful: nobody is answered, and nothing else
 * is begun, before it is known what became of it. */
#pragma once

#include <stddef.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/queue.h"
#include "store/batch.h"

struct store_operation {
    struct queue_link link;
    uint32_t kind;   /* the service's own enum */
    uint32_t weight; /* about how many rows it writes: 0 counts as 1; a batch ends before LIMIT_STORE_BATCH_WEIGHT */
    /* On the store thread, after the commit (OK), or after the failure: FULL (disk), IO, CORRUPT, UNAVAILABLE (stopping, or no server), TIMEOUT: it is
     * not known whether it was committed. Gives the operation away: the store does not touch it afterwards. */
    void (*done)(struct store_operation *operation, struct result outcome);
    int64_t submitted_monotonic_us; /* set by the store at the submission, as is the next */
    bool is_internal;
    /* What would come of it now: alone, behind the next batch, loaded and decided like any other, and rolled back. `done` says OK, and nothing was published. */
    bool is_rehearsal;
};

/* What a service and an engine give: load and save differ per engine, decide is the service's pure core. */
struct store_engine {
    void *self;
    struct result (*begin)(void *self);
    struct result (*load)(void *self, struct store_operation *const *operations, size_t count);
    void (*decide)(void *self, struct store_operation *const *operations, size_t count, int64_t now_us);
    struct result (*save)(void *self);
    enum commit_end (*commit)(void *self, struct result *ret_reason); /* why not, when it is not COMMITTED */
    enum commit_end (*settle)(void *self);                            /* after COMMIT_DOUBTFUL; NULL: never doubtful */
    void (*rollback)(void *self);                                     /* also forgets the working set */
    void (*publish)(void *self);
    struct result (*probe)(void *self); /* a small durable write, to see whether a failed disk is back; NULL: never fails */
    /* Between two batches: checkpoint, expire; may be NULL. `is_busy`: operations wait, and what can wait longer than they should. COMMIT_FENCED, else
     * COMMITTED. */
    enum commit_end (*idle)(void *self, bool is_busy);
    /* What has a time of its own: in so many µs `timely` is to be called, between two batches; 0 or less: before the next one. INT64_MAX: not, as long as
     * nothing else happens. Both may be NULL. */
    int64_t (*due_in_us)(void *self);
    void (*timely)(void *self);
};

struct store;

struct store_options {
    const char *name; /* prefix of metrics, "walletd"; stores of one name share theirs */
    const struct clock *clock;
    uint32_t queue_limit;     /* 0: LIMIT_STORE_QUEUE */
    int64_t idle_interval_us; /* how often idle is called, also between the batches of a constant load; 0: 1 s */
    /* Once, on the store thread: another process is the writer now, and this one never writes again. May be NULL. */
    void (*fenced)(void *context);
    void *fenced_context;
};

/* Copies engine and options; the clock must outlive the store. RESULT_FULL: no memory, no descriptor. */
struct result store_create(const struct store_engine *engine, const struct store_options *options, struct store **ret_store) MUST_CHECK;
void store_free(struct store *store);                      /* after store_stop, or never started */
struct result store_start(struct store *store) MUST_CHECK; /* its own thread, signals blocked; RESULT_FULL: none to be had */
void store_stop(struct store *store);                      /* runs what waits, refuses what comes later, joins */

/* Any thread. RESULT_FULL: the queue is at its limit (503 overloaded); RESULT_UNAVAILABLE: stopping. The caller still owns it then. */
struct result store_submit(struct store *store, struct store_operation *operation) MUST_CHECK;
/* The service's own obligations (settling, expiry): not counted against the limit, so that the crowd can't shut them out. */
struct result store_submit_internal(struct store *store, struct store_operation *operation) MUST_CHECK;
/* For a simulation, instead of store_start: the probe and idle when they are due, then one batch of what waits; false when nothing waited. */
bool store_run_batch(struct store *store);

/* Any thread: whether the last write reached the disk; `ret_reason` (may be NULL) is a constant sentence when not. */
bool store_is_writable(const struct store *store, const char **ret_reason);
const char *store_state(const struct store *store); /* any thread: "ok", or in a word why not; a constant (service/readiness.h) */
bool store_is_stopping(const struct store *store);  /* any thread */
int64_t store_now_us(const struct store *store);    /* time handed to the last decide: never goes back */
