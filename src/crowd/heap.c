#include "crowd/heap.h"

#include <stdlib.h>

#include "base/check.h"
#include "crowd/crowd.h"

static bool is_earlier(const struct user *a, const struct user *b) {
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->index < b->index;
}

struct result heap_init(struct heap *heap, size_t capacity) {
    *heap = (struct heap){.users = calloc(capacity, sizeof(struct user *)), .capacity = capacity};
    return heap->users != NULL ? result_ok() : result_error(RESULT_FULL);
}

void heap_free(struct heap *heap) {
    free(heap->users);
    *heap = (struct heap){0};
}

void heap_push_user(struct heap *heap, struct user *user) {
    CHECK(heap->count < heap->capacity);
    size_t place = heap->count++;
    while (place > 0 && is_earlier(user, heap->users[(place - 1) / 2])) {
        heap->users[place] = heap->users[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->users[place] = user;
}

struct user *heap_pop_user(struct heap *heap) {
    CHECK(heap->count > 0);
    struct user *first = heap->users[0];
    struct user *last = heap->users[--heap->count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && is_earlier(heap->users[child + 1], heap->users[child])) child++;
        if (!is_earlier(heap->users[child], last)) break;
        heap->users[place] = heap->users[child];
        place = child;
    }
    heap->users[place] = last;
    return first;
}
