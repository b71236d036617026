/* Funds: opened, topped up, released. A job runs one step for one campaign, at most one at a time for each.
 *
 *   the board says                                   step                        then
 *   ends_at has passed                               (none)                      EXPIRE
 *   a step waits, nothing confirmed                  OPEN                        FUND_CONFIRMED or FUND_REFUSED
 *   a step waits, the fund exists                    LOOK: was it applied?       FUND_CONFIRMED, or TOP_UP and FUND_CONFIRMED or FUND_REFUSED
 *   ended, every claim settled, not released         COUNT: is every credit in Wallet?
 *                                                    RELEASE                     FUND_RELEASED
 *   (Wallet's sums are others: comparison.h)         (none)                      FUND_ADOPTED
 *
 * A top-up adds each time it is applied, and its Idempotency-Key is not kept for ever: LOOK compares what Wallet has with what it should have,
 * so that a top-up whose answer was lost long ago is not applied twice.
 *
 * What is released can't pay any more: not before it is known that Wallet has lost none of the fund's credits.
 *
 * A step that Wallet refuses for good (409 or 422, by name) is not sent again until an admin has changed what it is for.
 *
 * Invariants: a fund has at most one job that asks Wallet, a job one step; what asks nobody (EXPIRE) has jobs of its own, so that it never waits behind a
 * Wallet that hangs; a step's amount is the one that the board showed when the job began; what a job has told the
 * store is seen on the board before the fund is looked at again. Owns the jobs and the requests that wait for a fund; all else is lent. The
 * settler's thread. */
#pragma once

#include "discount/settle/calls.h"
#include "discount/settle/claims.h"
#include "discount/settle/messages.h"
#include "discount/settle/waiters.h"

#define FUND_JOBS       10u
#define FUND_LOCAL_JOBS 2u /* of them: for what asks nobody */

enum fund_step { FUND_STEP_EXPIRE, FUND_STEP_OPEN, FUND_STEP_LOOK, FUND_STEP_TOP_UP, FUND_STEP_COUNT, FUND_STEP_RELEASE, FUND_STEP_ADOPT };

struct fund_job {
    struct funds *funds;
    bool is_busy;
    enum fund_step step;
    uint32_t campaign_number;
    int64_t amount_minor, confirmed_minor, step_version;
    int64_t credited_count; /* here */
    int64_t reversed_count;
    struct text refusal, refusal_detail; /* Wallet's, in the arena */
    struct arena arena;
    struct http_call call;
    struct own_operation own; /* what it tells the store */
};

/* Of one campaign. */
struct fund {
    struct fund_job *job;    /* that asks Wallet; NULL: none runs */
    struct fund_job *expiry; /* that asks nobody */
    struct backoff backoff, expiry_backoff;
    struct operation_list waiters;
    bool must_adopt, is_held; /* as funds_adopt and funds_hold say */
    int64_t foreign_minor;    /* as funds_note_foreign says */
    int64_t conflict_minor;   /* as funds_note_conflicts says */
    struct fund_said said;
};

struct funds {
    const struct board *board;
    const struct clock *clock;
    struct calls *calls;
    struct claims *claims;
    struct waiters *waiters;
    struct messages *messages;
    struct fund *memory; /* [LIMIT_CAMPAIGNS_KEPT] */
    struct fund_job jobs[FUND_JOBS];
    bool must_look, was_stopped;
    int64_t look_at_us; /* monotonic */
};

/* With all that is lent set. RESULT_FULL: no memory. */
struct result funds_init(struct funds *funds) MUST_CHECK;
void funds_free(struct funds *funds); /* also what was never initialised but for zeros */

void funds_look(struct funds *funds);                   /* something may be due: with the next funds_run */
void funds_look_by(struct funds *funds, int64_t at_us); /* what is counted there has changed: at this time (monotonic) at the latest */
/* Looks what is due, if anything may be, and starts it; without may_call only what asks nobody. */
void funds_run(struct funds *funds, int64_t now_us, bool may_call);
int64_t funds_next_us(const struct funds *funds); /* when to look next; 0: at once */
bool funds_are_busy(const struct funds *funds);

/* Wallet has this of the fund: our own books follow, before any other step of it. */
void funds_adopt(struct funds *funds, uint32_t campaign_number, const struct fund_said *said);
/* What must come before it is not done: it is still to be adopted, or a step waits that Wallet has not refused. */
bool funds_is_behind(const struct funds *funds, uint32_t campaign_number);
/* While its credits are looked at it is not released. */
void funds_hold(struct funds *funds, uint32_t campaign_number, bool is_held);

/* So much of what Wallet has credited out of it belongs to no redemption, as the last look at each credit has found. */
void funds_note_foreign(struct funds *funds, uint32_t campaign_number, int64_t foreign_minor);
/* So much of it belongs to redemptions that can't be here. */
void funds_note_conflicts(struct funds *funds, uint32_t campaign_number, int64_t conflict_minor);
static inline int64_t funds_foreign(const struct funds *funds, uint32_t campaign_number) {
    return funds->memory[campaign_number - 1].foreign_minor;
}

/* Whether nothing of it is under way, nor is to be. */
bool funds_are_done(const struct funds *funds, uint32_t campaign_number);

/* A request that has changed this campaign: waits for its fund, or is answered at once when nothing is to be waited for. */
void funds_wait(struct funds *funds, const struct board_slot *slot, struct discount_operation *operation);

extern struct metric funds_metric_unsettled;
