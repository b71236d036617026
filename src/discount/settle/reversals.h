/* Reversals delivered to Wallet: POST /v1/credits/reversals, then the mark of what it said, through the store. States and crash points: core/reversal.h.
 *
 *   reversal:  in the database (owed) ─▶ READY ─▶ IN_FLIGHT ─▶ KEEPING (its mark, through the store) ─▶ gone
 *                                          ▲         │ refused for now            │ the store failed
 *                                          └─ DELAYED ◀┴──────────────────────────┘
 *
 * The same delivery as credits, with its own batches. The reference is the redemption's id, so that every repeat is harmless: Wallet says `replayed`.
 * `credit_not_found` is no refusal: Wallet was restored and has lost the credit, which is sent again (walk.h) and then taken back.
 *
 * Invariants: a reversal is here once, found by its redemption's id; it leaves only when its mark is committed, or when the database does not owe it any more;
 * what finds no room waits in the database and is read from there. What was reversed before and is sent again, because Wallet has lost it, is marked like the
 * others, which changes nothing. Owns its pool, its delivery and its marks; the waiters are lent. The settler's thread. */
#pragma once

#include "base/map.h"
#include "discount/settle/claims.h"
#include "discount/settle/delivery.h"
#include "discount/settle/messages.h"
#include "discount/settle/waiters.h"

#define REVERSALS_MAX 256u /* in memory: one administrator's hand makes them */

struct owed_reversal {
    struct delivery_item item;       /* its id is the redemption's */
    TAILQ_ENTRY(owed_reversal) link; /* free */
    bool is_given;                   /* to the delivery */
    bool is_again;                   /* it was reversed before */
    uint32_t campaign_number, code_batch;
    int64_t code_index;
    uint16_t reason_size;
    char reason[REVERSAL_REASON_BYTES];
    struct operation_list waiters;
};
TAILQ_HEAD(owed_reversals, owed_reversal);

/* Beside a batch of the delivery, while it is KEEPING. */
struct reversal_mark {
    struct own_operation own;
    struct reversals *reversals;
    struct delivery_batch *batch;
    struct taken_back outcomes[REVERSALS_MAX]; /* of the batch's items, index by index */
    struct reversal_subject subjects[REVERSALS_MAX];
};

struct reversals {
    const struct clock *clock;
    struct batch *batch; /* read-only */
    struct waiters *waiters;
    struct messages *messages;
    struct claims *claims; /* where who is promoted is found */
    struct delivery delivery;
    struct reversal_mark marks[DELIVERY_CALLS];
    struct owed_reversal *memory;  /* [REVERSALS_MAX] */
    struct owed_reversals free;    /* taken before */
    size_t free_count, used_count; /* memory from used_count on was never taken */
    struct map by_id;
    bool must_look;        /* there may be some that are only in the database */
    bool is_looking;       /* a walk over them is under way */
    int64_t looked_at;     /* key of the last one that it has seen */
    struct backoff lookup; /* after a look that failed */
};

/* With all that is lent set. RESULT_FULL: no memory. */
struct result reversals_init(struct reversals *reversals, struct calls *calls) MUST_CHECK;
void reversals_free(struct reversals *reversals); /* also what was never initialised but for zeros */

/* A request that waits for its redemption to be reversed. */
void reversals_wait(struct reversals *reversals, struct discount_operation *operation);
/* One that is reversed here: it is sent once more. False: no room. `reversals` is a struct reversals: this is walk.reverse_again. */
bool reversals_take_again(void *reversals, const struct redemption *redemption) MUST_CHECK;
void reversals_look(struct reversals *reversals, int64_t now_us);             /* reads what the database owes, if it is time to */
void reversals_send(struct reversals *reversals, int64_t now_us);             /* what is ready */
int64_t reversals_next_us(const struct reversals *reversals, int64_t now_us); /* INT64_MAX: nothing waits */

extern struct metric reversals_metric_reversed, reversals_metric_kept, reversals_metric_refused, reversals_metric_batch_size;
