/* Text as a pointer and a size: not owned, not terminated unless said so, UTF-8 unless said so. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/result.h"

struct text {
    const char *data;
    size_t size; /* bytes */
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

struct text text_of(const char *terminated); /* NULL gives the empty text */
static inline bool text_equal(struct text a, struct text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
bool text_equal_ignoring_case(struct text a, struct text b); /* ASCII case only */
bool text_starts_with(struct text text, struct text prefix);
bool text_is_printable_ascii(struct text text); /* every byte in 0x20..0x7E */

/* Characters (code points) in valid UTF-8; RESULT_INVALID when it is not valid (RFC 3629). */
struct result text_count_characters(struct text text, size_t *ret_count) MUST_CHECK;

/* The character at *offset, which moves behind it; RESULT_INVALID at the end and for bad UTF-8 (RFC 3629), and *offset stays. */
struct result text_next_character(struct text text, size_t *offset, uint32_t *ret_character) MUST_CHECK;
/* The longest start of the text of at most max_bytes that does not cut a character in two. */
struct text text_cut(struct text text, size_t max_bytes);

/* Decimal without sign, leading zeros allowed, whole text must match; RESULT_INVALID otherwise or above max. */
struct result text_parse_unsigned(struct text text, uint64_t max, uint64_t *ret_value) MUST_CHECK;

/* Folds what people type: NFKC, ignorable code points dropped, digits of any script as 0-9 (base/unicode.h); blanks, hyphens, dashes, dots and brackets
 * disappear when `drop_separators`; letters have no case when `upper`: they are capitals where there are some. Folding again changes nothing.
 * Writes at most `capacity` bytes, no terminator; RESULT_FULL when it does not fit, or is too long to be normalised; RESULT_INVALID for bad UTF-8. */
struct text_folding {
    bool drop_separators;
    bool upper;
};
struct result text_fold(struct text text, struct text_folding folding, char *buffer, size_t capacity, size_t *ret_size) MUST_CHECK;
