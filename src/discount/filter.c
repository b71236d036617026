#include "discount/filter.h"

#include "base/check.h"

#define BITS_PER_ENTRY 16u
#define LEAST_BYTES    512u
#define PROBES         4u

size_t filter_bytes(uint64_t entry_count) {
    size_t bytes = LEAST_BYTES;
    while (bytes < entry_count * BITS_PER_ENTRY / 8) bytes *= 2;
    return bytes;
}

void filter_init(struct filter *filter, void *memory, size_t size_bytes) {
    CHECK(size_bytes >= sizeof(uint64_t) && (size_bytes & (size_bytes - 1)) == 0);
    filter->words = memory;
    filter->bit_mask = (uint64_t)size_bytes * 8 - 1;
}

/* Double hashing: probe i stands at hash + i × step, with an odd step so that the probes differ (Kirsch and Mitzenmacher, 2006). */
static uint64_t probe_bit(const struct filter *filter, uint64_t hash, uint64_t probe) {
    uint64_t step = (hash >> 32 | hash << 32) | 1;
    return (hash + probe * step) & filter->bit_mask;
}

void filter_add(struct filter *filter, uint64_t hash) {
    for (uint64_t probe = 0; probe < PROBES; probe++) {
        uint64_t bit = probe_bit(filter, hash, probe);
        atomic_fetch_or_explicit(&filter->words[bit / 64], UINT64_C(1) << bit % 64, memory_order_relaxed);
    }
}

void filter_empty(struct filter *filter) {
    for (uint64_t i = 0; i <= filter->bit_mask / 64; i++) atomic_store_explicit(&filter->words[i], 0, memory_order_relaxed);
}

bool filter_may_hold(const struct filter *filter, uint64_t hash) {
    for (uint64_t probe = 0; probe < PROBES; probe++) {
        uint64_t bit = probe_bit(filter, hash, probe);
        if ((atomic_load_explicit(&filter->words[bit / 64], memory_order_acquire) & UINT64_C(1) << bit % 64) == 0) return false;
    }
    return true;
}
