#include "auth/aes.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/check.h"

struct aes {
    EVP_CIPHER_CTX *context;
};

static const EVP_CIPHER *cipher_of(size_t key_bytes) {
    switch (key_bytes) {
    case 16: return EVP_aes_128_ecb();
    case 24: return EVP_aes_192_ecb();
    case 32: return EVP_aes_256_ecb();
    default: return NULL;
    }
}

struct result aes_create(const uint8_t *key, size_t key_bytes, struct aes **ret_aes) {
    const EVP_CIPHER *cipher = cipher_of(key_bytes);
    if (cipher == NULL) return result_error(RESULT_INVALID);
    struct aes *aes = calloc(1, sizeof *aes);
    if (aes == NULL) return result_error(RESULT_FULL);
    aes->context = EVP_CIPHER_CTX_new();
    if (aes->context == NULL || EVP_EncryptInit_ex(aes->context, cipher, NULL, key, NULL) != 1) {
        aes_free(aes);
        return result_error(RESULT_FULL);
    }
    CHECK(EVP_CIPHER_CTX_set_padding(aes->context, 0) == 1);
    *ret_aes = aes;
    return result_ok();
}

void aes_free(struct aes *aes) {
    if (aes == NULL) return;
    EVP_CIPHER_CTX_free(aes->context); /* which wipes the key */
    free(aes);
}

void aes_encrypt_block(void *self, const uint8_t in[AES_BLOCK_BYTES], uint8_t out[AES_BLOCK_BYTES]) {
    const struct aes *aes = self;
    /* Whole blocks need nothing of what EVP_EncryptUpdate does around it, which costs more than the block. */
    CHECK(EVP_Cipher(aes->context, out, in, AES_BLOCK_BYTES) == AES_BLOCK_BYTES);
}
