/* A hash table of fixed capacity from a key of bytes to a pointer: the index of a working set or a cache. One thread.
 * Open addressing with linear probing and backward-shift deletion; memory is taken once, at init. Keys are hashed with a per-process secret
 * (SipHash), so that nobody outside can choose colliding keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t slot_count; /* a power of two, at least 2 × capacity */
    size_t capacity;
    size_t count;
    uint32_t *filled; /* indexes of slots in the order of their filling; exact while has_moved is false */
    size_t filled_count;
    bool has_moved; /* something was removed since the map was last empty */
    uint8_t secret[16];
};

struct result map_init(struct map *map, size_t capacity) MUST_CHECK; /* RESULT_FULL: no memory */
void map_free(struct map *map);
void *map_get(const struct map *map, struct text key); /* NULL when absent */
/* Keys are not copied: they must live in the value or as long as it. RESULT_FULL at capacity; replaces an existing key's value. */
struct result map_put(struct map *map, struct text key, void *value) MUST_CHECK;
void *map_remove(struct map *map, struct text key); /* the removed value or NULL */
void map_clear(struct map *map);                    /* costs what is in it, not what could be, unless something was removed before */
