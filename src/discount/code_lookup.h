#pragma once

#include "http/exchange.h"

void code_lookup(struct exchange *exchange); /* POST /v1/codes/lookup */
