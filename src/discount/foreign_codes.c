#include "discount/foreign_codes.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct foreign_code {
    _Atomic uint64_t mark;  /* of its hash; 0: nothing stands here */
    _Atomic uint64_t where; /* batch and index, before the mark */
};

struct foreign_table {
    struct foreign_table *smaller; /* the one that it replaced */
    size_t size, count;            /* a power of two, at least twice the count */
    struct foreign_code codes[];
};

static uint64_t mark_of(const struct hash *hash) {
    uint64_t mark;
    memcpy(&mark, hash->bytes, sizeof mark);
    return mark == 0 ? 1 : mark;
}

static void put(struct foreign_table *table, uint64_t mark, uint64_t where) {
    size_t at = mark & (table->size - 1);
    while (atomic_load_explicit(&table->codes[at].mark, memory_order_relaxed) != 0) at = (at + 1) & (table->size - 1);
    atomic_store_explicit(&table->codes[at].where, where, memory_order_relaxed);
    atomic_store_explicit(&table->codes[at].mark, mark, memory_order_release);
    table->count++;
}

struct result foreign_codes_reserve(struct foreign_codes *codes, size_t more) {
    struct foreign_table *table = atomic_load_explicit(&codes->table, memory_order_relaxed);
    size_t due = (table == NULL ? 0 : table->count) + more, size = 64;
    if (table != NULL && 2 * due <= table->size) return result_ok();
    while (size < 2 * due) size *= 2;
    struct foreign_table *larger = calloc(1, sizeof *larger + size * sizeof larger->codes[0]);
    if (larger == NULL) return result_error(RESULT_FULL);
    larger->size = size;
    larger->smaller = table;
    for (size_t i = 0; table != NULL && i < table->size; i++) {
        uint64_t mark = atomic_load_explicit(&table->codes[i].mark, memory_order_relaxed);
        if (mark != 0) put(larger, mark, atomic_load_explicit(&table->codes[i].where, memory_order_relaxed));
    }
    atomic_store_explicit(&codes->table, larger, memory_order_release);
    return result_ok();
}

void foreign_codes_clear(struct foreign_codes *codes) {
    struct foreign_table *table = atomic_load(&codes->table);
    while (table != NULL) {
        struct foreign_table *smaller = table->smaller;
        free(table);
        table = smaller;
    }
    atomic_store(&codes->table, NULL);
}

void foreign_codes_add(struct foreign_codes *codes, const struct hash *hash, uint32_t batch, uint32_t index) {
    struct foreign_table *table = atomic_load_explicit(&codes->table, memory_order_relaxed);
    CHECK(table != NULL && 2 * (table->count + 1) <= table->size);
    put(table, mark_of(hash), (uint64_t)batch << 32 | index);
}

bool foreign_codes_find(const struct foreign_codes *codes, const struct hash *hash, uint32_t *ret_batch, uint32_t *ret_index) {
    const struct foreign_table *table = atomic_load_explicit(&codes->table, memory_order_acquire);
    uint64_t mark = mark_of(hash);
    for (size_t at = mark & (table == NULL ? 0 : table->size - 1); table != NULL; at = (at + 1) & (table->size - 1)) {
        uint64_t found = atomic_load_explicit(&table->codes[at].mark, memory_order_acquire);
        if (found == 0) return false;
        if (found != mark) continue;
        uint64_t where = atomic_load_explicit(&table->codes[at].where, memory_order_relaxed);
        *ret_batch = (uint32_t)(where >> 32);
        *ret_index = (uint32_t)where;
        return true;
    }
    return false;
}
