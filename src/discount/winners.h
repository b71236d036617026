/* All redemptions of a campaign, by position. */
#pragma once

#include "http/exchange.h"

void winners_list(struct exchange *exchange); /* GET /v1/campaigns/{id}/redemptions */
