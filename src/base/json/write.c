#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json/tree.h"

/* Comma, quotes and colon around a name or a text. */
#define FRAME_BYTES 4u

static void begin_value(struct json_writer *writer) {
    if (writer->comma_due) buffer_append_byte(writer->buffer, ',');
    writer->comma_due = true;
}

/* The same where there is room. */
static char *write_comma(struct json_writer *writer, char *at) {
    if (writer->comma_due) *at++ = ',';
    writer->comma_due = true;
    return at;
}

static void begin_level(struct json_writer *writer, char bracket) {
    begin_value(writer);
    buffer_append_byte(writer->buffer, bracket);
    writer->comma_due = false;
}

static void end_level(struct json_writer *writer, char bracket) {
    buffer_append_byte(writer->buffer, bracket);
    writer->comma_due = true;
}

void json_begin_object(struct json_writer *writer) { begin_level(writer, '{'); }
void json_end_object(struct json_writer *writer) { end_level(writer, '}'); }
void json_begin_array(struct json_writer *writer) { begin_level(writer, '['); }
void json_end_array(struct json_writer *writer) { end_level(writer, ']'); }

void json_key(struct json_writer *writer, const char *name) {
    size_t size = strlen(name);
    char *at = buffer_reserve(writer->buffer, size + FRAME_BYTES);
    if (at == NULL) return;
    at = write_comma(writer, at);
    *at++ = '"';
    memcpy(at, name, size);
    at += size;
    *at++ = '"';
    *at++ = ':';
    buffer_end_at(writer->buffer, at);
    writer->comma_due = false;
}

/* RFC 8259, section 7: the short escapes where there are any. */
static void append_escape(struct buffer *buffer, uint32_t character) {
    switch (character) {
    case '"': buffer_append(buffer, TEXT("\\\"")); return;
    case '\\': buffer_append(buffer, TEXT("\\\\")); return;
    case '\b': buffer_append(buffer, TEXT("\\b")); return;
    case '\f': buffer_append(buffer, TEXT("\\f")); return;
    case '\n': buffer_append(buffer, TEXT("\\n")); return;
    case '\r': buffer_append(buffer, TEXT("\\r")); return;
    case '\t': buffer_append(buffer, TEXT("\\t")); return;
    default: buffer_print(buffer, "\\u%04x", (unsigned)character); return;
    }
}

/* How many bytes from `at` on are ASCII that stands for itself: nearly all that we ever write. */
static size_t plain_size(struct text text, size_t at) {
    size_t start = at;
    for (uint64_t word; text.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        uint64_t odd = json_odd_bytes(word);
        if (odd != 0) return at + (size_t)__builtin_ctzll(odd) / 8 - start;
    }
    for (; at < text.size; at++) {
        unsigned char byte = (unsigned char)text.data[at];
        if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') break;
    }
    return at - start;
}

/* From the first byte on that is not plain. */
static void append_odd_text(struct buffer *buffer, struct text value, size_t at) {
    size_t copied = 0; /* what needs no escape is copied in runs */
    while (at < value.size) {
        size_t start = at;
        uint32_t character;
        bool is_valid = result_is_ok(text_next_character(value, &at, &character));
        if (!is_valid || character < 0x20 || character == '"' || character == '\\') {
            buffer_append(buffer, (struct text){value.data + copied, start - copied});
            if (is_valid) {
                append_escape(buffer, character);
            } else {
                buffer_append(buffer, TEXT("\xEF\xBF\xBD")); /* U+FFFD: an answer is always valid JSON, whatever somebody stored */
                at = start + 1;
            }
            copied = at;
        }
        at += plain_size(value, at);
    }
    buffer_append(buffer, (struct text){value.data + copied, value.size - copied});
}

static void put_plain(struct json_writer *writer, const char *text, size_t size) {
    char *at = buffer_reserve(writer->buffer, size + FRAME_BYTES);
    if (at == NULL) return;
    at = write_comma(writer, at);
    *at++ = '"';
    memcpy(at, text, size);
    at += size;
    *at++ = '"';
    buffer_end_at(writer->buffer, at);
}

void json_put_text(struct json_writer *writer, struct text value) {
    if (value.size == 0) value.data = ""; /* it may have been NULL */
    size_t plain = plain_size(value, 0);
    if (plain == value.size) {
        put_plain(writer, value.data, value.size);
        return;
    }
    begin_value(writer);
    buffer_append_byte(writer->buffer, '"');
    append_odd_text(writer->buffer, value, plain);
    buffer_append_byte(writer->buffer, '"');
}

void json_put_integer(struct json_writer *writer, int64_t value) {
    begin_value(writer);
    buffer_append_integer(writer->buffer, value);
}

void json_put_decimal(struct json_writer *writer, int64_t value, int64_t divisor) {
    CHECK(divisor > 0);
    begin_value(writer);
    if (value < 0) buffer_append_byte(writer->buffer, '-'); /* apart: -0.5 has a whole part without sign */
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    buffer_append_integer(writer->buffer, (int64_t)(size / (uint64_t)divisor));
    if (divisor == 1) return;
    buffer_append_byte(writer->buffer, '.');
    uint64_t rest = size % (uint64_t)divisor;
    for (uint64_t weight = (uint64_t)divisor / 10; weight > 0; weight /= 10) {
        buffer_append_byte(writer->buffer, (char)('0' + rest / weight % 10));
    }
}

void json_put_boolean(struct json_writer *writer, bool value) {
    begin_value(writer);
    buffer_append(writer->buffer, value ? TEXT("true") : TEXT("false"));
}

void json_put_null(struct json_writer *writer) {
    begin_value(writer);
    buffer_append(writer->buffer, TEXT("null"));
}

void json_put_id(struct json_writer *writer, struct id value) {
    char text[ID_TEXT_BYTES];
    id_format(value, text);
    put_plain(writer, text, sizeof text);
}

void json_put_time(struct json_writer *writer, int64_t time_us) {
    char text[CLOCK_TEXT_BYTES];
    clock_format(time_us, text);
    put_plain(writer, text, sizeof text);
}

void json_put_money(struct json_writer *writer, struct money value) {
    json_begin_object(writer);
    json_integer_member(writer, "amount", value.amount_minor);
    json_text_member(writer, "currency", text_of(currency_code(value.currency)));
    json_end_object(writer);
}

void json_put_raw(struct json_writer *writer, struct text json) {
    begin_value(writer);
    buffer_append(writer->buffer, json);
}

void json_text_member(struct json_writer *writer, const char *name, struct text value) {
    json_key(writer, name);
    json_put_text(writer, value);
}

void json_integer_member(struct json_writer *writer, const char *name, int64_t value) {
    json_key(writer, name);
    json_put_integer(writer, value);
}

void json_boolean_member(struct json_writer *writer, const char *name, bool value) {
    json_key(writer, name);
    json_put_boolean(writer, value);
}

void json_null_member(struct json_writer *writer, const char *name) {
    json_key(writer, name);
    json_put_null(writer);
}

void json_id_member(struct json_writer *writer, const char *name, struct id value) {
    json_key(writer, name);
    json_put_id(writer, value);
}

void json_time_member(struct json_writer *writer, const char *name, int64_t time_us) {
    json_key(writer, name);
    json_put_time(writer, time_us);
}
