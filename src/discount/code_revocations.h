#pragma once

#include "http/exchange.h"

void code_revocations_create(struct exchange *exchange); /* POST /v1/codes/revocations */
