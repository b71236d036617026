/* Whether a campaign's books here and those of its fund in Wallet can both be right. Pure: what was seen is handed in.
 *
 * What a mark confirms is on disk in Wallet before it is on disk here, and what is sent is on disk here before it is there. So, whenever Wallet is asked
 * between two looks at our own books: it has at least what was credited here before, and at most what is not failed here afterwards. A database that is an
 * older copy than the other breaks one of the two; each is told apart by which. */
#pragma once

#include "discount/board.h"

/* Of a campaign's fund, as GET /v1/funds says it; all zero: Wallet has none. */
struct fund_document {
    int64_t funded_minor, credited_minor, released_minor;
    int64_t reversed_minor; /* of what was ever credited out of it: taken back, and not among the credited any more */
    bool is_released;
};

struct json_value;
/* Of a fund as Wallet says it: all that was ever credited out of it, with what was taken back. -1: it does not say. */
int64_t verdict_count_credited(const struct json_value *fund);

/* What Wallet has of the credits may be, and how many of them are taken back, when it was asked between two looks at our own books. What was reversed before is
 * taken back there; what is being reversed may be. A credit that was taken back there beyond these counts as given: somebody has done it at Wallet, or it is our
 * reversal that was lost. */
struct credits_due {
    int64_t least, most;                   /* credits that are not taken back */
    int64_t reversed_least, reversed_most; /* taken back */
};
struct credits_due credits_due(const struct campaign_view *before, const struct campaign_view *after, int64_t reversed_there);
/* How much more Wallet has taken back than it can have by our books; negative: how much less than it must. */
int64_t reversed_odd_minor(const struct credits_due *due, int64_t reversed_minor, struct money credit);

struct books_seen {
    struct campaign_view before, after; /* our own, around the question */
    struct fund_document there;
    struct money credit;     /* of each place */
    int64_t again;           /* credits that are on their way to Wallet once more */
    bool is_suspect;         /* it is known that we have lost something: counts that agree may hide as much that Wallet has lost */
    int64_t explained_minor; /* of the odd sum of reversals: what the last walk has found */
    bool is_first; /* nothing of it was compared in this process's life: what hides behind claims that were never sent is looked for, too */
};

struct books_verdict {
    int64_t missing;   /* credits that Wallet has lost, at least */
    int64_t unknown;   /* credits that we have lost, at least */
    int64_t odd_minor; /* as reversed_odd_minor says */
    bool must_walk;    /* look at each credit */
    bool must_adopt;   /* the fund's sums or its state differ */
};

struct books_verdict books_judge(const struct books_seen *seen);
