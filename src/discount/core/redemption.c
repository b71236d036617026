#include "discount/core/redemption.h"

#include "base/limits.h"
#include "base/money.h"

const char *redemption_status_name(enum redemption_status status) {
    switch (status) {
    case REDEMPTION_CLAIMED: return "claimed";
    case REDEMPTION_CREDITED: return "credited";
    case REDEMPTION_FAILED: return "failed";
    case REDEMPTION_APPLIED: return "applied";
    case REDEMPTION_REVERSING: return "reversing";
    case REDEMPTION_REVERSED: return "reversed";
    case REDEMPTION_WAITING: return "waiting";
    case REDEMPTION_LAPSED: return "lapsed";
    }
    return "unknown";
}

struct result redemption_status_named(struct text name, enum redemption_status *ret_status) {
    for (enum redemption_status status = REDEMPTION_CLAIMED; status <= REDEMPTION_LAPSED; status++) {
        if (!text_equal(text_of(redemption_status_name(status)), name)) continue;
        *ret_status = status;
        return result_ok();
    }
    return result_error(RESULT_NOT_FOUND);
}

static const char *order_fault(const struct redemption *redemption) {
    const struct order *order = &redemption->order;
    bool has_order = order->reference_size != 0;
    if (has_order != (order->amount_minor != 0)) return "its order has no reference or no amount";
    if (order->amount_minor < 0 || order->amount_minor > MONEY_AMOUNT_MAX) return "its order has an amount that is none";
    if (redemption->discount_minor < 0 || redemption->discount_minor > order->amount_minor)
        return "more was taken off its order than it has";
    if (!redemption_was_applied(redemption)) return redemption->discount_minor != 0 ? "its discount was not applied" : NULL;
    return !has_order || redemption->settled_at_us != redemption->claimed_at_us ? "it was applied to no order, or later" : NULL;
}

static const char *position_fault(const struct redemption *redemption) {
    int64_t ticket = redemption_ticket(redemption);
    if (redemption->status == REDEMPTION_WAITING) return ticket < 1 || ticket > LINE_TICKETS_MAX ? "it waits without a ticket" : NULL;
    return redemption->position < 1 || redemption->position > LIMIT_CAMPAIGN_PLACES ? "its position is none" : NULL;
}

const char *redemption_fault(const struct redemption *redemption) {
    bool is_failed = redemption->status == REDEMPTION_FAILED, is_credited = redemption->status == REDEMPTION_CREDITED;
    bool was_credited = is_credited || redemption->status == REDEMPTION_REVERSING || redemption->status == REDEMPTION_REVERSED;
    bool has_transaction = !id_is_zero(redemption->transaction_id);
    bool is_open = redemption->status == REDEMPTION_CLAIMED || redemption->status == REDEMPTION_WAITING;
    if (id_is_zero(redemption->id) || redemption->campaign_number == 0) return "it has no id or no campaign";
    const char *fault = position_fault(redemption);
    if (fault != NULL) return fault;
    if (redemption->phone.size == 0 || id_is_zero(redemption->user_id)) return "it has no user or phone";
    if ((redemption->settled_at_us == 0) != is_open) return "it is settled without a time";
    if (has_transaction != was_credited && !redemption_was_applied(redemption)) return "it is credited without a transaction";
    if (!is_credited && is_failed != (redemption->failure_size != 0)) return "it has failed without a reason";
    if (redemption->code_index < 0 || (redemption->code_batch == 0) != (redemption->code_index == 0))
        return "it has a code of no batch, or a batch without a code";
    if (id_equal(redemption->claimed_as, redemption->id)) return "it was claimed anew under its own id";
    return order_fault(redemption);
}

const char *reversal_fault(const struct reversal *reversal) {
    bool is_owed = reversal->reversed_at_us == 0;
    if (id_is_zero(reversal->redemption_id) || reversal->campaign_number == 0) return "its reversal is of no redemption";
    if (reversal->slot < SLOT_RETURN || reversal->slot > SLOT_PROMOTE) return "its reversal says nothing of its place";
    if (reversal->reason_size == 0 || reversal->reason_size > REVERSAL_REASON_BYTES) return "its reversal has no reason";
    if (reversal->asked_at_us <= 0 || reversal->reversed_at_us < 0) return "its reversal has no time";
    return is_owed && !id_is_zero(reversal->transaction_id) ? "its reversal is owed, and was made" : NULL;
}
