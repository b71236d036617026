#include "base/csv.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

void csv_begin(struct csv_writer *writer, const char *head) {
    if (writer->is_for_spreadsheet) buffer_append(writer->buffer, TEXT(BYTE_ORDER_MARK));
    buffer_append(writer->buffer, text_of(head));
    csv_end_line(writer);
}

void csv_put_nothing(struct csv_writer *writer) {
    if (writer->comma_due) buffer_append_byte(writer->buffer, ',');
    writer->comma_due = true;
}

void csv_end_line(struct csv_writer *writer) {
    buffer_append(writer->buffer, TEXT("\r\n"));
    writer->comma_due = false;
}

static bool is_one_of(char byte, const char *bytes) { return byte != '\0' && strchr(bytes, byte) != NULL; }

/* What may begin a formula (OWASP, "CSV Injection"), also in the wide forms that input methods for Chinese and Japanese make. */
static bool may_be_formula(struct text value) {
    static const char *const wide[] = {"\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"};
    if (is_one_of(value.data[0], "=+-@\t\r\n")) return true;
    for (size_t i = 0; i < ARRAY_COUNT(wide); i++) {
        if (value.size >= 3 && memcmp(value.data, wide[i], 3) == 0) return true;
    }
    return false;
}

/* 0912…, 1.5, 12/11, 10:00 and 3E8 are; a text with any other letter is not. */
static bool may_be_number(struct text value) {
    for (size_t i = 0; i < value.size; i++) {
        if (!is_one_of(value.data[i], "0123456789.,:/-+eE%$ '")) return false;
    }
    return true;
}

static bool needs_quotes(struct text value) {
    for (size_t i = 0; i < value.size; i++) {
        if (is_one_of(value.data[i], ",\"\r\n")) return true;
    }
    return false;
}

void csv_put_text(struct csv_writer *writer, struct text value) {
    struct buffer *buffer = writer->buffer;
    csv_put_nothing(writer);
    if (value.size == 0) return;
    bool is_quoted = needs_quotes(value);
    if (is_quoted) buffer_append_byte(buffer, '"');
    if (writer->is_for_spreadsheet && (may_be_formula(value) || may_be_number(value))) buffer_append_byte(buffer, '\'');
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '"') buffer_append_byte(buffer, '"');
        buffer_append_byte(buffer, value.data[i]);
    }
    if (is_quoted) buffer_append_byte(buffer, '"');
}

void csv_put_integer(struct csv_writer *writer, int64_t value) {
    csv_put_nothing(writer);
    buffer_append_integer(writer->buffer, value);
}

void csv_put_id(struct csv_writer *writer, struct id value) {
    char text[ID_TEXT_BYTES];
    id_format(value, text);
    csv_put_nothing(writer);
    buffer_append(writer->buffer, (struct text){text, sizeof text});
}

void csv_put_time(struct csv_writer *writer, int64_t time_us) {
    char text[CLOCK_TEXT_BYTES];
    clock_format(time_us, text);
    csv_put_nothing(writer);
    buffer_append(writer->buffer, (struct text){text, sizeof text});
}
