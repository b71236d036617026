/* POST /v1/transactions/{id}/reversal. */
#pragma once

#include "http/exchange.h"

void reversals_create(struct exchange *exchange);
