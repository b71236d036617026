/* JSON Web Tokens (RFC 7519) in JWS compact form (RFC 7515), checked as RFC 8725 asks. */
#pragma once

#include "auth/keys.h"
#include "base/clock.h"
#include "base/identity.h"

#define TOKEN_AUDIENCES_MAX 4
/* Of a service's token (api/wallet.yaml): one that leaks is soon worth nothing. */
#define TOKEN_SERVICE_LIFETIME_US (300 * CLOCK_SECOND_US)

struct token_claims {
    const char *issuer;
    const char *audiences[TOKEN_AUDIENCES_MAX]; /* one: a string; several: an array (RFC 7519, section 4.1.3) */
    size_t audience_count;
    struct text subject;
    struct text scope;              /* space-separated */
    struct text preferred_username; /* left out when empty, like the next two */
    struct text phone_number;       /* with is_phone_verified behind it (OpenID Connect Core 1.0, section 5.1) */
    bool is_phone_verified;
    struct text session_id;
    struct id token_id;                  /* jti */
    int64_t issued_at_us, expires_at_us; /* iat = nbf; whole seconds in the token */
};

/* Signs with the ring's newest key; header: alg, kid, typ "JWT". The text is in the arena. */
struct result token_sign(const struct key_ring *ring, const struct token_claims *claims, struct arena *arena,
                         struct text *ret_token) MUST_CHECK;

/* Whose tokens are good for what. Filled before the threads start, then only the key sets inside change (trust_refresh). */
struct trust;
struct trusted_issuer {
    const char *name; /* the `iss` that its tokens must carry */
    enum identity_kind kind;
    uint32_t scopes;             /* the most that its tokens can grant */
    const char *source;          /* file or http(s) URL of its JWKS; NULL: `ring` */
    const struct key_ring *ring; /* our own tokens */
    const char *cache_path;      /* where a fetched set is kept for the next start; NULL for files and rings */
};
struct result trust_create(const char *audience, const struct trusted_issuer *issuers, size_t count, struct trust **ret_trust) MUST_CHECK;
void trust_free(struct trust *trust);
/* Trusts for our own tokens what is in this ring, which is to replace theirs. Not beside trust_load. */
struct result trust_take_ring(struct trust *trust, const struct key_ring *ring) MUST_CHECK;
/* Loads rings and files. Missing ones are not an error: they are fetched. Logs what it found. */
void trust_load(struct trust *trust);
/* Replaces an issuer's keys by this JWKS text (RFC 7517, section 5); keys with unknown kty/alg/use, private members or no kid are ignored. A set
 * without a key that we can use withdraws all: the issuer says that it has no other. RESULT_INVALID when it is no such document, which says nothing:
 * the old set stays. One thread at a time for each issuer; readers see the old or the new set, never a mixture; a set equal to the current one is dropped. */
struct result trust_accept_jwks(struct trust *trust, size_t issuer_index, struct text jwks) MUST_CHECK;
/* The same of a set that was fetched, which is kept at cache_path first, with the time and its source. A copy that cannot be written is removed. */
struct result trust_accept_fetched(struct trust *trust, size_t issuer_index, struct text jwks, int64_t now_us) MUST_CHECK;
/* Takes what trust_accept_fetched has kept; `ret_age_us` is how long ago. RESULT_NOT_FOUND: nothing, or fetched from elsewhere; RESULT_TIMEOUT: it is older than
 * `age_max_us`, or from the future; RESULT_CORRUPT, RESULT_IO. The thread that accepts. */
struct result trust_use_kept(struct trust *trust, size_t issuer_index, int64_t now_us, int64_t age_max_us, int64_t *ret_age_us) MUST_CHECK;
/* From now on no key of the issuer is known. The thread that accepts. */
void trust_forget_keys(struct trust *trust, size_t issuer_index);
size_t trust_issuer_count(const struct trust *trust);
const struct trusted_issuer *trust_issuer(const struct trust *trust, size_t index);
bool trust_has_keys(const struct trust *trust, size_t issuer_index); /* whether any is known */
bool trust_source_is_url(const struct trusted_issuer *issuer);       /* otherwise its source is a file, or there is none */
/* Reads an issuer's file again, as trust_accept_jwks; RESULT_NOT_FOUND, RESULT_IO, RESULT_INVALID: the old set stays. */
struct result trust_load_file(struct trust *trust, size_t issuer_index) MUST_CHECK;

enum token_verdict {
    TOKEN_VALID,
    TOKEN_INVALID, /* malformed, bad signature, wrong issuer, audience, algorithm, type; claims missing */
    TOKEN_EXPIRED, /* signature good, exp passed */
    TOKEN_NOT_YET_VALID,
    TOKEN_WITHOUT_END, /* signature good, of a service, but without iat or exp, or more than TOKEN_SERVICE_LIFETIME_US between them */
    TOKEN_UNKNOWN_KEY, /* well formed, from a trusted issuer (by its unverified iss), but no such kid: the keys may have to be fetched */
};

/* One per loop thread, and it stays on it: a bounded cache of verified tokens, each known by all of its bytes, and what checking a signature needs.
 * The key and the times are looked at again at each call. */
struct token_verifier;
/* `leeway_us`: by how much the issuer's clock may differ from ours, either way. */
struct result token_verifier_create(struct trust *trust, size_t cache_capacity, int64_t leeway_us,
                                    struct token_verifier **ret_verifier) MUST_CHECK;
void token_verifier_free(struct token_verifier *verifier);
/* `ret_identity` is filled for TOKEN_VALID; `ret_issuer_index` for TOKEN_UNKNOWN_KEY. Never reads past LIMIT_TOKEN_BYTES. */
enum token_verdict token_verify(struct token_verifier *verifier, struct text token, int64_t now_us, struct identity *ret_identity,
                                size_t *ret_issuer_index);
