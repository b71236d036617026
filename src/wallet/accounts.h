/* Accounts of the ledger, for admins. */
#pragma once

#include "http/exchange.h"

void accounts_list(struct exchange *exchange); /* GET /v1/accounts */
void accounts_get(struct exchange *exchange);  /* GET /v1/accounts/{id} */

/* POST /v1/accounts/{id}/freeze, …/unfreeze, …/close */
void accounts_freeze(struct exchange *exchange);
void accounts_unfreeze(struct exchange *exchange);
void accounts_close(struct exchange *exchange);
