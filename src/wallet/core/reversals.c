#include "wallet/core/reversals.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/funds.h"
#include "wallet/core/references.h"

static struct money money_left(const struct original *original) {
    struct money left;
    struct money reversed = {original->reversed_minor, original->amount.currency};
    struct result subtracted = money_subtract(original->amount, reversed, &left);
    CHECK(result_is_ok(subtracted) && left.amount_minor >= 0);
    return left;
}

const char *original_fault(const struct original *original) {
    if (original->sequence < 1 || original->amount.amount_minor < 1) return "its number or its amount is below what it can be";
    if (original->reversed_minor < 0 || original->reversed_minor > original->amount.amount_minor)
        return "more was taken back than it moved";
    if ((original->reversed_minor == 0) != id_is_zero(original->reversal_id)) return "what was taken back does not fit its reversals";
    return NULL;
}

/* The fund that paid, of the working set; NULL: none did. */
static struct fund *fund_of(const struct ledger *ledger, const struct original *original) {
    if (original->fund_reference.size == 0) return NULL;
    struct fund *fund = ledger_find_fund(ledger, original->caller, original->fund_reference);
    CHECK(fund != NULL && id_equal(fund->account->id, original->debit_id));
    return fund;
}

/* Posts, counts it, and remembers it within the batch. The accounts are in the working set. */
static enum ledger_outcome take_back(struct ledger *ledger, struct original *original, struct posting *posting, int64_t now_us,
                                     const struct transfer **ret_transfer) {
    struct fund *fund = fund_of(ledger, original);
    posting->debit = ledger_find_account(ledger, original->credit_id);
    posting->credit = fund != NULL ? fund->account : ledger_find_account(ledger, original->debit_id);
    posting->origin = original->sequence;
    posting->spent_at_us = original->spent_at_us;
    CHECK(posting->debit != NULL && posting->credit != NULL);
    /* What goes on from there must have where to go. */
    const struct account *issuance = ledger->issuances[original->amount.currency];
    if (fund != NULL && fund->is_released && issuance != NULL && issuance->is_frozen) return LEDGER_ACCOUNT_FROZEN;
    enum ledger_outcome outcome = ledger_post(ledger, posting, now_us, ret_transfer);
    if (outcome != LEDGER_APPLIED) return outcome;
    const struct transfer *transfer = *ret_transfer;
    struct money reversed;
    struct result added = money_add((struct money){original->reversed_minor, posting->amount.currency}, posting->amount, &reversed);
    CHECK(result_is_ok(added));
    original->reversed_minor = reversed.amount_minor;
    original->reversal_id = transfer->id;
    original->reversal_balance_after = transfer->debit_balance_after;
    original->reversal_created_at_us = transfer->created_at_us;
    CHECK(original_fault(original) == NULL);
    if (fund != NULL) ledger_return_to_fund(ledger, fund, transfer);
    return LEDGER_APPLIED;
}

struct credit_reversal_outcome ledger_reverse_credit(struct ledger *ledger, struct text caller, const struct credit_reversal_item *item,
                                                     int64_t now_us) {
    CHECK(caller.size > 0 && item->reference.size > 0);
    struct original *original = ledger_find_credit(ledger, caller, item->reference);
    if (original == NULL) return (struct credit_reversal_outcome){.outcome = LEDGER_CREDIT_NOT_FOUND};
    CHECK(original->kind == TRANSFER_CREDIT && original_fault(original) == NULL);
    struct posting posting = {.kind = TRANSFER_CREDIT_REVERSAL,
                              .amount = money_left(original),
                              .caller = caller,
                              .reference = item->reference,
                              .description = item->reason};
    const struct transfer *transfer = NULL;
    bool is_done = posting.amount.amount_minor == 0;
    enum ledger_outcome outcome = is_done ? LEDGER_REPLAYED : take_back(ledger, original, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED && outcome != LEDGER_REPLAYED) return (struct credit_reversal_outcome){.outcome = outcome};
    return (struct credit_reversal_outcome){outcome, original->reversal_id, original->reversal_balance_after,
                                            original->reversal_created_at_us};
}

/* ---- by a transaction's id ---- */

/* NULL: there is none, or it is nobody's business. */
static struct original *find_original(const struct ledger *ledger, const struct reversal_command *command) {
    struct original *original = ledger_find_original(ledger, command->transaction_id);
    if (original == NULL || !transfer_kind_moves(original->kind)) return NULL;
    return command->is_admin || text_equal(original->caller, command->caller) ? original : NULL;
}

static bool is_same_reversal(const struct known_reference *known, const struct original *original, const struct reversal_command *command) {
    bool is_same_amount = command->amount_minor == 0 || command->amount_minor == known->amount.amount_minor;
    return original != NULL && known->origin == original->sequence && is_same_amount && text_equal(known->description, command->reason);
}

static enum ledger_outcome reversal_refusal(const struct original *original, const struct reversal_command *command) {
    if (original == NULL) return LEDGER_TRANSACTION_NOT_FOUND;
    if (!transfer_kind_is_reversible(original->kind)) return LEDGER_NOT_REVERSIBLE;
    int64_t left_minor = money_left(original).amount_minor;
    return left_minor == 0 || command->amount_minor > left_minor ? LEDGER_REVERSAL_EXCEEDS_ORIGINAL : LEDGER_APPLIED;
}

struct reversal_outcome ledger_reverse(struct ledger *ledger, const struct reversal_command *command, int64_t now_us) {
    CHECK(command->caller.size > 0 && command->amount_minor >= 0 && command->amount_minor <= MONEY_AMOUNT_MAX);
    CHECK(command->is_admin || !command->may_overdraw);
    struct original *original = find_original(ledger, command);
    struct ledger_key key;
    ledger_named_key(TRANSFER_REVERSAL, command->caller, command->reference, &key);
    const struct known_reference *known = command->reference.size > 0 ? ledger_find_reference(ledger, ledger_key_text(&key)) : NULL;
    if (known != NULL) {
        if (!is_same_reversal(known, original, command)) return (struct reversal_outcome){.outcome = LEDGER_REFERENCE_CONFLICT};
        return (struct reversal_outcome){LEDGER_REPLAYED, known->transaction_id, known->amount, known->created_at_us};
    }
    enum ledger_outcome outcome = reversal_refusal(original, command);
    if (outcome != LEDGER_APPLIED) return (struct reversal_outcome){.outcome = outcome};
    struct posting posting = {.kind = TRANSFER_REVERSAL,
                              .amount = money_left(original),
                              .may_overdraw = command->may_overdraw,
                              .caller = command->caller,
                              .reference = command->reference,
                              .description = command->reason};
    if (command->amount_minor != 0) posting.amount.amount_minor = command->amount_minor;
    const struct transfer *transfer = NULL;
    outcome = take_back(ledger, original, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return (struct reversal_outcome){.outcome = outcome};
    if (command->reference.size > 0) ledger_remember(ledger, &key, transfer);
    return (struct reversal_outcome){LEDGER_APPLIED, transfer->id, transfer->amount, transfer->created_at_us};
}
