/* What json_open makes of a text, for the files of this folder only: 16 bytes for each value, the values of one array or object side by
 * side. */
#pragma once

#include "base/json/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word is its lowest");

#define JSON_EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes at once: the top bit of each that is a quote, a backslash, a control character or no ASCII. Bytes above the first such one may be
 * wrong, because a subtraction borrows from the byte above where it has found something. */
static inline uint64_t json_odd_bytes(uint64_t word) {
    uint64_t quote = (word ^ JSON_EACH_BYTE('"')) - JSON_EACH_BYTE(1);
    uint64_t backslash = (word ^ JSON_EACH_BYTE('\\')) - JSON_EACH_BYTE(1);
    uint64_t control = word - JSON_EACH_BYTE(0x20);
    return (quote | backslash | control | word) & JSON_EACH_BYTE(0x80);
}

enum json_type {
    JSON_IS_NULL,
    JSON_IS_FALSE,
    JSON_IS_TRUE,
    JSON_IS_INTEGER,
    JSON_IS_REAL,   /* written with a fraction or an exponent */
    JSON_IS_BEYOND, /* a number too big for either; as written */
    JSON_IS_TEXT,
    JSON_IS_ARRAY,
    JSON_IS_OBJECT,
};

struct json_value {
    enum json_type type;
    uint32_t size; /* bytes of a text, items of an array, members of an object */
    union {
        int64_t integer;
        double real;
        const char *text;               /* terminated */
        const struct json_value *items; /* of an array; of an object name and value in turn; NULL when there are none */
    };
};

/* The members of another's object are named in faults, and may be as long as a body: so many bytes of a name are told. */
#define JSON_NAME_BYTES 128u

static inline struct text json_name(const struct json_value *object, size_t index) {
    const struct json_value *name = &object->items[2 * index];
    return (struct text){name->text, name->size};
}

static inline const struct json_value *json_member_value(const struct json_value *object, size_t index) {
    return &object->items[2 * index + 1];
}

/* Why and where reading ended. */
struct json_end {
    bool is_full;  /* the arena's limit was reached */
    size_t offset; /* of the first byte that can't stand where it does; the text's size when more is due */
};

/* True when the text is JSON (RFC 8259), with a fault for each duplicate name, number beyond reading and NUL in a name. False, unless the arena is
 * full: it is no JSON, whatever faults were added before that was seen. */
bool json_parse(struct arena *arena, struct text text, struct faults *faults, struct json_value *ret_root, struct json_end *ret_end);
/* By their bytes, equal ones in the order of their addresses. */
void json_sort_names(const struct json_value **names, size_t count);
