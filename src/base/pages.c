#include "base/pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"

static bool is_large(size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    (void)bytes;
    return false;
#else
    return bytes >= PAGES_LARGE_BYTES;
#endif
}

void *pages_take(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    if (!is_large(bytes)) return calloc(count, size);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void pages_free(void *pages, size_t count, size_t size) {
    if (pages == NULL) return;
    if (is_large(count * size)) {
        CHECK(munmap(pages, count * size) == 0);
    } else {
        free(pages);
    }
}
