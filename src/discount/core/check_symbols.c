#include "discount/core/check_symbols.h"

#include "base/check.h"

/* ---- GF(32): x^5 + x^2 + 1 is primitive, and 2 (which is x) generates all that is not zero ---- */

#define FIELD_REST 0x25u /* the polynomial, as bits */

static uint8_t times_two(uint8_t value) {
    uint8_t doubled = (uint8_t)(value << 1);
    return (doubled & 0x20u) != 0 ? (uint8_t)(doubled ^ FIELD_REST) : doubled;
}

static uint8_t product(uint8_t a, uint8_t b) {
    uint8_t sum = 0;
    for (; b != 0; b >>= 1, a = times_two(a)) {
        if ((b & 1u) != 0) sum ^= a;
    }
    return sum;
}

/* The code: sum of s_i = 0 and sum of s_i × 2^i = 0, with i counted from the end. One wrong symbol breaks the first sum, and two wrong ones that keep
 * it break the second, because the 31 powers of 2 differ. */
struct syndromes {
    uint8_t plain, weighted;
};

static struct syndromes syndromes_of(const uint8_t *symbols, size_t count) {
    struct syndromes sums = {0, 0};
    for (size_t i = 0; i < count; i++) { /* Horner's rule */
        sums.plain ^= symbols[i];
        sums.weighted = times_two(sums.weighted) ^ symbols[i];
    }
    return sums;
}

/* Last symbols y (weight 2) and z (weight 1): y + z = plain and 2y + z = weighted, so that 3y = plain + weighted. */
void check_symbols_put(uint8_t *symbols, size_t count) {
    static const uint8_t third = 28; /* 3 × 28 = 1, asserted below */
    CHECK(count > CHECK_SYMBOLS && count <= CHECKED_SYMBOLS_MAX && product(3, third) == 1);
    symbols[count - 2] = symbols[count - 1] = 0;
    struct syndromes sums = syndromes_of(symbols, count);
    symbols[count - 2] = product(sums.plain ^ sums.weighted, third);
    symbols[count - 1] = symbols[count - 2] ^ sums.plain;
    CHECK(check_symbols_fit(symbols, count));
}

bool check_symbols_fit(const uint8_t *symbols, size_t count) {
    CHECK(count > CHECK_SYMBOLS && count <= CHECKED_SYMBOLS_MAX);
    struct syndromes sums = syndromes_of(symbols, count);
    return (sums.plain | sums.weighted) == 0;
}

/* ---- the alphabet ---- */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

char symbol_character(uint8_t symbol) {
    CHECK(symbol < 32);
    return alphabet[symbol];
}

int symbol_value(char character) {
    /* One more than the value, so that what is not named is none. */
    static const uint8_t values[128] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,  ['8'] = 9,
        ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16, ['G'] = 17, ['H'] = 18,
        ['J'] = 19, ['K'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24, ['R'] = 25, ['S'] = 26, ['T'] = 27,
        ['V'] = 28, ['W'] = 29, ['X'] = 30, ['Y'] = 31, ['Z'] = 32, ['I'] = 2,  ['L'] = 2,  ['O'] = 1,
    };
    unsigned char byte = (unsigned char)character;
    return byte < 128 ? values[byte] - 1 : -1;
}
