#include "discount/core/settlement.h"

#include <string.h>

#include "base/check.h"

/* What was taken back since was credited all the same, and nothing credits it again. */
static bool is_same_outcome(const struct redemption *redemption, const struct settlement *settlement) {
    if (redemption->status == REDEMPTION_REVERSED) return true;
    if (settlement->is_credited) {
        bool is_credited = redemption->status == REDEMPTION_CREDITED || redemption->status == REDEMPTION_REVERSING;
        return is_credited && id_equal(redemption->transaction_id, settlement->transaction_id);
    }
    return redemption->status == REDEMPTION_FAILED;
}

static int64_t *count_of(struct campaign *campaign, enum redemption_status status) {
    switch (status) {
    case REDEMPTION_CREDITED:
    case REDEMPTION_REVERSING: return &campaign->credited;
    case REDEMPTION_FAILED: return &campaign->failed;
    case REDEMPTION_CLAIMED:
    case REDEMPTION_APPLIED:
    case REDEMPTION_REVERSED:
    case REDEMPTION_WAITING:
    case REDEMPTION_LAPSED: break;
    }
    return NULL;
}

/* Counted as it was no more, and as it is. */
static void change_status(struct campaign *campaign, struct redemption *redemption, enum redemption_status status) {
    int64_t *before = count_of(campaign, redemption->status), *after = count_of(campaign, status);
    if (before != NULL) --*before;
    if (after != NULL) ++*after;
    redemption->status = status;
    redemption->transaction_id = (struct id){{0}};
    redemption->settled_at_us = 0;
    redemption->failure_size = 0;
    redemption->is_changed = true;
    campaign->sequence++;
    campaign_note_changed(campaign);
}

static struct campaign *owner_of(struct campaign_set *set, const struct redemption *redemption) {
    struct campaign *campaign = campaign_by_number(set, redemption->campaign_number);
    CHECK(campaign != NULL && campaign_fault(campaign) == NULL);
    return campaign;
}

struct result campaign_settle(struct campaign_set *set, const struct settlement *settlement, int64_t now_us) {
    struct redemption *redemption = redemption_by_id(set, settlement->redemption_id);
    if (redemption == NULL) return result_error(RESULT_NOT_FOUND);
    CHECK(redemption_fault(redemption) == NULL);
    if (redemption->status == REDEMPTION_WAITING) return result_error(RESULT_CONFLICT); /* it has no place to be paid for */
    if (redemption->status != REDEMPTION_CLAIMED) {
        if (is_same_outcome(redemption, settlement)) return result_ok();
        if (!settlement->is_again) return result_error(RESULT_CONFLICT);
    }
    struct campaign *campaign = owner_of(set, redemption);
    CHECK(redemption->status != REDEMPTION_CLAIMED || campaign->credited + campaign->failed < campaign_living(campaign));

    bool is_reversing = redemption->status == REDEMPTION_REVERSING, goes_on = is_reversing && settlement->is_credited;
    change_status(campaign, redemption, goes_on ? REDEMPTION_REVERSING : settlement->is_credited ? REDEMPTION_CREDITED : REDEMPTION_FAILED);
    if (is_reversing && !goes_on) { /* Wallet has lost its credit, and gives it no more: there is nothing to take back */
        campaign->reversing--;
        redemption->drops_reversal = true;
    }
    redemption->settled_at_us = settlement->settled_at_us != 0 ? settlement->settled_at_us : now_us;
    if (settlement->is_credited) {
        redemption->transaction_id = settlement->transaction_id;
    } else {
        struct text failure = text_cut(settlement->failure, sizeof redemption->failure);
        memcpy(redemption->failure, failure.data, failure.size);
        redemption->failure_size = (uint8_t)failure.size;
    }
    if (campaign_is_settled(campaign)) campaign->settled_position = campaign->redeemed;
    CHECK(redemption_fault(redemption) == NULL && campaign_fault(campaign) == NULL);
    return result_ok();
}

enum retry_verdict campaign_retry(struct campaign_set *set, struct id redemption_id) {
    struct redemption *redemption = redemption_by_id(set, redemption_id);
    if (redemption == NULL) return RETRY_NOT_FOUND;
    CHECK(redemption_fault(redemption) == NULL);
    if (redemption->status != REDEMPTION_FAILED) return RETRY_NOT_FAILED;
    struct campaign *campaign = owner_of(set, redemption);
    if (campaign->fund_is_released) return RETRY_FUND_RELEASED;
    change_status(campaign, redemption, REDEMPTION_CLAIMED);
    if (campaign->settled_position >= redemption->position) campaign->settled_position = redemption->position - 1;
    CHECK(redemption_fault(redemption) == NULL && campaign_fault(campaign) == NULL);
    return RETRY_DONE;
}
