/* Sending a failed credit again, as an operation. */
#pragma once

#include "discount/operation.h"

struct retry_request {
    struct discount_operation base;
    struct id id;
    enum retry_verdict verdict;
};
extern const struct action retry_action;

/* ---- the routes ---- */

void redemptions_retry(struct exchange *exchange); /* POST /v1/redemptions/{id}/retry */
