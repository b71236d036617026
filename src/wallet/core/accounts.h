/* Accounts: what a balance is, and what may be taken from it.
 *
 * They are kept as TigerBeetle keeps them: sums of posted and pending debits and credits. The balance is credits_posted - debits_posted;
 * what may be taken is less by debits_pending. */
#pragma once

#include "wallet/core/ledger.h"
#include "wallet/core/outcome.h"

enum account_kind { ACCOUNT_USER = 1, ACCOUNT_FUND = 2, ACCOUNT_ISSUANCE = 3, ACCOUNT_MERCHANT = 4 };

struct account_sums {
    int64_t debits_posted, credits_posted, debits_pending, sequence;
};

/* Beside the floor; what each is on, and who obeys it: core/limits.h. */
#define LIMIT_NONE (-1)
struct limits {
    int64_t ceiling_minor, per_transaction_minor, daily_minor, monthly_minor; /* LIMIT_NONE, or 0 to MONEY_AMOUNT_MAX */
};
#define LIMITS_NONE ((struct limits){LIMIT_NONE, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE})
/* Counted only where there is a daily or a monthly limit; else zero. */
struct spent {
    int64_t day_from_us, day_minor, month_from_us, month_minor; /* of that day, and of that month */
};

struct account {
    enum row_state state;
    struct account_sums loaded; /* as they stood when it came in: save writes the difference */
    int64_t number;             /* 1, 2, 3, … */
    struct id id;
    enum account_kind kind;
    struct id user_id; /* ACCOUNT_USER; else zero. Beside the currency: together they name a wallet */
    enum currency currency;
    int64_t debits_posted, credits_posted, debits_pending, credits_pending;
    int64_t sequence; /* of its newest entry; 0: none */
    int64_t floor_minor;
    bool is_frozen, is_closed;
    bool is_overdrawn;  /* an administrator took more back than there was: it is below its floor until enough has come */
    bool is_limited;    /* it has limits; `limits` counts for nothing else */
    bool is_draft;      /* not there yet: see below */
    bool terms_changed; /* more than what was posted: its state, its floor, its limits or what was spent */
    struct limits limits;
    struct spent spent;
    int64_t created_at_us, updated_at_us;
};

/* An account without entries; issuance alone has no floor: what it is below zero is all the money there is. */
struct account account_new(int64_t number, struct id id, enum account_kind kind, struct id user_id, enum currency currency, int64_t now_us);
/* A new account with the next number and a new id, in the working set. */
struct account *ledger_open_account(struct ledger *ledger, enum account_kind kind, struct id user_id, enum currency currency,
                                    int64_t now_us);

/* ---- accounts that come with their first movement ----
 *
 * In the main currency issuance is made with the books, and each user's and merchant's account with them. In every other one, and for a fund, an account is
 * opened by what first moves there. A command that is refused opens none: what is asked is a draft, of the caller's, which has no place in the working set
 * and no id. ledger_post opens it when it posts, and writes into the draft what it has become. */

struct account account_draft(const struct ledger *ledger, enum account_kind kind, struct id user_id, enum currency currency,
                             int64_t now_us);
/* Issuance of that currency: the one that is there, or *draft. */
struct account *ledger_issuance(const struct ledger *ledger, enum currency currency, int64_t now_us, struct account *draft);
/* A user's account in that currency: the one that is there, or *draft. NULL: there is no such user. */
struct account *ledger_wallet(const struct ledger *ledger, struct id user_id, enum currency currency, int64_t now_us,
                              struct account *draft);

struct money account_balance(const struct account *account);
struct money account_available(const struct account *account);
/* NULL: all that must be true of an account at any moment is; else the rule that it breaks, as a constant phrase. */
const char *account_fault(const struct account *account);

/* What an administrator does to an account as a whole; *ret_is_changed: it was not so before. Freezing stops what moves, but nothing that is held ends by it.
 * Only a wallet or a merchant's account is closed, one that has nothing and of which nothing is held, and it is never opened again. */
enum ledger_outcome account_set_frozen(struct account *account, bool is_frozen, int64_t now_us, bool *ret_is_changed);
enum ledger_outcome account_close(struct account *account, int64_t now_us, bool *ret_is_changed);
const char *account_kind_name(enum account_kind kind);
