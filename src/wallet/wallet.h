/* walletd: the root object that every handler reaches through its exchange. Made before the threads start, then only its parts change. */
#pragma once

#include "auth/keys.h"
#include "auth/password.h"
#include "base/metrics.h"
#include "base/money.h"
#include "base/zone.h"
#include "service/revocations.h"
#include "service/service.h"
#include "wallet/attempts.h"
#include "wallet/callers.h"

/* What belongs to one loop: touched by its thread only. */
struct wallet_loop {
    struct id_source ids;
};

struct wallet_metrics {
    struct metric credits_applied, credits_replayed, credits_rejected, transfers, payments, logins_ok, logins_failed, password_queue,
        passwords_left;
};

struct wallet {
    struct service service; /* first: the frame finds it there */
    struct id instance_id;  /* made by init: another database is another wallet */
    int64_t created_at_us;
    enum currency currency;  /* the main one */
    const struct zone *zone; /* of its days and months */
    const char *region;      /* ISO 3166 alpha-2: of phone numbers without a country */
    int64_t access_lifetime_us, refresh_lifetime_us, reuse_interval_us;
    int64_t transfer_told_minor; /* what moves at least so much is a line of the log */
    struct password_pool *passwords;
    struct revocations *revocations;
    struct attempts *attempts;
    struct callers *callers;
    struct self_audit *self_audit; /* NULL: it does not run */
    struct wallet_metrics metrics;
    struct wallet_loop loops[LIMIT_LOOPS];
};

static inline struct wallet *wallet_of(struct exchange *exchange) { return exchange->self; }

extern const struct route wallet_routes[];
extern const size_t wallet_route_count;

void wallet_register_metrics(struct wallet_metrics *metrics); /* once per process */

/* The letters of the lists' cursors. */
#define LIST_TRANSACTIONS         't'
#define LIST_ACCOUNTS             'a'
#define LIST_FUND_TRANSACTIONS    'f'
#define LIST_FUNDS                'g'
#define LIST_REVOCATIONS          'e'
#define LIST_MERCHANTS            'm'
#define LIST_USERS                'u'
#define LIST_SESSIONS             's'
#define LIST_ACCOUNT_TRANSACTIONS 'b'
#define LIST_WALLETS              'w'

/* ---- the handlers, by resource ---- */
void users_create(struct exchange *exchange);
void users_get_me(struct exchange *exchange);
void users_change_password(struct exchange *exchange);
void sessions_create(struct exchange *exchange);
void sessions_refresh(struct exchange *exchange);
void sessions_delete_current(struct exchange *exchange);
void wallets_get(struct exchange *exchange);
void transactions_list(struct exchange *exchange);
void transactions_get(struct exchange *exchange);
void transfers_create(struct exchange *exchange);
void credits_create(struct exchange *exchange);
void funds_create(struct exchange *exchange);
void funds_get(struct exchange *exchange);
void funds_top_up(struct exchange *exchange);
void funds_release(struct exchange *exchange);
void funds_list_transactions(struct exchange *exchange);
void instance_get(struct exchange *exchange);
void accounts_list(struct exchange *exchange);
void accounts_get(struct exchange *exchange);
