#include "discount/core/pattern.h"

#include <string.h>

#include "base/check.h"
#include "base/unicode.h"

#define SYMBOL_BITS      5u
#define GUESSES_A_SECOND 1000
#define YEAR_S           31557600 /* of 365.25 days */
#define YEARS_TENTHS_MIN 100
#define FRACTION_BITS    8u
#define MANTISSA_BITS    31u

/* ---- parsing ---- */

/* The code with this symbol at each #. */
static struct result read_with(const struct code_pattern *pattern, uint8_t symbol, struct code *ret_code) {
    char written[PATTERN_BYTES];
    for (size_t i = 0; i < pattern->typed_size; i++) written[i] = pattern->typed[i] == '#' ? symbol_character(symbol) : pattern->typed[i];
    return code_parse((struct text){written, pattern->typed_size}, ret_code);
}

/* Where two codes that differ in their symbols alone have them. */
static void mark_symbols(struct code *shape, const struct code *other) {
    for (size_t i = 0; i < shape->size; i++) {
        if (shape->canonical[i] != other->canonical[i]) shape->canonical[i] = '#';
    }
}

static bool is_written(const struct code *shape, uint8_t symbol, const struct code *code) {
    struct code written = *shape;
    for (size_t i = 0; i < written.size; i++) {
        if (written.canonical[i] == '#') written.canonical[i] = symbol_character(symbol);
    }
    return code_equal(&written, code);
}

/* A mark behind a # would be one with some symbols: whatever stands there must read back as it was written. */
static bool find_shape(struct code_pattern *pattern) {
    for (uint8_t symbol = 0; symbol < 32; symbol++) {
        struct code code = {0};
        if (!result_is_ok(read_with(pattern, symbol, &code))) return false;
        if (symbol == 0) pattern->shape = code;
        if (symbol == 1) mark_symbols(&pattern->shape, &code);
        if (!is_written(&pattern->shape, symbol, &code)) return false;
    }
    return true;
}

const char *pattern_parse(struct text typed, struct code_pattern *ret_pattern) {
    struct code_pattern pattern = {0};
    uint32_t symbols = 0;
    if (typed.size > PATTERN_BYTES) return "must be at most 128 bytes";
    for (size_t i = 0; i < typed.size; i++) symbols += typed.data[i] == '#';
    if (symbols < PATTERN_SYMBOLS_MIN || symbols > PATTERN_SYMBOLS_MAX) return "must have 6 to 26 #, of which the last two are the check";
    memcpy(pattern.typed, typed.data, typed.size);
    pattern.typed_size = (uint8_t)typed.size;
    pattern.symbol_count = (uint8_t)symbols;
    if (!unicode_is_name(typed) || !find_shape(&pattern))
        return "must be #, letters, digits, blanks and hyphens, and at most 64 bytes without the separators";
    *ret_pattern = pattern;
    return NULL;
}

/* ---- how hard it is to guess ---- */

/* log2 in units of 2^-FRACTION_BITS, rounded up: each squaring of what is left of the number, between 1 and 2, gives one more bit. */
static int64_t logarithm(int64_t count) {
    CHECK(count > 0);
    uint32_t whole = 63u - (uint32_t)__builtin_clzll((uint64_t)count);
    uint64_t rest = (uint64_t)(((unsigned __int128)count << MANTISSA_BITS) >> whole);
    int64_t result = whole;
    bool is_exact = rest == UINT64_C(1) << MANTISSA_BITS;
    for (uint32_t i = 0; i < FRACTION_BITS; i++) {
        rest = rest * rest >> MANTISSA_BITS;
        result = result * 2 + (rest >> (MANTISSA_BITS + 1) != 0);
        if (rest >> (MANTISSA_BITS + 1) != 0) rest >>= 1;
    }
    return result + !is_exact;
}

struct pattern_strength pattern_strength(uint32_t symbol_count, int64_t count) {
    CHECK(symbol_count >= PATTERN_SYMBOLS_MIN && symbol_count <= PATTERN_SYMBOLS_MAX && count > 0);
    uint32_t bits = SYMBOL_BITS * (symbol_count - CHECK_SYMBOLS);
    unsigned __int128 tenths = ((unsigned __int128)10 << bits) / GUESSES_A_SECOND / YEAR_S / (uint64_t)count;
    int64_t left = ((int64_t)bits << FRACTION_BITS) - logarithm(count);
    return (struct pattern_strength){
        .entropy_tenths = left < 0 ? 0 : left * 10 >> FRACTION_BITS,
        .years_tenths = tenths > (uint64_t)PATTERN_YEARS_TENTHS_MAX ? PATTERN_YEARS_TENTHS_MAX : (int64_t)tenths,
        .is_weak = tenths < YEARS_TENTHS_MIN,
    };
}

uint32_t pattern_symbols_needed(int64_t count) {
    uint32_t symbols = PATTERN_SYMBOLS_MIN;
    while (pattern_strength(symbols, count).is_weak) symbols++; /* with PATTERN_SYMBOLS_MAX none is that can be counted */
    return symbols;
}

/* ---- codes ---- */

struct result pattern_permutation(const struct code_pattern *pattern, ff1_block *encrypt_block, void *cipher, struct ff1 *ret_ff1) {
    return ff1_init(ret_ff1, encrypt_block, cipher, 1u << SYMBOL_BITS, pattern->symbol_count - CHECK_SYMBOLS, TEXT(""));
}

size_t pattern_write(const struct code_pattern *pattern, const struct ff1 *ff1, uint64_t number, char into[PATTERN_BYTES]) {
    uint8_t symbols[PATTERN_SYMBOLS_MAX];
    uint32_t payload = pattern->symbol_count - CHECK_SYMBOLS;
    CHECK((unsigned __int128)number < pattern_numbers(pattern));
    for (uint32_t i = payload; i-- > 0; number >>= SYMBOL_BITS) symbols[i] = (uint8_t)(number & ((1u << SYMBOL_BITS) - 1));
    ff1_encrypt(ff1, symbols);
    check_symbols_put(symbols, pattern->symbol_count);
    const uint8_t *next = symbols;
    for (size_t i = 0; i < pattern->typed_size; i++) into[i] = pattern->typed[i] == '#' ? symbol_character(*next++) : pattern->typed[i];
    return pattern->typed_size;
}

bool pattern_fits(const struct code *shape, const struct code *code, uint8_t ret_symbols[PATTERN_SYMBOLS_MAX], uint32_t *ret_count) {
    uint32_t count = 0;
    *ret_count = 0;
    if (shape->size != code->size) return false;
    for (size_t i = 0; i < code->size; i++) {
        if (shape->canonical[i] != '#') {
            if (shape->canonical[i] != code->canonical[i]) return false;
            continue;
        }
        int value = symbol_value(code->canonical[i]);
        if (value < 0) return false;
        CHECK(count < PATTERN_SYMBOLS_MAX);
        ret_symbols[count++] = (uint8_t)value;
    }
    *ret_count = count;
    return check_symbols_fit(ret_symbols, count);
}

uint64_t pattern_read(const struct ff1 *ff1, const uint8_t symbols[PATTERN_SYMBOLS_MAX], uint32_t count) {
    uint8_t plain[PATTERN_SYMBOLS_MAX];
    unsigned __int128 number = 0;
    memcpy(plain, symbols, count);
    ff1_decrypt(ff1, plain);
    for (uint32_t i = 0; i < count - CHECK_SYMBOLS; i++) number = number << SYMBOL_BITS | plain[i];
    return number > UINT64_MAX ? UINT64_MAX : (uint64_t)number;
}
