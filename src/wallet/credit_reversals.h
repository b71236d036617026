/* POST /v1/credits/reversals as an operation. */
#pragma once

#include "service/operation.h"
#include "wallet/core/reversals.h"

struct credit_reversals {
    struct operation operation; /* first */
    struct text caller;
    const struct credit_reversal_item *items;
    struct credit_reversal_outcome *outcomes; /* one for each */
    size_t count;
};
extern const struct action credit_reversals_action;

/* ---- the routes ---- */

void credit_reversals_create(struct exchange *exchange); /* POST /v1/credits/reversals */
