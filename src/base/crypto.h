/* libsodium, wrapped: included in crypto.c and nowhere else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define CRYPTO_HASH_BYTES          32
#define CRYPTO_PASSWORD_HASH_BYTES 128 /* terminated PHC string */

struct hash {
    uint8_t bytes[CRYPTO_HASH_BYTES];
};

void crypto_init(void); /* once per process, before threads; aborts when the library cannot start */

void crypto_random(void *buffer, uint64_t size_bytes);                        /* CSPRNG */
void crypto_random_for_ids(void *context, void *buffer, uint64_t size_bytes); /* the same, shaped for struct id_source */
/* BLAKE2b-256 (RFC 7693). Its symbol has another name, because libsodium exports a crypto_hash too and would be given ours. */
struct hash crypto_hash(struct text message) __asm__("base_crypto_hash");
struct hash crypto_hash_keyed(struct text message, const uint8_t key[CRYPTO_HASH_BYTES]); /* keyed BLAKE2b-256 */
struct hash crypto_sha256(struct text message);                                           /* FIPS 180-4; RFC 7638 asks for it */
uint64_t crypto_short_hash(struct text message, const uint8_t key[16]);                   /* SipHash-2-4: for tables fed from outside */
bool crypto_equal(const void *a, const void *b, uint64_t size_bytes);                     /* constant time */
void crypto_wipe(void *secret, uint64_t size_bytes);

/* base64url without padding (RFC 4648, section 5). */
size_t crypto_base64url_size(size_t size_bytes);
void crypto_base64url(const void *data, size_t size_bytes, char *ret_text); /* crypto_base64url_size bytes, no terminator */
struct result crypto_base64url_decode(struct text text, void *buffer, size_t capacity, size_t *ret_size) MUST_CHECK;

/* Argon2id (RFC 9106). Slow on purpose: only the password pool calls these. */
enum crypto_cost {
    CRYPTO_COST_STANDARD, /* 19 MiB, 2 passes: OWASP's floor for Argon2id */
    CRYPTO_COST_LOW,      /* 8 KiB, 1 pass: for the crowd on loopback only */
};
struct result crypto_password_hash(struct text password, enum crypto_cost cost, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]) MUST_CHECK;
bool crypto_password_matches(struct text password, const char *hash);
