/* POST /v1/payments. */
#pragma once

#include "http/exchange.h"

void payments_create(struct exchange *exchange);
