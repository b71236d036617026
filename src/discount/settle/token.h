/* Service tokens: short-lived, signed by Discount itself, for its calls to Wallet. Also for reconcile. */
#pragma once

#include "auth/keys.h"
#include "base/clock.h"

struct service_token {
    const struct key_ring *keys;
    char *text;            /* NULL: none yet */
    int64_t renew_at_us;   /* monotonic: a clock that is set back does not make it live longer */
    int64_t expires_at_us; /* what it says */
};

/* The token to send now, renewed when less than a minute is left; NULL when it can't be signed (logged). */
const char *service_token_get(struct service_token *token, const struct clock *clock);
void service_token_drop(struct service_token *token); /* Wallet does not take it: sign a new one */
