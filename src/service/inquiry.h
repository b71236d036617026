/* GET /v1/idempotency/{key}: what became of a request of this caller. */
#pragma once

#include "http/exchange.h"

/* The answer to a request whose record waits still, though its subject does not: what its repeat would get. */
struct kept_final {
    int status;
    struct text body; /* JSON, in the exchange's arena; data NULL: there was no room */
};

void inquiry_get(struct exchange *exchange);
