/* POST and GET /v1/campaigns/{id}/eligible: for whom a campaign is. */
#pragma once

#include "http/exchange.h"

void eligible_add(struct exchange *exchange);
void eligible_count(struct exchange *exchange);
