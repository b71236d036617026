/* Where a command says what is wrong. Of serve, standard error is the log, and who collects it reads JSON: a start that is refused is told in lines of the
 * log, in the words that a person at a terminal is told by the other commands. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/service.h"

#define LINE_BYTES 2048u

/* Of the process, which has one standard error. stdio's lock of `stream` guards the rest. */
static struct {
    FILE *stream;
    const char *program;
    char line[LINE_BYTES]; /* as far as it was written */
    size_t size;           /* what is beyond the line's bytes is left out */
} errors;

/* Who speaks stands in each line of the log as it is. */
static struct text without_program(struct text line) {
    size_t size = strlen(errors.program);
    bool is_named = line.size > size + 2 && memcmp(line.data, errors.program, size) == 0 && memcmp(line.data + size, ": ", 2) == 0;
    return is_named ? (struct text){line.data + size + 2, line.size - size - 2} : line;
}

static ssize_t write_lines(void *cookie, const char *data, size_t size) {
    (void)cookie;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n') {
            if (errors.size < sizeof errors.line) errors.line[errors.size++] = data[i];
            continue;
        }
        LOG(LOG_ERROR, "start_refused", LOG_TEXT("reason", without_program((struct text){errors.line, errors.size})));
        errors.size = 0;
    }
    return (ssize_t)size;
}

void service_errors_to_log(const char *program) {
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_lines});
    if (stream == NULL || setvbuf(stream, NULL, _IOLBF, BUFSIZ) != 0) return; /* no memory: then in plain words */
    errors.program = program;
    errors.stream = stream;
}

FILE *service_errors(void) { return errors.stream != NULL ? errors.stream : stderr; }
