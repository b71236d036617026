/* RFC 8259 to the letter, in one pass without recursion.
 *
 * Why this is not left to a library: of Debian's, jansson keeps every rule but needs 13,000 instructions for the body of a redemption; those
 * that are fast (jsmn, yajl) let pass what we must refuse, so that a second parser would have to check the first. docs/performance.md has the
 * figures. The tests hold this parser against jansson.
 *
 * A stack holds the open arrays and objects, each with its values so far behind it:
 *
 *     {"a": [1, 2            stack: object, "a", array, 1, 2
 *                                     ^            ^ open: the innermost; its .integer leads to the one around it
 *
 * When one is closed its values move to the arena, side by side, and it is itself a value of the one around it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json/tree.h"

#define DEPTH_MAX   2048u
#define FIRST_COUNT 64u /* values on our own stack: nearly every text needs no more at once */
#define PLACES_MAX  16u /* deeper places are named by their outermost levels */
#define FEW_NAMES   16u /* so many are compared each with each */

struct parser {
    const unsigned char *at, *end;
    struct arena *arena;
    struct faults *faults;
    char *texts; /* where the next text goes: texts take no more room than they had in quotes */
    struct json_value *stack;
    uint32_t top, capacity;
    uint32_t open; /* 1 + index of the innermost array or object, which is the index of its first value; 0: none is open */
    uint32_t depth;
    bool has_nul;  /* the text just read */
    bool has_void; /* some name stands for nothing: its member is told as a fault and left away */
    bool is_full;
};

/* ---- faults ---- */

static void append_name(struct buffer *path, const struct json_value *name) {
    struct text rest = text_cut((struct text){name->text, name->size}, JSON_NAME_BYTES);
    if (path->size > 0) buffer_append_byte(path, '.');
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] == '\0') {
            buffer_append(path, TEXT("\\u0000"));
        } else {
            buffer_append_byte(path, rest.data[i]);
        }
    }
}

/* For the value that is or would be at `index` of the stack, in the array or object whose first value is at `first`. */
static void add_fault(struct parser *parser, uint32_t first, uint32_t index, const char *code, const char *detail) {
    struct faults *faults = parser->faults;
    if (faults->count == LIMIT_FAULTS) {
        faults->dropped++;
        return;
    }
    uint32_t firsts[PLACES_MAX], indexes[PLACES_MAX], depth = 0;
    for (uint32_t at = first; at != 0; at = (uint32_t)parser->stack[at - 1].integer) depth++;
    uint32_t level = depth;
    for (uint32_t at = first, inside = index; at != 0; at = (uint32_t)parser->stack[at - 1].integer) {
        if (--level < PLACES_MAX) {
            firsts[level] = at;
            indexes[level] = inside;
        }
        inside = at - 1;
    }
    struct buffer path;
    buffer_init(&path, faults->arena, 64);
    for (level = 0; level < depth && level < PLACES_MAX; level++) {
        if (parser->stack[firsts[level] - 1].type == JSON_IS_OBJECT) {
            append_name(&path, &parser->stack[indexes[level] - 1]);
        } else {
            buffer_append_byte(&path, '[');
            buffer_append_integer(&path, indexes[level] - firsts[level]);
            buffer_append_byte(&path, ']');
        }
    }
    buffer_append_byte(&path, '\0');
    faults_add(faults, path.failed ? "" : path.data, code, "%s", detail);
}

/* ---- bytes ---- */

/* 0 at the end, which is no byte of the grammar either. */
static unsigned char peek(const struct parser *parser) { return parser->at < parser->end ? *parser->at : '\0'; }

static bool is_space(unsigned char byte) { return byte <= ' ' && (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'); }

static inline void skip_space(struct parser *parser) {
    while (parser->at < parser->end && is_space(*parser->at)) parser->at++;
}

static bool is_digit(unsigned char byte) { return byte >= '0' && byte <= '9'; }

static bool skip_literal(struct parser *parser, struct text literal) {
    if ((size_t)(parser->end - parser->at) < literal.size || memcmp(parser->at, literal.data, literal.size) != 0) return false;
    parser->at += literal.size;
    return true;
}

/* ---- texts ---- */

/* Four hexadecimal digits. */
static bool read_unit(struct parser *parser, uint32_t *ret_unit) {
    if (parser->end - parser->at < 4) return false;
    *ret_unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char byte = *parser->at++;
        unsigned char lower = byte | 0x20;
        if (!is_digit(byte) && (lower < 'a' || lower > 'f')) {
            parser->at--;
            return false;
        }
        *ret_unit = *ret_unit << 4 | (uint32_t)(is_digit(byte) ? byte - '0' : lower - 'a' + 10);
    }
    return true;
}

static char *append_utf8(char *out, uint32_t character) {
    if (character < 0x80) {
        *out++ = (char)character;
        return out;
    }
    int following = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};
    *out++ = (char)(marks[following] | character >> (6 * following));
    while (following-- > 0) *out++ = (char)(0x80 | (character >> (6 * following) & 0x3F));
    return out;
}

/* Behind "\u"; a surrogate must come with its other half (RFC 8259, section 7). */
static char *read_unicode_escape(struct parser *parser, char *out) {
    uint32_t character, low;
    if (!read_unit(parser, &character) || (character >= 0xDC00 && character <= 0xDFFF)) return NULL;
    if (character >= 0xD800 && character <= 0xDBFF) {
        if (!skip_literal(parser, TEXT("\\u")) || !read_unit(parser, &low) || low < 0xDC00 || low > 0xDFFF) return NULL;
        character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
    }
    if (character == 0) parser->has_nul = true;
    return append_utf8(out, character);
}

/* At the backslash. NULL when it is no escape. */
static char *read_escape(struct parser *parser, char *out) {
    if (++parser->at == parser->end) return NULL;
    unsigned char byte = *parser->at++;
    switch (byte) {
    case '"':
    case '\\':
    case '/': *out = (char)byte; return out + 1;
    case 'b': *out = '\b'; return out + 1;
    case 'f': *out = '\f'; return out + 1;
    case 'n': *out = '\n'; return out + 1;
    case 'r': *out = '\r'; return out + 1;
    case 't': *out = '\t'; return out + 1;
    case 'u': return read_unicode_escape(parser, out);
    default: parser->at--; return NULL;
    }
}

/* At a byte that is no plain ASCII. NULL for a control character and for bad UTF-8. */
static char *read_odd_byte(struct parser *parser, char *out) {
    if (*parser->at == '\\') return read_escape(parser, out);
    uint32_t character;
    size_t size = 0;
    struct text rest = {(const char *)parser->at, (size_t)(parser->end - parser->at)};
    if (*parser->at < 0x80 || !result_is_ok(text_next_character(rest, &size, &character))) return NULL;
    memcpy(out, parser->at, size);
    parser->at += size;
    return out + size;
}

/* Copies plain ASCII up to the first other byte. A word may be written further than what it gave: as far as there is still something to read,
 * for which `texts` has room. */
static char *copy_plain(struct parser *parser, char *out) {
    const unsigned char *at = parser->at, *end = parser->end;
    uint64_t odd = 0;
    while (end - at >= (ptrdiff_t)sizeof odd && odd == 0) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        memcpy(out, &word, sizeof word);
        odd = json_odd_bytes(word);
        size_t count = odd == 0 ? sizeof word : (size_t)__builtin_ctzll(odd) / 8;
        at += count;
        out += count;
    }
    while (odd == 0 && at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') *out++ = (char)*at++;
    parser->at = at;
    return out;
}

/* At the opening quote. */
static bool read_text(struct parser *parser, struct json_value *ret_value) {
    char *start = parser->texts, *out = start;
    parser->at++;
    parser->has_nul = false;
    while (true) {
        out = copy_plain(parser, out);
        if (parser->at == parser->end) return false;
        if (*parser->at == '"') break;
        out = read_odd_byte(parser, out);
        if (out == NULL) return false;
    }
    parser->at++;
    *out = '\0';
    parser->texts = out + 1;
    ret_value->type = JSON_IS_TEXT;
    ret_value->size = (uint32_t)(out - start);
    ret_value->text = start;
    return true;
}

/* ---- numbers ---- */

static bool skip_digits(struct parser *parser) {
    if (!is_digit(peek(parser))) return false;
    while (is_digit(peek(parser))) parser->at++;
    return true;
}

/* The part behind the integer: true when it follows the grammar, *ret_is_real when there is one. */
static bool skip_fraction(struct parser *parser, bool *ret_is_real) {
    *ret_is_real = false;
    if (peek(parser) == '.') {
        parser->at++;
        *ret_is_real = true;
        if (!skip_digits(parser)) return false;
    }
    if ((peek(parser) | 0x20) == 'e') {
        parser->at++;
        *ret_is_real = true;
        if (peek(parser) == '+' || peek(parser) == '-') parser->at++;
        if (!skip_digits(parser)) return false;
    }
    return true;
}

static void read_beyond(struct parser *parser, const unsigned char *start, struct json_value *ret_value) {
    size_t size = (size_t)(parser->at - start);
    memcpy(parser->texts, start, size);
    parser->texts[size] = '\0';
    *ret_value = (struct json_value){.type = JSON_IS_BEYOND, .size = (uint32_t)size, .text = parser->texts};
    parser->texts += size + 1;
    add_fault(parser, parser->open, parser->top - 1, "out_of_range", "is a number too big to be read");
}

static void read_real(struct parser *parser, const unsigned char *start, struct json_value *ret_value) {
    size_t size = (size_t)(parser->at - start);
    memcpy(parser->texts, start, size); /* only to be terminated */
    parser->texts[size] = '\0';
    double real = strtod(parser->texts, NULL); /* no program here sets a locale: the point is a point */
    if (isfinite(real)) {
        *ret_value = (struct json_value){.type = JSON_IS_REAL, .real = real};
    } else {
        read_beyond(parser, start, ret_value);
    }
}

static bool read_number(struct parser *parser, struct json_value *ret_value) {
    const unsigned char *start = parser->at;
    bool is_negative = *start == '-', is_real, is_beyond = false;
    uint64_t size = 0;
    if (is_negative) parser->at++;
    if (peek(parser) == '0') {
        parser->at++;
    } else {
        if (!is_digit(peek(parser))) return false;
        for (unsigned char digit; is_digit(digit = peek(parser)); parser->at++) {
            is_beyond = is_beyond || __builtin_mul_overflow(size, UINT64_C(10), &size) ||
                        __builtin_add_overflow(size, (uint64_t)(digit - '0'), &size);
        }
    }
    if (!skip_fraction(parser, &is_real)) return false;
    if (is_real) {
        read_real(parser, start, ret_value);
    } else if (is_beyond || size > (uint64_t)INT64_MAX + is_negative) {
        read_beyond(parser, start, ret_value);
    } else {
        *ret_value = (struct json_value){.type = JSON_IS_INTEGER, .integer = (int64_t)(is_negative ? 0 - size : size)};
    }
    return true;
}

/* ---- arrays and objects ---- */

static bool grow_stack(struct parser *parser) {
    size_t bytes = parser->capacity * sizeof *parser->stack;
    bool is_first = parser->capacity == FIRST_COUNT; /* json_parse's own */
    struct json_value *grown = arena_resize(parser->arena, is_first ? NULL : parser->stack, is_first ? 0 : bytes, 2 * bytes);
    if (grown == NULL) {
        parser->is_full = true;
        return false;
    }
    if (is_first) memcpy(grown, parser->stack, bytes);
    parser->stack = grown;
    parser->capacity *= 2;
    return true;
}

/* The next place on the stack, to be filled at once; NULL without memory. */
static inline struct json_value *push(struct parser *parser) {
    if (parser->top == parser->capacity && !grow_stack(parser)) return NULL;
    return &parser->stack[parser->top++];
}

static bool open_level(struct parser *parser, enum json_type type) {
    struct json_value *level = push(parser);
    if (level == NULL || ++parser->depth > DEPTH_MAX) return false;
    level->type = type;
    level->integer = parser->open;
    parser->open = parser->top;
    return true;
}

static int compare_names(const void *a, const void *b) {
    const struct json_value *left = *(const struct json_value *const *)a, *right = *(const struct json_value *const *)b;
    int order = memcmp(left->text, right->text, left->size < right->size ? left->size : right->size);
    if (order != 0) return order;
    if (left->size != right->size) return left->size < right->size ? -1 : 1;
    return left < right ? -1 : left > right;
}

void json_sort_names(const struct json_value **names, size_t count) {
    if (count > 1) qsort(names, count, sizeof *names, compare_names);
}

static bool is_same_name(const struct json_value *a, const struct json_value *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static void void_name(struct parser *parser, struct json_value *name) {
    parser->has_void = true;
    name->type = JSON_IS_NULL;
}

/* Each with each for a few; sorted for many, lest somebody sends a hundred thousand. */
static bool void_duplicates(struct parser *parser, struct json_value *members, size_t count) {
    if (count <= FEW_NAMES) {
        for (size_t i = 1; i < count; i++) {
            for (size_t earlier = 0; earlier < i; earlier++) {
                if (is_same_name(&members[2 * i], &members[2 * earlier])) void_name(parser, &members[2 * i]);
            }
        }
        return true;
    }
    const struct json_value **names = arena_take(parser->arena, count * sizeof(struct json_value *));
    if (names == NULL) {
        parser->is_full = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) names[i] = &members[2 * i];
    json_sort_names(names, count);
    for (size_t i = 1; i < count; i++) {
        if (is_same_name(names[i], names[i - 1])) void_name(parser, &members[names[i] - members]);
    }
    return true;
}

/* The members from `first` to the top: tells duplicates, and takes away what is void. */
static bool drop_void_members(struct parser *parser, uint32_t first) {
    struct json_value *members = parser->stack + first;
    size_t count = (parser->top - first) / 2, kept = 0;
    if (!void_duplicates(parser, members, count)) return false;
    if (!parser->has_void) return true;
    for (size_t i = 0; i < count; i++) {
        const struct json_value *name = &members[2 * i];
        if (name->type != JSON_IS_NULL) {
            members[2 * kept] = members[2 * i];
            members[2 * kept + 1] = members[2 * i + 1];
            kept++;
        } else if (memchr(name->text, '\0', name->size) == NULL) { /* else it was told when it was read */
            add_fault(parser, first, first + (uint32_t)(2 * i + 1), "duplicate_field", "stands more than once in its object");
        }
    }
    parser->top = first + (uint32_t)(2 * kept);
    return true;
}

/* At its closing bracket. */
static bool close_level(struct parser *parser) {
    uint32_t first = parser->open;
    parser->at++;
    bool is_object = parser->stack[first - 1].type == JSON_IS_OBJECT;
    if (is_object && !drop_void_members(parser, first)) return false;
    uint32_t count = parser->top - first;
    struct json_value *items = NULL;
    if (count > 0) {
        items = arena_take(parser->arena, count * sizeof *items);
        if (items == NULL) {
            parser->is_full = true;
            return false;
        }
        memcpy(items, parser->stack + first, count * sizeof *items);
    }
    struct json_value *level = &parser->stack[first - 1];
    parser->open = (uint32_t)level->integer;
    parser->top = first;
    parser->depth--;
    level->size = is_object ? count / 2 : count;
    level->items = items;
    return true;
}

/* A name and its colon. */
static bool read_name(struct parser *parser) {
    skip_space(parser);
    struct json_value *name = peek(parser) == '"' ? push(parser) : NULL;
    if (name == NULL || !read_text(parser, name)) return false;
    if (parser->has_nul) {
        add_fault(parser, parser->open, parser->top, "invalid_format", "has a name with the character U+0000, which no name may have");
        void_name(parser, name);
    }
    skip_space(parser);
    if (peek(parser) != ':') return false;
    parser->at++;
    return true;
}

/* ---- the whole ---- */

static bool read_literal(struct parser *parser, struct text literal, enum json_type type, struct json_value *ret_value) {
    ret_value->type = type;
    return skip_literal(parser, literal);
}

static bool read_scalar(struct parser *parser) {
    struct json_value *value = push(parser);
    if (value == NULL) return false;
    switch (peek(parser)) {
    case '"': return read_text(parser, value);
    case 'n': return read_literal(parser, TEXT("null"), JSON_IS_NULL, value);
    case 't': return read_literal(parser, TEXT("true"), JSON_IS_TRUE, value);
    case 'f': return read_literal(parser, TEXT("false"), JSON_IS_FALSE, value);
    default: return (peek(parser) == '-' || is_digit(peek(parser))) && read_number(parser, value);
    }
}

/* A value, or the start of one: then its first value is due next, and in an object its name has been read. */
static bool begin_value(struct parser *parser, bool *ret_is_whole) {
    skip_space(parser);
    unsigned char bracket = peek(parser);
    *ret_is_whole = true;
    if (bracket != '{' && bracket != '[') return read_scalar(parser);
    bool is_object = bracket == '{';
    if (!open_level(parser, is_object ? JSON_IS_OBJECT : JSON_IS_ARRAY)) return false;
    parser->at++;
    skip_space(parser);
    if (peek(parser) == (is_object ? '}' : ']')) return close_level(parser);
    *ret_is_whole = false;
    return !is_object || read_name(parser);
}

/* Behind a value: closes what ends here. True at the end of the outermost value, or when the next one is due. */
static bool end_value(struct parser *parser) {
    while (parser->open != 0) {
        bool is_object = parser->stack[parser->open - 1].type == JSON_IS_OBJECT;
        skip_space(parser);
        unsigned char byte = peek(parser);
        if (byte == ',') {
            parser->at++;
            return !is_object || read_name(parser);
        }
        if (byte != (is_object ? '}' : ']') || !close_level(parser)) return false;
    }
    return true;
}

bool json_parse(struct arena *arena, struct text text, struct faults *faults, struct json_value *ret_root, struct json_end *ret_end) {
    struct json_value first[FIRST_COUNT];
    struct parser parser = {.arena = arena, .faults = faults, .stack = first, .capacity = FIRST_COUNT};
    *ret_end = (struct json_end){0};
    if (text.size == 0) return false;
    parser.at = (const unsigned char *)text.data;
    parser.end = parser.at + text.size;
    parser.texts = arena_take(arena, text.size + 1);
    ret_end->is_full = parser.texts == NULL;
    if (parser.texts == NULL) return false;
    do {
        bool is_whole;
        if (!begin_value(&parser, &is_whole) || (is_whole && !end_value(&parser))) {
            ret_end->is_full = parser.is_full;
            ret_end->offset = (size_t)(parser.at - (const unsigned char *)text.data);
            return false;
        }
    } while (parser.open != 0);
    skip_space(&parser);
    CHECK(parser.top == 1 && parser.depth == 0);
    *ret_root = first == parser.stack ? first[0] : parser.stack[0];
    ret_end->offset = (size_t)(parser.at - (const unsigned char *)text.data);
    return parser.at == parser.end;
}
