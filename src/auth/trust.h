/* What the verifier asks of a trust. Private to src/auth; the public part stands in token.h.
 *
 * Each issuer has one immutable key set at a time. The loops read the pointer without a lock; whoever replaces it links the old set behind the
 * new one, so that a reader's keys live until trust_free. */
#pragma once

#include "auth/key.h"
#include "auth/token.h"

struct text trust_audience(const struct trust *trust);
bool trust_find_issuer(const struct trust *trust, struct text name, size_t *ret_issuer_index);
const struct key *trust_find_key(const struct trust *trust, size_t issuer_index,
                                 struct text id); /* NULL: unknown; lives until trust_free */

/* Grows with each replaced set. Read it before the keys: what was proven with keys of generation n holds while n is current, and must be looked
 * at again (trust_find_key, and compare the digests) after it has grown. */
uint64_t trust_generation(const struct trust *trust);
