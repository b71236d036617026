/* Whether a signature is a key's, by OpenSSL: RS256 and ES256 (RFC 7518, sections 3.3 and 3.4). Private to src/auth. */
#pragma once

#include "base/text.h"

#include "auth/keys.h"

/* A public key. Immutable: any thread may check with it. */
struct public_key;

/* Big-endian numbers, as in a JWK once decoded. NULL: the library refuses them (a point off the curve), or has no memory. */
struct public_key *public_key_make_rsa(struct text modulus, struct text exponent);
struct public_key *public_key_make_p256(struct text x, struct text y);
void public_key_free(struct public_key *key); /* NULL is fine */

/* What one thread keeps between two checks: to make it anew would cost a tenth of a check. */
struct signature_checker;
struct result signature_checker_create(struct signature_checker **ret_checker) MUST_CHECK; /* RESULT_FULL: no memory */
void signature_checker_free(struct signature_checker *checker);                            /* NULL is fine */
/* Whether `signature` over `message` is the key's: of RS256 as many bytes as the modulus, of ES256 64, the two numbers one behind the other;
 * false for any other size. */
bool signature_check(struct signature_checker *checker, const struct public_key *key, struct text message, struct text signature);
