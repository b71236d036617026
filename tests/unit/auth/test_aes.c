/* AES against the examples of FIPS 197, appendix C. */
#include "auth/aes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_the_standards_examples(void **state) {
    (void)state;
    static const struct {
        size_t key_bytes;
        uint8_t encrypted[AES_BLOCK_BYTES];
    } examples[] = {
        {16, {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a}},
        {24, {0xdd, 0xa9, 0x7c, 0xa4, 0x86, 0x4c, 0xdf, 0xe0, 0x6e, 0xaf, 0x70, 0xa0, 0xec, 0x0d, 0x71, 0x91}},
        {32, {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89}},
    };
    uint8_t key[32], block[AES_BLOCK_BYTES];
    for (uint8_t i = 0; i < sizeof key; i++) key[i] = i;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct aes *aes;
        for (uint8_t k = 0; k < sizeof block; k++) block[k] = (uint8_t)(k << 4 | k);
        assert_true(result_is_ok(aes_create(key, examples[i].key_bytes, &aes)));
        aes_encrypt_block(aes, block, block);
        assert_memory_equal(block, examples[i].encrypted, sizeof block);
        aes_free(aes);
    }
}

static void test_other_sizes_of_keys_are_refused(void **state) {
    (void)state;
    static const uint8_t key[64];
    struct aes *aes;
    static const size_t sizes[] = {0, 15, 31, 33, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) assert_int_equal(aes_create(key, sizes[i], &aes).code, RESULT_INVALID);
    aes_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_standards_examples),
        cmocka_unit_test(test_other_sizes_of_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
