/* Taking a place, as an operation. */
#pragma once

#include "discount/limiter.h"
#include "discount/operation.h"

struct redemption_request {
    struct discount_operation base;
    struct redeem_request redeem;
    struct guesser guesser;
    bool is_validation; /* it only wants to know */
};
extern const struct action redeem_action;

/* ---- the routes ---- */

void redemptions_create(struct exchange *exchange);   /* POST /v1/redemptions */
void redemptions_validate(struct exchange *exchange); /* POST /v1/validations */
