/* What Wallet said about a claim. */
#pragma once

#include "discount/core/set.h"

/* Settling twice with the same outcome changes nothing; RESULT_CONFLICT for another outcome than the first, RESULT_NOT_FOUND when the set has no
 * such redemption. What was sent again because Wallet had another outcome than we, or none, takes Wallet's, whatever it was before. */
struct settlement {
    struct id redemption_id;
    bool is_credited, is_again;
    struct id transaction_id; /* credited */
    int64_t settled_at_us;
    struct text failure; /* failed: Wallet's code, cut at REDEMPTION_FAILURE_BYTES */
};
struct result campaign_settle(struct campaign_set *set, const struct settlement *settlement, int64_t now_us) MUST_CHECK;

/* An admin's word: a claim that has failed is owed again. */
enum retry_verdict { RETRY_DONE, RETRY_NOT_FOUND, RETRY_NOT_FAILED, RETRY_FUND_RELEASED };
enum retry_verdict campaign_retry(struct campaign_set *set, struct id redemption_id);
