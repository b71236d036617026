/* What a service does with a fund, as operations. */
#pragma once

#include "service/operation.h"
#include "wallet/core/funds.h"

struct fund_change {
    struct operation operation; /* first */
    struct fund_command command;
    enum ledger_outcome outcome;
    struct fund fund; /* applied and replayed: as it is now; its account is the next, its texts are in the arena */
    struct account account;
};
extern const struct action open_fund_action, topup_fund_action, release_fund_action;

/* ---- the routes ---- */

void funds_create(struct exchange *exchange);            /* POST /v1/funds */
void funds_list(struct exchange *exchange);              /* GET /v1/funds */
void funds_get(struct exchange *exchange);               /* GET /v1/funds/{reference} */
void funds_top_up(struct exchange *exchange);            /* POST /v1/funds/{reference}/topup */
void funds_release(struct exchange *exchange);           /* POST /v1/funds/{reference}/release */
void funds_list_transactions(struct exchange *exchange); /* GET /v1/funds/{reference}/transactions */
