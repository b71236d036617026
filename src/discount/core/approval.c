#include "discount/core/approval.h"

#include <string.h>

#include "base/crypto.h"
#include "discount/core/campaign.h"

/* A limit of 0 is none, which is more than any. */
static bool is_higher_limit(int64_t then, int64_t now) { return now != 0 && (then == 0 || then > now); }

struct campaign_raise approval_raise(const struct campaign *campaign, const struct campaign_patch *patch) {
    const struct campaign_rules *now = &campaign->rules, *then = &patch->rules;
    bool has_discount = (patch->rules_given & GIVEN_DISCOUNT) != 0;
    return (struct campaign_raise){
        .max_redemptions = patch->has_max_redemptions ? patch->max_redemptions : campaign->max_redemptions,
        .amount_minor = patch->has_credit ? patch->credit.amount_minor : campaign->credit.amount_minor,
        .percent = has_discount ? then->percent : now->percent,
        .discount_max_minor = has_discount ? then->discount_max_minor : now->discount_max_minor,
        .budget_minor = (patch->rules_given & GIVEN_BUDGET) != 0 ? then->budget_minor : now->budget_minor,
        .drops_approval = now->needs_approval != 0 && (patch->rules_given & GIVEN_APPROVAL) != 0 && then->needs_approval == 0,
    };
}

bool approval_is_due(const struct campaign *campaign, const struct campaign_patch *patch) {
    const struct campaign_raise raise = approval_raise(campaign, patch);
    const struct campaign_rules *rules = &campaign->rules;
    bool is_waiting = campaign->approval.waits == APPROVAL_OF_CREATION;
    if (rules->needs_approval == 0 && !is_waiting) return false;
    return raise.max_redemptions > campaign->max_redemptions || raise.amount_minor > campaign->credit.amount_minor ||
           raise.percent > rules->percent || is_higher_limit(raise.discount_max_minor, rules->discount_max_minor) ||
           is_higher_limit(raise.budget_minor, rules->budget_minor) || raise.drops_approval;
}

#define GIVEN_MONEY ((uint32_t)(GIVEN_DISCOUNT | GIVEN_BUDGET | GIVEN_APPROVAL))

bool approval_is_touched(const struct campaign_patch *patch) {
    return patch->has_max_redemptions || patch->has_credit || (patch->rules_given & GIVEN_MONEY) != 0;
}

void approval_leave_out(struct campaign_patch *patch) {
    patch->has_max_redemptions = patch->has_credit = false;
    patch->rules_given &= ~GIVEN_MONEY;
}

struct campaign_patch approval_patch(const struct campaign *campaign) {
    const struct campaign_raise *raise = &campaign->approval.raise;
    const struct campaign_rules *rules = &campaign->rules;
    struct campaign_patch patch = {.max_redemptions = raise->max_redemptions,
                                   .has_max_redemptions = raise->max_redemptions != campaign->max_redemptions,
                                   .credit = {raise->amount_minor, campaign->credit.currency},
                                   .has_credit = raise->amount_minor != campaign->credit.amount_minor,
                                   .rules = {.percent = raise->percent,
                                             .discount_max_minor = raise->discount_max_minor,
                                             .budget_minor = raise->budget_minor}};
    if (raise->percent != rules->percent || raise->discount_max_minor != rules->discount_max_minor) patch.rules_given |= GIVEN_DISCOUNT;
    if (raise->budget_minor != rules->budget_minor) patch.rules_given |= GIVEN_BUDGET;
    if (raise->drops_approval) patch.rules_given |= GIVEN_APPROVAL;
    return patch;
}

bool raise_equal(const struct campaign_raise *a, const struct campaign_raise *b) {
    return a->max_redemptions == b->max_redemptions && a->amount_minor == b->amount_minor && a->percent == b->percent &&
           a->discount_max_minor == b->discount_max_minor && a->budget_minor == b->budget_minor && a->drops_approval == b->drops_approval;
}

const char *approval_fault(const struct approval *approval) {
    static const struct campaign_raise none;
    const struct campaign_raise *raise = &approval->raise;
    bool waits = approval->waits != APPROVAL_NONE;
    if (waits == id_is_zero(approval->requested_by) || waits != (approval->requested_at_us != 0))
        return "it waits for an approval that nobody has asked for, or the other way round";
    if (approval->waits != APPROVAL_OF_CHANGE) return raise_equal(raise, &none) ? NULL : "it asks for a change that does not wait";
    bool is_in_range = raise->max_redemptions >= 1 && raise->max_redemptions <= LIMIT_CAMPAIGN_PLACES && raise->amount_minor >= 0 &&
                       raise->amount_minor <= MONEY_AMOUNT_MAX && raise->percent >= 0 && raise->percent <= 100 * PERCENT_SCALE &&
                       raise->discount_max_minor >= 0 && raise->discount_max_minor <= MONEY_AMOUNT_MAX && raise->budget_minor >= 0 &&
                       raise->budget_minor <= MONEY_AMOUNT_MAX;
    return is_in_range ? NULL : "the change that waits is out of range";
}

int64_t approval_check(uint32_t campaign_number, bool is_needed, const struct approval *approval) {
    const struct campaign_raise *raise = &approval->raise;
    const int64_t words[] = {campaign_number,        is_needed,
                             approval->waits,        approval->requested_at_us,
                             raise->max_redemptions, raise->amount_minor,
                             raise->percent,         raise->discount_max_minor,
                             raise->budget_minor,    raise->drops_approval};
    uint8_t bytes[sizeof words + sizeof approval->requested_by.bytes];
    size_t size = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (int shift = 56; shift >= 0; shift -= 8) bytes[size++] = (uint8_t)((uint64_t)words[i] >> shift);
    }
    memcpy(bytes + size, approval->requested_by.bytes, sizeof approval->requested_by.bytes);
    struct hash hash = crypto_hash((struct text){(const char *)bytes, sizeof bytes});
    int64_t check = 1;
    for (size_t i = 0; i < 7; i++) check = check << 8 | hash.bytes[i];
    return check;
}
