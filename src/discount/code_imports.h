/* POST /v1/campaigns/{id}/code-imports: codes that somebody else has made. */
#pragma once

#include "http/exchange.h"

void code_imports_create(struct exchange *exchange);
