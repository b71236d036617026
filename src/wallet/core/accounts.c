#include "wallet/core/accounts.h"

#include <stddef.h>

#include "base/check.h"

#define FLOOR_NONE (-MONEY_AMOUNT_MAX)

struct account account_new(int64_t number, struct id id, enum account_kind kind, struct id user_id, enum currency currency,
                           int64_t now_us) {
    return (struct account){.state = ROW_NEW,
                            .number = number,
                            .id = id,
                            .kind = kind,
                            .user_id = user_id,
                            .currency = currency,
                            .floor_minor = kind == ACCOUNT_ISSUANCE ? FLOOR_NONE : 0,
                            .limits = LIMITS_NONE,
                            .created_at_us = now_us,
                            .updated_at_us = now_us};
}

struct account *ledger_open_account(struct ledger *ledger, enum account_kind kind, struct id user_id, enum currency currency,
                                    int64_t now_us) {
    CHECK(ledger->last_account_number >= 1); /* issuance was there before */
    struct account row = account_new(++ledger->last_account_number, id_make(ledger->ids, now_us), kind, user_id, currency, now_us);
    struct account *account = NULL;
    struct result added = ledger_add_account(ledger, &row, &account);
    CHECK(result_is_ok(added) && account->state == ROW_NEW && account_fault(account) == NULL);
    return account;
}

struct account account_draft(const struct ledger *ledger, enum account_kind kind, struct id user_id, enum currency currency,
                             int64_t now_us) {
    struct account draft = account_new(ledger->last_account_number + 1, (struct id){{0}}, kind, user_id, currency, now_us);
    draft.is_draft = true;
    return draft;
}

struct account *ledger_issuance(const struct ledger *ledger, enum currency currency, int64_t now_us, struct account *draft) {
    if (ledger->issuances[currency] != NULL) return ledger->issuances[currency];
    *draft = account_draft(ledger, ACCOUNT_ISSUANCE, (struct id){{0}}, currency, now_us);
    return draft;
}

struct account *ledger_wallet(const struct ledger *ledger, struct id user_id, enum currency currency, int64_t now_us,
                              struct account *draft) {
    struct account *wallet = ledger_find_wallet(ledger, user_id, currency);
    if (wallet != NULL || ledger_find_account_of_user(ledger, user_id) == NULL) return wallet;
    *draft = account_draft(ledger, ACCOUNT_USER, user_id, currency, now_us);
    return draft;
}

struct money account_balance(const struct account *account) {
    return money_between_totals(account->credits_posted, account->debits_posted, account->currency);
}

struct money account_available(const struct account *account) {
    struct money available, pending = {account->debits_pending, account->currency};
    struct result subtracted = money_subtract(account_balance(account), pending, &available);
    CHECK(result_is_ok(subtracted)); /* account_fault has looked at every row that came in */
    return available;
}

static bool is_limit(int64_t minor) { return minor >= LIMIT_NONE && minor <= MONEY_AMOUNT_MAX; }

static const char *limits_fault(const struct account *account) {
    const struct limits *limits = &account->limits;
    const struct spent *spent = &account->spent;
    if (!is_limit(limits->ceiling_minor) || !is_limit(limits->per_transaction_minor) || !is_limit(limits->daily_minor) ||
        !is_limit(limits->monthly_minor))
        return "a limit is out of range";
    if (spent->day_minor < 0 || spent->month_minor < 0) return "what was spent is below zero";
    return NULL;
}

const char *account_fault(const struct account *account) {
    bool counts_up = account->debits_posted >= 0 && account->credits_posted >= 0 && account->debits_pending >= 0 &&
                     account->credits_pending >= 0 && account->sequence >= 0;
    if (account->number < 1 || !counts_up) return "a sum, a count or its number is below what it can be";
    if (account->currency == CURRENCY_NONE) return "it has no currency";
    if ((account->kind == ACCOUNT_USER) == id_is_zero(account->user_id)) return "its user does not fit its kind";
    struct money pending = {account->debits_pending, account->currency}, coming = {account->credits_pending, account->currency};
    struct money available, expected, balance = account_balance(account);
    if (balance.amount_minor < -MONEY_AMOUNT_MAX || balance.amount_minor > MONEY_AMOUNT_MAX) return "its balance is out of range";
    if (!result_is_ok(money_subtract(balance, pending, &available))) return "what may be taken of it is out of range";
    if (account->is_closed && (balance.amount_minor != 0 || pending.amount_minor != 0)) return "it is closed, and not empty";
    if (available.amount_minor < account->floor_minor && !account->is_overdrawn) return "it is below its floor";
    if (available.amount_minor >= account->floor_minor && account->is_overdrawn) return "it is said to be overdrawn, and is not";
    if (!result_is_ok(money_add(balance, coming, &expected))) return "its balance with what is to come is out of range";
    return account->is_limited ? limits_fault(account) : NULL;
}

enum ledger_outcome account_set_frozen(struct account *account, bool is_frozen, int64_t now_us, bool *ret_is_changed) {
    *ret_is_changed = false;
    if (account->is_closed) return LEDGER_ACCOUNT_CLOSED;
    if (account->is_frozen == is_frozen) return LEDGER_APPLIED;
    *ret_is_changed = true;
    account->is_frozen = is_frozen;
    account->terms_changed = true;
    account->updated_at_us = now_us;
    row_change(&account->state);
    return LEDGER_APPLIED;
}

enum ledger_outcome account_close(struct account *account, int64_t now_us, bool *ret_is_changed) {
    *ret_is_changed = false;
    if (account->is_closed) return LEDGER_APPLIED;
    if (account->kind != ACCOUNT_USER && account->kind != ACCOUNT_MERCHANT) return LEDGER_ACCOUNT_OF_BOOKS;
    bool is_empty = account_balance(account).amount_minor == 0 && account->debits_pending == 0 && account->credits_pending == 0;
    if (!is_empty) return LEDGER_ACCOUNT_NOT_EMPTY;
    *ret_is_changed = true;
    account->is_closed = true;
    account->terms_changed = true;
    account->updated_at_us = now_us;
    row_change(&account->state);
    CHECK(account_fault(account) == NULL);
    return LEDGER_APPLIED;
}

const char *account_kind_name(enum account_kind kind) {
    switch (kind) {
    case ACCOUNT_USER: return "wallet";
    case ACCOUNT_FUND: return "fund";
    case ACCOUNT_ISSUANCE: return "issuance";
    case ACCOUNT_MERCHANT: return "merchant";
    }
    return "unknown";
}
