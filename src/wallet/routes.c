#include "base/check.h"
#include "service/inquiry.h"
#include "wallet/accounts.h"
#include "wallet/credit_reversals.h"
#include "wallet/credits.h"
#include "wallet/funds.h"
#include "wallet/journal.h"
#include "wallet/merchants.h"
#include "wallet/payments.h"
#include "wallet/phones.h"
#include "wallet/revocations.h"
#include "wallet/self_audit.h"
#include "wallet/session_list.h"
#include "wallet/sessions.h"
#include "wallet/statement.h"
#include "wallet/transactions.h"
#include "wallet/transfers.h"
#include "wallet/users.h"
#include "wallet/users_admin.h"
#include "wallet/wallet.h"
#include "wallet/wallets.h"

/* Of a page of 200 with its rows: the longest description has four bytes for each character. */
#define LIST_ARENA_BYTES LIMIT_REPLY_BYTES

const struct route wallet_routes[] = {
    OPERATIONS_ROUTES,
    {.method = "GET", .path = "/v1/idempotency/{key}", .scope = SCOPE_ANY, .arena_limit_bytes = LIMIT_REPLY_BYTES, .handle = inquiry_get},
    {.method = "POST",
     .path = "/v1/users",
     .scope = SCOPE_PUBLIC,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_WATCHED,
     .handle = users_create},
    {.method = "GET", .path = "/v1/users", .scope = SCOPE_ADMIN, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = users_list},
    {.method = "GET", .path = "/v1/users/me", .scope = SCOPE_USER, .handle = users_get_me},
    {.method = "GET", .path = "/v1/users/me/sessions", .scope = SCOPE_USER, .handle = sessions_list},
    {.method = "DELETE", .path = "/v1/users/me/sessions", .scope = SCOPE_USER, .handle = sessions_delete_others},
    {.method = "DELETE", .path = "/v1/users/me/sessions/{id}", .scope = SCOPE_USER, .handle = sessions_delete_one},
    {.method = "GET", .path = "/v1/users/{id}", .scope = SCOPE_ADMIN, .handle = users_get},
    {.method = "PUT",
     .path = "/v1/users/{id}/password",
     .scope = SCOPE_ADMIN,
     .act = "user.set_password",
     .flags = ROUTE_BODY_JSON,
     .handle = users_set_password},
    {.method = "POST", .path = "/v1/users/{id}/disable", .scope = SCOPE_ADMIN, .act = "user.disable", .handle = users_disable},
    {.method = "POST", .path = "/v1/users/{id}/enable", .scope = SCOPE_ADMIN, .act = "user.enable", .handle = users_enable},
    {.method = "DELETE", .path = "/v1/users/{id}/sessions", .scope = SCOPE_ADMIN, .act = "user.end_sessions", .handle = users_end_sessions},
    {.method = "PUT",
     .path = "/v1/users/me/password",
     .scope = SCOPE_USER,
     .act = "password.change",
     .flags = ROUTE_BODY_JSON,
     .handle = users_change_password},
    {.method = "PUT", .path = "/v1/users/me/phone", .scope = SCOPE_USER, .flags = ROUTE_BODY_JSON, .handle = phones_change},
    {.method = "PUT",
     .path = "/v1/users/{id}/phone-verification",
     .scope = SCOPE_USERS_WRITE,
     .act = "phone.verify",
     .flags = ROUTE_BODY_JSON,
     .handle = phones_verify},
    {.method = "POST", .path = "/v1/sessions", .scope = SCOPE_PUBLIC, .flags = ROUTE_BODY_JSON | ROUTE_WATCHED, .handle = sessions_create},
    {.method = "POST", .path = "/v1/sessions/refresh", .scope = SCOPE_PUBLIC, .flags = ROUTE_BODY_JSON, .handle = sessions_refresh},
    {.method = "DELETE", .path = "/v1/sessions/current", .scope = SCOPE_USER, .handle = sessions_delete_current},
    {.method = "GET", .path = "/v1/wallet", .scope = SCOPE_USER, .handle = wallets_get},
    {.method = "GET",
     .path = "/v1/wallet/transactions",
     .scope = SCOPE_USER,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = transactions_list},
    {.method = "GET", .path = "/v1/wallet/statement", .scope = SCOPE_USER, .flags = ROUTE_CSV, .handle = statement_get},
    {.method = "POST",
     .path = "/v1/wallet/transfers",
     .scope = SCOPE_USER,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .handle = transfers_create},
    {.method = "GET", .path = "/v1/transactions/{id}", .scope = SCOPE_USER, .handle = transactions_get},
    {.method = "GET", .path = "/v1/instance", .scope = SCOPE_SERVICE, .handle = instance_get},
    {.method = "GET", .path = "/v1/revocations", .scope = SCOPE_SERVICE, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = revocations_list},
    {.method = "POST",
     .path = "/v1/credits",
     .scope = SCOPE_CREDITS_WRITE,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN | ROUTE_WATCHED,
     .body_limit_bytes = LIMIT_BATCH_BODY_BYTES,
     .arena_limit_bytes = LIMIT_BATCH_ARENA_BYTES,
     .handle = credits_create},
    {.method = "POST",
     .path = "/v1/credits/reversals",
     .scope = SCOPE_CREDITS_WRITE,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .body_limit_bytes = LIMIT_BATCH_BODY_BYTES,
     .arena_limit_bytes = LIMIT_BATCH_ARENA_BYTES,
     .handle = credit_reversals_create},
    {.method = "GET", .path = "/v1/merchants", .scope = SCOPE_ADMIN, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = merchants_list},
    {.method = "POST",
     .path = "/v1/merchants",
     .scope = SCOPE_ADMIN,
     .act = "merchant.create",
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT,
     .handle = merchants_create},
    {.method = "POST",
     .path = "/v1/payments",
     .scope = SCOPE_PAYMENTS_WRITE,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .handle = payments_create},
    {.method = "POST",
     .path = "/v1/funds",
     .scope = SCOPE_FUNDS_WRITE,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .handle = funds_create},
    {.method = "GET", .path = "/v1/funds", .scope = SCOPE_FUNDS_WRITE, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = funds_list},
    {.method = "GET", .path = "/v1/funds/{reference}", .scope = SCOPE_FUNDS_WRITE, .handle = funds_get},
    {.method = "GET",
     .path = "/v1/funds/{reference}/transactions",
     .scope = SCOPE_FUNDS_WRITE,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = funds_list_transactions},
    {.method = "POST",
     .path = "/v1/funds/{reference}/topup",
     .scope = SCOPE_FUNDS_WRITE,
     .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .handle = funds_top_up},
    {.method = "POST",
     .path = "/v1/funds/{reference}/release",
     .scope = SCOPE_FUNDS_WRITE,
     .flags = ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
     .handle = funds_release},
    AUDIT_ROUTE,
    {.method = "GET", .path = "/v1/ledger/audit", .scope = SCOPE_ADMIN, .handle = self_audit_get},
    {.method = "GET", .path = "/v1/ledger/head", .scope = SCOPE_ADMIN, .handle = journal_get_head},
    {.method = "GET", .path = "/v1/ledger/transfers", .scope = SCOPE_ADMIN, .produces = JOURNAL_TYPE, .handle = journal_list},
    {.method = "GET", .path = "/v1/accounts", .scope = SCOPE_ADMIN, .arena_limit_bytes = LIST_ARENA_BYTES, .handle = accounts_list},
    {.method = "GET", .path = "/v1/accounts/{id}", .scope = SCOPE_ADMIN, .handle = accounts_get},
    {.method = "GET",
     .path = "/v1/accounts/{id}/transactions",
     .scope = SCOPE_ADMIN,
     .arena_limit_bytes = LIST_ARENA_BYTES,
     .handle = transactions_list_of_account},
};
const size_t wallet_route_count = ARRAY_COUNT(wallet_routes);
