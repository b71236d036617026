#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

#define LINE_BYTES ((size_t)64) /* of the processor's cache: a table begins with one */

/* Where a large table lies: in whole pages, at their end, between two that nobody may touch. */
struct place {
    size_t page_bytes, bytes, ahead; /* a page; all of them; of which before the table */
};

static struct place place_of(size_t bytes) {
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page_bytes - 1) / page_bytes * page_bytes;
    return (struct place){page_bytes, inner + 2 * page_bytes, page_bytes + (inner - bytes) / LINE_BYTES * LINE_BYTES};
}

void *pages_take(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX) return NULL;
    if (bytes < PAGES_LARGE_BYTES) return calloc(count, size);
    struct place place = place_of(bytes);
    char *first = mmap(NULL, place.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (first == MAP_FAILED) return NULL;
    if (mprotect(first + place.page_bytes, place.bytes - 2 * place.page_bytes, PROT_READ | PROT_WRITE) == 0) return first + place.ahead;
    CHECK(munmap(first, place.bytes) == 0);
    return NULL;
}

void pages_free(void *pages, size_t count, size_t size) {
    if (pages == NULL) return;
    if (count * size < PAGES_LARGE_BYTES) {
        free(pages);
        return;
    }
    struct place place = place_of(count * size);
    CHECK(munmap((char *)pages - place.ahead, place.bytes) == 0);
}
