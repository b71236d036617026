/* Credits, funds, and transfers between users. */
#include "base/check.h"
#include "base/planted.h"
#include "wallet/ledger.h"

static void remember(struct ledger *ledger, const struct ledger_key *key, const struct transfer *transfer) {
    struct known_reference row = {.key = ledger_key_text(key),
                                  .debit_account = transfer->debit_account,
                                  .credit_account = transfer->credit_account,
                                  .amount = transfer->amount,
                                  .transaction_id = transfer->id,
                                  .balance_after = transfer->credit_balance_after,
                                  .created_at_us = transfer->created_at_us};
    struct result added = ledger_add_reference(ledger, &row);
    CHECK(result_is_ok(added));
}

static void touch_fund(struct fund *fund, int64_t now_us) {
    fund->updated_at_us = now_us;
    if (fund->state == ROW_KEPT) fund->state = ROW_CHANGED;
    CHECK(fund->funded_minor == fund->credited_minor + fund->released_minor + account_balance(fund->account));
}

static bool is_same_credit(const struct ledger *ledger, const struct known_reference *known, struct text caller,
                           const struct credit_item *item) {
    const struct account *account = ledger_find_account_of_user(ledger, item->user_id);
    if (account == NULL || account->number != known->credit_account || !money_equal(known->amount, item->amount)) return false;
    if (item->fund.size == 0) return ledger->issuance != NULL && known->debit_account == ledger->issuance->number;
    const struct fund *fund = ledger_find_fund(ledger, caller, item->fund);
    return fund != NULL && known->debit_account == fund->account->number;
}

static struct credit_outcome credit_outcome_of(enum ledger_outcome outcome, const struct known_reference *known) {
    return (struct credit_outcome){outcome, known->transaction_id, known->balance_after, known->created_at_us};
}

struct credit_outcome ledger_credit(struct ledger *ledger, struct text caller, const struct credit_item *item, int64_t now_us) {
    struct ledger_key key;
    ledger_credit_key(caller, item->reference, &key);
    const struct known_reference *known = ledger_find_reference(ledger, ledger_key_text(&key));
    if (known != NULL && !PLANTED(REFERENCE_NOT_RECOGNISED)) {
        if (is_same_credit(ledger, known, caller, item)) return credit_outcome_of(LEDGER_REPLAYED, known);
        return (struct credit_outcome){.outcome = LEDGER_REFERENCE_CONFLICT};
    }
    struct account *account = ledger_find_account_of_user(ledger, item->user_id);
    if (account == NULL) return (struct credit_outcome){.outcome = LEDGER_USER_NOT_FOUND};
    struct fund *fund = NULL;
    if (item->fund.size > 0) {
        fund = ledger_find_fund(ledger, caller, item->fund);
        if (fund == NULL) return (struct credit_outcome){.outcome = LEDGER_FUND_NOT_FOUND};
        if (fund->is_released) return (struct credit_outcome){.outcome = LEDGER_FUND_RELEASED};
    }
    if (item->amount.currency != ledger->currency) return (struct credit_outcome){.outcome = LEDGER_CURRENCY_MISMATCH};
    CHECK(ledger->issuance != NULL);
    struct posting posting = {.kind = TRANSFER_CREDIT,
                              .debit = fund != NULL && !PLANTED(CREDIT_OUT_OF_NOTHING) ? fund->account : ledger->issuance,
                              .credit = account,
                              .amount = item->amount,
                              .caller = caller,
                              .reference = item->reference,
                              .description = item->description,
                              .metadata = item->metadata};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return (struct credit_outcome){.outcome = outcome};
    if (fund != NULL) {
        fund->credited_minor += item->amount.amount_minor;
        touch_fund(fund, transfer->created_at_us);
    }
    remember(ledger, &key, transfer);
    return (struct credit_outcome){LEDGER_APPLIED, transfer->id, transfer->credit_balance_after, transfer->created_at_us};
}

enum ledger_outcome ledger_open_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund) {
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    if (fund != NULL) {
        struct money opened = {fund->opened_minor, fund->account->currency};
        if (!money_equal(opened, command->amount)) return LEDGER_FUND_REFERENCE_CONFLICT;
        *ret_fund = fund;
        return LEDGER_REPLAYED;
    }
    if (command->amount.currency != ledger->currency) return LEDGER_CURRENCY_MISMATCH;
    CHECK(ledger->issuance != NULL);
    /* Asked before the account is opened, because a refused command changes nothing. */
    if (account_available(ledger->issuance) - command->amount.amount_minor < ledger->issuance->floor_minor) return LEDGER_BALANCE_TOO_LARGE;
    if (ledger->issuance->is_frozen) return LEDGER_ACCOUNT_FROZEN;

    struct account *account = ledger_open_account(ledger, ACCOUNT_FUND, (struct id){{0}}, ledger->currency, now_us);
    struct posting posting = {.kind = TRANSFER_OPEN,
                              .debit = ledger->issuance,
                              .credit = account,
                              .amount = command->amount,
                              .caller = command->caller,
                              .reference = command->reference,
                              .description = command->description};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    CHECK(outcome == LEDGER_APPLIED);
    struct fund row = {.state = ROW_NEW,
                       .caller = command->caller,
                       .reference = command->reference,
                       .account = account,
                       .opened_minor = command->amount.amount_minor,
                       .funded_minor = command->amount.amount_minor,
                       .description = command->description,
                       .created_at_us = transfer->created_at_us,
                       .updated_at_us = transfer->created_at_us};
    struct result added = ledger_add_fund(ledger, &row);
    CHECK(result_is_ok(added));
    *ret_fund = ledger_find_fund(ledger, command->caller, command->reference);
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_topup_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund) {
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    if (fund == NULL) return LEDGER_FUND_NOT_FOUND;
    struct ledger_key key;
    ledger_topup_key(fund->account->number, command->topup_reference, &key);
    const struct known_reference *known = command->topup_reference.size > 0 ? ledger_find_reference(ledger, ledger_key_text(&key)) : NULL;
    *ret_fund = fund;
    if (known != NULL) return money_equal(known->amount, command->amount) ? LEDGER_REPLAYED : LEDGER_REFERENCE_CONFLICT;
    if (fund->is_released) return LEDGER_FUND_RELEASED;
    if (command->amount.currency != fund->account->currency) return LEDGER_CURRENCY_MISMATCH;
    /* All that was ever put in stays a number that every JSON reader can hold. */
    if (fund->funded_minor > MONEY_AMOUNT_MAX - command->amount.amount_minor) return LEDGER_BALANCE_TOO_LARGE;
    CHECK(ledger->issuance != NULL);
    struct posting posting = {.kind = TRANSFER_TOPUP,
                              .debit = ledger->issuance,
                              .credit = fund->account,
                              .amount = command->amount,
                              .caller = command->caller,
                              .reference = command->topup_reference};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return outcome;
    fund->funded_minor += command->amount.amount_minor;
    touch_fund(fund, transfer->created_at_us);
    if (command->topup_reference.size > 0) remember(ledger, &key, transfer);
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_release_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund) {
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    if (fund == NULL) return LEDGER_FUND_NOT_FOUND;
    *ret_fund = fund;
    if (fund->is_released) return LEDGER_REPLAYED;
    CHECK(ledger->issuance != NULL);
    int64_t rest = account_available(fund->account);
    if (rest > 0) {
        struct posting posting = {.kind = TRANSFER_RELEASE,
                                  .debit = fund->account,
                                  .credit = ledger->issuance,
                                  .amount = {rest, fund->account->currency},
                                  .caller = command->caller,
                                  .reference = command->reference};
        const struct transfer *transfer = NULL;
        enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
        if (outcome != LEDGER_APPLIED) return outcome;
        fund->released_minor += rest;
    }
    fund->is_released = true;
    touch_fund(fund, now_us);
    return LEDGER_APPLIED;
}

static struct account *find_recipient(const struct ledger *ledger, const struct transfer_command *command) {
    const struct user *user = NULL;
    switch (command->recipient) {
    case RECIPIENT_USERNAME: user = ledger_find_user_by_name(ledger, command->recipient_name); break;
    case RECIPIENT_PHONE: user = ledger_find_user_by_phone(ledger, &command->recipient_phone); break;
    case RECIPIENT_ACCOUNT: {
        struct account *account = ledger_find_account(ledger, command->recipient_account);
        return account != NULL && account->kind == ACCOUNT_USER ? account : NULL;
    }
    }
    return user == NULL ? NULL : ledger_find_account_of_user(ledger, user->id);
}

enum ledger_outcome ledger_transfer(struct ledger *ledger, const struct transfer_command *command, int64_t now_us,
                                    const struct transfer **ret_transfer) {
    struct account *sender = ledger_find_account_of_user(ledger, command->user_id);
    if (sender == NULL) return LEDGER_USER_NOT_FOUND;
    struct account *recipient = find_recipient(ledger, command);
    if (recipient == NULL) return LEDGER_RECIPIENT_NOT_FOUND;
    if (recipient == sender) return LEDGER_SAME_ACCOUNT;
    struct posting posting = {
        .kind = TRANSFER_USER, .debit = sender, .credit = recipient, .amount = command->amount, .description = command->description};
    return ledger_post(ledger, &posting, now_us, ret_transfer);
}
