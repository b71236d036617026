/* One key: a JSON Web Key (RFC 7517) of an algorithm we know. Private to src/auth. private_key.c makes keys and signs, signature.c checks, at the
 * price of the bare arithmetic; both by OpenSSL. A key is immutable once made: any thread may sign and verify with it. */
#pragma once

#include "auth/keys.h"
#include "auth/private_key.h"
#include "auth/signature.h"
#include "base/crypto.h"
#include "base/json/json.h"

#define KEY_ID_BYTES_MAX 128u /* of another issuer's `kid`; ours have 43 */

struct key {
    uint8_t id_size;
    char id[KEY_ID_BYTES_MAX]; /* kid, printable ASCII */
    enum key_algorithm algorithm;
    size_t signature_bytes;          /* of each of its signatures, exactly */
    struct text public_json;         /* its JWK with public members only; owned */
    struct hash digest;              /* of public_json: two keys are the same when this is */
    struct public_key *public_key;   /* owned */
    struct private_key *private_key; /* owned; NULL: others sign with it */
};

static inline struct text key_id(const struct key *key) { return (struct text){key->id, key->id_size}; }

bool key_algorithm_parse(struct text name, enum key_algorithm *ret_algorithm); /* "RS256"; false for all that we do not do */

/* Makes a random key. `ret_id` is its thumbprint (RFC 7638) and `ret_json` its private JWK with the members kid, alg, use and created_at; both
 * in the arena, and the caller wipes the latter. RESULT_FULL: the arena's limit; RESULT_IO: the library failed. */
struct result key_make(enum key_algorithm algorithm, int64_t now_us, struct arena *arena, struct text *ret_id,
                       struct text *ret_json) MUST_CHECK;

/* From a public JWK. RESULT_INVALID: unknown kty, alg, crv, use or key_ops; private members; no kid; RSA below 2048 or above 4096 bits (RFC 7518,
 * section 3.3) or an unsafe exponent; a point off the curve. */
struct result key_import_public(const struct json_value *jwk, struct arena *arena, struct key *ret_key) MUST_CHECK;
/* From a private JWK of key_make. RESULT_CORRUPT: not one, kid is not its thumbprint, or the two halves do not fit together. */
struct result key_import_private(struct text json, struct arena *arena, struct key *ret_key, int64_t *ret_created_at_us) MUST_CHECK;
void key_free(struct key *key);

/* Compact JWS (RFC 7515, section 3.1) with the header alg, kid, typ "JWT". RESULT_FULL: the arena's limit; RESULT_IO: the library failed. */
struct result key_sign(const struct key *key, struct text payload, struct arena *arena, struct text *ret_token) MUST_CHECK;
/* Whether such a token's signature is the key's, whatever its header says. Makes a checker of its own: not for requests. */
bool key_verify(const struct key *key, struct text token);

/* ---- rings (keys.c) ---- */
const struct key *key_ring_signer(const struct key_ring *ring); /* the newest; never NULL; lives as long as the ring */
