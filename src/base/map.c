#include "base/map.h"

#include <string.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/pages.h"

struct map_slot {
    struct text key;
    void *value; /* NULL: the slot is free */
    uint64_t hash;
};

struct result map_init(struct map *map, size_t capacity) {
    *map = (struct map){.capacity = capacity, .slot_count = 2};
    while (map->slot_count / 2 < capacity) {
        if (map->slot_count > SIZE_MAX / 4 / sizeof(struct map_slot)) return result_error(RESULT_FULL);
        map->slot_count *= 2;
    }
    if (map->slot_count > UINT32_MAX) return result_error(RESULT_FULL);
    map->slots = pages_take(map->slot_count, sizeof(struct map_slot));
    map->filled = pages_take(map->slot_count / 2, sizeof *map->filled);
    if (map->slots == NULL || map->filled == NULL) {
        map_free(map);
        return result_error(RESULT_FULL);
    }
    crypto_random(map->secret, sizeof map->secret);
    return result_ok();
}

void map_free(struct map *map) {
    pages_free(map->slots, map->slot_count, sizeof *map->slots);
    pages_free(map->filled, map->slot_count / 2, sizeof *map->filled);
    *map = (struct map){0};
}

static size_t home_of(const struct map *map, uint64_t hash) { return (size_t)hash & (map->slot_count - 1); }

/* The key's slot, or the free one where it belongs: there always is one, because at most half are in use. */
static struct map_slot *find_slot(const struct map *map, struct text key, uint64_t hash) {
    size_t index = home_of(map, hash);
    for (;;) {
        struct map_slot *slot = &map->slots[index];
        if (slot->value == NULL || (slot->hash == hash && text_equal(slot->key, key))) return slot;
        index = (index + 1) & (map->slot_count - 1);
    }
}

void *map_get(const struct map *map, struct text key) {
    if (map->count == 0) return NULL;
    return find_slot(map, key, crypto_short_hash(key, map->secret))->value;
}

struct result map_put(struct map *map, struct text key, void *value) {
    CHECK(value != NULL);
    uint64_t hash = crypto_short_hash(key, map->secret);
    struct map_slot *slot = find_slot(map, key, hash);
    if (slot->value == NULL) {
        if (map->count == map->capacity) return result_error(RESULT_FULL);
        map->count++;
        if (!map->has_moved) map->filled[map->filled_count++] = (uint32_t)(slot - map->slots);
    }
    *slot = (struct map_slot){.key = key, .value = value, .hash = hash}; /* the key too: it may live in the value */
    return result_ok();
}

void *map_remove(struct map *map, struct text key) {
    struct map_slot *slot = find_slot(map, key, crypto_short_hash(key, map->secret));
    void *value = slot->value;
    if (value == NULL) return NULL;
    map->count--;
    map->has_moved = true;
    /* Close the gap: a later one of the same run moves back, unless it would come before its home. */
    size_t mask = map->slot_count - 1, gap = (size_t)(slot - map->slots);
    for (size_t index = (gap + 1) & mask; map->slots[index].value != NULL; index = (index + 1) & mask) {
        size_t distance_from_home = (index - home_of(map, map->slots[index].hash)) & mask;
        if (distance_from_home >= ((index - gap) & mask)) {
            map->slots[gap] = map->slots[index];
            gap = index;
        }
    }
    map->slots[gap] = (struct map_slot){.value = NULL};
    return value;
}

void map_clear(struct map *map) {
    if (map->has_moved) {
        memset(map->slots, 0, map->slot_count * sizeof(struct map_slot));
    } else {
        CHECK(map->filled_count == map->count);
        for (size_t i = 0; i < map->filled_count; i++) map->slots[map->filled[i]] = (struct map_slot){.value = NULL};
    }
    map->count = map->filled_count = 0;
    map->has_moved = false;
}
