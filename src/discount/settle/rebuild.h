/* Redemptions made anew: the credits of a campaign that Wallet has paid and our database does not know (unknown.h) become rows again, in the order of the
 * places that they had, some at a time, through the store. What becomes of each is decided there (core/rebuild.h), with what is there by then, so that
 * a crash in the middle costs nothing: the next start finds the rest.
 *
 *   IDLE ─▶ COLLECTING (the walk hands them over) ─▶ MAKING: a slice in the store ─▶ the next slice … ─▶ IDLE, `ended` is told
 *              │ the walk is given up                   │ the store failed: the same slice again, with back-off
 *              └─▶ IDLE                                 └─▶
 *
 * | end        | what is meant                                                                                                       |
 * | WHOLE      | all of them are here: the campaign's books agree                                                                     |
 * | CUT        | these were as many as are held at once, those with the lowest places: the campaign is to be walked again for the rest |
 * | CONFLICTED | some can't be, each said in the log by its reason: no place is given out until they can; whom they don't concern is paid |
 * | BLOCKED    | the same, but they are too many to be known one by one: nobody is paid either                                         |
 *
 * Invariants: one campaign at a time; at most so many credits are held; of those that were cut off none has a lower place than one that is held. Owns what
 * it holds; all else is lent. The settler's thread. */
#pragma once

#include "discount/settle/backoff.h"
#include "discount/settle/claims.h"
#include "discount/settle/conflicts.h"
#include "discount/settle/messages.h"
#include "discount/settle/unknown.h"

#define REBUILD_HELD_MAX 65536u

enum rebuild_state { REBUILD_IDLE, REBUILD_COLLECTING, REBUILD_MAKING };
enum rebuild_end { REBUILD_WHOLE, REBUILD_CUT, REBUILD_CONFLICTED, REBUILD_BLOCKED };

struct held_credit {
    int64_t position; /* where it stood; those that don't say so come last */
    struct paid_place place;
};

struct rebuild {
    const struct board *board;
    const struct clock *clock;
    struct messages *messages;
    struct claims *claims;
    void (*ended)(void *context, uint32_t campaign_number, enum rebuild_end end);
    void *context;
    size_t held_max; /* 0: REBUILD_HELD_MAX; at least 2 */
    struct unknown_taker taker;

    enum rebuild_state state;
    uint32_t campaign_number;
    struct held_credit *held; /* [capacity] */
    size_t count, capacity;
    bool is_cut;
    int64_t last_position; /* of those that may be held, once it was cut */

    size_t made_count, slice_count; /* of held: in the database; behind them in the store */
    bool is_in_store;
    struct paid_place slice[REBUILD_ITEMS_MAX];
    enum rebuild_verdict verdicts[REBUILD_ITEMS_MAX];
    int64_t counts[REBUILD_VERDICT_COUNT];
    struct conflicts conflicts; /* of all campaigns, as they were last found */
    bool are_too_many;          /* of this one: some found no room there */
    int64_t conflict_minor;     /* of this one, also when it has ended: so much Wallet has paid for them */
    uint32_t *told;             /* [LIMIT_CAMPAIGNS_KEPT]: of how many conflicts the log has the reasons */
    struct backoff backoff;
    struct own_operation own;
};

/* With all that is lent set. RESULT_FULL: no memory. */
struct result rebuild_init(struct rebuild *rebuild) MUST_CHECK;
void rebuild_free(struct rebuild *rebuild);                /* nothing of it is in the store; also of zeros */
void rebuild_run(struct rebuild *rebuild, int64_t now_us); /* hands over what is due */
int64_t rebuild_next_us(const struct rebuild *rebuild);    /* INT64_MAX: nothing before something comes back */
static inline bool rebuild_is_busy(const struct rebuild *rebuild) { return rebuild->state != REBUILD_IDLE; }

extern struct metric rebuild_metric_made, rebuild_metric_settled, rebuild_metric_renamed, rebuild_metric_reversed, rebuild_metric_conflicts;
