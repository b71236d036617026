/* A private key: OpenSSL makes it and signs with it; a JSON Web Key (RFC 7518, section 6) holds its numbers. Private to src/auth. */
#pragma once

#include "auth/keys.h"
#include "base/json/json.h"

#define PRIVATE_KEY_SIGNATURE_BYTES_MAX 512u /* of an RSA key with 4096 bits, the largest that key.h takes */

/* Immutable: any thread may sign with it. */
struct private_key;

/* A random key: RSA of 2048 bits with exponent 65537, or P-256. NULL: the library failed. */
struct private_key *private_key_make(enum key_algorithm algorithm);
/* Takes the numbers out of a JWK: e, n, d, p, q, dp, dq and qi of RSA, x, y and d of P-256. NULL: one is absent or no number, or the library
 * refuses them. Whether the two halves fit together it does not say. */
struct private_key *private_key_read(enum key_algorithm algorithm, const struct json_value *jwk);
void private_key_free(struct private_key *key); /* NULL is fine */

/* Writes kty (and crv) and the numbers into the object that the writer is in; the secret ones only if asked. False: no memory. The caller wipes
 * what was written. */
bool private_key_write(const struct private_key *key, bool with_secrets, struct json_writer *writer);

/* RS256: as many bytes as the modulus; ES256: 64, the two numbers one behind the other (RFC 7518, sections 3.3 and 3.4). RESULT_IO: the library
 * failed. */
struct result private_key_sign(const struct private_key *key, struct text message, uint8_t ret_signature[PRIVATE_KEY_SIGNATURE_BYTES_MAX],
                               size_t *ret_size) MUST_CHECK;
