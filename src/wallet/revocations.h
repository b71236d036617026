/* What other services refuse tokens by. */
#pragma once

#include "http/exchange.h"

void revocations_list(struct exchange *exchange); /* GET /v1/revocations */
