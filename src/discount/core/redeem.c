#include "discount/core/redeem.h"

#include "base/check.h"

static struct redeem_verdict refuse(enum refusal refusal) { return (struct redeem_verdict){REDEEM_REFUSE, refusal}; }

struct redeem_verdict redeem_decide(const struct redeem_facts *facts, int64_t now_us) {
    if (!facts->has_campaign) return refuse(REFUSED_CODE_NOT_FOUND);
    CHECK(facts->taken >= 0 && facts->taken <= facts->places);
    if (facts->has_own == NOT_KNOWN) return (struct redeem_verdict){REDEEM_ASK_OWN, NOT_REFUSED};
    if (facts->has_own == IS_SO) return (struct redeem_verdict){REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED};
    if (facts->is_recovering) return refuse(REFUSED_RECOVERING);
    if (facts->phone_refusal != NOT_REFUSED) return refuse(facts->phone_refusal);
    switch (campaign_gate(facts->times, now_us)) {
    case GATE_NOT_STARTED: return refuse(REFUSED_NOT_STARTED);
    case GATE_PAUSED: return refuse(REFUSED_PAUSED);
    case GATE_ENDED: return refuse(REFUSED_ENDED);
    case GATE_OPEN: break;
    }
    if (facts->phone_has_won == NOT_KNOWN) return (struct redeem_verdict){REDEEM_ASK_PHONE, NOT_REFUSED};
    if (facts->phone_has_won == IS_SO) return refuse(REFUSED_PHONE_ALREADY_REDEEMED);
    if (facts->taken >= facts->places) return refuse(REFUSED_SOLD_OUT);
    if (facts->taken >= facts->funded) return refuse(REFUSED_NOT_FUNDED);
    return (struct redeem_verdict){REDEEM_CLAIM, NOT_REFUSED};
}

enum refusal redeem_phone_refusal(enum phone_rule rule, const struct redeem_request *request) {
    if (rule == PHONE_ANY) return NOT_REFUSED;
    if (request->account_phone.size == 0) return REFUSED_PHONE_MISSING;
    if (!phone_equal(&request->account_phone, &request->phone)) return REFUSED_PHONE_MISMATCH;
    return rule == PHONE_VERIFIED && !request->is_account_phone_verified ? REFUSED_PHONE_UNVERIFIED : NOT_REFUSED;
}

/* ---- over the set ---- */

static struct redemption *claim(struct campaign_set *set, struct campaign *campaign, const struct redeem_request *request, int64_t now_us) {
    CHECK(redemption_by_id(set, request->redemption_id) == NULL);
    int64_t claimed_at_us = campaign_give_place(campaign, now_us);
    struct redemption redemption = {
        .id = request->redemption_id,
        .campaign_number = campaign->number,
        .position = campaign->redeemed,
        .user_id = request->user_id,
        .phone = request->phone,
        .status = REDEMPTION_CLAIMED,
        .claimed_at_us = claimed_at_us,
        .is_new = true,
        .is_changed = true,
    };
    CHECK(redemption_fault(&redemption) == NULL);
    /* There is room: a batch is bounded by its weight, and a request weighs more than it can add. */
    CHECK(result_is_ok(campaign_set_load_redemption(set, &redemption)));
    return redemption_by_id(set, redemption.id);
}

static enum knowledge known(bool is_so) { return is_so ? IS_SO : IS_NOT; }

struct redeem_verdict campaign_redeem(struct campaign_set *set, const struct redeem_request *request, int64_t now_us,
                                      struct campaign **ret_campaign, struct redemption **ret_redemption) {
    struct campaign *campaign = campaign_by_code(set, &request->code);
    struct redemption *redemption = NULL;
    struct redeem_facts facts = {.has_campaign = campaign != NULL};
    if (campaign != NULL) {
        CHECK(campaign_fault(campaign) == NULL);
        redemption = redemption_by_user(set, campaign->number, request->user_id);
        facts.has_own = known(redemption != NULL);
        facts.is_recovering = request->is_recovering;
        facts.phone_refusal = redeem_phone_refusal(campaign->phone_rule, request);
        facts.times = campaign_times(campaign);
        facts.phone_has_won = known(redemption_by_phone(set, campaign->number, &request->phone) != NULL);
        facts.places = campaign->max_redemptions;
        facts.taken = campaign->redeemed;
        facts.funded = campaign_funded_places(campaign);
    }
    struct redeem_verdict verdict = redeem_decide(&facts, now_us);
    switch (verdict.step) {
    case REDEEM_CLAIM:
        CHECK(redemption == NULL);
        redemption = claim(set, campaign, request, now_us);
        CHECK(campaign_fault(campaign) == NULL && campaign->redeemed == facts.taken + 1 && redemption->position == campaign->redeemed);
        break;
    case REDEEM_REPEAT: CHECK(redemption != NULL && id_equal(redemption->user_id, request->user_id)); break;
    case REDEEM_REFUSE: CHECK(redemption == NULL && (campaign == NULL || campaign->redeemed == facts.taken)); break;
    case REDEEM_ASK_OWN:
    case REDEEM_ASK_PHONE: CHECK(false); /* all is known here */
    }
    *ret_campaign = campaign;
    *ret_redemption = redemption;
    return verdict;
}
