#include "discount/core/reversal.h"

#include <string.h>

#include "base/check.h"

static const char *const slots[] = {[SLOT_RETURN] = "return", [SLOT_BURN] = "burn", [SLOT_PROMOTE] = "promote"};

const char *reversal_slot_name(enum reversal_slot slot) { return slots[slot]; }

struct result reversal_slot_named(struct text name, enum reversal_slot *ret_slot) {
    for (enum reversal_slot slot = SLOT_RETURN; slot <= SLOT_PROMOTE; slot++) {
        if (!text_equal(text_of(slots[slot]), name)) continue;
        *ret_slot = slot;
        return result_ok();
    }
    return result_error(RESULT_NOT_FOUND);
}

static struct campaign *owner_of(const struct campaign_set *set, const struct redemption *redemption) {
    struct campaign *campaign = campaign_by_number(set, redemption->campaign_number);
    CHECK(campaign != NULL && campaign_fault(campaign) == NULL && redemption_fault(redemption) == NULL);
    return campaign;
}

static void mark_changed(struct campaign *campaign, struct redemption *redemption) {
    redemption->is_changed = true;
    campaign_note_changed(campaign);
    campaign->sequence++;
}

static void check_both(const struct campaign *campaign, const struct redemption *redemption) {
    CHECK(redemption_fault(redemption) == NULL && campaign_fault(campaign) == NULL);
}

static struct reversal *begin(struct campaign_set *set, struct redemption *redemption, enum reversal_slot slot, struct text reason,
                              int64_t now_us) {
    CHECK(reason.size > 0 && reason.size <= REVERSAL_REASON_BYTES);
    struct reversal reversal = {.redemption_id = redemption->id,
                                .campaign_number = redemption->campaign_number,
                                .position = redemption->position,
                                .slot = slot,
                                .reason_size = (uint16_t)reason.size,
                                .asked_at_us = now_us,
                                .is_changed = true};
    memcpy(reversal.reason, reason.data, reason.size);
    redemption->failure_size = 0; /* of an earlier try */
    redemption->drops_reversal = false;
    return campaign_set_put_reversal(set, &reversal);
}

/* What it took is given back, each once. */
static void end(struct campaign_set *set, struct campaign *campaign, struct redemption *redemption, struct reversal *reversal,
                int64_t now_us) {
    bool is_of_order = redemption->status == REDEMPTION_APPLIED;
    CHECK(is_of_order || redemption->status == REDEMPTION_REVERSING || redemption->status == REDEMPTION_CREDITED);
    campaign->reversing -= redemption->status == REDEMPTION_REVERSING;
    campaign->credited -= !is_of_order;
    redemption->status = REDEMPTION_REVERSED;
    reversal->reversed_at_us = now_us;
    reversal->is_changed = true;
    const struct given_back back = {.position = redemption->position,
                                    .gift_minor = is_of_order ? redemption->discount_minor : campaign->credit.amount_minor,
                                    .order_minor = redemption->order.amount_minor,
                                    .is_open = reversal->slot != SLOT_BURN};
    campaign_give_back(campaign, &back);
    campaign_set_uncount(set, redemption);
    if (redemption->code_batch != 0) code_give_back(set->codes, code_entry_of(set->codes, redemption->code_batch, redemption->code_index));
    CHECK(reversal_fault(reversal) == NULL);
    mark_changed(campaign, redemption);
}

static bool is_same(const struct reversal *reversal, const struct reversal_command *command) {
    return reversal->slot == command->slot && text_equal(reversal_reason(reversal), command->reason);
}

enum reversal_verdict campaign_reverse(struct campaign_set *set, const struct reversal_command *command, int64_t now_us,
                                       struct redemption **ret_redemption) {
    struct redemption *redemption = redemption_by_id(set, command->redemption_id);
    *ret_redemption = redemption;
    if (redemption == NULL) return REVERSAL_NOT_FOUND;
    struct campaign *campaign = owner_of(set, redemption);
    struct reversal *reversal = reversal_of(set, redemption->id);
    switch (redemption->status) {
    case REDEMPTION_CLAIMED:
    case REDEMPTION_FAILED:
    case REDEMPTION_WAITING:
    case REDEMPTION_LAPSED: return REVERSAL_NOT_CREDITED;
    case REDEMPTION_REVERSING:
    case REDEMPTION_REVERSED:
        CHECK(reversal != NULL); /* it was loaded */
        return is_same(reversal, command) ? REVERSAL_REPEATED : REVERSAL_OTHERWISE;
    case REDEMPTION_CREDITED:
        (void)begin(set, redemption, command->slot, command->reason, now_us);
        redemption->status = REDEMPTION_REVERSING;
        campaign->reversing++;
        mark_changed(campaign, redemption);
        break;
    case REDEMPTION_APPLIED:
        reversal = begin(set, redemption, command->slot, command->reason, now_us);
        end(set, campaign, redemption, reversal, now_us);
        break;
    }
    check_both(campaign, redemption);
    return REVERSAL_DONE;
}

static void refuse(struct campaign *campaign, struct redemption *redemption, struct text refusal) {
    refusal = text_cut(refusal, sizeof redemption->failure);
    CHECK(refusal.size > 0);
    memcpy(redemption->failure, refusal.data, refusal.size);
    redemption->failure_size = (uint8_t)refusal.size;
    redemption->status = REDEMPTION_CREDITED;
    redemption->drops_reversal = true;
    campaign->reversing--;
    mark_changed(campaign, redemption);
}

struct result campaign_take_back(struct campaign_set *set, const struct taken_back *taken_back, int64_t now_us) {
    struct redemption *redemption = redemption_by_id(set, taken_back->redemption_id);
    if (redemption == NULL) return result_error(RESULT_NOT_FOUND);
    bool is_reversed = redemption->status == REDEMPTION_REVERSED;
    if (is_reversed && !taken_back->is_refused) return result_ok(); /* once more, because Wallet had lost it */
    if (redemption->status != REDEMPTION_REVERSING) return result_error(RESULT_CONFLICT);
    struct campaign *campaign = owner_of(set, redemption);
    struct reversal *reversal = reversal_of(set, redemption->id);
    CHECK(reversal != NULL && reversal->reversed_at_us == 0);
    if (taken_back->is_refused) {
        campaign_set_drop_reversal(set, reversal);
        refuse(campaign, redemption, taken_back->refusal);
    } else {
        reversal->transaction_id = taken_back->transaction_id;
        end(set, campaign, redemption, reversal, now_us);
    }
    check_both(campaign, redemption);
    return result_ok();
}

void campaign_adopt_reversal(struct campaign_set *set, struct redemption *redemption, int64_t now_us) {
    struct campaign *campaign = owner_of(set, redemption);
    CHECK(redemption->status == REDEMPTION_CREDITED);
    struct reversal *reversal = begin(set, redemption, SLOT_BURN, TEXT("It was taken back in Wallet."), now_us);
    end(set, campaign, redemption, reversal, now_us);
    check_both(campaign, redemption);
}
