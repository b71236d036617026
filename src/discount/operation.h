/* What every operation of discountd has: a request's, or one of our own obligations.
 *
 *   request ──▶ store: decide ──▶ DECIDED, REPLAYED, KEY_REUSED ──────────────────────────────────▶ loop: render, count, send
 *                         └─────▶ WAITING (the claim, or the campaign, is committed) ──▶ settler ──┤
 *                                              with an own operation back through the store ◀──────┘
 *
 * One thread owns it at a time: the loop, then the store, then perhaps the settler, each until it gives it on. A feature embeds it as the first member of
 * its own and lives in its exchange's arena; the own operations (own.h) are the settler's memory. */
#pragma once

#include <sys/queue.h>

#include "discount/core/redeem.h"
#include "discount/core/settlement.h"
#include "service/engine.h"

struct discount;
struct discount_operation;

TAILQ_HEAD(operation_list, discount_operation);

/* Said in the log once it is committed; `event` NULL: nothing. */
struct change {
    const char *event;
    struct id campaign_id;
    int64_t sequence, version;
};

struct discount_operation {
    struct operation operation; /* first */
    struct discount *discount;
    struct id id; /* for what it makes */

    /* what came of it: begun anew by each decide */
    int64_t decided_us;
    uint32_t campaign_number; /* in whose report it counts; 0: in none */
    enum refusal refusal;
    struct change change;
    /* of a redemption: what was made or met */
    struct redemption redemption;
    struct id campaign_id;
    struct money credit;
    int64_t starts_at_us; /* when it opens, or a new day begins: of a refusal */
    /* of a campaign */
    enum campaign_verdict verdict;
    struct campaign *campaign; /* in the request's own memory: as it was made or met */
    bool is_reversal;          /* it wants a redemption taken back */

    /* the settler's, while it waits there */
    TAILQ_ENTRY(discount_operation) link; /* among those who wait for the same */
    struct operation_list *waits_in;      /* who those are; NULL: in no list */
    TAILQ_ENTRY(discount_operation) deadline_link;
    int64_t deadline_us; /* monotonic */
};

static inline struct discount_operation *discount_operation_of(struct operation *operation) {
    return (struct discount_operation *)operation;
}

/* `size` bytes in the exchange's arena that begin with the operation. NULL: 503 overloaded is set, and the handler finishes the exchange. */
void *discount_begin(struct exchange *exchange, const struct action *action, size_t size);
/* An id for what it makes. */
void discount_make_id(struct discount_operation *operation, int64_t now_us);
/* At the start of each decide. */
void discount_forget_outcome(struct discount_operation *operation, int64_t now_us);
void discount_note_change(struct discount_operation *operation, const struct campaign *campaign, const char *event);
void discount_log_change(const struct discount_operation *operation);

/* ---- those who wait for the same ---- */

static inline void operation_list_append(struct operation_list *list, struct discount_operation *operation) {
    operation->waits_in = list;
    TAILQ_INSERT_TAIL(list, operation, link);
}

static inline void operation_list_remove(struct operation_list *list, struct discount_operation *operation) {
    operation->waits_in = NULL;
    TAILQ_REMOVE(list, operation, link);
}
