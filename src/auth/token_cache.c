#include "auth/token_cache.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"

struct entry {
    struct hash digest; /* the map's key lies here */
    bool is_used;
    struct token_proof proof;
};

/* A ring: `next` is the slot written longest ago. */
struct token_cache {
    struct map index;
    struct entry *entries;
    size_t capacity;
    size_t next;
};

static struct text as_text(const struct hash *digest) { return (struct text){(const char *)digest->bytes, sizeof digest->bytes}; }

struct result token_cache_create(size_t capacity, struct token_cache **ret_cache) {
    CHECK(capacity > 0);
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) return result_error(RESULT_FULL);
    cache->capacity = capacity;
    cache->entries = calloc(capacity, sizeof *cache->entries);
    if (cache->entries == NULL || !result_is_ok(map_init(&cache->index, capacity))) {
        free(cache->entries);
        free(cache);
        return result_error(RESULT_FULL);
    }
    *ret_cache = cache;
    return result_ok();
}

void token_cache_free(struct token_cache *cache) {
    if (cache == NULL) return;
    map_free(&cache->index);
    crypto_wipe(cache->entries, cache->capacity * sizeof *cache->entries);
    free(cache->entries);
    free(cache);
}

struct token_proof *token_cache_get(struct token_cache *cache, const struct hash *digest) {
    struct entry *entry = map_get(&cache->index, as_text(digest));
    return entry == NULL ? NULL : &entry->proof;
}

void token_cache_remove(struct token_cache *cache, const struct hash *digest) {
    struct entry *entry = map_remove(&cache->index, as_text(digest));
    if (entry != NULL) entry->is_used = false;
}

void token_cache_put(struct token_cache *cache, const struct hash *digest, const struct token_proof *proof) {
    token_cache_remove(cache, digest);
    struct entry *entry = &cache->entries[cache->next];
    cache->next = (cache->next + 1) % cache->capacity;
    if (entry->is_used) CHECK(map_remove(&cache->index, as_text(&entry->digest)) == entry);
    *entry = (struct entry){.digest = *digest, .is_used = true, .proof = *proof};
    CHECK(result_is_ok(map_put(&cache->index, as_text(&entry->digest), entry)));
}

size_t token_cache_count(const struct token_cache *cache) { return cache->index.count; }
