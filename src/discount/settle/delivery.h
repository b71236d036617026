/* What delivers: items of one kind go to another service in batches, each until it has got its outcome. Knows neither claims nor credits.
 *
 *   item:   READY ─▶ IN_FLIGHT (one call) ─▶ KEEPING (its outcome is written down) ─▶ IDLE
 *             ▲          │ refused for now             │ could not be written down
 *             └─ DELAYED ◀┴────────────────────────────┘
 *   batch:  FREE ─▶ IN_FLIGHT ─▶ KEEPING ─▶ FREE
 *
 * | the other side                                     | what becomes of the batch |
 * | no usable answer, nothing said about the batch     | all of it READY again, and nothing is sent until the delivery's back-off is over |
 * | refused as a whole (413, 422)                      | its halves, down to single items; a single one that is refused is DELAYED |
 * | answered item by item                              | settled ones are kept; those refused for now are DELAYED, each with its own back-off |
 *
 * Invariants: an item is in at most one call; while calls bring nothing, one at a time finds out, and its success ends the back-off for all; an
 * item is the kind's own again (IDLE) only when the kind was asked about it before it is sent, has said that its outcome is kept, or has taken it
 * back. An item is never given up: sending again must be harmless to the other side (its id is the reference). The settler's thread. */
#pragma once

#include <sys/queue.h>

#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "discount/settle/backoff.h"
#include "discount/settle/calls.h"

#define DELIVERY_CALLS     4u   /* under way at once, from DELIVERY_CROWDED ready items on; else two */
#define DELIVERY_CROWDED   256u /* from which on a third and a fourth call is worth it */
#define DELIVERY_ITEMS_MAX LIMIT_CREDIT_ITEMS

enum delivery_state { DELIVERY_IDLE, DELIVERY_READY, DELIVERY_DELAYED, DELIVERY_IN_FLIGHT, DELIVERY_KEEPING };

/* Lives in what its owner keeps of the thing that is delivered; zero but for its id when it is added for the first time. */
struct delivery_item {
    TAILQ_ENTRY(delivery_item) link; /* READY, DELAYED */
    struct id id;                    /* the reference under which the other side knows it */
    enum delivery_state state;
    size_t batch_max;       /* sent with at most so many: halved each time a batch is refused as a whole; 0: as many as there is room for */
    struct backoff backoff; /* its own: DELAYED until then */
};
TAILQ_HEAD(delivery_items, delivery_item);

/* What the answer says about one item. */
enum delivery_verdict { DELIVERY_MISSING, DELIVERY_DONE, DELIVERY_REFUSED, DELIVERY_LATER };
struct delivery_outcome {
    enum delivery_verdict verdict;
    struct id transaction_id; /* DONE */
    int64_t created_at_us;    /* DONE: when it was done; 0: not said */
    struct text code;         /* REFUSED (for good), LATER (for now); in the batch's arena */
};

enum batch_state { BATCH_FREE, BATCH_IN_FLIGHT, BATCH_KEEPING };

struct delivery_batch {
    struct delivery *delivery;
    size_t index; /* of it in the delivery, for what the kind keeps beside it */
    enum batch_state state;
    struct arena arena; /* body, answer and outcomes of one call */
    struct http_call call;
    struct delivery_item *items[DELIVERY_ITEMS_MAX];
    struct delivery_outcome *outcomes; /* [item_count], of items[i]; from the answer on */
    size_t item_count;
};

/* A kind of thing to deliver. Each function is called on the settler's thread, with the delivery's context. */
struct delivery_kind {
    const char *item_name, *items_name; /* in the log */
    /* in the log: a call without a usable answer, an item that is refused for now, the first usable answer after failures */
    const char *failed_event, *refused_event, *back_event;
    struct metric *refused, *batch_size;
    struct text path;
    /* The item was READY and is IDLE. False: it shall not be sent now, and is its owner's again. */
    bool (*is_due)(void *context, struct delivery_item *item);
    /* Sets the call's method, body and what headers it wants, in the batch's arena; false: there is no room. */
    bool (*write)(void *context, struct delivery_batch *batch);
    /* What the answer (200) says, into `outcomes`; RESULT_INVALID: it is none to this batch, nothing in it may be believed. */
    struct result (*read)(void *context, struct delivery_batch *batch, struct text reply) MUST_CHECK;
    /* All its items are settled, at least one: write their outcomes down, then delivery_kept or delivery_not_kept, now or later. */
    void (*keep)(void *context, struct delivery_batch *batch);
};

struct delivery {
    const struct delivery_kind *kind;
    void *context;
    struct calls *calls;
    const struct clock *clock;
    struct delivery_items ready, delayed;
    size_t ready_count;
    struct delivery_batch batches[DELIVERY_CALLS];
    struct backoff backoff; /* attempts: calls in a row that brought nothing */
};

/* All are lent; nothing that delivery_free would have to give back but the arenas. */
void delivery_init(struct delivery *delivery, const struct delivery_kind *kind, void *context, struct calls *calls,
                   const struct clock *clock);
void delivery_free(struct delivery *delivery);

void delivery_add(struct delivery *delivery, struct delivery_item *item);  /* IDLE: it is READY, behind all others */
void delivery_wake_delayed(struct delivery *delivery, int64_t now_us);     /* those whose time has come are READY */
void delivery_send(struct delivery *delivery, int64_t now_us);             /* as many calls as are worth it */
int64_t delivery_next_us(const struct delivery *delivery, int64_t now_us); /* when to wake and send next; INT64_MAX: nothing waits */
/* A DELAYED one is its owner's again, IDLE. */
void delivery_take_back(struct delivery *delivery, struct delivery_item *item);
bool delivery_is_busy(const struct delivery *delivery); /* a batch is under way */

/* The outcomes of a batch that was to be kept are on disk: its items are IDLE, and the batch is free. */
void delivery_kept(struct delivery_batch *batch);
/* They are not: each is sent again with its own back-off. */
void delivery_not_kept(struct delivery_batch *batch);
