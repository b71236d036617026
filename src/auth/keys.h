/* Signing keys of a service: JSON Web Keys (RFC 7517) in files, one private key signs, older public ones stay for their last tokens.
 *
 * DIR/<kid>.jwk holds a private key (0600); the newest by creation time signs. `kid` is the key's RFC 7638 thumbprint.
 * OpenSSL is included in this folder only. Any thread may use a ring, also while another one loads it again. */
#pragma once

#include "base/buffer.h"
#include "base/limits.h"
#include "base/text.h"

enum key_algorithm { KEY_RS256, KEY_ES256 }; /* RFC 7518, section 3.1; one algorithm per key, the token's header never chooses */

const char *key_algorithm_name(enum key_algorithm algorithm);

/* Makes a key file, which belongs to the owner of the folder. RESULT_IO. RSA 2048 bit, exponent 65537; P-256. Its id (RFC 7638) begins with no `-`. */
struct result key_generate(const char *directory, enum key_algorithm algorithm, int64_t now_us) MUST_CHECK;

struct key_ring;
/* RESULT_NOT_FOUND: no key in the folder; RESULT_CORRUPT: a file is no key; RESULT_DENIED: a key file is open to others than its owner. */
struct result key_ring_load(const char *directory, struct key_ring **ret_ring) MUST_CHECK;
/* From now on the ring holds what was loaded into `loaded`, which is freed. One thread at a time. */
void key_ring_replace(struct key_ring *ring, struct key_ring *loaded);
void key_ring_free(struct key_ring *ring);
/* The JWKS document (RFC 7517, section 5) with public members only: kty, kid, alg, use, and n, e or crv, x, y. It lives as long as the ring. */
struct text key_ring_jwks(const struct key_ring *ring);

struct key_description {
    struct text id; /* lives as long as the ring */
    enum key_algorithm algorithm;
    int64_t created_at_us;
};
/* Newest first, which is the one that signs; returns how many they are. */
size_t key_ring_describe(const struct key_ring *ring, struct key_description ret_keys[LIMIT_KEYS]);
/* Takes a key file away. RESULT_NOT_FOUND: no key has this kid; RESULT_IO. */
struct result key_remove(const char *directory, struct text id) MUST_CHECK;
