/* PostgreSQL behind the seam (store/batch.h). What is asked waits in a trip until batch_run or batch_commit sends it.
 *
 *   reader   IDLE ── batch_run: one trip, in one REPEATABLE READ when it has several statements ──▶ IDLE
 *
 *            ┌────────── run ──────────┐
 *   writer   IDLE ── begin ──▶ OPEN ── run: BEGIN rides in the first trip ──▶ BEGUN ── commit: writes, fence, COMMIT in one trip ──▶ IDLE
 *             ▲                                                                 │                                   │
 *             │◀───────────────────────── rollback ◀────────────────────────────┘                                   │ the answer is lost, or warns
 *             │                                                                                                     ▼
 *             └──────── settle: a new connection raises the epoch and compares the sequence ◀─────────────────── DOUBTFUL
 *
 *            LOST: another process is the writer, from any state, for good: nothing is written any more.
 *
 * Invariants. Of one transaction there is one COMMIT, in the same trip as the fence. `lease.sequence` is that of the newest commit that is known; while
 * DOUBTFUL the database's is that or one more. A connection that was lost is opened again by whoever needs it next, and as the writer's only through
 * lease_resume, which raises the epoch: from then on nothing that an old connection still has under way can be committed. So what the fence says on
 * the new connection is final. A database whose sequence is another one than ours lost or gained commits: LOST as well, for what is in memory does not fit it.
 *
 * COMMITTED is said when the server has answered COMMIT by its own name and without a warning (a standby that was not waited for is one). NOT_COMMITTED
 * when an error came before the COMMIT in the same trip, which makes the server skip it, or when nothing of the trip was sent. All else is doubt. */
#include "store/postgres/driver.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/postgres/lease.h"
#include "store/postgres/migrate.h"
#include "store/postgres/trip.h"

#define RENEWAL_US (LEASE_SECONDS * CLOCK_SECOND_US / 4)

enum state { IDLE, OPEN, BEGUN, DOUBTFUL };

struct postgres_batch {
    struct batch batch; /* first */
    struct backend backend;
    struct trip trip;
    enum state state;
    bool keeps_state; /* a reader's transaction stays open between runs */
    bool is_written;  /* something of this transaction was sent to be written */
    struct result failure;
    struct lease lease; /* the writer's */
    struct batch_commits *commits;
    struct metric *commit_metric;
};

static struct postgres_batch *own(struct batch *batch) { return (struct postgres_batch *)batch; }

/* ---- the connection, opened again when it was lost ---- */

static struct result resume(struct postgres_batch *self, int64_t *ret_sequence) {
    TRY(backend_open(&self->backend));
    struct result resumed = lease_resume(&self->lease, &self->backend, ret_sequence);
    if (!result_is_ok(resumed)) backend_close(&self->backend);
    return resumed;
}

static struct result connect_again(struct postgres_batch *self) {
    int64_t sequence = 0;
    if (self->lease.is_lost) return result_error(RESULT_CONFLICT);
    if (self->backend.handle != NULL) return result_ok();
    if (!self->backend.is_writer) return backend_open(&self->backend);
    TRY(resume(self, &sequence));
    if (sequence == self->lease.sequence) return result_ok();
    lease_lose(&self->lease,
               sequence < self->lease.sequence ? "the database has lost commits" : "the database has commits of somebody else");
    return result_error(RESULT_CONFLICT);
}

static enum commit_end postgres_settle(struct batch *batch);

/* Who gave up on a doubtful commit leaves it to whoever comes next: nothing else is done before it is known what became of it. */
static struct result leave_doubt(struct postgres_batch *self) {
    if (self->state != DOUBTFUL) return result_ok();
    return postgres_settle(&self->batch) == COMMIT_DOUBTFUL ? result_error(RESULT_UNAVAILABLE) : result_ok();
}

/* ---- asking ---- */

static void postgres_ask(struct batch *batch, const struct question *question, const struct value *values, row_visitor *visit,
                         void *context) {
    trip_ask(&own(batch)->trip, question, values, visit, context);
}

static bool is_in_transaction(const struct postgres_batch *self) {
    return self->backend.handle != NULL && PQtransactionStatus(self->backend.handle) != PQTRANS_IDLE;
}

static const char *begin_words(const struct postgres_batch *self) {
    if (self->state == OPEN) return "BEGIN";
    if (self->backend.is_writer || is_in_transaction(self)) return NULL; /* begun, or each statement alone */
    return self->trip.group_count > 1 || self->keeps_state ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : NULL;
}

static struct result run_trip(struct postgres_batch *self) {
    const char *begin = begin_words(self);
    struct trip_frame frame = {.begin = begin, .end = begin != NULL && !self->backend.is_writer && !self->keeps_state ? "COMMIT" : NULL};
    TRY(connect_again(self));
    struct trip_end end = trip_go(&self->trip, &frame);
    if (result_is_ok(end.outcome) && self->state == OPEN) self->state = BEGUN;
    return end.outcome;
}

static bool has_lost_idle_connection(const struct postgres_batch *self, struct result outcome) {
    return outcome.code == RESULT_UNAVAILABLE && self->backend.handle == NULL && self->trip.visited == 0 && self->state != BEGUN;
}

static struct result end_read(struct postgres_batch *self, struct result outcome) {
    if (result_is_ok(outcome) || self->backend.handle == NULL || PQtransactionStatus(self->backend.handle) == PQTRANS_IDLE) return outcome;
    struct result ended = backend_execute(&self->backend, "ROLLBACK");
    if (!result_is_ok(ended)) backend_close(&self->backend);
    return outcome;
}

/* The server may have been restarted since this connection was last used: that is found out by using it, and nobody has seen anything yet. */
static struct result postgres_run(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    struct result outcome = self->failure;
    bool was_connected =
        self->backend.handle != NULL && (self->backend.is_writer || !is_in_transaction(self)); /* else its state is lost too */
    struct result known = leave_doubt(self);
    if (!result_is_ok(known)) {
        trip_clear(&self->trip);
        return known;
    }
    if (trip_is_empty(&self->trip) && !self->trip.is_out_of_memory) return outcome;
    if (result_is_ok(outcome)) outcome = run_trip(self);
    if (was_connected && has_lost_idle_connection(self, outcome)) outcome = run_trip(self);
    trip_clear(&self->trip);
    if (self->state == IDLE) return end_read(self, outcome);
    if (result_is_ok(self->failure)) self->failure = outcome;
    return outcome;
}

/* But for a reader that keeps its state, none outlives a run. */
static void postgres_end_round(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    if (self->backend.is_writer || !is_in_transaction(self)) return;
    struct result ended = backend_execute(&self->backend, "COMMIT");
    if (!result_is_ok(ended)) backend_close(&self->backend);
}

/* ---- writing ---- */

static struct result postgres_begin(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    TRY(leave_doubt(self));
    CHECK(self->state == IDLE && self->backend.is_writer);
    trip_clear(&self->trip);
    self->failure = result_ok();
    self->is_written = false;
    struct result connected = connect_again(self);
    if (self->lease.is_lost) return result_error(RESULT_UNAVAILABLE); /* batch_tidy says why */
    TRY(connected);
    self->state = OPEN;
    return result_ok();
}

static void postgres_do(struct batch *batch, const struct question *question, const struct value *values, int64_t rows_due) {
    struct postgres_batch *self = own(batch);
    CHECK(self->state == OPEN || self->state == BEGUN);
    trip_do(&self->trip, question, values, rows_due);
    self->is_written = true;
}

static void postgres_rollback(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    if (self->state == DOUBTFUL) return; /* until it is known there is nothing to undo */
    trip_clear(&self->trip);
    if (self->backend.handle != NULL && PQtransactionStatus(self->backend.handle) != PQTRANS_IDLE) {
        struct result undone = backend_execute(&self->backend, "ROLLBACK");
        if (!result_is_ok(undone)) backend_close(&self->backend);
    }
    self->state = IDLE;
    self->failure = result_ok();
}

static enum commit_end give_up(struct postgres_batch *self, struct result reason, struct result *ret_reason) {
    postgres_rollback(&self->batch);
    *ret_reason = reason;
    return self->lease.is_lost ? COMMIT_FENCED : NOT_COMMITTED;
}

static enum commit_end doubt(struct postgres_batch *self, struct result *ret_reason) {
    LOG(LOG_WARN, "commit_doubtful", LOG_INTEGER("sequence", self->lease.sequence + 1));
    backend_close(&self->backend);
    trip_clear(&self->trip);
    self->state = DOUBTFUL;
    *ret_reason = result_error(RESULT_UNAVAILABLE);
    return COMMIT_DOUBTFUL;
}

static enum commit_end commit_done(struct postgres_batch *self) {
    if (self->is_written) {
        self->lease.sequence++;
        self->lease.renewed_us = clock_monotonic_us(&clock_system);
    }
    self->state = IDLE;
    self->failure = result_ok();
    if (self->commits != NULL) atomic_fetch_add(&self->commits->count, 1);
    return COMMITTED;
}

static struct result see_check(void *context, const struct row *row) {
    (void)context;
    (void)row;
    return result_ok(); /* it would have failed */
}

static void add_fence(struct postgres_batch *self) {
    const struct value values[] = {value_integer(self->lease.epoch), value_integer(self->lease.sequence)};
    if (self->is_written) {
        trip_do(&self->trip, &lease_commit_question, values, 1);
    } else {
        trip_ask(&self->trip, &lease_check_question, values, see_check, NULL);
    }
}

static bool is_fence(const struct question *question) { return question == &lease_commit_question || question == &lease_check_question; }

/* What the end of the trip says about the COMMIT in it. */
static enum commit_end judge_trip(struct postgres_batch *self, const struct trip_end *end, struct result *ret_reason) {
    *ret_reason = end->outcome;
    bool is_answered = self->backend.handle != NULL;
    if (end->is_end_done && is_answered && !self->backend.is_warned) {
        CHECK(result_is_ok(end->outcome)); /* no visitor that could fail travels with it */
        return COMMITTED;
    }
    if (end->failed_at == TRIP_GROUP && is_fence(end->failed_question) && end->outcome.code == RESULT_CORRUPT) {
        lease_lose(&self->lease, "the fence has another epoch");
        return COMMIT_FENCED;
    }
    /* An error before the COMMIT, told by the server: it has skipped the COMMIT, and can't have done otherwise. */
    if (end->failed_at == TRIP_BEGIN || end->failed_at == TRIP_GROUP) return NOT_COMMITTED;
    /* The COMMIT's own error, and the session lives to tell: a deferred constraint, a full disk before the record was written. */
    if (end->failed_at == TRIP_END && is_answered && !self->backend.is_warned && end->outcome.code != RESULT_IO) return NOT_COMMITTED;
    return COMMIT_DOUBTFUL;
}

static enum commit_end send_commit(struct postgres_batch *self, struct result *ret_reason) {
    struct trip_frame frame = {.begin = self->state == OPEN ? "BEGIN" : NULL, .end = "COMMIT"};
    if (self->backend.handle == NULL) return give_up(self, result_error(RESULT_UNAVAILABLE), ret_reason);
    add_fence(self);
    self->backend.is_warned = false;
    int64_t before_us = clock_monotonic_us(&clock_system);
    struct trip_end end = trip_go(&self->trip, &frame);
    if (self->commit_metric != NULL) metric_observe(self->commit_metric, clock_monotonic_us(&clock_system) - before_us);
    trip_clear(&self->trip);
    switch (judge_trip(self, &end, ret_reason)) {
    case COMMITTED: return commit_done(self);
    case COMMIT_DOUBTFUL: return self->is_written ? doubt(self, ret_reason) : give_up(self, end.outcome, ret_reason);
    case NOT_COMMITTED:
    case COMMIT_FENCED: break;
    }
    if (end.outcome.code == RESULT_CORRUPT && !self->lease.is_lost) {
        LOG(LOG_ERROR, "rows_missed", LOG_STRING("question", end.failed_question == NULL ? "" : end.failed_question->name));
    }
    return give_up(self, end.outcome, ret_reason);
}

static enum commit_end postgres_commit(struct batch *batch, struct result *ret_reason) {
    struct postgres_batch *self = own(batch);
    CHECK(self->state == OPEN || self->state == BEGUN);
    if (self->lease.is_lost) return give_up(self, result_error(RESULT_CONFLICT), ret_reason);
    if (!result_is_ok(self->failure)) return give_up(self, self->failure, ret_reason);
    if (self->trip.is_asked) { /* a visitor that fails must fail before the COMMIT */
        struct result asked = postgres_run(batch);
        if (!result_is_ok(asked)) return give_up(self, asked, ret_reason);
    }
    *ret_reason = result_ok();
    if (self->state == OPEN && trip_is_empty(&self->trip)) { /* nothing was asked, nothing is to be written */
        self->state = IDLE;
        return COMMITTED;
    }
    return send_commit(self, ret_reason);
}

static enum commit_end postgres_settle(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    int64_t sequence = 0;
    CHECK(self->state == DOUBTFUL);
    struct result resumed = resume(self, &sequence);
    if (!result_is_ok(resumed) && !self->lease.is_lost) return COMMIT_DOUBTFUL;
    self->state = IDLE;
    self->failure = result_ok();
    if (!self->lease.is_lost && (sequence < self->lease.sequence || sequence > self->lease.sequence + 1)) {
        lease_lose(&self->lease,
                   sequence < self->lease.sequence ? "the database has lost commits" : "the database has commits of somebody else");
    }
    if (self->lease.is_lost) return COMMIT_FENCED;
    bool is_committed = sequence == self->lease.sequence + 1;
    LOG(LOG_INFO, "commit_settled", LOG_STRING("end", is_committed ? "committed" : "not committed"), LOG_INTEGER("sequence", sequence));
    return is_committed ? commit_done(self) : NOT_COMMITTED;
}

/* ---- between transactions ---- */

static struct result postgres_probe(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    TRY(leave_doubt(self));
    CHECK(self->state == IDLE);
    TRY(connect_again(self));
    return lease_renew(&self->lease, &self->backend);
}

static enum commit_end postgres_tidy(struct batch *batch, bool is_busy) {
    struct postgres_batch *self = own(batch);
    (void)is_busy;
    if (!result_is_ok(leave_doubt(self))) return NOT_COMMITTED;
    CHECK(self->state == IDLE);
    bool is_due = clock_monotonic_us(&clock_system) - self->lease.renewed_us >= RENEWAL_US;
    if (self->backend.handle == NULL || is_due) {
        struct result renewed = postgres_probe(batch);
        if (!result_is_ok(renewed) && !self->lease.is_lost) return NOT_COMMITTED;
    }
    return self->lease.is_lost ? COMMIT_FENCED : COMMITTED;
}

/* The server looks after its own files; what it knows of is an index that was not made to its end, and a constraint that was never proved. */
static struct result postgres_verify(struct batch *batch, char *buffer, size_t capacity) {
    static const char sql[] =
        "SELECT coalesce((SELECT 'index ' || indexrelid::regclass || ' is not valid' FROM pg_index JOIN pg_class ON pg_class.oid = "
        "indexrelid "
        "WHERE relnamespace = to_regnamespace($1) AND NOT indisvalid LIMIT 1), "
        "(SELECT 'constraint ' || conname || ' is not valid' FROM pg_constraint WHERE connamespace = to_regnamespace($1) "
        "AND NOT convalidated LIMIT 1), '')";
    struct postgres_batch *self = own(batch);
    PGresult *answer = NULL;
    buffer[0] = '\0';
    TRY(connect_again(self));
    TRY(backend_query(&self->backend, sql, 1, &self->backend.schema->name, &answer));
    snprintf(buffer, capacity, "%s", PQgetvalue(answer, 0, 0));
    PQclear(answer);
    return buffer[0] == '\0' ? result_ok() : result_error(RESULT_CORRUPT);
}

static void postgres_observe_commits(struct batch *batch, struct metric *metric) { own(batch)->commit_metric = metric; }

/* ---- life ---- */

static void postgres_close(struct batch *batch) {
    struct postgres_batch *self = own(batch);
    if (self->state == OPEN || self->state == BEGUN) postgres_rollback(batch);
    if (self->backend.is_writer) lease_release(&self->lease, &self->backend);
    trip_free(&self->trip);
    backend_free(&self->backend);
    free(self);
}

static const struct batch_driver driver = {
    .close = postgres_close,
    .ask = postgres_ask,
    .run = postgres_run,
    .end_round = postgres_end_round,
    .begin = postgres_begin,
    .perform = postgres_do,
    .commit = postgres_commit,
    .settle = postgres_settle,
    .rollback = postgres_rollback,
    .probe = postgres_probe,
    .tidy = postgres_tidy,
    .verify = postgres_verify,
    .observe_commits = postgres_observe_commits,
};

static struct result become_writer(struct postgres_batch *self, enum batch_mode mode) {
    size_t version = 0;
    TRY(migrate_lock(&self->backend));
    if (mode == BATCH_CREATE) TRY(migrate_create(&self->backend));
    TRY(migrate_look(&self->backend, &version));
    lease_init(&self->lease);
    TRY(lease_take(&self->lease, &self->backend));
    TRY(migrate_run(&self->backend, version));
    return migrate_unlock(&self->backend);
}

static struct result become_reader(struct postgres_batch *self) {
    size_t version = 0;
    TRY(migrate_look(&self->backend, &version));
    if (version == self->backend.schema->count) return result_ok();
    LOG(LOG_ERROR, "database_refused", LOG_STRING("reason", "of an older version: start its service once"),
        LOG_INTEGER("version", version));
    return result_error(RESULT_INVALID);
}

struct result postgres_batch_open(const struct place *place, enum batch_mode mode, struct batch **ret_batch) {
    struct postgres_batch *self = calloc(1, sizeof *self);
    if (self == NULL) return result_error(RESULT_FULL);
    self->batch.driver = &driver;
    self->keeps_state = place->keeps_state && mode == BATCH_READ;
    self->commits = mode == BATCH_READ ? NULL : place->commits;
    CHECK(place->schema->name != NULL);
    struct result opened = backend_prepare(&self->backend, place, mode != BATCH_READ);
    trip_init(&self->trip, &self->backend);
    if (result_is_ok(opened)) opened = backend_open(&self->backend);
    if (result_is_ok(opened)) opened = mode == BATCH_READ ? become_reader(self) : become_writer(self, mode);
    if (!result_is_ok(opened)) {
        postgres_close(&self->batch);
        return opened;
    }
    *ret_batch = &self->batch;
    return result_ok();
}
