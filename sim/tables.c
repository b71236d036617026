#include "sim/tables.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/pages.h"
#include "sim/fiber.h"

#define TABLES_MAX 256u

static struct table {
    char *start;
    size_t bytes;
    bool is_taken, is_clean; /* clean: nobody had it yet, all zeros */
} tables[PROCESS_COUNT][TABLES_MAX];

static struct table *find_free(enum process_index owner, size_t bytes) {
    for (struct table *table = tables[owner]; table < tables[owner] + TABLES_MAX; table++) {
        if (table->start == NULL) {
            table->start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            CHECK(table->start != MAP_FAILED);
            table->bytes = bytes;
            table->is_clean = true;
        }
        if (!table->is_taken && table->bytes == bytes) return table;
    }
    return NULL;
}

void *__wrap_pages_take(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_pages_take(size_t count, size_t size) {
    size_t bytes = count * size;
    if (fiber_current() == NULL || bytes < PAGES_LARGE_BYTES) return __wrap_calloc(count, size);
    struct table *table = find_free(fiber_process(fiber_current())->index, bytes);
    CHECK(table != NULL);
    if (!table->is_clean) CHECK(madvise(table->start, bytes, MADV_DONTNEED) == 0);
    table->is_taken = true;
    table->is_clean = false;
    return table->start;
}

static struct table *find(const void *start) {
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        for (struct table *table = tables[i]; table < tables[i] + TABLES_MAX && table->start != NULL; table++) {
            if (table->start == start) return table;
        }
    }
    return NULL;
}

void __wrap_free(void *memory);
void __wrap_pages_free(void *pages, size_t count, size_t size);
void __wrap_pages_free(void *pages, size_t count, size_t size) {
    struct table *table = count * size < PAGES_LARGE_BYTES ? NULL : find(pages);
    if (table == NULL) {
        __wrap_free(pages);
    } else {
        table->is_taken = false;
    }
}

void tables_reset(const struct process *process) {
    for (size_t i = 0; i < TABLES_MAX; i++) tables[process->index][i].is_taken = false;
}
