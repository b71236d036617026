/* A user's own money. */
#pragma once

#include "http/exchange.h"

void wallets_get(struct exchange *exchange); /* GET /v1/wallet */
