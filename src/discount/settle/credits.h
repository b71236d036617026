/* Claims delivered as credits: POST /v1/credits with up to 1000, then the mark of what Wallet said, through the store.
 *
 *   delivery: IN_FLIGHT ─▶ KEEPING: MARK in the store, with the requests that wait for its claims frozen in it
 *                             ├─▶ committed: who is left or came meanwhile is answered, the claims are forgotten
 *                             └─▶ not committed: sent again; Wallet answers `replayed`, and it is marked then
 *
 * Invariants: claims are sent only once their fund is open; a claim is forgotten only after its mark is committed. Owns the
 * delivery and the marks; the claims, the waiters and the funds are lent. The settler's thread. */
#pragma once

#include "discount/settle/claims.h"
#include "discount/settle/delivery.h"
#include "discount/settle/funds.h"
#include "discount/settle/messages.h"
#include "discount/settle/waiters.h"

/* Beside a batch of the delivery, while it is KEEPING. */
struct credit_mark {
    struct own_operation own;
    struct credits *credits;
    struct delivery_batch *batch;
    struct settlement settlements[DELIVERY_ITEMS_MAX]; /* of the batch's items, index by index */
};

struct credits {
    const struct board *board;
    const struct clock *clock;
    struct claims *claims;
    struct waiters *waiters;
    struct funds *funds;
    struct messages *messages;
    struct delivery delivery;
    struct credit_mark marks[DELIVERY_CALLS];
};

/* With all that is lent set; the claims are initialised with this delivery after it. */
void credits_init(struct credits *credits, struct calls *calls);
/* While others find no room in the pool: claims that Wallet has refused for now, again and again, wait in the database. */
void credits_make_room(struct credits *credits);
void credits_free(struct credits *credits);

extern struct metric credits_metric_credited_again, credits_metric_failed_again;
extern struct metric credits_metric_credited, credits_metric_failed, credits_metric_refused, credits_metric_batch_size, credits_metric_lag;
