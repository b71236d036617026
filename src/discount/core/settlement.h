/* What Wallet said about a claim. */
#pragma once

#include "discount/core/set.h"

/* Settling twice with the same outcome changes nothing; RESULT_CONFLICT for another outcome than the first, RESULT_NOT_FOUND when the set has no
 * such redemption. */
struct settlement {
    struct id redemption_id;
    bool is_credited;
    struct id transaction_id; /* credited */
    int64_t settled_at_us;
    struct text failure; /* failed: Wallet's code, cut at REDEMPTION_FAILURE_BYTES */
};
struct result campaign_settle(struct campaign_set *set, const struct settlement *settlement, int64_t now_us) MUST_CHECK;
