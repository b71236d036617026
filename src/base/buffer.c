#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define LEAST_CAPACITY 64u
#define INTEGER_BYTES  21 /* "-9223372036854775808" and a terminator */

void buffer_init(struct buffer *buffer, struct arena *arena, size_t capacity_bytes) {
    *buffer = (struct buffer){.arena = arena, .data = arena_take(arena, capacity_bytes), .capacity = capacity_bytes};
    if (buffer->data == NULL) {
        buffer->capacity = 0;
        buffer->failed = true;
    }
}

static bool grow_to(struct buffer *buffer, size_t capacity) {
    char *data = arena_resize(buffer->arena, buffer->data, buffer->capacity, capacity);
    if (data == NULL) return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

char *buffer_grow(struct buffer *buffer, size_t more_bytes) {
    if (buffer->failed) return NULL;
    size_t needed = buffer->size + more_bytes;
    size_t doubled = buffer->capacity < LEAST_CAPACITY / 2 ? LEAST_CAPACITY : buffer->capacity * 2;
    if (needed >= buffer->size && ((doubled > needed && grow_to(buffer, doubled)) || grow_to(buffer, needed))) {
        return buffer->data + buffer->size;
    }
    buffer->failed = true;
    return NULL;
}

void buffer_append_integer(struct buffer *buffer, int64_t value) {
    char digits[INTEGER_BYTES];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value; /* INT64_MIN has no positive twin in int64_t */
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) digits[--at] = '-';
    buffer_append(buffer, (struct text){digits + at, sizeof digits - at});
}

/* Printed at once where there is room for it and for vsnprintf's terminator; otherwise what was printed tells how much is needed. */
void buffer_print(struct buffer *buffer, const char *format, ...) {
    if (buffer->failed) return;
    size_t room = buffer->capacity - buffer->size;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(room > 0 ? buffer->data + buffer->size : NULL, room, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    if ((size_t)size >= room) {
        if (buffer_reserve(buffer, (size_t)size + 1) == NULL) return;
        va_start(arguments, format);
        int printed = vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
        va_end(arguments);
        CHECK(printed == size);
    }
    buffer->size += (size_t)size;
}
