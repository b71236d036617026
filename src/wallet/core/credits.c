#include "wallet/core/credits.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/funds.h"
#include "wallet/core/references.h"

static bool is_same_credit(const struct ledger *ledger, const struct known_reference *known, struct text caller,
                           const struct credit_item *item) {
    const struct account *account = ledger_find_wallet(ledger, item->user_id, item->amount.currency);
    if (account == NULL || account->number != known->credit_account || !money_equal(known->amount, item->amount)) return false;
    const struct account *issuance = ledger->issuances[item->amount.currency];
    if (item->fund.size == 0) return issuance != NULL && known->debit_account == issuance->number;
    const struct fund *fund = ledger_find_fund(ledger, caller, item->fund);
    return fund != NULL && known->debit_account == fund->account->number;
}

static struct credit_outcome outcome_of(enum ledger_outcome outcome, const struct known_reference *known) {
    return (struct credit_outcome){.outcome = outcome,
                                   .transaction_id = known->transaction_id,
                                   .balance_after = known->balance_after,
                                   .created_at_us = known->created_at_us};
}

/* Either may be what this credit opens. */
struct sides {
    struct account issuance, wallet;
};

/* Where the money comes from and goes to; `ret_fund` NULL: out of issuance. */
static enum ledger_outcome find_sides(struct ledger *ledger, struct text caller, const struct credit_item *item, int64_t now_us,
                                      struct fund **ret_fund, struct posting *posting, struct sides *drafts) {
    posting->credit = ledger_wallet(ledger, item->user_id, item->amount.currency, now_us, &drafts->wallet);
    if (posting->credit == NULL) return LEDGER_USER_NOT_FOUND;
    *ret_fund = item->fund.size > 0 ? ledger_find_fund(ledger, caller, item->fund) : NULL;
    if (item->fund.size > 0 && *ret_fund == NULL) return LEDGER_FUND_NOT_FOUND;
    if (*ret_fund != NULL && (*ret_fund)->is_released) return LEDGER_FUND_RELEASED;
    posting->debit = *ret_fund != NULL ? (*ret_fund)->account : ledger_issuance(ledger, item->amount.currency, now_us, &drafts->issuance);
    return LEDGER_APPLIED;
}

struct credit_outcome ledger_credit(struct ledger *ledger, struct text caller, const struct credit_item *item, int64_t now_us) {
    CHECK(caller.size > 0 && item->reference.size > 0);
    struct ledger_key key;
    ledger_credit_key(caller, item->reference, &key);
    const struct known_reference *known = ledger_find_reference(ledger, ledger_key_text(&key));
    if (known != NULL) {
        if (is_same_credit(ledger, known, caller, item)) return outcome_of(LEDGER_REPLAYED, known);
        return (struct credit_outcome){.outcome = LEDGER_REFERENCE_CONFLICT};
    }
    struct sides drafts;
    struct fund *fund = NULL;
    struct posting posting = {.kind = TRANSFER_CREDIT,
                              .amount = item->amount,
                              .caller = caller,
                              .reference = item->reference,
                              .description = item->description,
                              .metadata = item->metadata};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = find_sides(ledger, caller, item, now_us, &fund, &posting, &drafts);
    if (outcome == LEDGER_APPLIED) outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome == LEDGER_CEILING_REACHED) return (struct credit_outcome){.outcome = outcome, .reached = ledger->reached};
    if (outcome != LEDGER_APPLIED) return (struct credit_outcome){.outcome = outcome};
    if (fund != NULL) fund_count_credit(fund, transfer);
    ledger_remember(ledger, &key, transfer);
    return (struct credit_outcome){.outcome = LEDGER_APPLIED,
                                   .transaction_id = transfer->id,
                                   .balance_after = transfer->credit_balance_after,
                                   .created_at_us = transfer->created_at_us};
}
