#include "base/unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "base/check.h"

#define BRAILLE_BLANK 0x2800 /* a symbol by its category, and nothing to see */

static utf8proc_category_t category_of(uint32_t character) { return utf8proc_category((utf8proc_int32_t)character); }

bool unicode_is_ignorable(uint32_t character) { return utf8proc_get_property((utf8proc_int32_t)character)->ignorable; }

bool unicode_is_letter(uint32_t character) {
    utf8proc_category_t category = category_of(character);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME;
}

static bool is_ascii(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] >= 0x80) return false;
    }
    return true;
}

/* ---- names ---- */

static bool is_visible(uint32_t character) {
    utf8proc_category_t category = category_of(character);
    bool is_blank = (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_CO) || category == UTF8PROC_CATEGORY_CN;
    return !is_blank && character != BRAILLE_BLANK && !unicode_is_ignorable(character);
}

bool unicode_is_name(struct text text) {
    bool has_visible = false;
    for (size_t offset = 0; offset < text.size;) {
        uint32_t character;
        if (!result_is_ok(text_next_character(text, &offset, &character))) return false;
        utf8proc_category_t category = category_of(character);
        if (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP) return false;
        has_visible = has_visible || is_visible(character);
    }
    return has_visible;
}

/* ---- digits ---- */

/* Decimal digits stand in runs of ten, from zero on (The Unicode Standard, section 4.6); two runs that touch are mathematical ones, which NFKC has made
 * ASCII before. */
static uint32_t plain_digit(uint32_t character) {
    uint32_t value = 0;
    if (character < 0x80 || category_of(character) != UTF8PROC_CATEGORY_ND) return character;
    while (value < 9 && category_of(character - value - 1) == UTF8PROC_CATEGORY_ND) value++;
    return '0' + value;
}

/* ---- OpaqueString ---- */

static bool is_join_control(uint32_t character) { return character == 0x200C || character == 0x200D; }

/* Old Hangul jamo (RFC 8264, section 9.9): they are the only ones that conjoin and are no part of a syllable of today. */
static bool is_old_jamo(uint32_t character) {
    return (character >= 0x1113 && character <= 0x115F) || (character >= 0x1176 && character <= 0x11A7) ||
           (character >= 0x11C3 && character <= 0x11FF) || (character >= 0xA960 && character <= 0xA97C) ||
           (character >= 0xD7B0 && character <= 0xD7FB);
}

/* RFC 8264, section 9, as far as the class of free forms forbids it. A joiner may stand where scripts need it, which is behind a letter or mark that is no
 * ASCII: RFC 5892, appendix A.1 and A.2, ask for more, which no password is the worse for. */
static bool is_forbidden(uint32_t character, uint32_t previous) {
    if (is_join_control(character)) return previous < 0x80 || !unicode_is_letter(previous);
    utf8proc_category_t category = category_of(character);
    bool is_unassigned = category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS;
    bool is_line_end = category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
    return category == UTF8PROC_CATEGORY_CC || is_unassigned || is_line_end || unicode_is_ignorable(character) || is_old_jamo(character);
}

/* Blanks become U+0020; false: forbidden. */
static bool prepare_opaque(utf8proc_int32_t *characters, utf8proc_ssize_t count) {
    uint32_t previous = 0;
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        uint32_t character = (uint32_t)characters[i];
        if (category_of(character) == UTF8PROC_CATEGORY_ZS) characters[i] = ' ';
        if (is_forbidden(character, previous)) return false;
        previous = character;
    }
    return count > 0;
}

/* ---- normal forms ---- */

static utf8proc_option_t options_of(enum unicode_form form) {
    const int composed = UTF8PROC_STABLE | UTF8PROC_COMPOSE, plain = composed | UTF8PROC_COMPAT | UTF8PROC_IGNORE;
    switch (form) {
    case UNICODE_PLAIN: return (utf8proc_option_t)plain;
    case UNICODE_PLAIN_CAPITALS: return (utf8proc_option_t)(plain | UTF8PROC_CASEFOLD);
    case UNICODE_OPAQUE: break;
    }
    return (utf8proc_option_t)composed;
}

static struct result write_characters(const utf8proc_int32_t *characters, utf8proc_ssize_t count, enum unicode_form form, char *buffer,
                                      size_t capacity, size_t *ret_size) {
    size_t size = 0;
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        utf8proc_uint8_t bytes[4];
        uint32_t character = (uint32_t)characters[i];
        if (form != UNICODE_OPAQUE) character = plain_digit(character);
        if (form == UNICODE_PLAIN_CAPITALS) character = (uint32_t)utf8proc_toupper((utf8proc_int32_t)character);
        utf8proc_ssize_t width = utf8proc_encode_char((utf8proc_int32_t)character, bytes);
        CHECK(width >= 1 && width <= 4);
        if ((size_t)width > capacity - size) return result_error(RESULT_FULL);
        memcpy(buffer + size, bytes, (size_t)width);
        size += (size_t)width;
    }
    *ret_size = size;
    return result_ok();
}

static struct result normalize_wide(struct text text, enum unicode_form form, char *buffer, size_t capacity, size_t *ret_size) {
    utf8proc_int32_t characters[UNICODE_CHARACTERS_MAX];
    utf8proc_option_t options = options_of(form);
    size_t valid_count;
    TRY(text_count_characters(text, &valid_count)); /* utf8proc lets some of what RFC 3629 forbids pass */
    utf8proc_ssize_t count =
        utf8proc_decompose((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, characters, UNICODE_CHARACTERS_MAX, options);
    if (count < 0) return result_error(RESULT_INVALID);
    if (count > (utf8proc_ssize_t)UNICODE_CHARACTERS_MAX) return result_error(RESULT_FULL);
    if (form == UNICODE_OPAQUE && !prepare_opaque(characters, count)) return result_error(RESULT_INVALID);
    count = utf8proc_normalize_utf32(characters, count, options);
    if (count < 0) return result_error(RESULT_INVALID);
    return write_characters(characters, count, form, buffer, capacity, ret_size);
}

static bool has_control(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) return true;
    }
    return false;
}

struct result unicode_normalize(struct text text, enum unicode_form form, char *buffer, size_t capacity, size_t *ret_size) {
    if (!is_ascii(text)) return normalize_wide(text, form, buffer, capacity, ret_size);
    if (form == UNICODE_OPAQUE && (text.size == 0 || has_control(text))) return result_error(RESULT_INVALID);
    if (text.size > capacity) return result_error(RESULT_FULL);
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        buffer[i] = form == UNICODE_PLAIN_CAPITALS && byte >= 'a' && byte <= 'z' ? (char)(byte - ('a' - 'A')) : byte;
    }
    *ret_size = text.size;
    return result_ok();
}
