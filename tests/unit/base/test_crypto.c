#include "assertions.h"

#include "base/crypto.h"

static void assert_hex(const uint8_t *bytes, size_t size, const char *hex) {
    static const char digits[] = "0123456789abcdef";
    assert_int_equal(strlen(hex), size * 2);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(hex[2 * i], digits[bytes[i] >> 4]);
        assert_int_equal(hex[2 * i + 1], digits[bytes[i] & 15]);
    }
}

/* The values come from Python: hashlib.blake2b(b"abc", digest_size=32, key=…). */
static void hashes(void **state) {
    (void)state;
    uint8_t key[CRYPTO_HASH_BYTES];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    struct hash hash = crypto_hash(TEXT("abc"));
    assert_hex(hash.bytes, sizeof hash.bytes, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    hash = crypto_hash(TEXT(""));
    assert_hex(hash.bytes, sizeof hash.bytes, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    hash = crypto_hash_keyed(TEXT("abc"), key);
    assert_hex(hash.bytes, sizeof hash.bytes, "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f");
    hash = crypto_sha256(TEXT("abc")); /* FIPS 180-4's example */
    assert_hex(hash.bytes, sizeof hash.bytes, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    /* SipHash-2-4 of 00..0e under 00..0f: appendix A of its paper */
    assert_true(crypto_short_hash((struct text){(const char *)key, 15}, key) == UINT64_C(0xa129ca6149be45e5));
}

static void base64url(void **state) {
    (void)state;
    uint8_t bytes[300], back[300];
    char text[400];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        memset(text, '!', sizeof text);
        size_t text_size = crypto_base64url_size(size);
        assert_int_equal(text_size, (size * 4 + 2) / 3);
        crypto_base64url(bytes, size, text);
        if (text_size < sizeof text) assert_int_equal(text[text_size], '!');
        size_t back_size = 999;
        assert_ok(crypto_base64url_decode((struct text){text, text_size}, back, size, &back_size));
        assert_int_equal(back_size, size);
        assert_memory_equal(back, bytes, size);
        if (size > 0) assert_result(crypto_base64url_decode((struct text){text, text_size}, back, size - 1, &back_size), RESULT_INVALID);
    }
    crypto_base64url(NULL, 0, text);
    crypto_base64url("\xFB\xEF\xFF", 3, text);
    assert_memory_equal(text, "--__", 4);
    static const char *const bad[] = {"A", "AB=", "AA==", "A+/A", "AA A", "AA\n", "AB", "A!", "\xC3\xA9"};
    size_t size;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_result(crypto_base64url_decode(text_of(bad[i]), back, sizeof back, &size), RESULT_INVALID);
    for (int byte = 0x80; byte <= 0xFF; byte++) {
        char foreign[] = {'A', 'Q', (char)byte, 'A'};
        assert_result(crypto_base64url_decode((struct text){foreign, sizeof foreign}, back, sizeof back, &size), RESULT_INVALID);
    }
}

static void passwords(void **state) {
    (void)state;
    char low[CRYPTO_PASSWORD_HASH_BYTES], again[CRYPTO_PASSWORD_HASH_BYTES], standard[CRYPTO_PASSWORD_HASH_BYTES];
    assert_ok(crypto_password_hash(TEXT("correct horse"), CRYPTO_COST_LOW, low));
    assert_ok(crypto_password_hash(TEXT("correct horse"), CRYPTO_COST_LOW, again));
    assert_ok(crypto_password_hash(TEXT("correct horse"), CRYPTO_COST_STANDARD, standard));
    assert_true(text_starts_with(text_of(low), TEXT("$argon2id$v=19$m=8,t=1,p=1$")));
    assert_true(text_starts_with(text_of(standard), TEXT("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_string_not_equal(low, again); /* salted */
    assert_true(crypto_password_matches(TEXT("correct horse"), low));
    assert_true(crypto_password_matches(TEXT("correct horse"), standard));
    assert_false(crypto_password_matches(TEXT("correct horsf"), low));
    assert_false(crypto_password_matches(TEXT(""), low));
    assert_false(crypto_password_matches(TEXT("correct horse"), ""));
    assert_false(crypto_password_matches(TEXT("correct horse"), "$argon2id$v=19$m=8,t=1,p=1$"));
}

static void comparing_wiping_and_randomness(void **state) {
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(crypto_equal(a, b, sizeof a));
    b[31] = 1;
    assert_false(crypto_equal(a, b, sizeof a));
    crypto_random(a, sizeof a);
    crypto_random_for_ids(NULL, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    crypto_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++) assert_int_equal(a[i], 0);
}

static int start(void **state) {
    (void)state;
    crypto_init();
    crypto_init(); /* twice is fine */
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(base64url),
        cmocka_unit_test(passwords),
        cmocka_unit_test(comparing_wiping_and_randomness),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
