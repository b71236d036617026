/* Which campaign has a code: asked by the loops for each code that is typed, without a lock; told by one thread.
 *
 * A code goes from one campaign to another when the first has ended, and leaves one that gets another code. What once stood here stays in memory, as somebody may
 * be looking at it; the table grows by a larger one that replaces it. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "base/code.h"

struct named_code;
struct code_table;

struct code_index {
    _Atomic(struct code_table *) table;
    uint8_t secret[16];
};

/* A campaign's: by which code it is found, or was found last. */
struct code_name {
    _Atomic(struct named_code *) named; /* NULL: it never had one */
};

/* With room for so many codes before it grows. RESULT_FULL. */
struct result code_index_init(struct code_index *index, size_t count) MUST_CHECK;
void code_index_clear(struct code_index *index); /* also what was only zeroed */
/* The code is this campaign's from now on, and the one that it had before is nobody's, unless it is another's already. RESULT_FULL: no memory. */
struct result code_index_name(struct code_index *index, const struct code *code, uint32_t campaign_number,
                              struct code_name *name) MUST_CHECK;

/* ---- any thread ---- */
uint32_t code_index_find(const struct code_index *index, const struct code *code); /* the campaign's number; 0: none */
struct text named_code_text(const struct code_name *name);
