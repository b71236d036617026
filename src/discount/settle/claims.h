/* The pool of claims: bounded, so that an outage of Wallet costs a fixed amount of memory. What finds no room waits in the database, where it
 * is anyway, and is read from there, in the order of its key, once half of the pool is free.
 *
 *   claim:  FREE ─▶ GIVEN to the delivery ─▶ FREE (its mark is committed, or it may not be paid now)
 *
 * Claims that may not be paid now, because their campaign's fund is not open, or it is not known yet who was paid (board.h, conflicts.h), take no room from those that
 * may: they stay in the database. What was settled before and is sent again, because Wallet has lost it, is a claim like the others, but waits for nothing.
 *
 * Invariants: a claim is here once, found by its id; it leaves only when its mark is committed; GIVEN is exactly what the delivery has. The walk
 * over the database sees every unsettled claim that found no room before it began; whoever finds none from then on asks for another walk. The
 * settler's thread. */
#pragma once

#include "base/map.h"
#include "discount/board.h"
#include "discount/operation.h"
#include "discount/settle/conflicts.h"
#include "discount/settle/delivery.h"
#include "store/batch.h"

enum claim_state { CLAIM_FREE, CLAIM_GIVEN };

struct claim {
    struct delivery_item item; /* its id is the redemption's */
    TAILQ_ENTRY(claim) link;   /* FREE */
    enum claim_state state;
    bool is_again; /* it was settled before */
    bool is_old;   /* to be read anew instead of being sent */
    struct id user_id;
    struct phone phone;
    uint32_t campaign_number;
    int64_t position, claimed_at_us;
    uint32_t code_batch; /* 0: the campaign's own code */
    int64_t code_index;
    struct operation_list waiters;
};
TAILQ_HEAD(claim_list, claim);

struct claims {
    const struct board *board;
    const struct conflicts *conflicts; /* whom Wallet has paid otherwise */
    struct batch *batch;
    struct delivery *delivery;
    struct claim *memory;                     /* [count_max] */
    size_t count_max, free_count, used_count; /* memory from used_count on was never taken */
    struct claim_list free;                   /* taken before */
    struct map by_id;
    uint32_t *again;       /* [LIMIT_CAMPAIGNS_KEPT] of each campaign, so many are sent again */
    bool must_refill;      /* there may be claims that are only in the database */
    bool is_refilling;     /* a walk over them is under way */
    int64_t refill_after;  /* key of the last one that it has seen */
    struct backoff refill; /* after a walk that failed */
};

/* RESULT_FULL: no memory. The others are lent. */
struct result claims_init(struct claims *claims, size_t count_max, const struct board *board, struct batch *batch,
                          struct delivery *delivery) MUST_CHECK;
void claims_free(struct claims *claims); /* also what was never initialised but for zeros */

/* Finds or adds; NULL: no room, or it may not be paid now: it waits in the database. The campaign is on the board. */
struct claim *claims_take(struct claims *claims, const struct redemption *redemption);
/* A redemption that is settled here: its credit is sent once more. False: no room. */
bool claims_take_again(struct claims *claims, const struct redemption *redemption) MUST_CHECK;
/* Settled and kept, or not to be paid now; without waiters: its place is free. IDLE in the delivery. */
void claims_forget(struct claims *claims, struct claim *claim);
static inline uint32_t claims_again(const struct claims *claims, uint32_t campaign_number) { return claims->again[campaign_number - 1]; }
/* The campaign's: before one of them is sent it is read anew from the database, for what it is may have changed. */
void claims_read_anew(struct claims *claims, uint32_t campaign_number);
/* The user and the phone of a claim of the campaign. */
bool claims_may_be_paid(const struct claims *claims, const struct conflict *claim);
void claims_look(struct claims *claims); /* claims may be paid now that might not before: they are in the database */

/* There are claims that are only in the database, and less than half of the pool is free. */
bool claims_want_room(const struct claims *claims);

/* When to read more of what is only in the database, monotonic; INT64_MAX: there is nothing to be read, or no room for it. */
int64_t claims_next_us(const struct claims *claims);
/* Reads some of it, if it is time to. */
void claims_refill(struct claims *claims, int64_t now_us);

static inline size_t claims_count(const struct claims *claims) { return claims->count_max - claims->free_count; }
static inline struct claim *claim_of(struct delivery_item *item) { return CONTAINER_OF(item, struct claim, item); }
