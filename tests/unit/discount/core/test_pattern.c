/* Patterns: what is one, how strong it is, and that its codes read back as their numbers, however they are typed. */
#include "discount/core/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "auth/aes.h"

static const uint8_t key[32] = {1, 2, 3};

static void parse(const char *typed, struct code_pattern *pattern) {
    const char *fault = pattern_parse(text_of(typed), pattern);
    if (fault != NULL) fail_msg("%s: %s", typed, fault);
}

static void test_patterns_of_any_script(void **state) {
    (void)state;
    static const struct {
        const char *typed, *shape;
    } good[] = {{"GIFT-####-####-##", "GIFT##########"},
                {"gift ####-####-##", "GIFT##########"},
                {"######", "######"},
                {"####-B0X-####", "####B0X####"},
                {"عید۱۴۰۴-####-####", "عید1404########"},
                {"Ｎ-######-ß", "N######SS"},
                {"0######0", "0######0"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct code_pattern pattern;
        parse(good[i].typed, &pattern);
        assert_int_equal(pattern.shape.size, strlen(good[i].shape));
        assert_memory_equal(pattern.shape.canonical, good[i].shape, pattern.shape.size);
    }
}

/* Whoever hands a text over may have more behind it. */
static void test_a_pattern_ends_with_its_text(void **state) {
    (void)state;
    struct code_pattern pattern;
    assert_null(pattern_parse((struct text){"GIFT-#######", 11}, &pattern));
    assert_int_equal(pattern.symbol_count, 6);
    assert_int_equal(pattern.shape.size, 10);
}

static void test_a_pattern_may_have_128_bytes(void **state) {
    (void)state;
    char typed[PATTERN_BYTES + 1];
    struct code_pattern pattern;
    memset(typed, '-', sizeof typed);
    memset(typed + sizeof typed - 12, '#', 10);
    assert_null(pattern_parse((struct text){typed, PATTERN_BYTES}, &pattern));
    assert_int_equal(pattern.typed_size, PATTERN_BYTES);
    assert_non_null(pattern_parse((struct text){typed, PATTERN_BYTES + 1}, &pattern));
}

static void test_what_is_no_pattern(void **state) {
    (void)state;
    static const char too_long[] = "######-------------------------------------------------------------------------------------------"
                                   "---------------------------------";
    static const char *const bad[] = {"",         "GIFT",
                                      "#####",    "###########################",
                                      "######-*", "######\xCC\x81-A", /* an acute accent behind a symbol: Á is a letter of its own */
                                      "\n######", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQR######",
                                      too_long};
    struct code_pattern pattern;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (pattern_parse(text_of(bad[i]), &pattern) == NULL) fail_msg("taken: %s", bad[i]);
    }
}

static void test_what_ten_years_of_guesses_would_meet_is_weak(void **state) {
    (void)state;
    /* 32^8 / 1,000 / 31,557,600 s = 34.8 years for one code. */
    struct pattern_strength one = pattern_strength(10, 1), three = pattern_strength(10, 3), four = pattern_strength(10, 4);
    assert_int_equal(one.entropy_tenths, 400);
    assert_int_equal(one.years_tenths, 348);
    assert_int_equal(three.years_tenths, 116);
    assert_int_equal(three.entropy_tenths, 384); /* 40 - 1.585 */
    assert_true(!one.is_weak && !three.is_weak && four.is_weak);
    struct pattern_strength ten_years = pattern_strength(12, 3550), less = pattern_strength(12, 3600);
    assert_true(ten_years.years_tenths == 100 && !ten_years.is_weak);
    assert_true(less.years_tenths == 99 && less.is_weak);
    assert_false(pattern_strength(PATTERN_SYMBOLS_MAX, INT64_MAX).is_weak);
    struct pattern_strength million = pattern_strength(14, 1000000);
    assert_int_equal(million.entropy_tenths, 400); /* 60 - 19.93 */
    assert_int_equal(million.years_tenths, 365);
    assert_false(million.is_weak);
    assert_true(pattern_strength(13, 1000000).is_weak);
    assert_int_equal(pattern_symbols_needed(1), 10);
    assert_int_equal(pattern_symbols_needed(1000000), 14);
    assert_int_equal(pattern_symbols_needed(10000000), 15);
    assert_int_equal(pattern_strength(26, 1).years_tenths, PATTERN_YEARS_TENTHS_MAX);
    assert_int_equal(pattern_strength(6, 10000000).entropy_tenths, 0);
}

/* 128 bytes, of which half are no separators. */
#define LONGEST                                                        \
    "----------------------------------------------------------------" \
    "ABCDEFGHJKABCDEFGHJKABCDEFGHJKABCDEFGHJKABCDEFGHJKABCD##########"

static void test_codes_read_back_however_they_are_typed(void **state) {
    (void)state;
    static const char *const patterns[] = {"GIFT-####-####-##", "عید۱۴۰۴-####-####-####", "####-b-####", "##########################",
                                           LONGEST};
    struct aes *aes;
    assert_true(result_is_ok(aes_create(key, sizeof key, &aes)));
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct code_pattern pattern;
        struct ff1 ff1;
        parse(patterns[i], &pattern);
        assert_true(result_is_ok(pattern_permutation(&pattern, aes_encrypt_block, aes, &ff1)));
        uint64_t last = pattern_numbers(&pattern) > INT64_MAX ? INT64_MAX : (uint64_t)pattern_numbers(&pattern) - 1;
        for (uint64_t turn = 0; turn < 1000; turn++) {
            uint64_t number = turn < 500 ? turn : last - (turn - 500);
            char written[PATTERN_BYTES], typed[PATTERN_BYTES];
            uint8_t symbols[PATTERN_SYMBOLS_MAX];
            uint32_t count;
            struct code code;
            size_t size = pattern_write(&pattern, &ff1, number, written);
            assert_int_equal(size, strlen(patterns[i]));
            for (size_t k = 0; k < size; k++) {
                char byte = written[k];
                typed[k] = byte == '-' ? ' ' : byte == '0' ? 'o' : byte >= 'A' && byte <= 'Z' && number % 2 == 0 ? (char)(byte + 32) : byte;
            }
            assert_true(result_is_ok(code_parse((struct text){typed, size}, &code)));
            assert_true(pattern_fits(&pattern.shape, &code, symbols, &count));
            assert_true(pattern_read(&ff1, symbols, count) == number);
        }
    }
    aes_free(aes);
}

static void test_what_does_not_fit(void **state) {
    (void)state;
    struct code_pattern pattern;
    struct code code;
    struct aes *aes;
    struct ff1 ff1;
    char written[PATTERN_BYTES];
    uint8_t symbols[PATTERN_SYMBOLS_MAX];
    uint32_t count;
    parse("GIFT-####-####-##", &pattern);
    assert_true(result_is_ok(aes_create(key, sizeof key, &aes)));
    assert_true(result_is_ok(pattern_permutation(&pattern, aes_encrypt_block, aes, &ff1)));
    size_t size = pattern_write(&pattern, &ff1, 7, written);
    assert_true(result_is_ok(code_parse((struct text){written, size}, &code)));
    assert_true(pattern_fits(&pattern.shape, &code, symbols, &count));
    struct code other = code;
    other.canonical[0] = 'L';
    assert_false(pattern_fits(&pattern.shape, &other, symbols, &count));
    other = code;
    other.size--;
    assert_false(pattern_fits(&pattern.shape, &other, symbols, &count));
    other = code;
    other.canonical[5] = 'U';
    assert_false(pattern_fits(&pattern.shape, &other, symbols, &count));
    other.canonical[5] = code.canonical[5] == '7' ? '8' : '7';
    assert_false(pattern_fits(&pattern.shape, &other, symbols, &count));
    assert_int_equal(count, 10); /* it has the shape */
    aes_free(aes);
}

/* Each is wrong in one way only: its symbols, as many as they are, would fit their check. */
static void test_what_has_another_shape_has_no_symbols(void **state) {
    (void)state;
    static const char *const wrong[] = {"GIFT-0000-0000", "GIFT-0000-0000-000", "GIFT-M0U0-0UZ0-0B", "GIFX-0000-0000-00"};
    struct code_pattern pattern;
    struct code code;
    uint8_t symbols[PATTERN_SYMBOLS_MAX];
    uint32_t count = 9;
    parse("GIFT-####-####-##", &pattern);
    assert_true(result_is_ok(code_parse(TEXT("GIFT-0000-0000-00"), &code)));
    assert_true(pattern_fits(&pattern.shape, &code, symbols, &count));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        count = 9;
        assert_true(result_is_ok(code_parse(text_of(wrong[i]), &code)));
        if (pattern_fits(&pattern.shape, &code, symbols, &count) || count != 0) fail_msg("%s fits", wrong[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_of_any_script),
        cmocka_unit_test(test_a_pattern_ends_with_its_text),
        cmocka_unit_test(test_a_pattern_may_have_128_bytes),
        cmocka_unit_test(test_what_is_no_pattern),
        cmocka_unit_test(test_what_ten_years_of_guesses_would_meet_is_weak),
        cmocka_unit_test(test_codes_read_back_however_they_are_typed),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_what_has_another_shape_has_no_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
