#include "discount/core/settlement.h"

#include <string.h>

#include "base/check.h"

static bool is_same_outcome(const struct redemption *redemption, const struct settlement *settlement) {
    if (settlement->is_credited) {
        return redemption->status == REDEMPTION_CREDITED && id_equal(redemption->transaction_id, settlement->transaction_id);
    }
    return redemption->status == REDEMPTION_FAILED;
}

struct result campaign_settle(struct campaign_set *set, const struct settlement *settlement, int64_t now_us) {
    struct redemption *redemption = redemption_by_id(set, settlement->redemption_id);
    if (redemption == NULL) return result_error(RESULT_NOT_FOUND);
    CHECK(redemption_fault(redemption) == NULL);
    if (redemption->status != REDEMPTION_CLAIMED) {
        return is_same_outcome(redemption, settlement) ? result_ok() : result_error(RESULT_CONFLICT);
    }
    struct campaign *campaign = campaign_by_number(set, redemption->campaign_number);
    CHECK(campaign != NULL && campaign_fault(campaign) == NULL && campaign->credited + campaign->failed < campaign->redeemed);

    int64_t settled_at_us = settlement->settled_at_us != 0 ? settlement->settled_at_us : now_us;
    redemption->settled_at_us = settled_at_us;
    redemption->is_changed = true;
    if (settlement->is_credited) {
        redemption->status = REDEMPTION_CREDITED;
        redemption->transaction_id = settlement->transaction_id;
        campaign->credited++;
    } else {
        redemption->status = REDEMPTION_FAILED;
        struct text failure = text_cut(settlement->failure, sizeof redemption->failure);
        memcpy(redemption->failure, failure.data, failure.size);
        redemption->failure_size = (uint8_t)failure.size;
        campaign->failed++;
    }
    if (campaign->credited + campaign->failed == campaign->redeemed) campaign->settled_position = campaign->redeemed;
    campaign->sequence++;
    campaign->is_changed = true;
    CHECK(redemption_fault(redemption) == NULL && campaign_fault(campaign) == NULL);
    return result_ok();
}
