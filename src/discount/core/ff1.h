/* FF1, a permutation of all texts of one length over one alphabet, chosen by a key (NIST SP 800-38G, section 5.1): what makes codes out of numbers, so that
 * who knows some of them can't guess another. Nothing is added to the standard, and left out is only what is longer than 64 bits per half: OpenSSL and
 * libsodium have AES, but no FF1, and nothing else of Debian's does. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "base/text.h"

#define FF1_BLOCK_BYTES 16
#define FF1_LENGTH_MAX  64 /* symbols */
#define FF1_TWEAK_BYTES 32 /* at most */

/* AES with the key, on one block: the same in every call. */
typedef void ff1_block(void *cipher, const uint8_t in[FF1_BLOCK_BYTES], uint8_t out[FF1_BLOCK_BYTES]);

struct ff1 {
    ff1_block *encrypt_block;
    void *cipher;
    uint32_t left, right; /* symbols of each half */
    uint32_t radix;
    uint64_t left_values, right_values; /* radix to the power of those */
    size_t number_bytes, rounds_bytes;  /* the standard's b and d */
    unsigned __int128 begun;            /* the PRF's state before the round and the number, big-endian octets as a number */
};

/* RESULT_INVALID: fewer than 1,000,000 texts of this kind (the standard asks for as many), a radix above 255, more symbols than FF1_LENGTH_MAX, halves of
 * more than 2^63 values, or a longer tweak. The cipher stays the caller's. */
struct result ff1_init(struct ff1 *ff1, ff1_block *encrypt_block, void *cipher, uint32_t radix, size_t length,
                       struct text tweak) MUST_CHECK;
/* In place; `symbols` has the length of ff1_init, each below the radix. */
void ff1_encrypt(const struct ff1 *ff1, uint8_t *symbols);
void ff1_decrypt(const struct ff1 *ff1, uint8_t *symbols);
