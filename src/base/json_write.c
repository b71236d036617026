#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"

static void begin_value(struct json_writer *writer) {
    if (writer->comma_due) buffer_append_byte(writer->buffer, ',');
    writer->comma_due = true;
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
    begin_value(writer);
    buffer_append_byte(writer->buffer, '"');
    buffer_append(writer->buffer, text_of(name));
    buffer_append(writer->buffer, TEXT("\":"));
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

/* ASCII that stands for itself: nearly all that we ever write. */
static bool is_plain(char byte) { return byte >= 0x20 && byte != '"' && byte != '\\' && (unsigned char)byte < 0x80; }

void json_put_text(struct json_writer *writer, struct text value) {
    struct buffer *buffer = writer->buffer;
    begin_value(writer);
    buffer_append_byte(buffer, '"');
    size_t plain_from = 0, at = 0; /* what needs no escape is copied in runs */
    while (at < value.size) {
        if (is_plain(value.data[at])) {
            at++;
            continue;
        }
        size_t start = at;
        uint32_t character;
        bool is_valid = result_is_ok(text_next_character(value, &at, &character));
        if (is_valid && character >= 0x20 && character != '"' && character != '\\') continue;
        buffer_append(buffer, (struct text){value.data + plain_from, start - plain_from});
        if (is_valid) {
            append_escape(buffer, character);
        } else {
            buffer_append(buffer, TEXT("\xEF\xBF\xBD")); /* U+FFFD: an answer is always valid JSON, whatever somebody stored */
            at = start + 1;
        }
        plain_from = at;
    }
    if (value.size > 0) buffer_append(buffer, (struct text){value.data + plain_from, value.size - plain_from});
    buffer_append_byte(buffer, '"');
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
    json_put_text(writer, (struct text){text, sizeof text});
}

void json_put_time(struct json_writer *writer, int64_t time_us) {
    char text[CLOCK_TEXT_BYTES];
    clock_format(time_us, text);
    json_put_text(writer, (struct text){text, sizeof text});
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
