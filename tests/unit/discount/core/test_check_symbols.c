/* Every error of one and of two symbols, and every swap, in codes of every length: all are noticed. */
#include "discount/core/check_symbols.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Steps of a generator over all 31 values but zero, so that no two neighbours are equal. */
static void fill(uint8_t *symbols, size_t count, unsigned seed) {
    for (size_t i = 0; i < count; i++) symbols[i] = (uint8_t)((seed + i * i * 7 + i * 13) % 32);
    check_symbols_put(symbols, count);
}

/* The code is linear, so that whether an error is noticed does not depend on the word; two words are tried nevertheless. */
static void test_one_or_two_wrong_symbols_are_always_noticed(void **state) {
    (void)state;
    uint8_t symbols[CHECKED_SYMBOLS_MAX + 1];
    for (size_t count = 3; count <= CHECKED_SYMBOLS_MAX; count++) {
        fill(symbols, count, (unsigned)count);
        assert_true(check_symbols_fit(symbols, count));
        for (size_t at = 0; at < count; at++) {
            for (uint8_t error = 1; error < 32; error++) {
                symbols[at] ^= error;
                assert_false(check_symbols_fit(symbols, count));
                for (size_t other = at + 1; other < count; other++) {
                    for (uint8_t second = 1; second < 32; second++) {
                        symbols[other] ^= second;
                        if (check_symbols_fit(symbols, count)) fail_msg("%zu symbols, wrong at %zu and %zu", count, at, other);
                        symbols[other] ^= second;
                    }
                }
                symbols[at] ^= error;
            }
        }
        assert_true(check_symbols_fit(symbols, count));
    }
}

static void test_a_swap_is_always_noticed(void **state) {
    (void)state;
    uint8_t symbols[CHECKED_SYMBOLS_MAX + 1];
    for (size_t count = 3; count <= CHECKED_SYMBOLS_MAX; count++) {
        for (unsigned seed = 0; seed < 64; seed++) {
            fill(symbols, count, seed);
            for (size_t a = 0; a < count; a++) {
                for (size_t b = a + 1; b < count; b++) {
                    uint8_t first = symbols[a], second = symbols[b];
                    symbols[a] = second;
                    symbols[b] = first;
                    assert_int_equal(check_symbols_fit(symbols, count), first == second);
                    symbols[a] = first;
                    symbols[b] = second;
                }
            }
        }
    }
}

/* By hand: x, y and z with x + y + z = 0 and 4x + 2y + z = 0. Else codes that are printed already would be none any more. */
static void test_the_check_symbols_of_some_words(void **state) {
    (void)state;
    static const uint8_t words[][3] = {{0, 0, 0}, {1, 3, 2}, {2, 6, 4}, {3, 5, 6}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        uint8_t symbols[3] = {words[i][0]};
        check_symbols_put(symbols, 3);
        assert_memory_equal(symbols, words[i], 3);
    }
}

static void test_the_alphabet_is_crockfords(void **state) {
    (void)state;
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    for (uint8_t symbol = 0; symbol < 32; symbol++) {
        assert_int_equal(symbol_character(symbol), alphabet[symbol]);
        assert_int_equal(symbol_value(alphabet[symbol]), symbol);
    }
    assert_int_equal(symbol_value('I'), 1);
    assert_int_equal(symbol_value('L'), 1);
    assert_int_equal(symbol_value('O'), 0);
    static const char none[] = {'U', '-', '#', 'a', ' ', '\0', (char)0x80, (char)0xD8, (char)0xFF};
    for (size_t i = 0; i < sizeof none; i++) assert_int_equal(symbol_value(none[i]), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_check_symbols_of_some_words),
        cmocka_unit_test(test_the_alphabet_is_crockfords),
        cmocka_unit_test(test_a_swap_is_always_noticed),
        cmocka_unit_test(test_one_or_two_wrong_symbols_are_always_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
