/* Memory that ends, by the linker's --wrap (memory_ends, the last word of this test's line in meson.build). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* There are so many; the one behind them fails, and those behind it do not. */
static size_t objects_left = SIZE_MAX; /* by calloc and pages_take */
static size_t chunks_left = SIZE_MAX;  /* by malloc */

static inline bool memory_is_left(size_t *left) {
    bool fails = *left == 0;
    *left = fails || *left == SIZE_MAX ? SIZE_MAX : *left - 1;
    return !fails;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) { return memory_is_left(&objects_left) ? __real_calloc(count, size) : NULL; }

void *__wrap_pages_take(size_t count, size_t size);
void *__wrap_pages_take(size_t count, size_t size) { return __wrap_calloc(count, size); }

void __wrap_pages_free(void *pages, size_t count, size_t size);
void __wrap_pages_free(void *pages, size_t count, size_t size) {
    (void)count;
    (void)size;
    free(pages);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) { return memory_is_left(&chunks_left) ? __real_malloc(size) : NULL; }
