#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "discount/settle/token.h"

#define RENEW_BEFORE_US (60 * CLOCK_SECOND_US)
/* Signed as if so long ago: a clock that is ahead of Wallet's makes no token from the future. */
#define BACKDATED_US (30 * CLOCK_SECOND_US)

void service_token_drop(struct service_token *token) {
    free(token->text);
    token->text = NULL;
}

const char *service_token_get(struct service_token *token, const struct clock *clock) {
    int64_t now_us = clock_now_us(clock), monotonic_us = clock_monotonic_us(clock);
    bool is_good = token->text != NULL && monotonic_us < token->renew_at_us && now_us < token->expires_at_us - RENEW_BEFORE_US;
    if (is_good) return token->text;
    service_token_drop(token);
    struct id_source ids;
    id_source_init_system(&ids);
    struct token_claims claims = {
        .issuer = "discount",
        .audiences = {"wallet"},
        .audience_count = 1,
        .subject = TEXT("discount"),
        .scope = TEXT("credits:write funds:write"),
        .token_id = id_make(&ids, now_us),
        .issued_at_us = now_us - BACKDATED_US,
        .expires_at_us = now_us - BACKDATED_US + TOKEN_SERVICE_LIFETIME_US,
    };
    struct arena arena;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    struct text signed_token;
    struct result outcome = token_sign(token->keys, &claims, &arena, &signed_token);
    if (result_is_ok(outcome)) {
        token->text = malloc(signed_token.size + 1); /* what was signed is not terminated */
        if (token->text != NULL) snprintf(token->text, signed_token.size + 1, "%.*s", (int)signed_token.size, signed_token.data);
        token->expires_at_us = claims.expires_at_us;
        token->renew_at_us = monotonic_us + (claims.expires_at_us - now_us) - RENEW_BEFORE_US;
    } else {
        LOG(LOG_ERROR, "service_token_not_signed", LOG_STRING("reason", result_name(outcome)));
    }
    arena_release(&arena);
    return token->text;
}
