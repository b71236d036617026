/* Redeeming and settling: the part of the core that the crowd runs through. */
#include <string.h>

#include "base/check.h"
#include "base/planted.h"
#include "discount/campaign.h"

int redeem_rejection(enum redeem_verdict verdict) {
    switch (verdict) {
    case REDEEM_REPEATED: return REJECTED_ALREADY_REDEEMED;
    case REDEEM_PHONE_MISMATCH: return REJECTED_PHONE_MISMATCH;
    case REDEEM_NOT_STARTED: return REJECTED_NOT_STARTED;
    case REDEEM_PAUSED: return REJECTED_PAUSED;
    case REDEEM_ENDED: return REJECTED_ENDED;
    case REDEEM_PHONE_TAKEN: return REJECTED_PHONE_ALREADY_REDEEMED;
    case REDEEM_SOLD_OUT: return REJECTED_SOLD_OUT;
    case REDEEM_CLAIMED:
    case REDEEM_CODE_NOT_FOUND: return -1;
    }
    return -1;
}

static struct redemption *claim(struct campaign_set *set, struct campaign *campaign, const struct redeem_request *request, int64_t now_us) {
    CHECK(campaign->redeemed < campaign->max_redemptions);
    CHECK(redemption_by_id(set, request->redemption_id) == NULL);
    /* A clock that was set back while we were stopped must not put a position before the one ahead of it. */
    if (now_us < campaign->last_redeemed_at_us && !PLANTED(TIME_GOES_BACK)) now_us = campaign->last_redeemed_at_us;
    campaign->redeemed++;
    campaign->sequence++;
    campaign->is_changed = true;
    if (campaign->first_redeemed_at_us == 0) campaign->first_redeemed_at_us = now_us;
    campaign->last_redeemed_at_us = now_us;
    if (campaign->redeemed == campaign->max_redemptions) campaign->exhausted_at_us = now_us;

    struct redemption redemption = {
        .id = request->redemption_id,
        .campaign_number = campaign->number,
        .position = campaign->redeemed,
        .user_id = request->user_id,
        .phone = request->phone,
        .status = REDEMPTION_CLAIMED,
        .claimed_at_us = now_us,
        .is_new = true,
        .is_changed = true,
    };
    /* There is room: a batch is bounded by its weight, and a request weighs more than it can add. */
    CHECK(result_is_ok(campaign_set_load_redemption(set, &redemption)));
    return redemption_by_id(set, redemption.id);
}

enum redeem_verdict campaign_redeem(struct campaign_set *set, const struct redeem_request *request, int64_t now_us,
                                    struct campaign **ret_campaign, struct redemption **ret_redemption) {
    *ret_redemption = NULL;
    struct campaign *campaign = *ret_campaign = campaign_by_code(set, &request->code);
    if (campaign == NULL) return REDEEM_CODE_NOT_FOUND;
    struct redemption *own = redemption_by_user(set, campaign->number, request->user_id);
    if (own != NULL) {
        *ret_redemption = own;
        return REDEEM_REPEATED;
    }
    if (request->account_phone.size != 0 && !phone_equal(&request->account_phone, &request->phone)) return REDEEM_PHONE_MISMATCH;
    struct gate_times times = {.starts_at_us = campaign->starts_at_us,
                               .ends_at_us = campaign->ends_at_us,
                               .ended_at_us = campaign->ended_at_us,
                               .is_paused = campaign->is_paused && !PLANTED(PAUSE_NOT_ASKED)};
    if (PLANTED(EXPIRY_OFF_BY_ONE) && times.ends_at_us != 0) times.ends_at_us += 1000000;
    switch (campaign_gate(times, now_us)) {
    case GATE_NOT_STARTED: return REDEEM_NOT_STARTED;
    case GATE_PAUSED: return REDEEM_PAUSED;
    case GATE_ENDED: return REDEEM_ENDED;
    case GATE_OPEN: break;
    }
    if (redemption_by_phone(set, campaign->number, &request->phone) != NULL && !PLANTED(PHONE_NOT_ASKED)) return REDEEM_PHONE_TAKEN;
    if (campaign->redeemed >= campaign->max_redemptions + PLANTED(ONE_PLACE_TOO_MANY)) return REDEEM_SOLD_OUT;
    *ret_redemption = claim(set, campaign, request, now_us);
    return REDEEM_CLAIMED;
}

static bool is_same_outcome(const struct redemption *redemption, const struct settlement *settlement) {
    if (settlement->is_credited) {
        return redemption->status == REDEMPTION_CREDITED && id_equal(redemption->transaction_id, settlement->transaction_id);
    }
    return redemption->status == REDEMPTION_FAILED;
}

struct result campaign_settle(struct campaign_set *set, const struct settlement *settlement, int64_t now_us) {
    struct redemption *redemption = redemption_by_id(set, settlement->redemption_id);
    if (redemption == NULL) return result_error(RESULT_NOT_FOUND);
    if (redemption->status != REDEMPTION_CLAIMED) {
        return is_same_outcome(redemption, settlement) ? result_ok() : result_error(RESULT_CONFLICT);
    }
    struct campaign *campaign = campaign_by_number(set, redemption->campaign_number);
    CHECK(campaign != NULL && campaign->credited + campaign->failed < campaign->redeemed);

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
    campaign->sequence++;
    campaign->is_changed = true;
    return result_ok();
}
