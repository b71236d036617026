#include "wallet/core/adjustments.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/references.h"

static bool is_same_adjustment(const struct known_reference *known, const struct posting *posting) {
    return known->debit_account == posting->debit->number && known->credit_account == posting->credit->number &&
           money_equal(known->amount, posting->amount) && text_equal(known->description, posting->description);
}

struct adjustment_outcome ledger_adjust(struct ledger *ledger, const struct adjustment_command *command, int64_t now_us) {
    CHECK(command->caller.size > 0);
    struct account draft;
    struct account *account = ledger_find_account(ledger, command->account_id);
    if (account == NULL) return (struct adjustment_outcome){.outcome = LEDGER_ACCOUNT_NOT_FOUND};
    if (account->kind != ACCOUNT_USER && account->kind != ACCOUNT_MERCHANT)
        return (struct adjustment_outcome){.outcome = LEDGER_ACCOUNT_OF_BOOKS};
    struct account *issuance = ledger_issuance(ledger, account->currency, now_us, &draft);
    const struct posting posting = {.kind = TRANSFER_ADJUSTMENT,
                                    .debit = command->is_credit ? issuance : account,
                                    .credit = command->is_credit ? account : issuance,
                                    .amount = command->amount,
                                    .caller = command->caller,
                                    .reference = command->reference,
                                    .description = command->reason};
    struct ledger_key key;
    ledger_named_key(TRANSFER_ADJUSTMENT, command->caller, command->reference, &key);
    const struct known_reference *known = command->reference.size > 0 ? ledger_find_reference(ledger, ledger_key_text(&key)) : NULL;
    if (known != NULL) {
        if (!is_same_adjustment(known, &posting)) return (struct adjustment_outcome){.outcome = LEDGER_REFERENCE_CONFLICT};
        return (struct adjustment_outcome){LEDGER_REPLAYED, known->transaction_id, known->created_at_us};
    }
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return (struct adjustment_outcome){.outcome = outcome};
    if (command->reference.size > 0) ledger_remember(ledger, &key, transfer);
    return (struct adjustment_outcome){LEDGER_APPLIED, transfer->id, transfer->created_at_us};
}
