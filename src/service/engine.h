/* The engine shell: one batch from its questions to its commit, with the answers that are kept for an Idempotency-Key. The same in every service; what is
 * business stands in the actions (operation.h) and in the service's working set.
 *
 *   begin ─▶ load: the kept answers, what each action asks for ─▶ one trip ─▶ decide, action by action, in order ─▶ save ─▶ commit
 *
 * The working set is the service's. It is emptied before each batch and after a rollback; what a service keeps in it between batches it must load anew
 * after a rollback, in its `begin`. The store's thread only. */
#pragma once

#include "base/map.h"
#include "service/audit.h"
#include "service/operation.h"
#include "store/batch.h"

/* The table of kept answers, in the words of a service's tables.c. */
struct kept_questions {
    /* fingerprint, status, content_type, location, body (texts), subject (or NULL), created_at; and behind them what `subject_found` reads. Of $1: lookup. */
    const struct question *find;
    /* $1 lookup, $2 fingerprint, $3 status, $4 content_type, $5 location, $6 body, $7 subject, $8 created_at; a lookup that is there gets the new answer. */
    const struct question *put;
    const struct question *has_expired; /* a row when one was made before $1 */
    const struct question *expire;      /* deletes those made before $1, at most $2 of them */
};
#define KEPT_COLUMNS 7 /* of `find` */

struct working_set_hooks {
    void (*forget)(void *set);                              /* everything of the last batch */
    struct result (*begin)(void *set, struct batch *batch); /* the transaction is open; may run trips of its own; NULL: nothing to do */
    void (*load)(void *set, struct batch *batch);           /* what every batch needs; NULL: nothing */
    struct result (*loaded)(void *set);                     /* everything was answered; NULL */
    struct result (*subject_found)(void *set,
                                   const struct row *row); /* a kept answer waits: its subject, from column KEPT_COLUMNS on; NULL */
    struct result (*save)(void *set, struct batch *batch, int64_t now_us);
    void (*kept)(void *set, const struct hash *lookup, int64_t now_us); /* committed: an answer under this lookup; before publish; NULL */
    void (*publish)(void *set);                                         /* committed, and nobody is answered yet; NULL */
    void (*rolled_back)(void *set);                                     /* NULL */
    void (*idle)(struct engine *engine, int64_t now_us, bool is_busy);  /* about once a second, between transactions; NULL */
    int64_t (*due_in_us)(void *set, int64_t now_us);                    /* as in struct store_engine; both or none */
    void (*timely)(struct engine *engine, int64_t now_us);
};

struct engine_options {
    void *set;
    const struct working_set_hooks *hooks;
    const struct kept_questions *kept;
    const struct audit_questions *audit; /* NULL: nothing is noted */
    const struct clock *clock;
    struct batch *batch; /* the writer's; stays the caller's */
};

/* RESULT_FULL: no memory. */
struct result engine_create(const struct engine_options *options, struct engine **ret_engine) MUST_CHECK;
void engine_free(struct engine *engine); /* after the store is stopped */
void engine_bind(struct engine *engine, struct store_engine *ret_engine);

/* ---- for actions ---- */
void *engine_set(const struct engine *engine);
struct batch *engine_batch(const struct engine *engine);
struct audit_trail *engine_trail(struct engine *engine);
void *engine_take(struct engine *engine, size_t size); /* zeroed, until the batch is over; NULL: no room, and the batch fails */

/* Of an operation that is part of another (the waiters of a mark): as for those of the batch. */
void engine_load_kept(struct engine *engine, const struct idempotency_request *request);
/* The answer of an operation that waited, as its subject stands now; that of its key, if another request with it was answered first. Kept. */
void engine_decide_again(struct engine *engine, struct operation *operation, int64_t now_us);

/* A transaction of the service's own: begin, write, commit. For idle, and when the store has stopped. */
typedef struct result engine_writer(struct engine *engine, int64_t now_us);
struct result engine_write(struct engine *engine, engine_writer *write, int64_t now_us) MUST_CHECK;
