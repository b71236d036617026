/* AES (FIPS 197) on single blocks, by OpenSSL: for what a standard builds of them itself (discount/core/ff1.h), never to hide a text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

#define AES_BLOCK_BYTES 16

struct aes;

/* Of a key of 16, 24 or 32 bytes. RESULT_INVALID: another size; RESULT_FULL: no memory. The caller frees it; one thread uses it at a time. */
struct result aes_create(const uint8_t *key, size_t key_bytes, struct aes **ret_aes) MUST_CHECK;
void aes_free(struct aes *aes);
/* Encrypts one block; `self` is a struct aes. */
void aes_encrypt_block(void *self, const uint8_t in[AES_BLOCK_BYTES], uint8_t out[AES_BLOCK_BYTES]);
