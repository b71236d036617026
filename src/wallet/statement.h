/* GET /v1/wallet/statement: everything that moved in a time, oldest first, with what was there before and after; as JSON or CSV, of any length. */
#pragma once

#include "http/exchange.h"

void statement_get(struct exchange *exchange);
