/* A token is found by its end and recognised by the whole of it. Its end is its signature's: nobody who cannot sign can choose it, and it is hashed
 * with a secret (map.h). Two tokens with the same end share one place, the later one has it: that costs a verification and proves nothing.
 *
 * Entries and the tokens' bytes lie in two rings, which are emptied in the same order. */
#include "auth/token_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "base/pages.h"

#define END_BYTES 32u /* of an RS256 or ES256 signature: about 190 of its bits */

struct entry {
    struct text token; /* in `bytes`; empty: the entry was removed before its turn */
    uint64_t start;    /* where the token lies, in bytes since the cache was made */
    struct token_proof proof;
};

struct token_cache {
    struct map index; /* by the token's end */
    struct entry *entries;
    size_t capacity;
    uint64_t oldest, next; /* entries since the cache was made: these, modulo the capacity, are in use */
    char *bytes;
    size_t bytes_capacity;
    uint64_t next_byte; /* since the cache was made */
};

static struct text end_of(struct text token) {
    size_t size = token.size < END_BYTES ? token.size : END_BYTES;
    return (struct text){token.data + token.size - size, size};
}

struct result token_cache_create(size_t capacity, size_t bytes_capacity, struct token_cache **ret_cache) {
    CHECK(capacity > 0 && bytes_capacity >= LIMIT_TOKEN_BYTES);
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) return result_error(RESULT_FULL);
    cache->capacity = capacity;
    cache->bytes_capacity = bytes_capacity;
    cache->entries = pages_take(capacity, sizeof *cache->entries);
    cache->bytes = pages_take(bytes_capacity, 1);
    if (cache->entries == NULL || cache->bytes == NULL || !result_is_ok(map_init(&cache->index, capacity))) {
        pages_free(cache->bytes, bytes_capacity, 1);
        pages_free(cache->entries, capacity, sizeof *cache->entries);
        free(cache);
        return result_error(RESULT_FULL);
    }
    *ret_cache = cache;
    return result_ok();
}

/* The tokens are good until they expire: no copy stays behind. */
static void wipe(struct token_cache *cache) {
    size_t written = cache->next_byte < cache->bytes_capacity ? (size_t)cache->next_byte : cache->bytes_capacity;
    crypto_wipe(cache->bytes, written);
    crypto_wipe(cache->entries, cache->capacity * sizeof *cache->entries);
}

void token_cache_free(struct token_cache *cache) {
    if (cache == NULL) return;
    wipe(cache);
    map_free(&cache->index);
    pages_free(cache->bytes, cache->bytes_capacity, 1);
    pages_free(cache->entries, cache->capacity, sizeof *cache->entries);
    free(cache);
}

static struct entry *find(const struct token_cache *cache, struct text token) {
    struct entry *entry = map_get(&cache->index, end_of(token));
    return entry != NULL && text_equal(entry->token, token) ? entry : NULL;
}

struct token_proof *token_cache_get(struct token_cache *cache, struct text token) {
    struct entry *entry = find(cache, token);
    return entry == NULL ? NULL : &entry->proof;
}

/* Its bytes and its entry stay where they are until their turn comes. */
static void forget(struct token_cache *cache, struct entry *entry) {
    if (entry->token.size == 0) return;
    CHECK(map_remove(&cache->index, end_of(entry->token)) == entry);
    entry->token.size = 0;
}

void token_cache_remove(struct token_cache *cache, struct text token) {
    struct entry *entry = find(cache, token);
    if (entry != NULL) forget(cache, entry);
}

static struct entry *entry_at(struct token_cache *cache, uint64_t number) { return &cache->entries[number % cache->capacity]; }

/* Room for so many bytes in one piece, at the expense of the oldest. */
static uint64_t take_bytes(struct token_cache *cache, size_t size) {
    uint64_t start = cache->next_byte, left = cache->bytes_capacity - start % cache->bytes_capacity;
    if (left < size) start += left; /* not around the end */
    cache->next_byte = start + size;
    while (cache->oldest < cache->next && entry_at(cache, cache->oldest)->start + cache->bytes_capacity < cache->next_byte) {
        forget(cache, entry_at(cache, cache->oldest++));
    }
    return start;
}

void token_cache_put(struct token_cache *cache, struct text token, const struct token_proof *proof) {
    CHECK(token.size > 0 && token.size <= LIMIT_TOKEN_BYTES);
    struct entry *same = map_get(&cache->index, end_of(token));
    if (same != NULL) forget(cache, same);
    if (cache->next - cache->oldest == cache->capacity) forget(cache, entry_at(cache, cache->oldest++));
    uint64_t start = take_bytes(cache, token.size);
    char *copy = cache->bytes + start % cache->bytes_capacity;
    memcpy(copy, token.data, token.size);
    struct entry *entry = entry_at(cache, cache->next++);
    *entry = (struct entry){.token = {copy, token.size}, .start = start, .proof = *proof};
    CHECK(result_is_ok(map_put(&cache->index, end_of(entry->token), entry)));
}

size_t token_cache_count(const struct token_cache *cache) { return cache->index.count; }
