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
/* Room for so many more bytes behind the content, to be written there and then counted by buffer_end_at; NULL when the buffer has failed. */
char *buffer_grow(struct buffer *buffer, size_t more_bytes);
static inline char *buffer_reserve(struct buffer *buffer, size_t more_bytes) {
    if (buffer->failed || buffer->capacity - buffer->size < more_bytes) return buffer_grow(buffer, more_bytes);
    return buffer->data + buffer->size;
}
static inline void buffer_end_at(struct buffer *buffer, const char *end) { buffer->size = (size_t)(end - buffer->data); }
static inline void buffer_append(struct buffer *buffer, struct text text) {
    char *at = text.size == 0 ? NULL : buffer_reserve(buffer, text.size);
    if (at == NULL) return;
    memcpy(at, text.data, text.size);
    buffer->size += text.size;
}
static inline void buffer_append_byte(struct buffer *buffer, char byte) {
    char *at = buffer_reserve(buffer, 1);
    if (at == NULL) return;
    *at = byte;
    buffer->size++;
}
void buffer_append_integer(struct buffer *buffer, int64_t value);
void buffer_print(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline struct text buffer_text(const struct buffer *buffer) { return (struct text){buffer->data, buffer->size}; }
