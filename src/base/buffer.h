/* A text that grows in an arena, up to a limit. After an overflow it stays failed: check once, at the end. */
#pragma once

#include "base/arena.h"

struct buffer {
    struct arena *arena;
    char *data;
    size_t size;
    size_t capacity;
    bool failed; /* the arena's limit was reached; the content is incomplete */
};

void buffer_init(struct buffer *buffer, struct arena *arena, size_t capacity_bytes);
void buffer_append(struct buffer *buffer, struct text text);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_append_integer(struct buffer *buffer, int64_t value);
void buffer_print(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline struct text buffer_text(const struct buffer *buffer) { return (struct text){buffer->data, buffer->size}; }
