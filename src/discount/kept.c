#include "discount/kept.h"

#include <string.h>

#include "base/pages.h"
#include "service/idempotency.h"

/* Beyond the retention: rows are dropped when it has passed, and not a moment later. */
#define TURN_US (IDEMPOTENCY_RETENTION_US + IDEMPOTENCY_RETENTION_US / 8)

struct result kept_keys_init(struct kept_keys *keys) {
    for (size_t i = 0; i < 2; i++) {
        void *memory = pages_take(1, KEPT_FILTER_BYTES);
        if (memory == NULL) return result_error(RESULT_FULL);
        filter_init(&keys->filters[i], memory, KEPT_FILTER_BYTES);
    }
    return result_ok();
}

void kept_keys_clear(struct kept_keys *keys) {
    for (size_t i = 0; i < 2; i++) {
        pages_free((void *)keys->filters[i].words, 1, KEPT_FILTER_BYTES);
        keys->filters[i].words = NULL;
    }
}

/* A digest already: any part of it will do. */
static uint64_t hash_of(const struct hash *lookup) {
    uint64_t hash;
    memcpy(&hash, lookup->bytes, sizeof hash);
    return hash;
}

static void take_turns(struct kept_keys *keys, int64_t now_us) {
    if (keys->since_us == 0) keys->since_us = now_us;
    if (now_us - keys->since_us < TURN_US) return;
    uint32_t other = 1 - atomic_load_explicit(&keys->present, memory_order_relaxed);
    filter_empty(&keys->filters[other]);
    atomic_store_explicit(&keys->present, other, memory_order_relaxed);
    keys->since_us = now_us;
}

void kept_keys_add(struct kept_keys *keys, const struct hash *lookup, int64_t now_us) {
    take_turns(keys, now_us);
    filter_add(&keys->filters[atomic_load_explicit(&keys->present, memory_order_relaxed)], hash_of(lookup));
}

bool kept_keys_may_hold(const struct kept_keys *keys, const struct hash *lookup) {
    uint64_t hash = hash_of(lookup);
    return filter_may_hold(&keys->filters[0], hash) || filter_may_hold(&keys->filters[1], hash);
}
