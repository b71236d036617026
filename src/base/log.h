/* One JSON line per event on standard error. No secrets: never pass a password, a token, a code in the clear, or a whole phone number. */
#pragma once

#include <stdatomic.h>
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
/* From now on nobody who logs waits for standard error (base/log_writer.h): for a service, before its other threads. RESULT_FULL: no thread. */
struct result log_start(void) MUST_CHECK;
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

/* One kind of line that others can cause at will: in each window so many are written, and of the rest only how many they were, with the next one
 * (`left_out`) and as a metric. A static variable at the place of the line. */
struct log_burst {
    int64_t window_us, lines_max;
    _Atomic int64_t began_us, count, left_out;
};
bool log_burst_admits(struct log_burst *burst, int64_t *ret_left_out); /* any thread */

/* LOG for a line of such a kind. */
#define LOG_BURST(burst, level, event, ...)                                                                   \
    do {                                                                                                      \
        enum log_level level_ = (level);                                                                      \
        int64_t left_out_;                                                                                    \
        if (!log_wants(level_) || !log_burst_admits((burst), &left_out_)) break;                              \
        const struct log_field fields_[] = {__VA_ARGS__, LOG_INTEGER("left_out", left_out_)};                 \
        log_write(level_, (event), fields_, sizeof fields_ / sizeof fields_[0] - (left_out_ == 0 ? 1u : 0u)); \
    } while (0)
