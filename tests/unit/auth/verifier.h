/* A verifier that trusts a wallet and a discount, and the tokens that are shown to it. */
#pragma once

#include "forge.h"

struct world {
    struct arena arena;
    struct key_ring *wallet, *discount, *stranger;
    struct trust *trust;
    struct token_verifier *verifier;
    struct identity identity;
    size_t issuer_index;
};

static struct world world;

static inline int open_world(void **state) {
    (void)state;
    crypto_init();
    arena_init(&world.arena, 64u * 1024 * 1024);
    world.wallet = make_ring(KEY_RS256);
    world.discount = make_ring(KEY_ES256);
    world.stranger = make_ring(KEY_RS256);
    struct trusted_issuer issuers[] = {
        {.name = "wallet", .kind = IDENTITY_USER, .scopes = SCOPE_USER | SCOPE_ADMIN, .ring = world.wallet},
        {.name = "discount", .kind = IDENTITY_SERVICE, .scopes = SCOPE_CREDITS_WRITE, .source = "http://127.0.0.1:1/jwks"},
    };
    assert_ok(trust_create("wallet", issuers, ARRAY_COUNT(issuers), &world.trust));
    trust_load(world.trust);
    assert_ok(trust_accept_jwks(world.trust, 1, jwks_of(world.discount, &world.arena)));
    assert_ok(token_verifier_create(world.trust, 16, 0, &world.verifier));
    return 0;
}

static inline int close_world(void **state) {
    (void)state;
    token_verifier_free(world.verifier);
    trust_free(world.trust);
    key_ring_free(world.wallet);
    key_ring_free(world.discount);
    key_ring_free(world.stranger);
    arena_release(&world.arena);
    return 0;
}

static inline enum token_verdict verify_at(struct text token, int64_t now_us) {
    memset(&world.identity, 0, sizeof world.identity);
    world.issuer_index = SIZE_MAX;
    return token_verify(world.verifier, token, now_us, &world.identity, &world.issuer_index);
}

static inline enum token_verdict verify(struct text token) { return verify_at(token, NOW_US); }

/* `claims` follow exp; iss and aud are good unless `claims` brings its own (then `start` is ""). */
static inline struct text user_token(const char *claims) {
    struct text payload = arena_print(&world.arena, "{%s}", claims);
    return sign_payload(world.wallet, payload.data, &world.arena);
}

#define GOOD_START "\"iss\":\"wallet\",\"aud\":\"wallet\"," USER_CLAIMS ","
#define GOOD_TIMES "\"iat\":1795341600,\"nbf\":1795341600,\"exp\":1795342500"
#define GOOD       GOOD_START GOOD_TIMES
