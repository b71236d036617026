/* A transfer as one of its parties sees it. */
#pragma once

#include "base/json/json.h"
#include "http/exchange.h"
#include "store/batch.h"
#include "wallet/core/transfers.h"

#define TRANSACTION_BYTES 512u /* of its document, nearly always */

struct transaction_view {
    struct id id;
    enum transfer_kind kind;
    bool is_credit;
    struct money amount;
    int64_t balance_after;
    struct text reference, description; /* empty: null */
    struct text caller;                 /* the service that moved it; empty: its user */
    struct id counterparty_account;     /* zero: none is shown */
    struct text counterparty_name;
    struct text merchant; /* who is paid; empty: nobody */
    struct text
        typed_recipient; /* to the sender of a transfer, of the other side nothing else: JSON, {"phone": …}; empty: not known, or another's view */
    int64_t created_at_us;
};
/* How a transfer keeps what its sender typed, so that they are told no more later: its metadata, {"to":{"phone":"+98…"}}. Empty when it says none. */
struct text transaction_typed_recipient(struct text metadata);
void transaction_write(struct json_writer *writer, const struct transaction_view *view);
/* What it was, in words, for people: "Credit from discount: Yalda". */
#define TRANSACTION_WORDS_BYTES 1536u
struct text transaction_words(const struct transaction_view *view, char buffer[TRANSACTION_WORDS_BYTES]);
/* An entry as ask_entries and ask_statement give it; its texts are the row's. `is_own`: its owner looks at it, who is told of the other side what the sender
 * typed alone. */
struct transaction_view transaction_of_entry(const struct row *row, bool is_own);

/* ---- the routes ---- */

void transactions_list(struct exchange *exchange);            /* GET /v1/wallet/transactions */
void transactions_list_of_account(struct exchange *exchange); /* GET /v1/accounts/{id}/transactions */
void transactions_get(struct exchange *exchange);             /* GET /v1/transactions/{id} */
