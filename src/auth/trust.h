/* What the verifier asks of a trust. Private to src/auth; the public part stands in token.h.
 *
 * Each issuer has one immutable key set at a time. The loops read the pointer without a lock, and say meanwhile that they read: a replaced set is
 * freed when all who read have begun after it was replaced. However often an issuer changes its mind, no more sets are kept than that takes. */
#pragma once

#include "auth/key.h"
#include "auth/token.h"

struct text trust_audience(const struct trust *trust);
bool trust_find_issuer(const struct trust *trust, struct text name, size_t *ret_issuer_index);

/* One thread that looks at keys. */
struct trust_reader {
    _Atomic uint64_t since; /* the generation at which it began to read; 0: it does not */
    struct trust_reader *next;
};
void trust_add_reader(struct trust *trust, struct trust_reader *reader);    /* any thread */
void trust_remove_reader(struct trust *trust, struct trust_reader *reader); /* any thread */
/* From here to trust_end_reading its keys live. Returns the generation: what is proven now holds while that is current. */
uint64_t trust_begin_reading(const struct trust *trust, struct trust_reader *reader);
void trust_end_reading(struct trust_reader *reader);

/* Both need trust_begin_reading. NULL: unknown. */
const struct key *trust_find_key(const struct trust *trust, size_t issuer_index, struct text id);
bool trust_has_key(const struct trust *trust, size_t issuer_index, const struct hash *digest); /* this very key */

/* Grows with each replaced set: what was proven with keys of generation n must be looked at again (trust_has_key) after it has grown. */
uint64_t trust_generation(const struct trust *trust);
