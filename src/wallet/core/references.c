#include "wallet/core/references.h"

#include "base/check.h"

void ledger_credit_key(struct text caller, struct text reference, struct ledger_key *ret_key) {
    ret_key->bytes[0] = 'c';
    ret_key->size = 1 + ledger_join_key(caller, reference, ret_key->bytes + 1, sizeof ret_key->bytes - 1);
}

void ledger_named_key(enum transfer_kind kind, struct text caller, struct text reference, struct ledger_key *ret_key) {
    ret_key->bytes[0] = 'n';
    ret_key->bytes[1] = (char)kind;
    ret_key->size = 2 + ledger_join_key(caller, reference, ret_key->bytes + 2, sizeof ret_key->bytes - 2);
}

void ledger_topup_key(int64_t fund_account, struct text reference, struct ledger_key *ret_key) {
    struct text number = {(const char *)&fund_account, sizeof fund_account};
    ret_key->bytes[0] = 't';
    ret_key->size = 1 + ledger_join_key(number, reference, ret_key->bytes + 1, sizeof ret_key->bytes - 1);
}

void ledger_remember(struct ledger *ledger, const struct ledger_key *key, const struct transfer *transfer) {
    struct text text = ledger_key_text(key);
    CHECK(ledger_find_reference(ledger, text) == NULL);
    struct known_reference row = {.key = text,
                                  .debit_account = transfer->debit_account,
                                  .credit_account = transfer->credit_account,
                                  .amount = transfer->amount,
                                  .transaction_id = transfer->id,
                                  .balance_after = transfer->credit_balance_after,
                                  .created_at_us = transfer->created_at_us};
    row.origin = transfer->origin;
    if (transfer->kind >= TRANSFER_PAYMENT) row.description = transfer->description;
    if (transfer->kind >= TRANSFER_PAYMENT) row.metadata = transfer->metadata;
    struct result added = ledger_add_reference(ledger, &row);
    CHECK(result_is_ok(added));
}
