#include "wallet/core/funds.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/references.h"

/* ---- what is true of a fund ---- */

static struct money money_of(const struct fund *fund, int64_t minor) { return (struct money){minor, fund->account->currency}; }

/* credited + remaining + released; false: beyond the range of money. */
static bool add_up(const struct fund *fund, struct money *ret_sum) {
    struct money left;
    return result_is_ok(money_add(money_of(fund, fund->credited_minor), account_balance(fund->account), &left)) &&
           result_is_ok(money_add(left, money_of(fund, fund->released_minor), ret_sum));
}

const char *fund_fault(const struct fund *fund) {
    struct money sum;
    if (fund->account->kind != ACCOUNT_FUND) return "its account is not a fund's";
    if (fund->opened_minor < 1 || fund->funded_minor < fund->opened_minor || fund->credited_minor < 0 || fund->released_minor < 0 ||
        fund->reversed_minor < 0)
        return "an amount is below what it can be";
    if (!add_up(fund, &sum) || sum.amount_minor != fund->funded_minor) return "funded is not credited + remaining + released";
    if (fund->is_released && account_balance(fund->account).amount_minor != 0) return "it is released, but not empty";
    return NULL;
}

/* `minor` is one of the fund's own counters; there is room for the amount. */
static void raise(struct fund *fund, int64_t *minor, struct money amount) {
    struct money sum;
    struct result added = money_add(money_of(fund, *minor), amount, &sum);
    CHECK(result_is_ok(added));
    *minor = sum.amount_minor;
}

static void change(struct fund *fund, int64_t now_us) {
    fund->updated_at_us = now_us;
    row_change(&fund->state);
    CHECK(fund_fault(fund) == NULL);
}

void fund_count_credit(struct fund *fund, const struct transfer *transfer) {
    CHECK(!fund->is_released && transfer->kind == TRANSFER_CREDIT);
    raise(fund, &fund->credited_minor, transfer->amount);
    change(fund, transfer->created_at_us);
}

void ledger_return_to_fund(struct ledger *ledger, struct fund *fund, const struct transfer *transfer) {
    struct money left;
    struct result taken = money_subtract(money_of(fund, fund->credited_minor), transfer->amount, &left);
    CHECK(transfer->credit_account == fund->account->number && result_is_ok(taken) && left.amount_minor >= 0);
    fund->credited_minor = left.amount_minor;
    raise(fund, &fund->reversed_minor, transfer->amount);
    if (fund->is_released) {
        struct account draft;
        struct posting posting = {.kind = TRANSFER_RELEASE,
                                  .debit = fund->account,
                                  .credit = ledger_issuance(ledger, fund->account->currency, transfer->created_at_us, &draft),
                                  .amount = transfer->amount,
                                  .caller = fund->caller,
                                  .reference = fund->reference};
        const struct transfer *onward = NULL;
        enum ledger_outcome outcome = ledger_post(ledger, &posting, transfer->created_at_us, &onward);
        CHECK(outcome == LEDGER_APPLIED); /* issuance has room: this money came from there */
        raise(fund, &fund->released_minor, transfer->amount);
    }
    change(fund, transfer->created_at_us);
}

/* ---- opening ---- */

static struct fund *add_fund(struct ledger *ledger, const struct fund_command *command, struct account *account,
                             const struct transfer *transfer) {
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
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    CHECK(fund != NULL && fund->state == ROW_NEW && fund_fault(fund) == NULL);
    return fund;
}

enum ledger_outcome ledger_open_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund) {
    CHECK(command->caller.size > 0 && command->reference.size > 0);
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    if (fund != NULL) {
        if (!money_equal(money_of(fund, fund->opened_minor), command->amount)) return LEDGER_FUND_REFERENCE_CONFLICT;
        *ret_fund = fund;
        return LEDGER_REPLAYED;
    }
    struct account issuance_draft, account = account_draft(ledger, ACCOUNT_FUND, (struct id){{0}}, command->amount.currency, now_us);
    struct posting posting = {.kind = TRANSFER_OPEN,
                              .debit = ledger_issuance(ledger, command->amount.currency, now_us, &issuance_draft),
                              .credit = &account,
                              .amount = command->amount,
                              .caller = command->caller,
                              .reference = command->reference,
                              .description = command->description};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return outcome;
    *ret_fund = add_fund(ledger, command, ledger_find_account(ledger, account.id), transfer);
    return LEDGER_APPLIED;
}

/* ---- more money ---- */

enum ledger_outcome ledger_topup_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund) {
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    if (fund == NULL) return LEDGER_FUND_NOT_FOUND;
    CHECK(fund_fault(fund) == NULL);
    struct ledger_key key;
    ledger_topup_key(fund->account->number, command->topup_reference, &key);
    const struct known_reference *known = command->topup_reference.size > 0 ? ledger_find_reference(ledger, ledger_key_text(&key)) : NULL;
    *ret_fund = fund;
    if (known != NULL) return money_equal(known->amount, command->amount) ? LEDGER_REPLAYED : LEDGER_REFERENCE_CONFLICT;
    if (fund->is_released) return LEDGER_FUND_RELEASED;
    if (command->amount.currency != fund->account->currency) return LEDGER_CURRENCY_MISMATCH;
    /* All that was ever put in stays a number that every JSON reader can hold. */
    struct money funded;
    if (!result_is_ok(money_add(money_of(fund, fund->funded_minor), command->amount, &funded))) return LEDGER_BALANCE_TOO_LARGE;
    struct account draft;
    struct posting posting = {.kind = TRANSFER_TOPUP,
                              .debit = ledger_issuance(ledger, command->amount.currency, now_us, &draft),
                              .credit = fund->account,
                              .amount = command->amount,
                              .caller = command->caller,
                              .reference = command->topup_reference};
    const struct transfer *transfer = NULL;
    enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
    if (outcome != LEDGER_APPLIED) return outcome;
    fund->funded_minor = funded.amount_minor;
    change(fund, transfer->created_at_us);
    if (command->topup_reference.size > 0) ledger_remember(ledger, &key, transfer);
    return LEDGER_APPLIED;
}

/* ---- the end ---- */

enum ledger_outcome ledger_release_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund) {
    struct fund *fund = ledger_find_fund(ledger, command->caller, command->reference);
    if (fund == NULL) return LEDGER_FUND_NOT_FOUND;
    CHECK(fund_fault(fund) == NULL);
    *ret_fund = fund;
    if (fund->is_released) return LEDGER_REPLAYED;
    struct money rest = account_available(fund->account);
    if (rest.amount_minor > 0) {
        struct account draft;
        struct posting posting = {.kind = TRANSFER_RELEASE,
                                  .debit = fund->account,
                                  .credit = ledger_issuance(ledger, fund->account->currency, now_us, &draft),
                                  .amount = rest,
                                  .caller = command->caller,
                                  .reference = command->reference};
        const struct transfer *transfer = NULL;
        enum ledger_outcome outcome = ledger_post(ledger, &posting, now_us, &transfer);
        if (outcome != LEDGER_APPLIED) return outcome;
        raise(fund, &fund->released_minor, rest);
    }
    fund->is_released = true;
    change(fund, now_us);
    return LEDGER_APPLIED;
}
