/* A transfer as one of its parties sees it. */
#pragma once

#include "base/json/json.h"
#include "http/exchange.h"
#include "wallet/core/transfers.h"

#define TRANSACTION_BYTES 512u /* of its document, nearly always */

struct transaction_view {
    struct id id;
    enum transfer_kind kind;
    bool is_credit;
    struct money amount;
    int64_t balance_after;
    struct text reference, description; /* empty: null */
    struct id counterparty_account;     /* zero: none is shown */
    struct text counterparty_name;
    struct text
        typed_recipient; /* to the sender of a transfer, of the other side nothing else: JSON, {"phone": …}; empty: not known, or another's view */
    int64_t created_at_us;
};
/* How a transfer keeps what its sender typed, so that they are told no more later: its metadata, {"to":{"phone":"+98…"}}. Empty when it says none. */
struct text transaction_typed_recipient(struct text metadata);
void transaction_write(struct json_writer *writer, const struct transaction_view *view);

/* ---- the routes ---- */

void transactions_list(struct exchange *exchange); /* GET /v1/wallet/transactions */
void transactions_get(struct exchange *exchange);  /* GET /v1/transactions/{id} */
