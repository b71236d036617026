/* Users who wait for their time, the earliest first; of two with the same time the lower index. Memory is taken once, at init. */
#pragma once

#include <stddef.h>

#include "base/result.h"

struct user;

struct heap {
    struct user **users;
    size_t count, capacity;
};

struct result heap_init(struct heap *heap, size_t capacity) MUST_CHECK; /* RESULT_FULL: no memory */
void heap_free(struct heap *heap);
void heap_push_user(struct heap *heap, struct user *user); /* there must be room */
struct user *heap_pop_user(struct heap *heap);             /* there must be one */
