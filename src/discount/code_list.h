#pragma once

#include "http/exchange.h"

void code_list(struct exchange *exchange); /* GET /v1/campaigns/{id}/code-batches/{batch}/codes */
