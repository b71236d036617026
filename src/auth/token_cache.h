/* Verified tokens of one loop thread: bounded, the oldest is forgotten first. Private to src/auth. */
#pragma once

#include "base/crypto.h"
#include "base/identity.h"

/* All that must be looked at again each time a token comes, and what it proves. */
struct token_proof {
    struct identity identity;
    int64_t not_before_us;
    int64_t expires_at_us;
    size_t issuer_index;
    struct text key_id; /* of the key in its set, which lives as long as the trust */
    struct hash key_digest;
    uint64_t generation; /* of the trust for which the key was last known to be good */
};

struct token_cache;

struct result token_cache_create(size_t capacity, struct token_cache **ret_cache) MUST_CHECK; /* RESULT_FULL: no memory */
void token_cache_free(struct token_cache *cache);
/* NULL when it is not there. The proof may be changed in place; it lives until the next call. */
struct token_proof *token_cache_get(struct token_cache *cache, const struct hash *digest);
void token_cache_put(struct token_cache *cache, const struct hash *digest, const struct token_proof *proof);
void token_cache_remove(struct token_cache *cache, const struct hash *digest);
size_t token_cache_count(const struct token_cache *cache);
