/* What a campaign has come to. */
#pragma once

#include "http/exchange.h"

void report_get(struct exchange *exchange); /* GET /v1/campaigns/{id}/report */
