/* What the codes of a batch look like, "GIFT-####-####-####-##": each # is a symbol of Crockford's Base32, the last two of them the check symbols, and all
 * else stands in every code. The symbols before the check are a number under FF1: no code is stored anywhere, and whether a typed one exists is arithmetic. */
#pragma once

#include "base/code.h"
#include "discount/core/check_symbols.h"
#include "discount/core/ff1.h"

#define PATTERN_BYTES       128u /* as it was typed, and so of each code */
#define PATTERN_SYMBOLS_MIN 6u   /* with the check: fewer numbers are no domain of FF1 */
#define PATTERN_SYMBOLS_MAX 26u  /* halves of 60 bits */

struct code_pattern {
    uint8_t typed_size, symbol_count; /* with the check */
    char typed[PATTERN_BYTES];
    struct code shape; /* as typed codes are folded, with # for the symbols: two patterns of one shape make the same codes */
};

/* NULL, or why it is none: a phrase for a fault. */
const char *pattern_parse(struct text typed, struct code_pattern *ret_pattern);
static inline struct text pattern_text(const struct code_pattern *pattern) { return (struct text){pattern->typed, pattern->typed_size}; }
/* How many numbers it can write. */
static inline unsigned __int128 pattern_numbers(const struct code_pattern *pattern) {
    return (unsigned __int128)1 << 5u * (pattern->symbol_count - CHECK_SYMBOLS);
}

/* Who tries 1,000 numbers a second, and knows the pattern (so that the check symbols are no secret), is expected to meet the first of `count` living codes after so
 * long. */
struct pattern_strength {
    int64_t entropy_tenths; /* bits that are left to guess, rounded down */
    int64_t years_tenths;   /* rounded down; at most PATTERN_YEARS_TENTHS_MAX */
    bool is_weak;           /* less than ten years */
};
#define PATTERN_YEARS_TENTHS_MAX INT64_C(9000000000000000)
struct pattern_strength pattern_strength(uint32_t symbol_count, int64_t count);
/* How many symbols it takes not to be weak. */
uint32_t pattern_symbols_needed(int64_t count);

/* FF1 for the shape's numbers, by a key of its own. */
struct result pattern_permutation(const struct code_pattern *pattern, ff1_block *encrypt_block, void *cipher,
                                  struct ff1 *ret_ff1) MUST_CHECK;
/* The code of a number below pattern_numbers; gives its size. */
size_t pattern_write(const struct code_pattern *pattern, const struct ff1 *ff1, uint64_t number, char into[PATTERN_BYTES]);
/* Whether it has the shape and its check symbols fit; needs no key. *ret_count is 0 unless it has the shape. */
bool pattern_fits(const struct code *shape, const struct code *code, uint8_t ret_symbols[PATTERN_SYMBOLS_MAX], uint32_t *ret_count);
/* The number of one that fits. UINT64_MAX: it has more bits than any number that was given out. */
uint64_t pattern_read(const struct ff1 *ff1, const uint8_t symbols[PATTERN_SYMBOLS_MAX], uint32_t count);
