#include "discount/code_index.h"

#include <stdlib.h>

#include "base/crypto.h"

struct named_code {
    struct code code;
    _Atomic uint32_t campaign_number; /* 0: nobody has it now */
};

struct code_table {
    struct code_table *smaller; /* the one that it replaced */
    size_t size, count;         /* a power of two, at least twice the count */
    _Atomic(struct named_code *) codes[];
};

static struct code_table *make_table(size_t size, struct code_table *smaller) {
    struct code_table *table = calloc(1, sizeof *table + size * sizeof table->codes[0]);
    if (table == NULL) return NULL;
    table->size = size;
    table->smaller = smaller;
    return table;
}

struct result code_index_init(struct code_index *index, size_t count) {
    size_t size = 16;
    while (size < 2 * count) size *= 2;
    crypto_random(index->secret, sizeof index->secret);
    struct code_table *table = make_table(size, NULL);
    atomic_store(&index->table, table);
    return table == NULL ? result_error(RESULT_FULL) : result_ok();
}

void code_index_clear(struct code_index *index) {
    struct code_table *table = atomic_load(&index->table);
    for (size_t i = 0; table != NULL && i < table->size; i++) free(atomic_load(&table->codes[i])); /* the largest has them all */
    while (table != NULL) {
        struct code_table *smaller = table->smaller;
        free(table);
        table = smaller;
    }
    atomic_store(&index->table, NULL);
}

static size_t place_of(const struct code_index *index, const struct code_table *table, const struct code *code) {
    return crypto_short_hash(code_text(code), index->secret) & (table->size - 1);
}

static struct named_code *find(const struct code_index *index, const struct code *code) {
    const struct code_table *table = atomic_load_explicit(&index->table, memory_order_acquire);
    for (size_t at = place_of(index, table, code);; at = (at + 1) & (table->size - 1)) {
        struct named_code *named = atomic_load_explicit(&table->codes[at], memory_order_acquire);
        if (named == NULL || code_equal(&named->code, code)) return named;
    }
}

uint32_t code_index_find(const struct code_index *index, const struct code *code) {
    if (code->size == 0) return 0;
    const struct named_code *named = find(index, code);
    return named == NULL ? 0 : atomic_load_explicit(&named->campaign_number, memory_order_acquire);
}

struct text named_code_text(const struct code_name *name) {
    const struct named_code *named = atomic_load_explicit(&name->named, memory_order_acquire);
    return named == NULL ? TEXT("") : code_text(&named->code);
}

/* ---- by the one thread ---- */

static void put(const struct code_index *index, struct code_table *table, struct named_code *named) {
    size_t at = place_of(index, table, &named->code);
    while (atomic_load_explicit(&table->codes[at], memory_order_relaxed) != NULL) at = (at + 1) & (table->size - 1);
    atomic_store_explicit(&table->codes[at], named, memory_order_release);
    table->count++;
}

static struct code_table *make_room(struct code_index *index) {
    struct code_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    if (2 * (table->count + 1) <= table->size) return table;
    struct code_table *larger = make_table(2 * table->size, table);
    if (larger == NULL) return NULL;
    for (size_t i = 0; i < table->size; i++) {
        struct named_code *named = atomic_load_explicit(&table->codes[i], memory_order_relaxed);
        if (named != NULL) put(index, larger, named);
    }
    atomic_store_explicit(&index->table, larger, memory_order_release);
    return larger;
}

static struct named_code *add(struct code_index *index, const struct code *code) {
    struct code_table *table = make_room(index);
    struct named_code *named = table == NULL ? NULL : calloc(1, sizeof *named);
    if (named == NULL) return NULL;
    named->code = *code;
    put(index, table, named);
    return named;
}

struct result code_index_name(struct code_index *index, const struct code *code, uint32_t campaign_number, struct code_name *name) {
    struct named_code *named = find(index, code);
    if (named == NULL) named = add(index, code);
    if (named == NULL) return result_error(RESULT_FULL);
    struct named_code *before = atomic_load_explicit(&name->named, memory_order_relaxed);
    bool is_left = before != NULL && before != named;
    atomic_store_explicit(&named->campaign_number, campaign_number, memory_order_release);
    atomic_store_explicit(&name->named, named, memory_order_release);
    if (is_left && atomic_load_explicit(&before->campaign_number, memory_order_relaxed) == campaign_number)
        atomic_store_explicit(&before->campaign_number, 0, memory_order_release);
    return result_ok();
}
