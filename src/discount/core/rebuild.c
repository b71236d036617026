#include "discount/core/rebuild.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "discount/core/line.h"
#include "discount/core/reversal.h"

static const char *const names[REBUILD_VERDICT_COUNT] = {
    [REBUILD_KNOWN] = "known",
    [REBUILD_SETTLED] = "settled",
    [REBUILD_RENAMED] = "renamed",
    [REBUILD_MADE] = "made",
    [REBUILD_REVERSED] = "reversed",
    [REBUILD_USER_TAKEN] = "the user has another redemption there",
    [REBUILD_PHONE_TAKEN] = "another user has won with this phone",
    [REBUILD_NO_PHONE] = "Wallet does not say with which phone it was claimed",
    [REBUILD_OTHER_AMOUNT] = "the campaign gives another amount",
    [REBUILD_NOT_FUNDED] = "its fund was not given so much",
    [REBUILD_NO_PLACE] = "a campaign can't have so many places",
};

const char *rebuild_verdict_name(enum rebuild_verdict verdict) { return names[verdict]; }

/* ---- may it be ---- */

static bool is_affordable(struct money credit, int64_t places) {
    struct money worth;
    return result_is_ok(money_multiply(credit, places, &worth));
}

/* Before anything was given out the gift may have been changed, and our copy be from before that. */
static bool may_adopt_amount(const struct campaign *campaign, int64_t amount_minor) {
    const struct money credit = {amount_minor, campaign->credit.currency};
    return campaign->redeemed == 0 && amount_minor > 0 && is_affordable(credit, campaign->max_redemptions);
}

/* Whether one more credit is within what its fund was given: a step may have been taken that we have not heard of. */
static bool is_funded(const struct campaign *campaign, const struct paid_place *place) {
    const struct money credit = {place->amount_minor, campaign->credit.currency};
    const struct money step = {campaign->fund_step_minor, campaign->credit.currency};
    int64_t given;
    CHECK(result_is_ok(money_add_to_total(campaign->fund_confirmed_minor, step, &given)));
    return campaign->credited < money_count_in_total(given, credit);
}

/* REBUILD_SETTLED: there is no conflict. */
static enum rebuild_verdict check_money(const struct campaign *campaign, const struct paid_place *place) {
    bool is_same = place->amount_minor == campaign->credit.amount_minor;
    if (!is_same && !may_adopt_amount(campaign, place->amount_minor)) return REBUILD_OTHER_AMOUNT;
    return is_funded(campaign, place) ? REBUILD_SETTLED : REBUILD_NOT_FUNDED;
}

static void change(struct campaign *campaign, int64_t now_us) {
    campaign->version++;
    campaign->sequence++;
    campaign->updated_at_us = now_us;
}

/* One place more than it has. */
static void widen(struct campaign *campaign, int64_t now_us) {
    campaign->max_redemptions = campaign_taken(campaign) + 1; /* given out at once: it stays exhausted */
    campaign->over_at = 0;
    change(campaign, now_us);
}

/* When it was claimed, as far as can be told: not after it was paid. */
static int64_t claimed_at(const struct paid_place *place, int64_t now_us) {
    int64_t made_at_us = id_time_us(place->id), latest_us = place->paid_at_us != 0 ? place->paid_at_us : now_us;
    return made_at_us != 0 && made_at_us < latest_us ? made_at_us : latest_us;
}

static bool has_room(const struct campaign *campaign, struct money amount) {
    return campaign->redeemed < LIMIT_CAMPAIGN_PLACES && is_affordable(amount, campaign_taken(campaign) + 1);
}

/* A place for what was paid, when it was claimed; there is room. Of its order is known what our own row says: Wallet keeps none. */
static int64_t give_place(struct campaign *campaign, const struct paid_place *place, const struct order *order, int64_t now_us) {
    if (campaign_taken(campaign) >= campaign->max_redemptions) widen(campaign, now_us);
    const struct given given = {.gift_minor = place->amount_minor, .order_minor = order->amount_minor}; /* its day is over */
    return campaign_give_place(campaign, &given, claimed_at(place, now_us));
}

/* ---- what becomes of it ---- */

static void credit(struct campaign *campaign, struct redemption *redemption, const struct paid_place *place, int64_t now_us) {
    campaign->failed -= redemption->status == REDEMPTION_FAILED;
    campaign->credited++;
    campaign->sequence++;
    campaign_note_changed(campaign);
    redemption->status = REDEMPTION_CREDITED;
    redemption->failure_size = 0;
    redemption->transaction_id = place->transaction_id;
    redemption->settled_at_us = place->paid_at_us != 0 ? place->paid_at_us : now_us;
    redemption->is_changed = true;
    if (campaign_is_settled(campaign)) campaign->settled_position = campaign->redeemed;
}

/* Our copy is from before it was promoted: it has left the line, whoever stands before it here. */
static enum rebuild_verdict seat(struct campaign *campaign, struct redemption *known, const struct paid_place *place, int64_t now_us) {
    if (known->status != REDEMPTION_WAITING) return REBUILD_SETTLED;
    if (!has_room(campaign, campaign->credit)) return REBUILD_NO_PLACE;
    line_leave(campaign, known, give_place(campaign, place, &known->order, now_us));
    return REBUILD_SETTLED;
}

static enum rebuild_verdict settle(struct campaign_set *set, struct campaign *campaign, struct redemption *known,
                                   const struct paid_place *place, int64_t now_us) {
    bool is_it = id_equal(known->id, place->id) && id_equal(known->user_id, place->user_id) && known->campaign_number == campaign->number;
    if (!is_it) return REBUILD_USER_TAKEN;
    if (known->status == REDEMPTION_REVERSING || known->status == REDEMPTION_REVERSED) return REBUILD_KNOWN; /* that goes its way */
    if (known->status == REDEMPTION_CREDITED && !place->is_reversed) return REBUILD_KNOWN;
    if (known->status != REDEMPTION_CREDITED) {
        enum rebuild_verdict verdict = check_money(campaign, place);
        if (verdict == REBUILD_SETTLED) verdict = seat(campaign, known, place, now_us);
        if (verdict != REBUILD_SETTLED) return verdict;
        credit(campaign, known, place, now_us);
    }
    if (place->is_reversed) campaign_adopt_reversal(set, known, now_us);
    return place->is_reversed ? REBUILD_REVERSED : REBUILD_SETTLED;
}

static enum rebuild_verdict rename_claim(struct campaign_set *set, struct campaign *campaign, struct redemption *own,
                                         const struct paid_place *place, int64_t now_us) {
    enum rebuild_verdict verdict = check_money(campaign, place);
    if (verdict == REBUILD_SETTLED) verdict = seat(campaign, own, place, now_us);
    if (verdict != REBUILD_SETTLED) return verdict;
    campaign_set_rename(set, own, place->id, place->phone.size != 0 ? &place->phone : &own->phone);
    credit(campaign, own, place, now_us);
    return REBUILD_RENAMED;
}

/* Its code is used up by it, if the batch was there already when our copy was made, and nobody has used the code since. */
static void use_code(struct campaign_set *set, struct redemption *redemption, const struct paid_place *place) {
    struct code_entry *entry = set->codes == NULL ? NULL : code_entry_of(set->codes, place->code_batch, place->code_index);
    if (entry == NULL || entry->is_revoked || entry->uses >= code_batch_by_number(set->codes, entry->batch)->max_uses) return;
    redemption->code_batch = entry->batch;
    redemption->code_index = entry->index;
    code_use(set->codes, entry);
}

static enum rebuild_verdict make(struct campaign_set *set, struct campaign *campaign, const struct paid_place *place, int64_t now_us) {
    if (place->phone.size == 0) return REBUILD_NO_PHONE;
    enum rebuild_verdict verdict = check_money(campaign, place);
    if (verdict != REBUILD_SETTLED) return verdict;
    const struct money amount = {place->amount_minor, campaign->credit.currency};
    if (!has_room(campaign, amount)) return REBUILD_NO_PLACE;
    if (!money_equal(amount, campaign->credit)) change(campaign, now_us);
    campaign->credit = amount;
    int64_t claimed_at_us = give_place(campaign, place, &(struct order){0}, now_us);
    struct redemption redemption = {.id = place->id,
                                    .campaign_number = campaign->number,
                                    .position = campaign->redeemed,
                                    .user_id = place->user_id,
                                    .phone = place->phone,
                                    .claimed_at_us = claimed_at_us,
                                    .is_new = true};
    use_code(set, &redemption, place);
    credit(campaign, &redemption, place, now_us);
    CHECK(redemption_fault(&redemption) == NULL && result_is_ok(campaign_set_load_redemption(set, &redemption)));
    if (campaign->rules.max_per_user > 1 || campaign->rules.max_per_phone > 1) campaign_set_count(set, &redemption);
    return REBUILD_MADE;
}

/* Nobody has it any more: it stands in nobody's way, and its place is open, or another's by now. */
static enum rebuild_verdict make_reversed(struct campaign_set *set, struct campaign *campaign, const struct paid_place *place,
                                          int64_t now_us) {
    if (place->phone.size == 0) return REBUILD_NO_PHONE;
    if (campaign->redeemed >= LIMIT_CAMPAIGN_PLACES) return REBUILD_NO_PLACE;
    int64_t claimed_at_us = campaign_pass_place(campaign, claimed_at(place, now_us));
    struct redemption redemption = {.id = place->id,
                                    .campaign_number = campaign->number,
                                    .user_id = place->user_id,
                                    .phone = place->phone,
                                    .status = REDEMPTION_REVERSED,
                                    .claimed_at_us = claimed_at_us,
                                    .position = campaign->redeemed,
                                    .settled_at_us = place->paid_at_us != 0 ? place->paid_at_us : now_us,
                                    .transaction_id = place->transaction_id,
                                    .is_new = true,
                                    .is_changed = true};
    struct reversal reversal = {.redemption_id = place->id,
                                .campaign_number = campaign->number,
                                .position = campaign->redeemed,
                                .slot = SLOT_RETURN,
                                .asked_at_us = now_us,
                                .reversed_at_us = now_us,
                                .is_changed = true};
    static const char reason[] = "It was taken back in Wallet.";
    memcpy(reversal.reason, reason, sizeof reason - 1);
    reversal.reason_size = sizeof reason - 1;
    if (campaign_is_settled(campaign)) campaign->settled_position = campaign->redeemed;
    CHECK(redemption_fault(&redemption) == NULL && result_is_ok(campaign_set_load_redemption(set, &redemption)));
    (void)campaign_set_put_reversal(set, &reversal);
    return REBUILD_REVERSED;
}

/* Who may have several of them can't be asked which one a credit was for: it is one more, as long as there may be. */
static enum rebuild_verdict rebuild_one_of_several(struct campaign_set *set, struct campaign *campaign, const struct paid_place *place,
                                                   int64_t now_us) {
    const struct campaign_rules *rules = &campaign->rules;
    if (campaign_set_tally_of_user(set, campaign->number, place->user_id) >= rules->max_per_user) return REBUILD_USER_TAKEN;
    const struct redemption *of_phone = redemption_by_phone(set, campaign->number, &place->phone);
    bool is_taken = rules->max_per_phone == 1 ? of_phone != NULL
                                              : campaign_set_tally_of_phone(set, campaign->number, &place->phone) >= rules->max_per_phone;
    return is_taken ? REBUILD_PHONE_TAKEN : make(set, campaign, place, now_us);
}

static enum rebuild_verdict rebuild_the_one(struct campaign_set *set, struct campaign *campaign, const struct paid_place *place,
                                            int64_t now_us) {
    struct redemption *own = redemption_by_user(set, campaign->number, place->user_id);
    const struct redemption *of_phone = redemption_by_phone(set, campaign->number, &place->phone);
    bool is_taken = campaign->rules.max_per_phone == 1
                        ? of_phone != NULL && of_phone != own
                        : campaign_set_tally_of_phone(set, campaign->number, &place->phone) >= campaign->rules.max_per_phone;
    if (own != NULL && own->status != REDEMPTION_CLAIMED && own->status != REDEMPTION_WAITING) return REBUILD_USER_TAKEN;
    if (is_taken) return REBUILD_PHONE_TAKEN;
    return own != NULL ? rename_claim(set, campaign, own, place, now_us) : make(set, campaign, place, now_us);
}

enum rebuild_verdict campaign_rebuild(struct campaign_set *set, const struct paid_place *place, int64_t now_us) {
    struct campaign *campaign = campaign_by_number(set, place->campaign_number);
    CHECK(campaign != NULL && campaign_fault(campaign) == NULL);
    struct redemption *known = redemption_by_id(set, place->id);
    enum rebuild_verdict verdict;
    if (known != NULL)
        verdict = settle(set, campaign, known, place, now_us);
    else if (place->is_reversed)
        verdict = make_reversed(set, campaign, place, now_us);
    else if (campaign->rules.max_per_user > 1)
        verdict = rebuild_one_of_several(set, campaign, place, now_us);
    else
        verdict = rebuild_the_one(set, campaign, place, now_us);
    CHECK(campaign_fault(campaign) == NULL);
    return verdict;
}
