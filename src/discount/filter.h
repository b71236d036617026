/* Who may have won: a set of 64-bit hashes that forgets nothing and answers "certainly not" or "maybe" (B. Bloom, 1970).
 *
 * One thread adds, any thread asks, without a lock. Bits are only ever set, until it is emptied as a whole. Whoever has seen, through an acquire load, something that the
 * adding thread released after the adding also sees the bits. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter {
    _Atomic uint64_t *words;
    uint64_t bit_mask; /* bits - 1; a power of two */
};

/* Bytes for so many entries: 16 bits each (4 probes: about 0.24 % false hits when full), a power of two, at least 512. */
size_t filter_bytes(uint64_t entry_count);
/* `memory` is zeroed, aligned for uint64_t, its size a power of two and at least 8; it is the caller's and must outlive the filter. */
void filter_init(struct filter *filter, void *memory, size_t size_bytes);
void filter_add(struct filter *filter, uint64_t hash);
/* By the adding thread: who asks meanwhile may find either. */
void filter_empty(struct filter *filter);
/* Whoever looks behind it whether the filter still is one finds that out of a time when it had these bits. */
bool filter_may_hold(const struct filter *filter, uint64_t hash);
