#include "base/crypto.h"

/* Not <sodium.h>: it declares a crypto_hash of its own, NaCl's SHA-512. */
#include <sodium/core.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/crypto_pwhash.h>
#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <string.h>

#include "base/check.h"

#define STANDARD_MEMORY_BYTES (19u * 1024 * 1024)
#define STANDARD_PASSES       2u
#define LOW_MEMORY_BYTES      8192u
#define LOW_PASSES            1u

_Static_assert(CRYPTO_PASSWORD_HASH_BYTES == crypto_pwhash_STRBYTES, "a PHC string fits exactly");
_Static_assert(CRYPTO_HASH_BYTES == crypto_generichash_BYTES && CRYPTO_HASH_BYTES == crypto_generichash_KEYBYTES, "BLAKE2b-256");
_Static_assert(CRYPTO_HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");
_Static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash-2-4");

void crypto_init(void) { CHECK(sodium_init() >= 0); }

void crypto_random(void *buffer, uint64_t size_bytes) { randombytes_buf(buffer, (size_t)size_bytes); }

void crypto_random_for_ids(void *context, void *buffer, uint64_t size_bytes) {
    (void)context;
    crypto_random(buffer, size_bytes);
}

static struct hash generic_hash(struct text message, const uint8_t *key, size_t key_size) {
    struct hash hash;
    CHECK(crypto_generichash(hash.bytes, sizeof hash.bytes, (const unsigned char *)message.data, message.size, key, key_size) == 0);
    return hash;
}

struct hash crypto_hash(struct text message) {
    return generic_hash(message, NULL, 0);
}

struct hash crypto_hash_keyed(struct text message, const uint8_t key[CRYPTO_HASH_BYTES]) {
    return generic_hash(message, key, CRYPTO_HASH_BYTES);
}

struct hash crypto_sha256(struct text message) {
    struct hash hash;
    CHECK(crypto_hash_sha256(hash.bytes, (const unsigned char *)message.data, message.size) == 0);
    return hash;
}

uint64_t crypto_short_hash(struct text message, const uint8_t key[16]) {
    uint64_t hash;
    CHECK(crypto_shorthash((unsigned char *)&hash, (const unsigned char *)message.data, message.size, key) == 0);
    return hash;
}

bool crypto_equal(const void *a, const void *b, uint64_t size_bytes) { return sodium_memcmp(a, b, (size_t)size_bytes) == 0; }

void crypto_wipe(void *secret, uint64_t size_bytes) { sodium_memzero(secret, (size_t)size_bytes); }

size_t crypto_base64url_size(size_t size_bytes) { return size_bytes / 3 * 4 + (size_bytes % 3 == 0 ? 0 : size_bytes % 3 + 1); }

void crypto_base64url(const void *data, size_t size_bytes, char *ret_text) {
    /* In pieces, because the library writes a terminator for which the caller has no room. */
    enum { PIECE_BYTES = 48 };
    char piece[sodium_base64_ENCODED_LEN(PIECE_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    const unsigned char *bytes = data;
    for (size_t at = 0; at < size_bytes; at += PIECE_BYTES) {
        size_t size = size_bytes - at < PIECE_BYTES ? size_bytes - at : PIECE_BYTES;
        CHECK(sodium_bin2base64(piece, sizeof piece, bytes + at, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != NULL);
        memcpy(ret_text + at / 3 * 4, piece, crypto_base64url_size(size));
    }
}

struct result crypto_base64url_decode(struct text text, void *buffer, size_t capacity, size_t *ret_size) {
    size_t size;
    /* libsodium 1.0.18 takes some bytes above 0x7F for digits. */
    if (!text_is_printable_ascii(text)) return result_error(RESULT_INVALID);
    if (sodium_base642bin(buffer, capacity, text.data, text.size, NULL, &size, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
        return result_error(RESULT_INVALID);
    }
    *ret_size = size;
    return result_ok();
}

struct result crypto_password_hash(struct text password, enum crypto_cost cost, char ret_hash[CRYPTO_PASSWORD_HASH_BYTES]) {
    unsigned long long passes = cost == CRYPTO_COST_LOW ? LOW_PASSES : STANDARD_PASSES;
    size_t memory_bytes = cost == CRYPTO_COST_LOW ? LOW_MEMORY_BYTES : STANDARD_MEMORY_BYTES;
    if (crypto_pwhash_str(ret_hash, password.data, password.size, passes, memory_bytes) != 0) return result_error(RESULT_FULL);
    return result_ok();
}

bool crypto_password_matches(struct text password, const char *hash) {
    return crypto_pwhash_str_verify(hash, password.data, password.size) == 0;
}
