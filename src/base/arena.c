/* Chunks of ARENA_CHUNK_BYTES hold the small takings one behind the other; a taking above BIG_BYTES gets a chunk of its own, which stands
 * behind the newest so that the newest's rest stays in use, and which can grow in place. At most half of a chunk is lost. */
#include "base/arena.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/watched.h"

#define ALIGNMENT        alignof(max_align_t)
#define SPARE_CHUNKS_MAX 512u /* per thread: 2 MiB */

struct arena_chunk {
    struct arena_chunk *older;
    struct arena_chunk *newer;
    size_t capacity; /* bytes behind this header */
    size_t used;
    alignas(max_align_t) char bytes[];
};

#define CHUNK_CAPACITY (ARENA_CHUNK_BYTES - sizeof(struct arena_chunk))

/* Under the address sanitizer each taking has its own chunk and none is used again, so that it sees overruns and stale pointers. */
#define BIG_BYTES (IS_WATCHED ? 0u : ARENA_CHUNK_BYTES / 2u)

struct spares {
    struct arena_chunk *first;
    size_t count;
    bool is_registered; /* free_spares runs at this thread's end */
};

static _Thread_local struct spares spares;
static pthread_once_t spares_once = PTHREAD_ONCE_INIT;
static pthread_key_t spares_key;

static void free_spares(void *value) {
    struct spares *of_thread = value;
    while (of_thread->first != NULL) {
        struct arena_chunk *chunk = of_thread->first;
        of_thread->first = chunk->older;
        free(chunk);
    }
    of_thread->count = 0;
    of_thread->is_registered = false;
}

static void make_spares_key(void) { CHECK(pthread_key_create(&spares_key, free_spares) == 0); }

static void give_chunk(struct arena_chunk *chunk) {
    if (IS_WATCHED || chunk->capacity != CHUNK_CAPACITY || spares.count >= SPARE_CHUNKS_MAX) {
        free(chunk);
        return;
    }
    if (!spares.is_registered) {
        CHECK(pthread_once(&spares_once, make_spares_key) == 0);
        CHECK(pthread_setspecific(spares_key, &spares) == 0);
        spares.is_registered = true;
    }
    chunk->older = spares.first;
    spares.first = chunk;
    spares.count++;
}

static struct arena_chunk *get_chunk(size_t capacity) {
    struct arena_chunk *chunk = NULL;
    if (capacity == CHUNK_CAPACITY && spares.first != NULL) {
        chunk = spares.first;
        spares.first = chunk->older;
        spares.count--;
    } else {
        chunk = malloc(sizeof(struct arena_chunk) + capacity);
        if (chunk == NULL) return NULL;
    }
    chunk->older = chunk->newer = NULL;
    chunk->capacity = capacity;
    chunk->used = 0;
    return chunk;
}

/* 0 when the size is beyond reason. */
static size_t round_up(size_t size_bytes) {
    if (size_bytes > SIZE_MAX / 2) return 0;
    if (size_bytes == 0) size_bytes = 1;
    if (IS_WATCHED) return size_bytes; /* to the byte, so that one byte too far is seen */
    return (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void arena_init(struct arena *arena, size_t limit_bytes) { *arena = (struct arena){.limit_bytes = limit_bytes}; }

static void link_chunk(struct arena *arena, struct arena_chunk *chunk, bool is_big) {
    struct arena_chunk *newest = arena->newest;
    if (is_big && newest != NULL) {
        chunk->newer = newest;
        chunk->older = newest->older;
        if (newest->older != NULL) newest->older->newer = chunk;
        newest->older = chunk;
    } else {
        chunk->older = newest;
        if (newest != NULL) newest->newer = chunk;
        arena->newest = chunk;
    }
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size, bool is_big) {
    struct arena_chunk *chunk = get_chunk(is_big ? size : CHUNK_CAPACITY);
    if (chunk != NULL) link_chunk(arena, chunk, is_big);
    return chunk;
}

void *arena_take(struct arena *arena, size_t size_bytes) {
    size_t size = round_up(size_bytes);
    if (size == 0 || size > arena->limit_bytes - arena->used_bytes) return NULL;
    bool is_big = size > BIG_BYTES;
    struct arena_chunk *chunk = arena->newest;
    if (is_big || chunk == NULL || chunk->capacity - chunk->used < size) {
        chunk = add_chunk(arena, size, is_big);
        if (chunk == NULL) return NULL;
    }
    void *data = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->used_bytes += size;
    CHECK(chunk->used <= chunk->capacity && arena->used_bytes <= arena->limit_bytes);
    return data;
}

void *arena_take_zeroed(struct arena *arena, size_t size_bytes) {
    void *data = arena_take(arena, size_bytes);
    if (data != NULL) memset(data, 0, size_bytes);
    return data;
}

static void *resize_big(struct arena *arena, void *data, size_t old_size, size_t new_size) {
    struct arena_chunk *chunk = CONTAINER_OF(data, struct arena_chunk, bytes);
    struct arena_chunk *grown = realloc(chunk, sizeof(struct arena_chunk) + new_size);
    if (grown == NULL) return NULL;
    if (grown->older != NULL) grown->older->newer = grown;
    if (grown->newer != NULL) {
        grown->newer->older = grown;
    } else {
        arena->newest = grown;
    }
    grown->capacity = grown->used = new_size;
    arena->used_bytes += new_size - old_size;
    return grown->bytes;
}

void *arena_resize(struct arena *arena, void *data, size_t old_size_bytes, size_t new_size_bytes) {
    CHECK(new_size_bytes >= old_size_bytes);
    if (data == NULL) return arena_take(arena, new_size_bytes);
    size_t old_size = round_up(old_size_bytes), new_size = round_up(new_size_bytes);
    CHECK(old_size > 0); /* it was taken */
    if (new_size == 0) return NULL;
    if (new_size == old_size) return data;
    size_t left = arena->limit_bytes - arena->used_bytes;
    if (old_size > BIG_BYTES) return new_size - old_size > left ? NULL : resize_big(arena, data, old_size, new_size);

    struct arena_chunk *newest = arena->newest;
    bool is_last = newest != NULL && newest->bytes + newest->used == (char *)data + old_size;
    if (is_last && new_size <= BIG_BYTES && new_size - old_size <= newest->capacity - newest->used && new_size - old_size <= left) {
        newest->used += new_size - old_size;
        arena->used_bytes += new_size - old_size;
        return data;
    }
    void *moved = arena_take(arena, new_size_bytes);
    if (moved != NULL) memcpy(moved, data, old_size_bytes);
    return moved;
}

struct text arena_copy(struct arena *arena, struct text text) {
    if (text.size == SIZE_MAX) return (struct text){NULL, 0};
    char *data = arena_take(arena, text.size + 1);
    if (data == NULL) return (struct text){NULL, 0};
    if (text.size > 0) memcpy(data, text.data, text.size);
    data[text.size] = '\0';
    return (struct text){data, text.size};
}

/* Printed at once into what the newest chunk has left, which mostly is enough: to learn the size first would cost as much again. */
struct text arena_print(struct arena *arena, const char *format, ...) {
    struct arena_chunk *newest = arena->newest;
    size_t room = newest == NULL ? 0 : newest->capacity - newest->used;
    char *there = room == 0 ? NULL : newest->bytes + newest->used;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(there, room, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *data = arena_take(arena, (size_t)size + 1);
    if (data == NULL) return (struct text){NULL, 0};
    if (data == there) return (struct text){data, (size_t)size};
    va_start(arguments, format);
    int printed = vsnprintf(data, (size_t)size + 1, format, arguments);
    va_end(arguments);
    CHECK(printed == size);
    return (struct text){data, (size_t)size};
}

void arena_release(struct arena *arena) {
    while (arena->newest != NULL) {
        struct arena_chunk *chunk = arena->newest;
        arena->newest = chunk->older;
        give_chunk(chunk);
    }
    arena->used_bytes = 0;
}
