/* Which foreign code is which: asked by the loops for codes that are typed and are nothing else, without a lock and without a look-up; told by one thread.
 *
 * A table from 64 bits of a code's keyed hash to its batch and index. Nobody outside can compute them, so that no guess meets another code's more often than once in
 * 2^64 tries for each code. It grows by a larger one that replaces it; what was replaced stays, as somebody may be looking at it. */
#pragma once

#include <stdatomic.h>

#include "base/crypto.h"

struct foreign_table;
struct foreign_codes {
    _Atomic(struct foreign_table *) table;
};

/* Room for so many more. RESULT_FULL: no memory. */
struct result foreign_codes_reserve(struct foreign_codes *codes, size_t more) MUST_CHECK;
void foreign_codes_clear(struct foreign_codes *codes); /* also what was only zeroed */
/* There is room. */
void foreign_codes_add(struct foreign_codes *codes, const struct hash *hash, uint32_t batch, uint32_t index);

/* ---- any thread ---- */
/* False: it is none of them. */
bool foreign_codes_find(const struct foreign_codes *codes, const struct hash *hash, uint32_t *ret_batch, uint32_t *ret_index);
