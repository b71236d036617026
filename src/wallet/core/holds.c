#include "wallet/core/holds.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/references.h"

const char *hold_state_name(enum hold_state state) {
    switch (state) {
    case HOLD_HELD: return "held";
    case HOLD_CAPTURED: return "captured";
    case HOLD_RELEASED: return "released";
    case HOLD_EXPIRED: return "expired";
    }
    return "unknown";
}

static struct money money_of(const struct hold *hold, int64_t minor) { return (struct money){minor, hold->amount.currency}; }

const char *hold_fault(const struct hold *hold) {
    struct money sum;
    if (hold->number < 1 || hold->amount.amount_minor < 1) return "its number or its amount is below what it can be";
    if (hold->amount.currency != hold->account->currency) return "its currency is another than its account's";
    if (hold->captured_minor < 0 || hold->remaining_minor < 0) return "an amount is below zero";
    if (!result_is_ok(money_add(money_of(hold, hold->captured_minor), money_of(hold, hold->remaining_minor), &sum)) ||
        sum.amount_minor > hold->amount.amount_minor)
        return "more was captured and remains than was held";
    if ((hold->state == HOLD_HELD) != (hold->remaining_minor > 0)) return "its state does not fit what remains";
    if (hold->state == HOLD_HELD && sum.amount_minor != hold->amount.amount_minor) return "some of it is neither captured nor remains";
    if (hold->remaining_minor > hold->account->debits_pending) return "more remains than is pending";
    return NULL;
}

/* Of what is left, so much: HELD while some remains, and else `end`. */
static void take(struct hold *hold, struct money amount, enum hold_state end, int64_t now_us) {
    struct money rest;
    struct result taken = money_subtract(money_of(hold, hold->remaining_minor), amount, &rest);
    CHECK(hold->state == HOLD_HELD && result_is_ok(taken) && rest.amount_minor >= 0);
    hold->remaining_minor = rest.amount_minor;
    if (rest.amount_minor == 0) hold->state = end;
    hold->updated_at_us = now_us;
    row_change(&hold->row_state);
}

/* What is left is free again, by a row of the journal of its own. */
static void set_free(struct ledger *ledger, struct hold *hold, enum transfer_kind kind, struct text metadata, enum hold_state end,
                     int64_t now_us) {
    const struct transfer *transfer = NULL;
    const struct posting posting = {.kind = kind,
                                    .debit = hold->account,
                                    .amount = money_of(hold, hold->remaining_minor),
                                    .origin = hold->number,
                                    .spent_at_us = hold->created_at_us,
                                    .is_reserved = true,
                                    .caller = hold->caller,
                                    .metadata = metadata};
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    CHECK(outcome == LEDGER_APPLIED); /* nothing may forbid it */
    take(hold, transfer->amount, end, transfer->created_at_us);
    CHECK(hold_fault(hold) == NULL);
}

bool ledger_expire_hold(struct ledger *ledger, struct hold *hold, int64_t now_us) {
    CHECK(hold_fault(hold) == NULL);
    if (hold->state != HOLD_HELD || now_us < hold->expires_at_us) return false;
    set_free(ledger, hold, TRANSFER_HOLD_EXPIRY, TEXT(""), HOLD_EXPIRED, now_us);
    return true;
}

/* ---- holding ---- */

static bool is_same_hold(const struct ledger *ledger, const struct hold *hold, const struct hold_command *command) {
    const struct merchant *merchant = ledger_find_merchant_named(ledger, &command->merchant);
    struct id merchant_id = merchant == NULL ? (struct id){{0}} : merchant->account->id;
    int64_t expires_in_us;
    bool is_known = merchant != NULL || !merchant_is_named(&command->merchant);
    return is_known && id_equal(hold->account->user_id, command->user_id) && id_equal(hold->merchant_id, merchant_id) &&
           money_equal(hold->amount, command->amount) &&
           !__builtin_sub_overflow(hold->expires_at_us, hold->created_at_us, &expires_in_us) && expires_in_us == command->expires_in_us;
}

static struct hold *add_hold(struct ledger *ledger, const struct posting *posting, const struct merchant *merchant,
                             const struct transfer *transfer) {
    const struct hold row = {.row_state = ROW_NEW,
                             .number = transfer->sequence,
                             .id = transfer->id,
                             .caller = transfer->caller,
                             .reference = transfer->reference,
                             .account = posting->debit,
                             .merchant_id = merchant == NULL ? (struct id){{0}} : merchant->account->id,
                             .amount = transfer->amount,
                             .state = HOLD_HELD,
                             .remaining_minor = transfer->amount.amount_minor,
                             .created_at_us = transfer->created_at_us,
                             .expires_at_us = transfer->expires_at_us,
                             .updated_at_us = transfer->created_at_us};
    struct result added = ledger_add_hold(ledger, &row);
    CHECK(result_is_ok(added));
    struct hold *hold = ledger_find_hold(ledger, transfer->id);
    CHECK(hold != NULL && hold_fault(hold) == NULL);
    return hold;
}

enum ledger_outcome ledger_hold(struct ledger *ledger, const struct hold_command *command, int64_t now_us, struct hold **ret_hold) {
    CHECK(command->caller.size > 0 && command->reference.size > 0 && command->expires_in_us > 0);
    struct hold *known = ledger_find_hold_by_reference(ledger, command->caller, command->reference);
    if (known != NULL) {
        if (!is_same_hold(ledger, known, command)) return LEDGER_REFERENCE_CONFLICT;
        ledger_expire_hold(ledger, known, now_us);
        *ret_hold = known;
        return LEDGER_REPLAYED;
    }
    enum currency currency = command->amount.currency;
    struct account draft, till_draft;
    struct account *account = ledger_wallet(ledger, command->user_id, currency, now_us, &draft);
    const struct merchant *merchant = ledger_find_merchant_named(ledger, &command->merchant);
    if (account == NULL) return LEDGER_PAYER_NOT_FOUND;
    if (merchant == NULL && merchant_is_named(&command->merchant)) return LEDGER_MERCHANT_NOT_FOUND;
    struct account *till = merchant == NULL ? NULL : ledger_till(ledger, merchant, currency, now_us, &till_draft);
    const struct posting posting = {.kind = TRANSFER_HOLD,
                                    .debit = account,
                                    .credit = till,
                                    .amount = command->amount,
                                    .expires_in_us = command->expires_in_us,
                                    .caller = command->caller,
                                    .reference = command->reference};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return outcome;
    if (till != NULL) ledger_keep_till(ledger, merchant, till);
    *ret_hold = add_hold(ledger, &posting, merchant, transfer);
    return LEDGER_APPLIED;
}

/* ---- its end ---- */

/* The caller's, and HELD still. */
static enum ledger_outcome find_open(struct ledger *ledger, struct text caller, struct id id, int64_t now_us, struct hold **ret_hold) {
    struct hold *hold = ledger_find_hold(ledger, id);
    if (hold == NULL || !text_equal(hold->caller, caller)) return LEDGER_HOLD_NOT_FOUND;
    ledger_expire_hold(ledger, hold, now_us);
    *ret_hold = hold;
    return hold->state == HOLD_HELD ? LEDGER_APPLIED : LEDGER_HOLD_CLOSED;
}

/* Whom a capture pays. */
static enum ledger_outcome find_payee(const struct ledger *ledger, const struct hold *hold, const struct capture_command *command,
                                      const struct merchant **ret_merchant) {
    struct merchant_named named = command->merchant;
    if (!merchant_is_named(&named)) named.id = hold->merchant_id;
    if (!merchant_is_named(&named)) return LEDGER_MERCHANT_REQUIRED;
    const struct merchant *merchant = ledger_find_merchant_named(ledger, &named);
    if (merchant == NULL) return LEDGER_MERCHANT_NOT_FOUND;
    if (!id_is_zero(hold->merchant_id) && !id_equal(merchant->account->id, hold->merchant_id)) return LEDGER_MERCHANT_DIFFERS;
    *ret_merchant = merchant;
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_capture(struct ledger *ledger, const struct capture_command *command, int64_t now_us, struct hold **ret_hold,
                                   const struct transfer **ret_transfer) {
    CHECK(command->amount_minor >= 0 && command->amount_minor <= MONEY_AMOUNT_MAX);
    struct hold *hold = NULL;
    const struct merchant *payee = NULL;
    struct account till_draft;
    enum ledger_outcome outcome = find_open(ledger, command->caller, command->hold_id, now_us, &hold);
    if (outcome != LEDGER_APPLIED) return outcome;
    outcome = find_payee(ledger, hold, command, &payee);
    if (outcome != LEDGER_APPLIED) return outcome;
    int64_t amount_minor = command->amount_minor == 0 ? hold->remaining_minor : command->amount_minor;
    if (amount_minor > hold->remaining_minor) return LEDGER_HOLD_EXCEEDED;
    struct account *till = ledger_till(ledger, payee, hold->amount.currency, now_us, &till_draft);
    const struct posting posting = {.kind = TRANSFER_CAPTURE,
                                    .debit = hold->account,
                                    .credit = till,
                                    .amount = money_of(hold, amount_minor),
                                    .origin = hold->number,
                                    .is_reserved = true,
                                    .caller = command->caller,
                                    .reference = hold->reference};
    outcome = ledger_post(ledger, &posting, now_us, ret_transfer);
    if (outcome != LEDGER_APPLIED) return outcome;
    ledger_keep_till(ledger, payee, till);
    struct money captured;
    struct result added = money_add(money_of(hold, hold->captured_minor), posting.amount, &captured);
    CHECK(result_is_ok(added));
    hold->captured_minor = captured.amount_minor;
    take(hold, posting.amount, HOLD_CAPTURED, (*ret_transfer)->created_at_us);
    if (command->is_final && hold->state == HOLD_HELD)
        set_free(ledger, hold, TRANSFER_HOLD_RELEASE, TEXT(HOLD_FINAL), HOLD_CAPTURED, now_us);
    CHECK(hold_fault(hold) == NULL);
    *ret_hold = hold;
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_release_hold(struct ledger *ledger, struct text caller, struct id hold_id, int64_t now_us,
                                        struct hold **ret_hold) {
    enum ledger_outcome outcome = find_open(ledger, caller, hold_id, now_us, ret_hold);
    if (outcome == LEDGER_APPLIED) set_free(ledger, *ret_hold, TRANSFER_HOLD_RELEASE, TEXT(""), HOLD_RELEASED, now_us);
    return outcome;
}
