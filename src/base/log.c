#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log_writer.h"

#define LINE_BYTES LOG_LINE_BYTES
/* Kept free while fields are written: what closes the line always fits. */
#define LINE_TAIL_BYTES 32u

struct line {
    char data[LINE_BYTES];
    size_t size;
    size_t limit;
    bool is_truncated; /* something did not fit and was left out */
};

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

/* Set once before the threads start, only read afterwards. */
static const char *service_name = "";
static enum log_level least_level = LOG_INFO;

void log_init(const char *service, enum log_level least) {
    service_name = service;
    least_level = least;
}

struct result log_start(void) {
    return log_writer_start(service_name);
}

bool log_wants(enum log_level level) { return level >= least_level; }

/* All or nothing: a cut in the middle of an escape would not be JSON. */
static bool append(struct line *line, struct text text) {
    if (text.size > line->limit - line->size) {
        line->is_truncated = true;
        return false;
    }
    if (text.size > 0) memcpy(line->data + line->size, text.data, text.size);
    line->size += text.size;
    return true;
}

static size_t utf8_sequence_size(unsigned char first) {
    if (first < 0x80) return 1;
    if (first < 0xE0) return 2;
    return first < 0xF0 ? 3 : 4;
}

/* RFC 8259, section 7. Text that is not UTF-8 is written byte by byte, as if it were Latin-1: wrong letters are better than a wrong line. */
static void append_escaped(struct line *line, struct text text) {
    size_t characters;
    bool is_utf8 = result_is_ok(text_count_characters(text, &characters));
    bool fits = true;
    for (size_t i = 0; fits && i < text.size;) {
        unsigned char byte = (unsigned char)text.data[i];
        size_t size = is_utf8 ? utf8_sequence_size(byte) : 1;
        if (byte == '"' || byte == '\\') {
            char escaped[2] = {'\\', (char)byte};
            fits = append(line, (struct text){escaped, sizeof(escaped)});
        } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_utf8)) {
            char escaped[8];
            int escaped_size = snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
            fits = append(line, (struct text){escaped, (size_t)escaped_size});
        } else {
            fits = append(line, (struct text){text.data + i, size});
        }
        i += size;
    }
}

/* `text` in quotes, cut at a character when the line is full; nothing when not even the quotes fit. */
static void append_string(struct line *line, struct text text) {
    size_t limit = line->limit;
    if (limit - line->size < 2) {
        line->is_truncated = true;
        return;
    }
    append(line, TEXT("\""));
    line->limit = limit - 1;
    append_escaped(line, text);
    line->limit = limit;
    append(line, TEXT("\""));
}

static void append_member(struct line *line, const char *name, struct text value) {
    append(line, TEXT(",\""));
    append(line, text_of(name));
    append(line, TEXT("\":"));
    append_string(line, value);
}

static void append_value(struct line *line, const struct log_field *field) {
    char text[ID_TEXT_BYTES];
    switch (field->kind) {
    case LOG_FIELD_TEXT: append_string(line, field->text); return;
    case LOG_FIELD_INTEGER: {
        int size = snprintf(text, sizeof(text), "%lld", (long long)field->integer);
        append(line, (struct text){text, (size_t)size});
        return;
    }
    case LOG_FIELD_ID:
        id_format(field->id, text);
        append_string(line, (struct text){text, sizeof(text)});
        return;
    }
}

static void append_field(struct line *line, const struct log_field *field) {
    size_t before = line->size;
    append(line, TEXT(",\""));
    append(line, text_of(field->name));
    bool fits = append(line, TEXT("\":"));
    size_t value_start = line->size;
    if (fits) append_value(line, field);
    if (!fits || line->size == value_start) line->size = before; /* a name without its value is no JSON */
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
    if (level < least_level) return;
    int saved_errno = errno;
    struct line line = {.limit = LINE_BYTES - LINE_TAIL_BYTES};
    char time[CLOCK_TEXT_BYTES];
    clock_format(clock_now_us(&clock_system), time);
    append(&line, TEXT("{\"time\":"));
    append_string(&line, (struct text){time, sizeof(time)});
    append_member(&line, "level", text_of(level_names[level]));
    append_member(&line, "service", text_of(service_name));
    append_member(&line, "event", text_of(event));
    for (size_t i = 0; i < count; i++) append_field(&line, &fields[i]);
    line.limit = LINE_BYTES;
    if (line.is_truncated) append(&line, TEXT(",\"truncated\":true"));
    append(&line, TEXT("}\n"));
    log_writer_put((struct text){line.data, line.size});
    errno = saved_errno;
}

bool log_burst_admits(struct log_burst *burst, int64_t *ret_left_out) {
    int64_t now_us = clock_monotonic_us(&clock_system);
    int64_t began_us = atomic_load_explicit(&burst->began_us, memory_order_relaxed);
    *ret_left_out = 0;
    bool is_over = began_us == 0 || now_us - began_us >= burst->window_us;
    if (is_over &&
        atomic_compare_exchange_strong_explicit(&burst->began_us, &began_us, now_us, memory_order_relaxed, memory_order_relaxed)) {
        atomic_store_explicit(&burst->count, 1, memory_order_relaxed);
        *ret_left_out = atomic_exchange_explicit(&burst->left_out, 0, memory_order_relaxed);
        return true;
    }
    if (atomic_fetch_add_explicit(&burst->count, 1, memory_order_relaxed) < burst->lines_max) return true;
    atomic_fetch_add_explicit(&burst->left_out, 1, memory_order_relaxed);
    log_writer_count_left_out(1);
    return false;
}
