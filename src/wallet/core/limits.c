#include "wallet/core/limits.h"

#include <stddef.h>

#include "base/check.h"

bool limits_any(const struct limits *limits) {
    return limits->ceiling_minor != LIMIT_NONE || limits->per_transaction_minor != LIMIT_NONE || limits->daily_minor != LIMIT_NONE ||
           limits->monthly_minor != LIMIT_NONE;
}

bool limits_equal(const struct limits *a, const struct limits *b) {
    return a->ceiling_minor == b->ceiling_minor && a->per_transaction_minor == b->per_transaction_minor &&
           a->daily_minor == b->daily_minor && a->monthly_minor == b->monthly_minor;
}

static bool counts(const struct account *account) {
    return account->is_limited && (account->limits.daily_minor != LIMIT_NONE || account->limits.monthly_minor != LIMIT_NONE);
}

/* ---- days and months ---- */

static bool is_within(const struct period *period, int64_t moment_us) {
    return moment_us >= period->from_us && moment_us < period->until_us;
}

static void find_periods(struct ledger *ledger, int64_t now_us) {
    if (is_within(&ledger->day, now_us) && is_within(&ledger->month, now_us)) return;
    CHECK(ledger->calendar.find != NULL);
    ledger->calendar.find(ledger->calendar.zone, now_us, &ledger->day, &ledger->month);
    CHECK(is_within(&ledger->day, now_us) && is_within(&ledger->month, now_us));
}

struct spent limits_spent(struct ledger *ledger, const struct account *account, int64_t now_us) {
    find_periods(ledger, now_us);
    struct spent spent = account->spent;
    if (spent.day_from_us != ledger->day.from_us) spent.day_minor = 0;
    if (spent.month_from_us != ledger->month.from_us) spent.month_minor = 0;
    spent.day_from_us = ledger->day.from_us;
    spent.month_from_us = ledger->month.from_us;
    return spent;
}

/* ---- may it be? ---- */

/* Of who is below zero, more is left of a ceiling than it is: up to all that money can be. */
static int64_t left_of(int64_t limit_minor, int64_t used_minor, enum currency currency) {
    struct money left;
    if (used_minor >= limit_minor) return 0;
    struct result subtracted = money_subtract((struct money){limit_minor, currency}, (struct money){used_minor, currency}, &left);
    return result_is_ok(subtracted) ? left.amount_minor : MONEY_AMOUNT_MAX;
}

static enum ledger_outcome reach(struct ledger *ledger, enum ledger_outcome outcome, int64_t limit_minor, int64_t left_minor,
                                 int64_t until_us) {
    ledger->reached = (struct limit_reached){limit_minor, left_minor, until_us};
    return outcome;
}

void limits_reach_floor(struct ledger *ledger, const struct account *account) {
    int64_t available_minor = account_available(account).amount_minor;
    (void)reach(ledger, LEDGER_FLOOR_REACHED, account->floor_minor, left_of(available_minor, account->floor_minor, account->currency), 0);
}

/* What is held stays in the balance until it is captured, and what is to come is as good as there. */
static enum ledger_outcome taking_outcome(struct ledger *ledger, const struct account *account, struct money amount) {
    int64_t ceiling_minor = account->limits.ceiling_minor;
    struct money expected, coming = {account->credits_pending, account->currency};
    struct result added = money_add(account_balance(account), coming, &expected);
    CHECK(result_is_ok(added)); /* account_fault has looked at it */
    int64_t left_minor = left_of(ceiling_minor, expected.amount_minor, account->currency);
    if (amount.amount_minor <= left_minor) return LEDGER_APPLIED;
    return reach(ledger, LEDGER_CEILING_REACHED, ceiling_minor, left_minor, 0);
}

static enum ledger_outcome spending_outcome(struct ledger *ledger, const struct account *account, struct money amount, int64_t now_us) {
    const struct limits *limits = &account->limits;
    int64_t minor = amount.amount_minor, total;
    if (limits->per_transaction_minor != LIMIT_NONE && minor > limits->per_transaction_minor)
        return reach(ledger, LEDGER_LIMIT_PER_TRANSACTION, limits->per_transaction_minor, limits->per_transaction_minor, 0);
    if (!counts(account)) return LEDGER_APPLIED;
    struct spent spent = limits_spent(ledger, account, now_us);
    int64_t day_left = left_of(limits->daily_minor, spent.day_minor, account->currency),
            month_left = left_of(limits->monthly_minor, spent.month_minor, account->currency);
    if (limits->daily_minor != LIMIT_NONE && minor > day_left)
        return reach(ledger, LEDGER_LIMIT_DAILY, limits->daily_minor, day_left, ledger->day.until_us);
    if (limits->monthly_minor != LIMIT_NONE && minor > month_left)
        return reach(ledger, LEDGER_LIMIT_MONTHLY, limits->monthly_minor, month_left, ledger->month.until_us);
    bool fits = result_is_ok(money_add_to_total(spent.day_minor, amount, &total)) &&
                result_is_ok(money_add_to_total(spent.month_minor, amount, &total));
    return fits ? LEDGER_APPLIED : LEDGER_BALANCE_TOO_LARGE;
}

enum ledger_outcome limits_outcome(struct ledger *ledger, const struct posting *posting, int64_t now_us) {
    const struct account *debit = posting->debit, *credit = posting->credit;
    enum ledger_outcome outcome = LEDGER_APPLIED;
    bool takes = credit != NULL && credit->is_limited && transfer_kind_moves(posting->kind);
    if (takes && credit->limits.ceiling_minor != LIMIT_NONE) outcome = taking_outcome(ledger, credit, posting->amount);
    if (outcome == LEDGER_APPLIED && debit->is_limited && transfer_kind_spends(posting->kind))
        outcome = spending_outcome(ledger, debit, posting->amount, now_us);
    return outcome;
}

/* ---- it was ---- */

/* A sum that is too low is a broken row, which verify names: nobody gains by it more than that. */
static void give_back(int64_t *sum_minor, struct money amount) {
    int64_t rest_minor = money_between_totals(*sum_minor, amount.amount_minor, amount.currency).amount_minor;
    *sum_minor = rest_minor > 0 ? rest_minor : 0;
}

static void return_spent(struct ledger *ledger, struct account *account, const struct posting *posting, int64_t now_us) {
    account->spent = limits_spent(ledger, account, now_us);
    if (posting->spent_at_us >= account->spent.day_from_us) give_back(&account->spent.day_minor, posting->amount);
    if (posting->spent_at_us >= account->spent.month_from_us) give_back(&account->spent.month_minor, posting->amount);
    account->terms_changed = true;
}

void limits_count(struct ledger *ledger, const struct posting *posting, int64_t now_us) {
    struct account *debit = posting->debit, *credit = posting->credit;
    if (counts(debit) && transfer_kind_spends(posting->kind)) {
        debit->spent = limits_spent(ledger, debit, now_us);
        struct result day = money_add_to_total(debit->spent.day_minor, posting->amount, &debit->spent.day_minor);
        struct result month = money_add_to_total(debit->spent.month_minor, posting->amount, &debit->spent.month_minor);
        CHECK(result_is_ok(day) && result_is_ok(month)); /* limits_outcome has tried it */
        debit->terms_changed = true;
    }
    bool frees = posting->kind == TRANSFER_HOLD_RELEASE || posting->kind == TRANSFER_HOLD_EXPIRY;
    if (frees && counts(debit)) return_spent(ledger, debit, posting, now_us);
    if (posting->kind == TRANSFER_REVERSAL && counts(credit)) return_spent(ledger, credit, posting, now_us);
}

/* ---- other limits ---- */

enum ledger_outcome account_set_limits(struct account *account, const struct limits *limits, int64_t floor_minor, const struct spent *spent,
                                       int64_t now_us, bool *ret_is_changed) {
    *ret_is_changed = false;
    if (account->kind != ACCOUNT_USER && account->kind != ACCOUNT_MERCHANT) return LEDGER_ACCOUNT_OF_BOOKS;
    if (account->is_closed) return LEDGER_ACCOUNT_CLOSED;
    *ret_is_changed = floor_minor != account->floor_minor || !limits_equal(limits, &account->limits);
    if (!*ret_is_changed) return LEDGER_APPLIED;
    account->limits = *limits;
    account->is_limited = limits_any(limits);
    account->spent = counts(account) ? *spent : (struct spent){0};
    account->floor_minor = floor_minor;
    account->is_overdrawn = account_available(account).amount_minor < floor_minor;
    account->updated_at_us = now_us;
    account->terms_changed = true;
    row_change(&account->state);
    CHECK(account_fault(account) == NULL);
    return LEDGER_APPLIED;
}
