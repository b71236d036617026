/* Strict JSON (RFC 8259, I-JSON RFC 7493): reading with every fault named, and writing.
 *
 * Reading is declarative: a handler lists the members it knows, and everything else about the object is a fault: unknown, duplicate, missing,
 * of a wrong type, out of range. */
#pragma once

#include "base/buffer.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/money.h"

struct json_document; /* in the arena of its request; what it holds is in memory of its own, which json_close gives back */
struct json_value;    /* opaque; lives until its document is closed */

/* RESULT_INVALID with no fault added: not JSON at all (400 malformed_json), which includes nesting beyond 2048 levels. RESULT_INVALID with faults:
 * JSON, but with duplicate members, numbers beyond int64 and double or a NUL in a name (422). RESULT_FULL: no memory (503). The text may go
 * afterwards. */
struct result json_open(struct arena *arena, struct text text, struct faults *faults, struct json_document **ret_document) MUST_CHECK;
/* The same, but JSON that has faults is opened too, so that the caller can add what else is wrong: it must look at `faults` before it acts. Of
 * duplicates the first is there; a number beyond reading is there, and json_read doesn't tell it again. Of what is no JSON, *ret_offset is the first
 * byte that can't stand where it does, or the text's size when more is due. */
struct result json_open_faulty(struct arena *arena, struct text text, struct faults *faults, struct json_document **ret_document,
                               size_t *ret_offset) MUST_CHECK;
void json_close(struct json_document *document); /* NULL is fine */
const struct json_value *json_root(const struct json_document *document);

enum json_kind {
    JSON_TEXT,     /* target: struct text; min and max count characters; terminated, no NUL inside */
    JSON_INTEGER,  /* target: int64_t; min and max */
    JSON_BOOLEAN,  /* target: bool */
    JSON_OBJECT,   /* target: const struct json_value * */
    JSON_ARRAY,    /* target: const struct json_value *; min and max count items */
    JSON_TIME,     /* target: int64_t, microseconds */
    JSON_ID,       /* target: struct id */
    JSON_CURRENCY, /* target: enum currency */
};

struct json_member {
    const char *name;
    enum json_kind kind;
    void *target;
    bool required;
    bool nullable;    /* null counts as absent; otherwise null is a wrong_type */
    int64_t min, max; /* both 0: no rule */
    bool *present;    /* may be NULL; set to whether the member was there and not null, faulty or not */
};

/* Reads one object; faults carry the prefix ("items[3]." or ""). Targets of absent or faulty members are left as they are. What is no object gets
 * the fault wrong_type; NULL, an absent object, gets none: that it is absent has been told when its parent was read. No name is listed twice. */
void json_read(const struct json_value *object, const char *prefix, const struct json_member *members, size_t count, struct faults *faults);
/* Two members of one struct money: "amount": 1..MONEY_AMOUNT_MAX, and "currency". */
#define JSON_MONEY_MEMBERS(ret_money)                                                                                                      \
    {.name = "amount", .kind = JSON_INTEGER, .target = &(ret_money)->amount_minor, .required = true, .min = 1, .max = MONEY_AMOUNT_MAX}, { \
        .name = "currency", .kind = JSON_CURRENCY, .target = &(ret_money)->currency, .required = true                                      \
    }
/* An object of these two, with `prefix` like "credit.". */
void json_read_money(const struct json_value *object, const char *prefix, struct faults *faults, struct money *ret_money);
bool json_is_object(const struct json_value *value);
bool json_is_array(const struct json_value *value);
size_t json_array_count(const struct json_value *array);
const struct json_value *json_array_item(const struct json_value *array, size_t index);
/* The members of an object whose names the caller chooses, in their order. */
size_t json_object_count(const struct json_value *object); /* 0 when it is none */
struct text json_object_name(const struct json_value *object, size_t index);
const struct json_value *json_object_value(const struct json_value *object, size_t index);
/* Looks one up by name without rules; NULL when absent. For answers of the other service, where unknown members are fine. */
const struct json_value *json_get(const struct json_value *object, const char *name);
struct text json_text(const struct json_value *value);                        /* data is NULL when the value is, or is no text */
struct text json_get_text(const struct json_value *object, const char *name); /* empty when absent or no text */
int64_t json_get_integer(const struct json_value *object, const char *name, int64_t when_absent);
bool json_get_flag(const struct json_value *object, const char *name); /* true: it is the word; false when it is absent or anything else */
/* A number of at least zero, with a fraction or without, in units of 1/scale: 1.5 at scale 1000 is 1500; what is smaller than a unit is cut. False
 * when it is absent, no number, negative, or beyond int64. Not for money, which has no fractions. */
bool json_get_scaled(const struct json_value *object, const char *name, int64_t scale, int64_t *ret_value) MUST_CHECK;
/* Compact, members sorted: equal values, equal bytes; data is NULL when the arena's limit is reached. */
struct text json_dump(struct arena *arena, const struct json_value *value);

/* Writing. Commas are set by the writer; texts are escaped; money and ids are written as the contract says. */
struct json_writer {
    struct buffer *buffer;
    bool comma_due;
};

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *name); /* a constant that needs no escaping */
void json_put_text(struct json_writer *writer, struct text value);
void json_put_integer(struct json_writer *writer, int64_t value);
void json_put_decimal(struct json_writer *writer, int64_t value, int64_t divisor); /* divisor 1000: 12345 is written 12.345 */
void json_put_boolean(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
void json_put_id(struct json_writer *writer, struct id value);
void json_put_time(struct json_writer *writer, int64_t time_us);
void json_put_money(struct json_writer *writer, struct money value); /* {"amount": …, "currency": …} */
void json_put_raw(struct json_writer *writer, struct text json);     /* already JSON */
/* key and value at once */
void json_text_member(struct json_writer *writer, const char *name, struct text value);
void json_integer_member(struct json_writer *writer, const char *name, int64_t value);
void json_boolean_member(struct json_writer *writer, const char *name, bool value);
void json_null_member(struct json_writer *writer, const char *name);
void json_id_member(struct json_writer *writer, const char *name, struct id value);
void json_time_member(struct json_writer *writer, const char *name, int64_t time_us);
