#include "wallet/core/transfers.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/chain.h"
#include "wallet/core/users.h"

/* ---- may it be? ---- */

static enum ledger_outcome refusal_below_floor(const struct account *account) {
    switch (account->kind) {
    case ACCOUNT_USER: return LEDGER_INSUFFICIENT_FUNDS;
    case ACCOUNT_FUND: return LEDGER_FUND_EXHAUSTED;
    case ACCOUNT_ISSUANCE: return LEDGER_BALANCE_TOO_LARGE;
    }
    return LEDGER_BALANCE_TOO_LARGE;
}

/* What is reserved to leave counts as gone. */
static bool has_room_to_give(const struct account *account, struct money amount) {
    struct money rest;
    return result_is_ok(money_subtract(account_available(account), amount, &rest)) && rest.amount_minor >= account->floor_minor;
}

/* What is reserved to come counts against the ceiling. */
static bool has_room_to_take(const struct account *account, struct money amount) {
    struct money expected, sum, coming = {account->credits_pending, account->currency};
    return result_is_ok(money_add(account_balance(account), coming, &expected)) && result_is_ok(money_add(expected, amount, &sum));
}

enum ledger_outcome posting_outcome(const struct posting *posting) {
    const struct account *debit = posting->debit, *credit = posting->credit;
    struct money amount = posting->amount;
    CHECK(amount.amount_minor >= 1 && amount.amount_minor <= MONEY_AMOUNT_MAX && debit != credit);
    CHECK(account_fault(debit) == NULL && account_fault(credit) == NULL);
    if (debit->currency != amount.currency || credit->currency != amount.currency) return LEDGER_CURRENCY_MISMATCH;
    if (debit->is_frozen || credit->is_frozen) return LEDGER_ACCOUNT_FROZEN;
    if (!has_room_to_give(debit, amount)) return refusal_below_floor(debit);
    if (!has_room_to_take(credit, amount)) return LEDGER_BALANCE_TOO_LARGE;
    int64_t total;
    bool fits = result_is_ok(money_add_to_total(debit->debits_posted, amount, &total)) &&
                result_is_ok(money_add_to_total(credit->credits_posted, amount, &total));
    return fits ? LEDGER_APPLIED : LEDGER_BALANCE_TOO_LARGE;
}

/* ---- it is ---- */

static void apply(int64_t *total_minor, struct money amount, struct account *account, int64_t now_us) {
    struct result added = money_add_to_total(*total_minor, amount, total_minor);
    CHECK(result_is_ok(added)); /* posting_outcome has tried it */
    account->sequence++;
    account->updated_at_us = now_us;
    row_change(&account->state);
    CHECK(account_fault(account) == NULL);
}

static bool is_sum(struct money a, struct money b, struct money expected) {
    struct money sum;
    return result_is_ok(money_add(a, b, &sum)) && money_equal(sum, expected);
}

enum ledger_outcome ledger_post(struct ledger *ledger, const struct posting *posting, int64_t now_us,
                                const struct transfer **ret_transfer) {
    enum ledger_outcome outcome = posting_outcome(posting);
    if (outcome != LEDGER_APPLIED) return outcome;

    struct account *debit = posting->debit, *credit = posting->credit;
    struct money debit_before = account_balance(debit), credit_before = account_balance(credit);
    /* Time never goes back along the chain, not even when the clock did between two starts. */
    if (now_us < ledger->head.created_at_us) now_us = ledger->head.created_at_us;
    apply(&debit->debits_posted, posting->amount, debit, now_us);
    apply(&credit->credits_posted, posting->amount, credit, now_us);
    CHECK(is_sum(account_balance(debit), posting->amount, debit_before)); /* what one gave is what the other got */
    CHECK(is_sum(credit_before, posting->amount, account_balance(credit)));

    struct transfer *transfer = ledger_add_transfer(ledger);
    *transfer = (struct transfer){
        .id = id_make(ledger->ids, now_us),
        .kind = posting->kind,
        .debit_account = debit->number,
        .debit_sequence = debit->sequence,
        .debit_balance_after = account_balance(debit).amount_minor,
        .credit_account = credit->number,
        .credit_sequence = credit->sequence,
        .credit_balance_after = account_balance(credit).amount_minor,
        .amount = posting->amount,
        .caller = posting->caller,
        .reference = posting->reference,
        .description = posting->description,
        .metadata = posting->metadata,
        .created_at_us = now_us,
    };
    chain_append(&ledger->head, transfer);
    *ret_transfer = transfer;
    return LEDGER_APPLIED;
}

/* ---- from a user to another ---- */

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
    struct posting posting = {.kind = TRANSFER_USER,
                              .debit = sender,
                              .credit = recipient,
                              .amount = command->amount,
                              .description = command->description,
                              .metadata = command->metadata};
    return ledger_post(ledger, &posting, now_us, ret_transfer);
}

const char *transfer_kind_name(enum transfer_kind kind) {
    switch (kind) {
    case TRANSFER_CREDIT: return "credit";
    case TRANSFER_USER: return "transfer";
    case TRANSFER_OPEN: return "fund_open";
    case TRANSFER_TOPUP: return "fund_topup";
    case TRANSFER_RELEASE: return "fund_release";
    }
    return "unknown";
}
