/* One of many sleeping faults is awake: the one whose number HAMYAN_MUTANT says. With HAMYAN_MUTANT_TRACE, each that is come by is written to that file,
 * by system calls alone, because the simulator has its own memory and its own files. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MUTANTS_MAX (1 << 20)

static int mutant_awake = -1;
static int mutant_is_watched = 1; /* until it is known which one is awake, and as long as each that is come by is written down */
static const char *mutant_trace;
static unsigned char mutant_seen[MUTANTS_MAX];

static __attribute__((noinline, unused)) int mutant_note(int number) {
    if (mutant_trace == NULL) {
        const char *text = getenv("HAMYAN_MUTANT");
        mutant_awake = text == NULL ? -1 : (int)strtol(text, NULL, 10);
        mutant_trace = getenv("HAMYAN_MUTANT_TRACE");
        mutant_is_watched = mutant_trace != NULL;
    }
    if (mutant_trace != NULL && number < MUTANTS_MAX && !mutant_seen[number]) {
        mutant_seen[number] = 1;
        char digits[16];
        size_t at = sizeof digits;
        digits[--at] = '\n';
        for (int rest = number; at > 0; rest /= 10) {
            digits[--at] = (char)('0' + rest % 10);
            if (rest < 10) break;
        }
        long fd = syscall(SYS_openat, AT_FDCWD, mutant_trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)!syscall(SYS_write, fd, digits + at, sizeof digits - at);
            syscall(SYS_close, fd);
        }
    }
    return mutant_awake == number;
}

#define MUTANT(number) (__builtin_expect(mutant_is_watched, 0) ? mutant_note(number) : mutant_awake == (number))
