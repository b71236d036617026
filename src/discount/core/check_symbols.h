/* Two check symbols at the end of a code, of a Reed-Solomon code over GF(32): any one or two wrong symbols are noticed wherever they stand, and so any two that
 * were swapped. Symbols are the values of Crockford's Base32 (crockford.com/base32.html), 0 to 31. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_SYMBOLS       2u
#define CHECKED_SYMBOLS_MAX 31u /* with the two: the field has as many places that can be told apart */

/* Of symbols[0 … count - 3] into the last two; 3 <= count <= CHECKED_SYMBOLS_MAX. */
void check_symbols_put(uint8_t *symbols, size_t count);
bool check_symbols_fit(const uint8_t *symbols, size_t count);

/* Crockford's alphabet: digits and capitals without I, L, O and U. */
char symbol_character(uint8_t symbol);
/* Of a capital or a digit; I and L are read as 1, O as 0. -1: no symbol. */
int symbol_value(char character);
