/* Redemptions as they stand: one, and a user's own. */
#pragma once

#include "http/exchange.h"
#include "service/inquiry.h"
#include "store/batch.h"

void redemptions_get(struct exchange *exchange);  /* GET /v1/redemptions/{id} */
void redemptions_list(struct exchange *exchange); /* GET /v1/redemptions */

/* For struct service: what a request with a key that waits for its claim would be answered, once that is settled. */
bool redemptions_inquire(struct exchange *exchange, const struct row *row, struct kept_final *ret_final);
