/* Verified tokens of one loop thread: bounded in number and in bytes, the oldest is forgotten first. Private to src/auth. */
#pragma once

#include "auth/key.h"
#include "base/identity.h"

/* All that must be looked at again each time a token comes, and what it proves. */
struct token_proof {
    struct identity identity;
    int64_t not_before_us;
    int64_t expires_at_us;
    size_t issuer_index;
    struct hash key;     /* the digest of the one that proved it */
    uint64_t generation; /* of the trust for which the key was last known to be good */
};

struct token_cache;

/* At most `capacity` tokens of together `bytes_capacity`, which is at least LIMIT_TOKEN_BYTES. RESULT_FULL: no memory. */
struct result token_cache_create(size_t capacity, size_t bytes_capacity, struct token_cache **ret_cache) MUST_CHECK;
void token_cache_free(struct token_cache *cache);
/* What the very same token proved, to the last byte; NULL when it is not there. The proof may be changed in place; it lives until the next call. */
struct token_proof *token_cache_get(struct token_cache *cache, struct text token);
/* The token has between 1 and LIMIT_TOKEN_BYTES; it is copied. */
void token_cache_put(struct token_cache *cache, struct text token, const struct token_proof *proof);
void token_cache_remove(struct token_cache *cache, struct text token);
size_t token_cache_count(const struct token_cache *cache);
