/* Service tokens: short-lived, signed by Discount itself, for its calls to Wallet. Also for reconcile. */
#pragma once

#include "auth/keys.h"

#define SERVICE_TOKEN_LIFETIME_US (INT64_C(300) * 1000000) /* api/wallet.yaml: at most 5 minutes */

struct service_token {
    const struct key_ring *keys;
    char *text; /* NULL: none yet */
    int64_t expires_at_us;
};

/* The token to send now, renewed when less than a minute is left; NULL when it can't be signed (logged). */
const char *service_token_get(struct service_token *token, int64_t now_us);
void service_token_drop(struct service_token *token); /* Wallet does not take it: sign a new one */
