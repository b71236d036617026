#include "auth/opaque.h"

#include "../base/assertions.h"

/* RFC 8265, section 4.3: what its examples make equal. */
static void one_word_on_two_keyboards_is_one_password(void **state) {
    (void)state;
    static const struct {
        const char *typed, *again;
    } same[] = {{"correct horse battery staple", "correct horse battery staple"},
                {"Jack of \u2666s", "Jack\u1680of\u3000\u2666s"},
                {"caf\u00E9 caf\u00E9", "cafe\u0301 cafe\u0301"}};
    char hash[CRYPTO_PASSWORD_HASH_BYTES];
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        assert_ok(opaque_hash(text_of(same[i].typed), CRYPTO_COST_LOW, hash));
        assert_true(opaque_matches(text_of(same[i].typed), hash));
        assert_true(opaque_matches(text_of(same[i].again), hash));
        assert_false(opaque_matches(TEXT("another word"), hash));
        assert_ok(opaque_hash(text_of(same[i].again), CRYPTO_COST_LOW, hash));
        assert_true(opaque_matches(text_of(same[i].typed), hash));
    }
    assert_ok(opaque_hash(TEXT("Correct Horse"), CRYPTO_COST_LOW, hash)); /* nothing else is folded */
    assert_false(opaque_matches(TEXT("correct horse"), hash));
    assert_ok(opaque_hash(TEXT("\u06F1\u06F2\u06F3\u06F4abcd"), CRYPTO_COST_LOW, hash));
    assert_false(opaque_matches(TEXT("1234abcd"), hash));
}

/* A hash that was made of the bytes as they were typed. */
static void who_registered_before_is_known_still(void **state) {
    (void)state;
    static const char *const typed[] = {"cafe\u0301 cafe\u0301", "tab\tand\u200Bnothing"};
    char hash[CRYPTO_PASSWORD_HASH_BYTES];
    for (size_t i = 0; i < ARRAY_COUNT(typed); i++) {
        assert_ok(crypto_password_hash(text_of(typed[i]), CRYPTO_COST_LOW, hash));
        assert_true(opaque_matches(text_of(typed[i]), hash));
        assert_false(opaque_matches(TEXT("caf\u00E9 cafe"), hash));
    }
}

static void what_may_be_no_password_is_refused(void **state) {
    (void)state;
    char buffer[OPAQUE_BYTES_MAX], hash[CRYPTO_PASSWORD_HASH_BYTES];
    char endless[OPAQUE_BYTES_MAX + 1];
    struct text prepared;
    memset(endless, 'a', sizeof endless);
    assert_result(opaque_prepare(TEXT(""), buffer, &prepared), RESULT_INVALID);
    assert_result(opaque_prepare(TEXT("tab\tulator"), buffer, &prepared), RESULT_INVALID);
    assert_result(opaque_hash(TEXT("zero\u200Bwidth"), CRYPTO_COST_LOW, hash), RESULT_INVALID);
    assert_result(opaque_prepare((struct text){endless, sizeof endless}, buffer, &prepared), RESULT_FULL);
    assert_ok(opaque_prepare((struct text){endless, sizeof endless - 1}, buffer, &prepared));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_word_on_two_keyboards_is_one_password),
        cmocka_unit_test(who_registered_before_is_known_still),
        cmocka_unit_test(what_may_be_no_password_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
