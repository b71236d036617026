/* Depends on nothing that can itself fail a check: no log module, no allocation, one write, and none that would wait for ever. */
#include "base/check.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES   1024
#define QUOTED_BYTES 384
#define WAIT_MS      1000 /* for a pipe that is full */

static void (*before_abort)(void);

void check_before_abort(void (*say)(void)) { before_abort = say; }

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
    void (*say)(void) = before_abort;
    before_abort = NULL; /* it may fail a check itself */
    if (say != NULL) say();
    struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (size > 0 && poll(&standard_error, 1, WAIT_MS) != 0) {
        ssize_t written = write(STDERR_FILENO, message, (size_t)size);
        (void)written; /* nowhere left to tell it */
    }
    abort();
}
