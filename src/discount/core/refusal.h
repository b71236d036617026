/* Why nobody gets a place: one table, so that a refusal means the same wherever it is given. A new one is a row here, a fact and a line in
 * redeem.c, and its code in api/discount.yaml. */
#pragma once

#include "base/text.h"

enum refusal {
    NOT_REFUSED,
    REFUSED_SOLD_OUT,
    REFUSED_ALREADY_REDEEMED, /* a winner's repeat: no problem, the answer is the same redemption again */
    REFUSED_PHONE_ALREADY_REDEEMED,
    REFUSED_PHONE_MISMATCH,
    REFUSED_PHONE_MISSING,
    REFUSED_PHONE_UNVERIFIED,
    REFUSED_NOT_STARTED,
    REFUSED_PAUSED,
    REFUSED_ENDED,
    REFUSED_RECOVERING, /* Wallet has paid places that are not in our database yet */
    REFUSED_NOT_FUNDED, /* its fund can not pay for one more place yet */
    REFUSED_USER_LIMIT,
    REFUSED_PHONE_LIMIT,
    REFUSED_BUDGET_EXHAUSTED,
    REFUSED_DAILY_LIMIT,
    REFUSED_ORDER_TOO_SMALL,
    REFUSED_NOT_ELIGIBLE,
    REFUSED_ORDER_MISSING,  /* answered as a fault of the request */
    REFUSED_ORDER_CURRENCY, /* the same */
    REFUSED_UNAPPROVED,     /* no second administrator has agreed to it yet */
    REFUSED_CODE_NOT_FOUND,
};
#define REFUSAL_COUNT 22u /* with NOT_REFUSED */

struct refusal_rule {
    const char *code; /* of the problem; the report's member; the name under which it is counted on disk */
    int status;
    const char *title, *detail;
    bool is_kept; /* under an Idempotency-Key. What took nothing and may change is decided anew, and costs the same with a key as without */
    bool is_counted;          /* per campaign, by the report */
    bool is_answered_by_loop; /* from what is published, without the store */
};

/* Of any but NOT_REFUSED. */
const struct refusal_rule *refusal_rule(enum refusal refusal);
/* What an order lacks is told as any other fault of a request. */
static inline bool refusal_is_fault(enum refusal refusal) { return refusal == REFUSED_ORDER_MISSING || refusal == REFUSED_ORDER_CURRENCY; }
/* NOT_REFUSED: nothing is called so. */
enum refusal refusal_named(struct text code);
