/* PUT /v1/accounts/{id}/limits: what an account may have, and may let go of. */
#pragma once

#include "base/json/json.h"
#include "http/exchange.h"
#include "wallet/core/accounts.h"

void account_limits_set(struct exchange *exchange);
/* "floor" and the four others, as members. */
void account_limits_write(struct json_writer *writer, const struct account *account);
