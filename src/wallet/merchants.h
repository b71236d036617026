/* POST and GET /v1/merchants; and how a request names a merchant. */
#pragma once

#include "base/fault.h"
#include "http/exchange.h"
#include "wallet/core/merchants.h"

/* The member `merchant`: an id, or else a name, in its normal form in the arena. A fault when it can be neither. */
void merchant_read(struct exchange *exchange, struct text typed, struct merchant_named *ret_named, struct faults *faults);

/* ---- the routes ---- */

void merchants_create(struct exchange *exchange);
void merchants_list(struct exchange *exchange);
