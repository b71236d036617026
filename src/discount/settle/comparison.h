/* Are our books and Wallet's still each other's? Either database may be an older copy of itself since the last look: restored from a backup.
 *
 *   at the start, when Wallet answers again after it did not, when its ledger is shorter than it was, when another Wallet is trusted, and once a minute:
 *
 *   IDLE ─▶ ASKING (GET /v1/funds, page by page, between two looks at the board) ─▶ each campaign is judged (verdict.h) ─▶ IDLE
 *                                                                                        │ its sums differ: funds adopt Wallet's
 *                                                                                        └ its credits differ: a walk over them (walk.h), one at a time
 *
 * | the books of a campaign | judged the same | judged different                 | the walk is over                        |
 * | NOT_COMPARED            | AGREE           | WALKING                          |                                         |
 * | WALKING                 |                 |                                  | AGREE, or RECOVERING; given up: NOT_COMPARED |
 * | AGREE                   |                 | walked as well, but stays AGREE  | AGREE, or RECOVERING                    |
 * | RECOVERING, CONFLICTED  | walked again, until all are made anew (rebuild.h) | AGREE, when nothing is unknown any more; CONFLICTED, when some can't be |
 *
 * The first look at a campaign must not trust counts alone: both databases may have lost as many. So Wallet is asked before (GET /v1/instance) which was the
 * last credit that it was sent by us; if that is unknown here, we have lost something, and each campaign that Wallet has paid for is walked.
 *
 * After a reason to look, the next looks come soon, then once a minute: what was on its way while we looked may have hidden something.
 *
 * What is archived (board.h) is looked at like the others: its last view is enough for that. If it differs it is recalled (archive.h), and walked then.
 *
 * Invariants: a campaign that the database held at the start sends nothing before it was judged; a difference is said once in the log, not each minute.
 * Owns the walk; all else is lent. The settler's thread. */
#pragma once

#include "discount/settle/funds.h"
#include "discount/settle/rebuild.h"
#include "discount/settle/verdict.h"
#include "discount/settle/walk.h"

#define COMPARISON_US           (60 * CLOCK_SECOND_US)
#define COMPARISON_SOON_US      (2 * CLOCK_SECOND_US)
#define COMPARISON_CURSOR_BYTES 128u

/* Of one campaign, from one look to the next. */
struct compared {
    uint32_t again_before; /* on their way to Wallet once more */
    struct fund_document there;
    bool must_walk, is_told;            /* walked next; its difference is in the log already */
    bool was_archived;                  /* when the look began: it has no view of before, for it can't change */
    bool is_blocked;                    /* so much of what Wallet knows can't become redemptions that nobody of it is paid */
    int64_t odd_minor, explained_minor; /* of reversals (verdict.h): when it was judged last, and what the last walk has found */
    size_t foreign_count;               /* credits there that belong to no redemption, when they were last looked at */
};

struct comparison {
    const struct board *board;
    struct calls *calls;
    struct funds *funds;
    struct claims *claims;
    struct rebuild *rebuild; /* tells the comparison how it ended */
    struct walk walk;
    int64_t walk_odd_minor; /* of the campaign that is walked, when it began */
    /* Once, when nothing is left to be compared for the first time; NULL: nobody waits for it. */
    void (*is_compared)(void *context);
    void *context;

    struct compared *memory;      /* [LIMIT_CAMPAIGNS_KEPT] */
    struct campaign_view *before; /* [LIMIT_CAMPAIGNS_KEPT], when the look began */
    size_t walk_count;            /* of those that must be walked */
    bool
        wants_archived; /* of some that are archived there is something to be done (comparison_is_on, funds_are_done): they are to be recalled */
    size_t count;       /* campaigns in this look */
    size_t stranger_count; /* funds of ours that no campaign has, in this look */
    size_t stranger_told;  /* so many of them were said in the log before */
    bool is_asking;        /* a look is under way */
    bool is_of_last;       /* the call asks for the last credit, not for a page */
    bool has_begun, has_warned, is_first_over;
    bool
        is_suspect; /* the last credit that Wallet has of us is unknown here: counts that agree prove nothing about campaigns that were not compared */
    struct id instance; /* compared with */
    char cursor[COMPARISON_CURSOR_BYTES];
    size_t cursor_size;
    int64_t due_us, pause_us; /* monotonic; between two looks */
    struct backoff backoff;
    struct http_call call;
    struct arena arena; /* of the page under way */
};

/* With all that is lent set, that of the walk too. RESULT_FULL: no memory. */
struct result comparison_init(struct comparison *comparison) MUST_CHECK;
void comparison_free(struct comparison *comparison);                             /* after the calls were given up; also of zeros */
void comparison_run(struct comparison *comparison, int64_t now_us);              /* looks and walks as far as is due */
int64_t comparison_next_us(const struct comparison *comparison, int64_t now_us); /* INT64_MAX: nothing before something comes back */

/* Whether the campaign is being walked, or is to be. */
bool comparison_is_on(const struct comparison *comparison, uint32_t number);

extern struct metric comparison_metric_missing, comparison_metric_unknown, comparison_metric_sums, comparison_metric_strangers,
    comparison_metric_foreign, comparison_metric_reversals;
