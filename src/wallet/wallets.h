/* A user's own money. */
#pragma once

#include "base/money.h"
#include "http/exchange.h"

void wallets_get(struct exchange *exchange);  /* GET /v1/wallet */
void wallets_list(struct exchange *exchange); /* GET /v1/wallets */
/* The caller has none in that currency, or, of the main one, is nobody. */
void wallet_refuse_missing(struct exchange *exchange, enum currency currency);
