/* Memory of one request: taken piece by piece, given back all at once. One thread at a time, the owner of the request. */
#pragma once

#include <stddef.h>

#include "base/text.h"

#define ARENA_CHUNK_BYTES 4096u /* nearly every request needs less: thousands may wait at once */

struct arena_chunk;

struct arena {
    struct arena_chunk *newest;
    size_t used_bytes;  /* of all takings */
    size_t limit_bytes; /* arena_take gives NULL beyond it */
};

void arena_init(struct arena *arena, size_t limit_bytes);
/* Aligned for any type, not zeroed; NULL when the limit is reached. Chunks come from a per-thread free list, malloc only when it is empty. */
void *arena_take(struct arena *arena, size_t size_bytes);
void *arena_take_zeroed(struct arena *arena, size_t size_bytes);
/* A terminated copy; data is NULL when the limit is reached. */
struct text arena_copy(struct arena *arena, struct text text);
/* printf into the arena, terminated. */
struct text arena_print(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last or a big taking grows in place where possible; else a new one with its content copied. NULL when the limit is reached: the old one
 * stays as it is. On success the old pointer is dead. */
void *arena_resize(struct arena *arena, void *data, size_t old_size_bytes, size_t new_size_bytes);
void arena_release(struct arena *arena); /* everything; may be called on another thread than the one that took */

#define ARENA_NEW(arena, type)              ((type *)arena_take_zeroed((arena), sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, count) ((type *)arena_take_zeroed((arena), sizeof(type) * (count)))
