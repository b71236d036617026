/* POST /v1/credits as an operation: for the handler, and for whoever fills books without HTTP. */
#pragma once

#include "service/operation.h"
#include "wallet/core/credits.h"

struct credits {
    struct operation operation; /* first; its weight is the count */
    struct text caller;
    const struct credit_item *items;
    struct credit_outcome *outcomes; /* one for each */
    size_t count;
};
extern const struct action credits_action;

/* ---- the routes ---- */

void credits_create(struct exchange *exchange); /* POST /v1/credits */
