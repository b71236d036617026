#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/watched.h"

#define LINE_BYTES ((size_t)64) /* of the processor's cache: a table begins with one */

/* Where a large table lies: in whole pages, at their end, between two that nobody may touch. */
struct extent {
    size_t page_bytes, bytes, ahead, behind; /* a page; all of them; of which before the table, and behind it */
};

static struct extent extent_of(size_t bytes) {
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page_bytes - 1) / page_bytes * page_bytes;
    size_t slack = inner - bytes, behind = slack % LINE_BYTES;
    return (struct extent){page_bytes, inner + 2 * page_bytes, page_bytes + slack - behind, page_bytes + behind};
}

void *pages_take(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX) return NULL;
    if (bytes < PAGES_LARGE_BYTES) return calloc(count, size);
    struct extent extent = extent_of(bytes);
    char *first = mmap(NULL, extent.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (first == MAP_FAILED) return NULL;
    if (mprotect(first + extent.page_bytes, extent.bytes - 2 * extent.page_bytes, PROT_READ | PROT_WRITE) != 0) {
        CHECK(munmap(first, extent.bytes) == 0);
        return NULL;
    }
    ASAN_POISON_MEMORY_REGION(first, extent.ahead);
    ASAN_POISON_MEMORY_REGION(first + extent.ahead + bytes, extent.behind);
    return first + extent.ahead;
}

void pages_free(void *pages, size_t count, size_t size) {
    if (pages == NULL) return;
    if (count * size < PAGES_LARGE_BYTES) {
        free(pages);
        return;
    }
    struct extent extent = extent_of(count * size);
    char *first = (char *)pages - extent.ahead;
    ASAN_UNPOISON_MEMORY_REGION(first, extent.bytes); /* whoever gets these addresses next may use them */
    CHECK(munmap(first, extent.bytes) == 0);
}
