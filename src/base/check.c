/* Depends on nothing that can itself fail a check: no log module, no allocation, one write. */
#include "base/check.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES   1024
#define QUOTED_BYTES 384

/* Enough of JSON's escapes for C source: quotes and backslashes; control characters do not occur in it. */
static void quote(const char *string, char *buffer, size_t capacity) {
    size_t size = 0;
    for (const char *at = string; *at != '\0' && size + 3 < capacity; at++) {
        if (*at == '"' || *at == '\\') buffer[size++] = '\\';
        buffer[size++] = (unsigned char)*at < 0x20 ? ' ' : *at;
    }
    buffer[size] = '\0';
}

void check_failed(const char *expression, const char *file, int line) {
    char quoted_expression[QUOTED_BYTES], quoted_file[QUOTED_BYTES], message[LINE_BYTES];
    quote(expression, quoted_expression, sizeof quoted_expression);
    quote(file, quoted_file, sizeof quoted_file);
    int size = snprintf(message, sizeof message,
                        "{\"level\":\"error\",\"event\":\"check_failed\",\"expression\":\"%s\",\"file\":\"%s\",\"line\":%d}\n",
                        quoted_expression, quoted_file, line);
    if (size > 0) {
        ssize_t written = write(STDERR_FILENO, message, (size_t)size);
        (void)written; /* nowhere left to tell it */
    }
    abort();
}
