/* One JSON line per event on standard error. No secrets: never pass a password, a token, a code in the clear, or a whole phone number. */
#pragma once

#include <stddef.h>

#include "base/id.h"
#include "base/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_ID } kind;
    struct text text;
    int64_t integer;
    struct id id;
};

#define LOG_TEXT(name_, text_)       ((struct log_field){.name = (name_), .kind = LOG_FIELD_TEXT, .text = (text_)})
#define LOG_STRING(name_, string_)   LOG_TEXT(name_, text_of(string_))
#define LOG_INTEGER(name_, integer_) ((struct log_field){.name = (name_), .kind = LOG_FIELD_INTEGER, .integer = (int64_t)(integer_)})
#define LOG_ID(name_, id_)           ((struct log_field){.name = (name_), .kind = LOG_FIELD_ID, .id = (id_)})

void log_init(const char *service, enum log_level least); /* before threads */
bool log_wants(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* LOG(LOG_INFO, "listening", LOG_STRING("address", address), LOG_INTEGER("port", port)); at least one field. One write(2) per line. */
/* The fields are not even evaluated for a line that nobody wants. */
#define LOG(level, event, ...)                                                                 \
    do {                                                                                       \
        enum log_level level_ = (level);                                                       \
        if (!log_wants(level_)) break;                                                         \
        log_write(level_, (event), (const struct log_field[]){__VA_ARGS__},                    \
                  sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)); \
    } while (0)
