/* Passwords as they are hashed: OpaqueString (RFC 8265, section 4.2), so that the same word typed on another keyboard is the same password. */
#pragma once

#include "base/crypto.h"

#define OPAQUE_BYTES_MAX 2048u /* of a prepared one: more than 128 characters need */

/* Into the buffer, which the caller wipes. RESULT_INVALID: bad UTF-8, empty, or with what a password may not have (control characters, code points that are
 * not assigned or show nothing of themselves); RESULT_FULL: too long. */
struct result opaque_prepare(struct text typed, char buffer[OPAQUE_BYTES_MAX], struct text *ret_prepared) MUST_CHECK;
/* As crypto_password_hash and _matches, of what was typed. RESULT_INVALID, RESULT_FULL. */
struct result opaque_hash(struct text typed, enum crypto_cost cost, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]) MUST_CHECK;
/* A hash of before passwords were prepared is of the bytes as they were typed then: where these differ they are tried as well. */
bool opaque_matches(struct text typed, const char *hash);
