/* FF1 against the nine samples that NIST publishes with SP 800-38G (csrc.nist.gov, "FF1samples"), and against what another implementation of the same
 * section (in Python, with OpenSSL's AES) says where those leave something unasked; and that it is a permutation. */
#include "discount/core/ff1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/aes.h"

#define KEY_128   "2B7E151628AED2A6ABF7158809CF4F3C"
#define KEY_192   KEY_128 "EF4359D8D580AA4F"
#define KEY_256   KEY_192 "7F036D6F04FC6A94"
#define DIGITS    "0123456789"
#define LETTERS   "0123456789abcdefghi"
#define TWEAK_10  "39383736353433323130"
#define TWEAK_36  "3737373770717273373737"
#define BYTES_MAX 32

static size_t bytes_of(const char *hex, uint8_t bytes[BYTES_MAX]) {
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return size;
}

static struct aes *make_aes(const char *hex) {
    uint8_t key[BYTES_MAX];
    struct aes *aes;
    size_t size = bytes_of(hex, key);
    assert_true(result_is_ok(aes_create(key, size, &aes)));
    return aes;
}

static void symbols_of(const char *text, uint8_t *symbols) {
    for (size_t i = 0; text[i] != '\0'; i++) symbols[i] = (uint8_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
}

static void test_the_published_samples_and_others(void **state) {
    (void)state;
    static const struct {
        const char *key, *tweak, *plain, *cipher;
        uint32_t radix;
    } samples[] = {
        {KEY_128, "", DIGITS, "2433477484", 10},
        {KEY_128, TWEAK_10, DIGITS, "6124200773", 10},
        {KEY_128, TWEAK_36, LETTERS, "a9tv40mll9kdu509eum", 36},
        {KEY_192, "", DIGITS, "2830668132", 10},
        {KEY_192, TWEAK_10, DIGITS, "2496655549", 10},
        {KEY_192, TWEAK_36, LETTERS, "xbj3kv35jrawxv32ysr", 36},
        {KEY_256, "", DIGITS, "6657667009", 10},
        {KEY_256, TWEAK_10, DIGITS, "1001623463", 10},
        {KEY_256, TWEAK_36, LETTERS, "xs8a0azh2avyalyzuwd", 36},
        /* Not published: halves of 4, 5 and 8 whole bytes; tweaks that fill the block to its last byte, of a byte more, and of one byte. */
        {KEY_128, "", "0123456789ab", "8ctamuj488i5", 32},
        {KEY_128, "", "0123456789abcdef", "jumrt5uoi75vej29", 32},
        {KEY_128, "", "0123456789abcdefghijklmn", "q2nm52ngvl8issecedt0s5mr", 32},
        {KEY_128, "393837363534333231303938", DIGITS, "8636869789", 10},
        {KEY_128, "39383736353433323130393837", DIGITS, "0487865442", 10},
        {KEY_128, "39", DIGITS, "2336181119", 10},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint8_t symbols[FF1_LENGTH_MAX], plain[FF1_LENGTH_MAX], cipher[FF1_LENGTH_MAX], tweak[BYTES_MAX];
        size_t length = strlen(samples[i].plain);
        struct text tweak_text = {(const char *)tweak, bytes_of(samples[i].tweak, tweak)};
        struct aes *aes = make_aes(samples[i].key);
        struct ff1 ff1;
        symbols_of(samples[i].plain, plain);
        symbols_of(samples[i].cipher, cipher);
        memcpy(symbols, plain, length);
        assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, samples[i].radix, length, tweak_text)));
        ff1_encrypt(&ff1, symbols);
        assert_memory_equal(symbols, cipher, length);
        ff1_decrypt(&ff1, symbols);
        assert_memory_equal(symbols, plain, length);
        aes_free(aes);
    }
}

/* Each length that codes can have: what is encrypted comes back, and neighbours have nothing in common. */
static void test_what_is_encrypted_comes_back_at_every_length(void **state) {
    (void)state;
    struct aes *aes = make_aes(KEY_256);
    for (size_t length = 4; length <= 24; length++) {
        struct ff1 ff1;
        assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, 32, length, TEXT(""))));
        for (unsigned number = 0; number < 1000; number++) {
            uint8_t symbols[FF1_LENGTH_MAX] = {0}, before[FF1_LENGTH_MAX];
            symbols[0] = (uint8_t)(number % 32);
            symbols[length - 1] = (uint8_t)(number / 32);
            memcpy(before, symbols, length);
            ff1_encrypt(&ff1, symbols);
            assert_memory_not_equal(symbols, before, length);
            ff1_decrypt(&ff1, symbols);
            assert_memory_equal(symbols, before, length);
        }
    }
    aes_free(aes);
}

/* Not AES, but quick; FF1 is a permutation whatever its blocks are. */
static void mix_block(void *self, const uint8_t in[AES_BLOCK_BYTES], uint8_t out[AES_BLOCK_BYTES]) {
    (void)self;
    uint64_t halves[2];
    memcpy(halves, in, sizeof halves);
    for (unsigned round = 0; round < 2; round++) {
        halves[0] = (halves[0] ^ halves[1] >> 29) * UINT64_C(0x9E3779B97F4A7C15);
        halves[1] = (halves[1] ^ halves[0] >> 32) * UINT64_C(0xBF58476D1CE4E5B9);
    }
    memcpy(out, halves, sizeof halves);
}

/* The whole of the smallest domain: every text comes out exactly once. */
static void test_it_is_a_permutation(void **state) {
    (void)state;
    static uint8_t seen[1u << 20];
    struct ff1 ff1;
    assert_true(result_is_ok(ff1_init(&ff1, mix_block, NULL, 32, 4, TEXT(""))));
    memset(seen, 0, sizeof seen);
    for (uint32_t number = 0; number < sizeof seen; number++) {
        uint8_t symbols[4] = {(uint8_t)(number >> 15), (uint8_t)(number >> 10 & 31), (uint8_t)(number >> 5 & 31), (uint8_t)(number & 31)};
        ff1_encrypt(&ff1, symbols);
        uint32_t made = (uint32_t)symbols[0] << 15 | (uint32_t)symbols[1] << 10 | (uint32_t)symbols[2] << 5 | symbols[3];
        assert_int_equal(seen[made]++, 0);
    }
}

static void test_what_the_standard_does_not_allow_is_refused(void **state) {
    (void)state;
    struct aes *aes = make_aes(KEY_128);
    struct ff1 ff1;
    static const char long_tweak[FF1_TWEAK_BYTES + 1];
    static const struct {
        uint32_t radix;
        size_t length;
    } wrong[] = {{1, 30},   {257, 10}, {10, 5}, {32, 3},  {10, 1}, {32, FF1_LENGTH_MAX + 1}, {32, 26},
                 {255, 16}, {256, 4},  {2, 19}, {10, 38}, {0, 10}, {2, FF1_LENGTH_MAX + 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ff1_init(&ff1, aes_encrypt_block, aes, wrong[i].radix, wrong[i].length, TEXT("")).code, RESULT_INVALID);
    assert_int_equal(ff1_init(&ff1, aes_encrypt_block, aes, 10, 10, (struct text){long_tweak, sizeof long_tweak}).code, RESULT_INVALID);
    assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, 10, 6, TEXT(""))));
    assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, 2, 20, TEXT(""))));
    assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, 2, FF1_LENGTH_MAX, TEXT(""))));
    assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, 8, 42, TEXT("")))); /* halves of 2^63 values */
    assert_true(result_is_ok(ff1_init(&ff1, aes_encrypt_block, aes, 255, 4, TEXT(""))));
    aes_free(aes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_published_samples_and_others),
        cmocka_unit_test(test_what_is_encrypted_comes_back_at_every_length),
        cmocka_unit_test(test_it_is_a_permutation),
        cmocka_unit_test(test_what_the_standard_does_not_allow_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
