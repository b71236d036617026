#include "service/under_way.h"

#include <pthread.h>
#include <string.h>

#include "base/check.h"

/* One for all: it is held for some instructions. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A lookup is a digest: any of its bytes are as good as others. */
static struct under_way_bucket *bucket_of(struct under_way *under_way, const struct hash *lookup) {
    uint32_t word;
    memcpy(&word, lookup->bytes, sizeof word);
    return &under_way->buckets[word % UNDER_WAY_BUCKETS];
}

void under_way_add(struct under_way *under_way, struct under_way_item *item) {
    CHECK(pthread_mutex_lock(&lock) == 0);
    LIST_INSERT_HEAD(bucket_of(under_way, &item->lookup), item, link);
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

void under_way_remove(struct under_way_item *item) {
    CHECK(pthread_mutex_lock(&lock) == 0);
    LIST_REMOVE(item, link);
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

bool under_way_find(struct under_way *under_way, const struct hash *lookup, int64_t *ret_arrived_us) {
    bool is_found = false;
    CHECK(pthread_mutex_lock(&lock) == 0);
    const struct under_way_item *item;
    LIST_FOREACH(item, bucket_of(under_way, lookup), link) {
        if (memcmp(item->lookup.bytes, lookup->bytes, sizeof lookup->bytes) != 0) continue;
        if (!is_found || item->arrived_us < *ret_arrived_us) *ret_arrived_us = item->arrived_us;
        is_found = true;
    }
    CHECK(pthread_mutex_unlock(&lock) == 0);
    return is_found;
}
