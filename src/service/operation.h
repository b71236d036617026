/* One action on its way: from its handler to the store, and back to the loop with its outcome.
 *
 *   handler ─▶ [password pool] ─▶ store: load ─▶ decide ─▶ save ─▶ commit ─┬─────────────────────────▶ loop: render, send
 *                                            │                              └─▶ committed: settler … ─▶ loop
 *                                            └─ with an Idempotency-Key the answer is rendered here, and kept in the transaction of its effect
 *
 * A feature embeds a struct operation as the first member of its own: what is asked, and what came of it. It lives in its exchange's arena and changes
 * hands with it; an operation without an exchange belongs to its maker. A batch that failed is decided again: decide begins anew each time. */
#pragma once

#include <stddef.h>

#include "base/check.h"
#include "http/problem.h"
#include "service/idempotency.h"
#include "service/under_way.h"
#include "store/store.h"

struct engine;
struct operation;

struct answer {
    int status; /* 0: not rendered yet */
    const char *content_type;
    struct text location, etag, retry_after; /* empty: no such header */
    struct text body;
};

/* A kind of operation: a constant in its feature's file. What is NULL is not needed. */
struct action {
    const char *name;          /* for logs: "transfer" */
    uint32_t weight;           /* about how many rows it writes; the operation's own may be set after operation_begin */
    size_t answer_bytes;       /* room in the arena that its answer may need; the same */
    const char *secret_member; /* of the body: "password". No digest of it is kept with the key of a request; a new secret is named here */
    /* Asks for the rows that it names (store/batch.h): nothing may be concluded yet, and a row may be there already. */
    void (*load)(struct engine *engine, struct operation *operation);
    /* Applies it to the working set and takes copies of what its answer needs. */
    void (*decide)(struct engine *engine, struct operation *operation, int64_t now_us);
    /* Of one whose kept answer waits, with `subject` and `is_maker` as they were kept: whether its subject is still open, and else what it has become. */
    bool (*waits)(struct engine *engine, struct operation *operation);
    void (*decide_again)(struct engine *engine, struct operation *operation, int64_t now_us);
    /* Sets `answer` from the outcome alone: pure, no clock, no working set. What does not fit into the arena: operation_overflow. */
    void (*render)(struct operation *operation);
    /* On the store's thread, after the commit, which has the exchange in hand: sends it, or gives it on, for instance to a settler. Else it goes back to
     * its loop. */
    void (*committed)(struct operation *operation);
    /* On the loop, instead of operation_send: counts, signs, then sends. */
    void (*send)(struct operation *operation);
};

enum operation_fate {
    FATE_DECIDED,    /* by its action */
    FATE_WAITING,    /* decided, but what it made or met (`subject`) is to become final: kept as waiting */
    FATE_REPLAYED,   /* `kept` answers it */
    FATE_KEY_REUSED, /* `kept` is another request's */
    FATE_OVERLOADED, /* its answer did not fit into its memory: 503, and nothing is kept */
};

struct operation {
    struct store_operation store;
    const struct action *action;
    struct exchange *exchange; /* NULL: our own */
    const char *actor;         /* without one: who did it, for the audit log; NULL: system */
    struct arena *arena;
    struct idempotency_request idempotency;
    struct under_way_item under_way; /* with a key, while it is the store's */
    size_t answer_bytes;

    enum operation_fate fate;
    bool is_passing; /* a refusal that may be another answer tomorrow: not kept */
    bool is_maker;   /* this request (or the first with its key) made the subject */
    bool
        is_dry_run; /* asked with dry_run=true: it is decided, and nothing of it stays. Its key is passed over, and what it answers is not counted */
    bool is_repeat;    /* another request with its key came first, and its answer was not final: this one says that it is a replay */
    struct id subject; /* WAITING, and what is kept with a final answer; zero: none */
    struct answer answer;
    struct idempotency_record kept; /* in `arena` */
};

static inline struct operation *operation_of(struct store_operation *store) { return CONTAINER_OF(store, struct operation, store); }

/* ---- for handlers ---- */

/* `size` bytes, zeroed, in the exchange's arena, that begin with the operation. NULL: 503 overloaded is set, or 422 for a dry_run that can't be, and the
 * handler finishes the exchange. Whether it is a dry run is read here, from the query; only ROUTE_DRY_RUN takes one. */
void *operation_begin(struct exchange *exchange, const struct action *action, size_t size);
/* Reads the Idempotency-Key; `body` may be NULL. */
void operation_read_key(struct operation *operation, const struct json_value *body);
/* The key alone, without what is asked: enough to ask whether something may be kept. operation_read_key must follow before the operation is submitted. */
void operation_name_key(struct operation *operation);
/* Gives the operation, and its exchange, to the store; the answer follows by itself. From the thread that owns them. */
void operation_submit(struct operation *operation);

/* ---- for actions ---- */

/* The common answers of render. The document of a problem carries the request's id; `members` and `faults` may be empty. */
void operation_answer(struct operation *operation, int status, const char *content_type, const struct buffer *buffer);
void operation_answer_problem(struct operation *operation, const struct problem *problem, struct text members, const struct faults *faults,
                              const char *detail);
void operation_overflow(struct operation *operation);
/* Sends the answer as its fate says and finishes the exchange; renders first when nobody did. On the loop. */
void operation_send(struct operation *operation);
/* To the loop, and there to its action's `send`. From the thread that owns it. */
void operation_return(struct operation *operation);

/* ---- failures of the storage ---- */

/* Sets 503, or 500 for a row that breaks its rules, by the kind of failure. */
void storage_refuse(struct exchange *exchange, struct result failure);
