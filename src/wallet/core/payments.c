#include "wallet/core/payments.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/references.h"

/* What the reference stood for the first time, in all that a service may say of a payment. */
static bool is_same_payment(const struct known_reference *known, const struct account *user, const struct account *till,
                            const struct payment_command *command) {
    return user != NULL && till != NULL && known->debit_account == user->number && known->credit_account == till->number &&
           money_equal(known->amount, command->amount) && text_equal(known->description, command->description) &&
           text_equal(known->metadata, command->metadata);
}

struct payment_outcome ledger_pay(struct ledger *ledger, const struct payment_command *command, int64_t now_us) {
    CHECK(command->caller.size > 0 && command->reference.size > 0);
    enum currency currency = command->amount.currency;
    struct account user_draft, till_draft, *till = NULL;
    struct account *user = ledger_wallet(ledger, command->user_id, currency, now_us, &user_draft);
    const struct merchant *merchant = ledger_find_merchant_named(ledger, &command->merchant);
    if (merchant != NULL) till = ledger_till(ledger, merchant, currency, now_us, &till_draft);
    struct ledger_key key;
    ledger_named_key(TRANSFER_PAYMENT, command->caller, command->reference, &key);
    const struct known_reference *known = ledger_find_reference(ledger, ledger_key_text(&key));
    if (known != NULL) {
        if (!is_same_payment(known, user, till, command)) return (struct payment_outcome){.outcome = LEDGER_REFERENCE_CONFLICT};
        return (struct payment_outcome){LEDGER_REPLAYED, known->transaction_id, merchant->account->id, known->created_at_us};
    }
    if (user == NULL) return (struct payment_outcome){.outcome = LEDGER_PAYER_NOT_FOUND};
    if (merchant == NULL) return (struct payment_outcome){.outcome = LEDGER_MERCHANT_NOT_FOUND};
    struct posting posting = {.kind = TRANSFER_PAYMENT,
                              .debit = user,
                              .credit = till,
                              .amount = command->amount,
                              .caller = command->caller,
                              .reference = command->reference,
                              .description = command->description,
                              .metadata = command->metadata};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return (struct payment_outcome){.outcome = outcome};
    ledger_keep_till(ledger, merchant, till);
    ledger_remember(ledger, &key, transfer);
    return (struct payment_outcome){LEDGER_APPLIED, transfer->id, merchant->account->id, transfer->created_at_us};
}
