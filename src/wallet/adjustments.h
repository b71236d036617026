/* POST /v1/accounts/{id}/adjustments: an administrator gives or takes, and says why. */
#pragma once

#include "http/exchange.h"

void adjustments_create(struct exchange *exchange);
