#include "base/text.h"

#include "base/unicode.h"

#define TOP_BITS        UINT64_C(0x8080808080808080) /* of eight bytes: none is set in ASCII */
#define FOLD_ROUNDS_MAX 8
#define WIDE_BYTES_MAX  1024u /* of a text with more than ASCII that is folded, without what disappears */

struct text text_of(const char *terminated) {
    if (terminated == NULL) return (struct text){"", 0};
    return (struct text){terminated, strlen(terminated)};
}

static char ascii_lower(char byte) { return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte; }

bool text_equal_ignoring_case(struct text a, struct text b) {
    if (a.size != b.size) return false;
    if (text_equal(a, b)) return true; /* nearly always written as we write it */
    for (size_t i = 0; i < a.size; i++) {
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i])) return false;
    }
    return true;
}

bool text_starts_with(struct text text, struct text prefix) {
    return text.size >= prefix.size && text_equal((struct text){text.data, prefix.size}, prefix);
}

bool text_is_printable_ascii(struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7E) return false;
    }
    return true;
}

struct result text_next_character(struct text text, size_t *offset, uint32_t *ret_character) {
    if (*offset >= text.size) return result_error(RESULT_INVALID);
    const unsigned char *at = (const unsigned char *)text.data + *offset;
    size_t left = text.size - *offset;
    uint32_t first = at[0];
    if (first < 0x80) {
        *ret_character = first;
        *offset += 1;
        return result_ok();
    }
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < size) return result_error(RESULT_INVALID);
    uint32_t character = first & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80) return result_error(RESULT_INVALID);
        character = character << 6 | (at[i] & 0x3Fu);
    }
    /* Overlong forms, surrogates and beyond Unicode (RFC 3629, section 3). */
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (character < least[size] || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        return result_error(RESULT_INVALID);
    *ret_character = character;
    *offset += size;
    return result_ok();
}

struct text text_cut(struct text text, size_t max_bytes) {
    if (text.size <= max_bytes) return text;
    size_t size = max_bytes;
    while (size > 0 && ((unsigned char)text.data[size] & 0xC0) == 0x80) size--;
    return (struct text){text.data, size};
}

struct result text_count_characters(struct text text, size_t *ret_count) {
    size_t offset = 0;
    for (uint64_t word; text.size - offset >= sizeof word; offset += sizeof word) {
        memcpy(&word, text.data + offset, sizeof word);
        if ((word & TOP_BITS) != 0) break;
    }
    size_t count = offset;
    while (offset < text.size) {
        uint32_t character;
        if ((unsigned char)text.data[offset] < 0x80) {
            offset++;
        } else {
            TRY(text_next_character(text, &offset, &character));
        }
        count++;
    }
    *ret_count = count;
    return result_ok();
}

struct result text_parse_unsigned(struct text text, uint64_t max, uint64_t *ret_value) {
    if (text.size == 0) return result_error(RESULT_INVALID);
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        if (byte < '0' || byte > '9') return result_error(RESULT_INVALID);
        uint64_t digit = (uint64_t)(byte - '0');
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) || __builtin_add_overflow(value, digit, &value) || value > max) {
            return result_error(RESULT_INVALID);
        }
    }
    *ret_value = value;
    return result_ok();
}

/* What keyboards and copied messages put between the parts of a number or code. */
static const bool is_ascii_separator[128] = {
    [0x09 ... 0x0D] = true, [' '] = true, ['('] = true, [')'] = true, ['-'] = true,
    ['.'] = true,           ['['] = true, [']'] = true, ['{'] = true, ['}'] = true,
};

static bool is_separator(uint32_t character) {
    if (character < 0x80) return is_ascii_separator[character];
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x85, 0x85},     {0xA0, 0xA0},     {0xAD, 0xAD},     {0xB7, 0xB7},     {0x061C, 0x061C}, {0x0640, 0x0640}, {0x06D4, 0x06D4},
        {0x1680, 0x1680}, {0x2000, 0x2015}, {0x2024, 0x2024}, {0x2028, 0x202F}, {0x205F, 0x2060}, {0x2066, 0x2069}, {0x2212, 0x2212},
        {0x3000, 0x3000}, {0xFE58, 0xFE58}, {0xFE63, 0xFE63}, {0xFEFF, 0xFEFF}, {0xFF0D, 0xFF0D},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && ranges[i].first <= character; i++) {
        if (character <= ranges[i].last) return true;
    }
    return false;
}

/* A run of ASCII, as far as there is room: *offset stops behind it. Gives the size written. */
static size_t fold_ascii(struct text text, size_t *offset, struct text_folding folding, char *buffer, size_t capacity) {
    static const bool none[128];
    const bool *is_dropped = folding.drop_separators ? is_ascii_separator : none;
    const int step = folding.upper ? 'a' - 'A' : 0;
    size_t at = *offset, size = 0;
    for (; at < text.size && size < capacity; at++) {
        unsigned char byte = (unsigned char)text.data[at];
        if (byte >= 0x80) break;
        buffer[size] = (char)(byte - (byte >= 'a' && byte <= 'z' ? step : 0));
        size += !is_dropped[byte]; /* else the next one takes its place */
    }
    *offset = at;
    return size;
}

/* Of what is normal already: only separators are left to be dropped. */
static struct result fold_characters(struct text text, struct text_folding folding, char *buffer, size_t capacity, size_t *ret_size) {
    size_t offset = 0, size = fold_ascii(text, &offset, folding, buffer, capacity);
    while (offset < text.size) {
        size_t start = offset;
        uint32_t character;
        TRY(text_next_character(text, &offset, &character));
        size_t width = offset - start;
        if (folding.drop_separators && is_separator(character)) width = 0;
        if (capacity - size < width) return result_error(RESULT_FULL);
        memcpy(buffer + size, text.data + start, width);
        size += width;
        size += fold_ascii(text, &offset, folding, buffer + size, capacity - size);
    }
    *ret_size = size;
    return result_ok();
}

/* However many separators and marks were copied along with it: what is left must be short. */
static struct result drop_unseen(struct text text, struct text_folding folding, char *buffer, size_t capacity, size_t *ret_size) {
    size_t size = 0;
    for (size_t offset = 0, start = 0; offset < text.size; start = offset) {
        uint32_t character;
        TRY(text_next_character(text, &offset, &character));
        if (unicode_is_ignorable(character) || (folding.drop_separators && is_separator(character))) continue;
        if (capacity - size < offset - start) return result_error(RESULT_FULL);
        memcpy(buffer + size, text.data + start, offset - start);
        size += offset - start;
    }
    *ret_size = size;
    return result_ok();
}

/* One round: *ret_size bytes of `folded`, which may be what `part` stands in. */
static struct result fold_once(struct text part, struct text_folding folding, char folded[WIDE_BYTES_MAX], size_t *ret_size) {
    char seen[WIDE_BYTES_MAX], plain[WIDE_BYTES_MAX];
    struct text left = {.data = seen}, normal = {.data = plain};
    enum unicode_form form = folding.upper ? UNICODE_PLAIN_CAPITALS : UNICODE_PLAIN;
    TRY(drop_unseen(part, folding, seen, sizeof seen, &left.size));
    TRY(unicode_normalize(left, form, plain, sizeof plain, &normal.size));
    return fold_characters(normal, folding, folded, WIDE_BYTES_MAX, ret_size);
}

/* What was dropped may have stood between a letter and its mark, and a capital may have another normal form: again, until nothing changes. Each round but
 * the last makes something of it simpler, and there are few ways to be simpler. */
static struct result fold_wide(struct text text, struct text_folding folding, char *buffer, size_t capacity, size_t *ret_size) {
    char folded[WIDE_BYTES_MAX], before[WIDE_BYTES_MAX];
    struct text now = {.data = folded};
    size_t characters, before_size;
    TRY(text_count_characters(text, &characters)); /* all of it, so that bad UTF-8 is that, and not too long */
    TRY(fold_once(text, folding, folded, &now.size));
    int rounds = 0;
    do {
        if (rounds++ == FOLD_ROUNDS_MAX) return result_error(RESULT_INVALID);
        memcpy(before, folded, before_size = now.size);
        TRY(fold_once((struct text){before, before_size}, folding, folded, &now.size));
    } while (!text_equal(now, (struct text){before, before_size}));
    if (now.size > capacity) return result_error(RESULT_FULL);
    memcpy(buffer, folded, now.size);
    *ret_size = now.size;
    return result_ok();
}

/* Persian and Arabic-Indic digits are typed as often as ASCII; 0: another character. */
static char common_digit(uint32_t character) {
    if (character >= 0x06F0 && character <= 0x06F9) return (char)('0' + (character - 0x06F0));
    if (character >= 0x0660 && character <= 0x0669) return (char)('0' + (character - 0x0660));
    return 0;
}

/* What becomes ASCII on the spot is its own normal form; the rest is for utf8proc. */
struct result text_fold(struct text text, struct text_folding folding, char *buffer, size_t capacity, size_t *ret_size) {
    size_t offset = 0, size = fold_ascii(text, &offset, folding, buffer, capacity);
    while (offset < text.size) {
        uint32_t character;
        TRY(text_next_character(text, &offset, &character));
        char digit = common_digit(character);
        bool is_dropped = folding.drop_separators && is_separator(character);
        if ((digit == 0 && !is_dropped) || (digit != 0 && size == capacity)) return fold_wide(text, folding, buffer, capacity, ret_size);
        if (digit != 0) buffer[size++] = digit;
        size += fold_ascii(text, &offset, folding, buffer + size, capacity - size);
    }
    *ret_size = size;
    return result_ok();
}
