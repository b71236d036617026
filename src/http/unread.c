#include "http/unread.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define LEAST_BYTES     1024u
#define SPARE_BYTES_MAX (1024u * 1024)

struct unread_spare {
    struct unread_spare *next;
};

static size_t place_for(size_t size_bytes) {
    size_t place = 0;
    while ((size_t)LEAST_BYTES << place < size_bytes) place++;
    CHECK(place < UNREAD_SIZES);
    return place;
}

static char *take(struct unread_pool *pool, size_t place) {
    size_t capacity = (size_t)LEAST_BYTES << place;
    if (pool->out_bytes + capacity > LIMIT_UNREAD_BYTES) return NULL;
    struct unread_spare *spare = pool->spares[place];
    if (spare != NULL) {
        pool->spares[place] = spare->next;
        pool->spare_bytes -= capacity;
    } else {
        spare = malloc(capacity);
        if (spare == NULL) return NULL;
    }
    pool->out_bytes += capacity;
    return (char *)spare;
}

void unread_drop(struct unread_pool *pool, struct unread *unread) {
    if (unread->bytes == NULL) return;
    CHECK(pool->out_bytes >= unread->capacity);
    pool->out_bytes -= unread->capacity;
    if (pool->spare_bytes + unread->capacity > SPARE_BYTES_MAX) {
        free(unread->bytes);
    } else {
        struct unread_spare *spare = (struct unread_spare *)(void *)unread->bytes;
        struct unread_spare **first = &pool->spares[place_for(unread->capacity)];
        spare->next = *first;
        *first = spare;
        pool->spare_bytes += unread->capacity;
    }
    *unread = (struct unread){0};
}

bool unread_keep(struct unread_pool *pool, struct unread *unread, struct text bytes) {
    CHECK(bytes.size <= UNREAD_BYTES_MAX);
    if (unread->bytes == NULL || bytes.size == 0 || place_for(bytes.size) != place_for(unread->capacity)) {
        unread_drop(pool, unread);
        if (bytes.size == 0) return true;
        size_t place = place_for(bytes.size);
        unread->bytes = take(pool, place);
        if (unread->bytes == NULL) return false;
        unread->capacity = LEAST_BYTES << place;
    }
    memcpy(unread->bytes, bytes.data, bytes.size);
    unread->size = (uint32_t)bytes.size;
    return true;
}

void unread_pool_free(struct unread_pool *pool) {
    CHECK(pool->out_bytes == 0);
    for (size_t place = 0; place < UNREAD_SIZES; place++) {
        while (pool->spares[place] != NULL) {
            struct unread_spare *spare = pool->spares[place];
            pool->spares[place] = spare->next;
            free(spare);
        }
    }
    pool->spare_bytes = 0;
}
