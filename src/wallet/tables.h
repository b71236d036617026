/* All SQL of Wallet (tables.c, tables_users.c, tables_history.c), and what its rows mean: once, for the store's thread and for every reader.
 *
 * ask_… only asks (store/batch.h): rows come to the visitor until batch_run has ended, and the context lives until then. save_… only writes down what the
 * commit will do. A row that breaks its columns' rules is refused by its reader here, with the name of its question; what an object may be is asked of
 * the core (account_fault, fund_fault). */
#pragma once

#include "service/engine.h"
#include "service/phones.h"
#include "store/batch.h"
#include "wallet/core/funds.h"
#include "wallet/core/holds.h"
#include "wallet/core/merchants.h"
#include "wallet/core/references.h"
#include "wallet/core/reversals.h"
#include "wallet/core/sessions.h"
#include "wallet/core/users.h"

/* ---- rows: in each, `first` is the column that it begins with; texts are good until the visitor returns. RESULT_CORRUPT: it was refused,
 * and what was made of it must not be used ---- */

#define ACCOUNT_COLUMN_COUNT 24
#define USER_COLUMN_COUNT    12
#define SESSION_COLUMN_COUNT 6
#define FUND_COLUMN_COUNT    11
struct result row_account(const struct row *row, int first, struct account *ret_account) MUST_CHECK;
struct result row_user(const struct row *row, int first, struct user *ret_user) MUST_CHECK;
struct result row_session(const struct row *row, int first, struct session *ret_session) MUST_CHECK;
struct result row_fund(const struct row *row, int first, struct account *account,
                       struct fund *ret_fund) MUST_CHECK; /* `account`: its own */
enum currency row_currency(const struct row *row, int column);
enum transfer_kind row_transfer_kind(const struct row *row, int column);
struct phone row_phone_or_empty(const struct row *row, int column);

/* A context and its visitor for a question after one row. */
struct found_user {
    bool is_found;
    bool is_known_client; /* ask_login only */
    struct user user;
};
struct result user_found(void *found, const struct row *row);
struct found_account {
    bool is_found;
    struct account account;
};
struct result account_found(void *found, const struct row *row);

/* ---- users and sessions ---- */

void ask_user(struct batch *batch, struct id id, row_visitor *visit, void *context);                       /* user */
void ask_user_by_name(struct batch *batch, struct text name, row_visitor *visit, void *context);           /* user */
void ask_user_by_phone(struct batch *batch, const struct phone *phone, row_visitor *visit, void *context); /* user */
enum user_state { USERS_ANY = 0, USERS_ACTIVE, USERS_DISABLED };
/* user: in the order of their coming, those with greater ids than `after` */
void ask_users(struct batch *batch, struct id after, enum user_state state, int64_t limit, row_visitor *visit, void *context);
/* user, and whether it has a session that began at this client */
void ask_login(struct batch *batch, struct text name, int64_t client, row_visitor *visit, void *context);
struct result login_found(void *found, const struct row *row);
/* A user, then the account of its wallet, which is NULL only when the books are broken: that in the main currency, and in a row of its own that in `currency`,
 * if it is another; by an account that one alone. */
void ask_wallet_by_name(struct batch *batch, struct text name, enum currency currency, row_visitor *visit, void *context);
void ask_wallet_by_phone(struct batch *batch, const struct phone *phone, enum currency currency, row_visitor *visit, void *context);
void ask_wallet_by_account(struct batch *batch, struct id account_id, row_visitor *visit, void *context);
void ask_session(struct batch *batch, struct id id, row_visitor *visit, void *context); /* session, its user */
/* session_id, hash, generation, expires_at, reusable_until (NULL: not used) */
void ask_token(struct batch *batch, struct id session_id, const struct hash *hash, row_visitor *visit, void *context);
/* session: of a user, those that go on, newest first, with smaller ids than `before` */
void ask_sessions_of_user(struct batch *batch, struct id user_id, struct id before, int64_t now_us, int64_t limit, row_visitor *visit,
                          void *context);
void ask_ended_sessions(struct batch *batch, int64_t since_us, row_visitor *visit, void *context); /* session; in the order of ending */
void ask_users_with_ended_sessions(struct batch *batch, int64_t since_us, row_visitor *visit, void *context); /* user; the same */

/* Before any user is saved: another one may take the number in the same batch. */
void save_left_phone(struct batch *batch, const struct user *user);
void save_user(struct batch *batch, const struct user *user);
void save_session(struct batch *batch, const struct session *session);
void save_token(struct batch *batch, const struct refresh_token *token);
/* Sessions that expired before, some at a time: first their tokens, in another transaction, then themselves. */
void ask_expired_session(struct batch *batch, int64_t before_us, row_visitor *visit, void *context); /* a row when there is one */
void drop_tokens_of_expired(struct batch *batch, int64_t before_us);
/* Of this session: those that were used and are not good any more, and what is beyond SESSION_TOKENS_MAX. */
void drop_old_tokens(struct batch *batch, struct id session_id, int64_t now_us);
void drop_expired_sessions(struct batch *batch, int64_t before_us);

/* ---- the books ---- */

void ask_head(struct batch *batch, row_visitor *visit, void *context);    /* sequence, hash, created_at; no row: no transfer yet */
void ask_callers(struct batch *batch, row_visitor *visit, void *context); /* of each that has credited: name, count, newest reference */
void ask_last_account(struct batch *batch, row_visitor *visit, void *context);    /* its number */
void ask_issuance(struct batch *batch, row_visitor *visit, void *context);        /* account: of the main currency */
void ask_other_issuances(struct batch *batch, row_visitor *visit, void *context); /* account: of each other one */
void ask_account_of_user(struct batch *batch, struct id user_id, enum currency currency, row_visitor *visit, void *context); /* account */
/* account: all of a user, in the order of their opening, whose numbers are above `after_number`. */
void ask_accounts_of_user(struct batch *batch, struct id user_id, int64_t after_number, int64_t limit, row_visitor *visit, void *context);
void ask_fund(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context); /* account, fund */
/* account, fund: in the order of their making, whose accounts' numbers are above `after_account`. */
void ask_funds(struct batch *batch, struct text caller, int64_t after_account, int64_t limit, row_visitor *visit, void *context);
/* As row_reference reads them, then caller and reference in these columns. */
#define REFERENCE_CALLER_COLUMN 7
#define REFERENCE_COLUMN        8
void ask_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context);
void ask_topup(struct batch *batch, struct text caller, struct text fund_reference, struct text reference, row_visitor *visit,
               void *context);
struct result row_reference(const struct row *row, struct known_reference *ret_reference) MUST_CHECK; /* its key is left alone */

/* As ask_credit, of what a caller named by its kind; behind the rest description and metadata, in these columns. */
#define REFERENCE_DESCRIPTION_COLUMN 9
#define REFERENCE_METADATA_COLUMN    10
#define REFERENCE_ORIGIN_COLUMN      11
void ask_named(struct batch *batch, enum transfer_kind kind, struct text caller, struct text reference, row_visitor *visit, void *context);

/* ---- merchants: account, name, the merchant's own account's number, its currency. Two rows where the till in
 * `currency`, or in that of the hold, is another account than the merchant's own. ---- */

void ask_merchant(struct batch *batch, struct id id, enum currency currency, row_visitor *visit, void *context);
void ask_merchant_by_name(struct batch *batch, struct text name, enum currency currency, row_visitor *visit, void *context);
void ask_payee(struct batch *batch, struct id id, struct id hold_id, row_visitor *visit, void *context);
void ask_payee_by_name(struct batch *batch, struct text name, struct id hold_id, row_visitor *visit, void *context);
void ask_merchants(struct batch *batch, int64_t after_account, int64_t limit, row_visitor *visit,
                   void *context); /* themselves alone, in the order of their making */
/* The tills of those whose own accounts' numbers are in first..last, by merchant. */
void ask_tills(struct batch *batch, int64_t first, int64_t last, row_visitor *visit, void *context);
void save_merchant(struct batch *batch, const struct merchant *merchant);

/* ---- holds: in each, account, hold ---- */

void ask_hold(struct batch *batch, struct id id, row_visitor *visit, void *context);
void ask_hold_by_reference(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context);
void ask_merchant_of_hold(struct batch *batch, struct id id, row_visitor *visit, void *context); /* as ask_merchant; no row: it has none */
void ask_due_holds(struct batch *batch, int64_t now_us, int64_t limit, row_visitor *visit,
                   void *context);                                            /* whose time has come, the oldest first */
void ask_next_expiry(struct batch *batch, row_visitor *visit, void *context); /* its time; no row: none is open */
struct result row_hold(const struct row *row, int first, struct account *account,
                       struct hold *ret_hold) MUST_CHECK; /* `account`: its own */
void save_hold(struct batch *batch, const struct hold *hold);

/* ---- what was moved, to be taken back (core/reversals.h): by the reference of a credit, or by a transfer's id. In each: the original; the account that
 * gave, and the one that got; account and fund, if a fund paid. ---- */

void ask_original_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context);
void ask_wallet_of_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context);
void ask_fund_of_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context);
void ask_original(struct batch *batch, struct id id, row_visitor *visit, void *context);
void ask_giver(struct batch *batch, struct id id, row_visitor *visit, void *context);
void ask_taker(struct batch *batch, struct id id, row_visitor *visit, void *context);
void ask_fund_of_transfer(struct batch *batch, struct id id, row_visitor *visit, void *context);
struct result row_original(const struct row *row, struct original *ret_original) MUST_CHECK; /* its key is left alone */

/* Of an account by its id: what it has spent since the first of these times, and since the second, by the journal. */
void ask_spent(struct batch *batch, struct id id, int64_t day_from_us, int64_t month_from_us, row_visitor *visit, void *context);
/* Of every account that counts what it spends, and in which time zone that is. */
void save_spent_anew(struct batch *batch, int64_t day_from_us, int64_t month_from_us);
void save_time_zone(struct batch *batch, struct text name);
void save_account(struct batch *batch, const struct account *account);
void save_fund(struct batch *batch, const struct fund *fund);
void save_transfer(struct batch *batch, const struct transfer *transfer); /* and its two entries, if it has any */

/* ---- for answers ---- */

/* balance_after, created_at of its transfer */
void ask_entry(struct batch *batch, int64_t account, int64_t sequence, row_visitor *visit, void *context);
/* Which entries of an account. */
struct entry_filter {
    int64_t before, after;   /* after < sequence < before */
    enum transfer_kind kind; /* 0: any */
    int64_t sign;            /* 1: credits, -1: debits, 0: both */
    struct text reference;   /* empty: any */
};
/* Newest first. Columns: sequence, amount, balance_after; id, kind, currency, reference, description, created_at; the other user's account and name, or NULL;
 * what its sender typed, caller, the paid merchant's name or NULL. */
void ask_entries(struct batch *batch, int64_t account, const struct entry_filter *filter, int64_t limit, row_visitor *visit, void *context);
/* The same columns, oldest first. */
void ask_statement(struct batch *batch, int64_t account, int64_t before, int64_t after, int64_t limit, row_visitor *visit, void *context);
/* kind, amount, currency, reference, description, created_at; then for the debited and for the credited side: account's id, user's id, name,
 * balance_after; metadata, caller, and the merchant's name of either side, or NULL. */
void ask_transfer(struct batch *batch, struct id id, row_visitor *visit, void *context);
/* Credits out of a fund, oldest first: sequence, reference, user's id, id, amount, currency, created_at, description, metadata (JSON, or empty). */
void ask_credits_of_fund(struct batch *batch, struct text caller, struct text reference, int64_t after_sequence, int64_t limit,
                         row_visitor *visit, void *context);
/* Accounts as an admin sees them: account, user's name, phone, fund's reference, is_released. In the order of their numbers, after_number < number <=
 * last_number; `kind` 0: any; `state` as in account_state; `currency` none: any. */
enum account_state { ACCOUNT_ANY = 0, ACCOUNT_OPEN, ACCOUNT_FROZEN, ACCOUNT_RELEASED, ACCOUNT_CLOSED };
void ask_accounts(struct batch *batch, int64_t after_number, int64_t last_number, enum account_kind kind, enum account_state state,
                  enum currency currency, int64_t limit, row_visitor *visit, void *context);
void ask_account(struct batch *batch, struct id id, row_visitor *visit, void *context);
/* The same, of one user, with these rules of which account. */
void ask_accounts_by_name(struct batch *batch, struct text name, int64_t after_number, int64_t limit, row_visitor *visit, void *context);
void ask_accounts_by_phone(struct batch *batch, const struct phone *phone, int64_t after_number, int64_t limit, row_visitor *visit,
                           void *context);

/* ---- kept answers, and what init made ---- */

extern const struct kept_questions table_kept;
void ask_meta(struct batch *batch, row_visitor *visit,
              void *context); /* instance_id, currency, idempotency_secret, created_at, time_zone */
/* code, exponent, hash, whether an account is in it: of those that were added to the two. */
void ask_currencies(struct batch *batch, row_visitor *visit, void *context);
/* The one with that code anew; and it is gone, if no account is in it. */
void save_currency(struct batch *batch, struct text code, int64_t exponent, const struct hash *hash);
void drop_unused_currency(struct batch *batch, struct text code);
struct hash currency_hash(struct text code, int64_t exponent); /* of CODE:EXPONENT: what stands beside a currency */
void save_meta(struct batch *batch, struct id instance_id, enum currency currency, struct text secret, int64_t now_us);

/* ---- for the self-audit ---- */

void ask_account_from(struct batch *batch, int64_t number, row_visitor *visit,
                      void *context); /* account: the first with this number or a greater one */
/* sequence, amount, balance_after: those behind `after` */
void ask_entry_sums(struct batch *batch, int64_t account, int64_t after, int64_t limit, row_visitor *visit, void *context);

/* ---- for verify ---- */

/* All of them in the order of their numbers; what a row holds stands beside each question in tables_history.c. */
void ask_all_transfers(struct batch *batch, row_visitor *visit, void *context);
/* The same columns but for the lines: after < sequence <= last. */
void ask_journal(struct batch *batch, int64_t after, int64_t last, int64_t limit, row_visitor *visit, void *context);
void ask_all_entries(struct batch *batch, row_visitor *visit, void *context);
void ask_all_funds(struct batch *batch, row_visitor *visit, void *context);
void ask_all_holds(struct batch *batch, row_visitor *visit, void *context);
void ask_other_pending(struct batch *batch, row_visitor *visit, void *context);
void ask_other_limits(struct batch *batch, row_visitor *visit, void *context);
void ask_all_spent(struct batch *batch, row_visitor *visit, void *context);
void ask_other_states(struct batch *batch, row_visitor *visit, void *context);
void ask_wrong_origins(struct batch *batch, row_visitor *visit, void *context);
void ask_totals(struct batch *batch, row_visitor *visit, void *context);
void ask_other_currency(struct batch *batch, row_visitor *visit, void *context);
void ask_wrong_tills(struct batch *batch, row_visitor *visit, void *context);
void ask_credited_twice(struct batch *batch, row_visitor *visit, void *context);

/* ---- phones of before (service/phones.h) ---- */

extern const struct phone_questions table_phones;
