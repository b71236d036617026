/* Redemptions as they stand: one, and a user's own. */
#pragma once

#include "http/exchange.h"

void redemptions_get(struct exchange *exchange);  /* GET /v1/redemptions/{id} */
void redemptions_list(struct exchange *exchange); /* GET /v1/redemptions */
