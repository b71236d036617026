/* The wallet's working set between the store's engine (service/engine.h) and the core: what a batch names is loaded into the ledger, what changed is saved.
 *
 * Nothing is kept between batches: the ledger is made anew for each, so that a rollback has nothing to take back. */
#pragma once

#include "base/zone.h"
#include "service/engine.h"
#include "wallet/core/credits.h"
#include "wallet/core/funds.h"
#include "wallet/core/holds.h"
#include "wallet/core/merchants.h"
#include "wallet/core/reversals.h"
#include "wallet/core/sessions.h"
#include "wallet/core/users.h"

struct books_options {
    enum currency currency;  /* the main one */
    struct id_source *ids;   /* used on the store's thread only */
    const struct zone *zone; /* in which days and months are counted; NULL: UTC */
    /* After each commit, before anybody is answered: sessions that ended in it. May be NULL. */
    void (*session_ended)(void *context, const struct session *session);
    void (*user_sessions_ended)(void *context, const struct user *user);
    void (*transferred)(void *context, const struct transfer *transfer); /* what was moved in it */
    void *context;
};

/* An engine over the books of this database; `batch` and `clock` outlive it. RESULT_FULL: no memory. */
struct books;
struct result books_create(const struct books_options *options, struct batch *batch, const struct clock *clock,
                           struct books **ret_books) MUST_CHECK;
void books_free(struct books *books); /* after the store is stopped */
void books_bind(struct books *books, struct store_engine *ret_engine);

/* ---- for the actions' load: each asks, and what comes is in the ledger when they decide ---- */
void books_load_user(struct engine *engine, struct id id);
/* And the wallet, as the next three: in the main currency, and in that one, if it is another. */
void books_load_user_by_name(struct engine *engine, struct text name, enum currency currency);
void books_load_user_by_phone(struct engine *engine, const struct phone *phone, enum currency currency);
void books_load_user_of_account(struct engine *engine, struct id account_id);
void books_load_account_of_user(struct engine *engine, struct id user_id);                /* in the main currency */
void books_load_wallet(struct engine *engine, struct id user_id, enum currency currency); /* and in that one, if it is another */
void books_load_account(struct engine *engine, struct id account_id);
void books_load_session(struct engine *engine, struct id session_id); /* and its user */
void books_load_token(struct engine *engine, struct id session_id, const struct hash *hash);
void books_load_fund(struct engine *engine, struct text caller, struct text reference);
void books_load_credit(struct engine *engine, struct text caller, struct text reference);
void books_load_original_credit(struct engine *engine, struct text caller, struct text reference); /* to be taken back, with its accounts */
/* Who is named, if anybody is, with the till in that currency, or in that of the hold. */
void books_load_merchant(struct engine *engine, const struct merchant_named *named, enum currency currency);
void books_load_payee(struct engine *engine, const struct merchant_named *named, struct id hold_id);
void books_load_payment(struct engine *engine, struct text caller, struct text reference);
void books_load_hold(struct engine *engine, struct id id); /* and its merchant, if it has one */
void books_load_hold_by_reference(struct engine *engine, struct text caller, struct text reference);
void books_load_original(struct engine *engine, struct id transaction_id);                    /* the same, by its id */
void books_load_reversal(struct engine *engine, struct text caller, struct text reference);   /* nothing for an empty reference */
void books_load_adjustment(struct engine *engine, struct text caller, struct text reference); /* the same */
void books_load_topup(struct engine *engine, struct text caller, struct text fund_reference, struct text reference);

int64_t books_now_us(struct engine *engine);
struct ledger *books_ledger(struct engine *engine);
