/* Assertions about our own state. They stay on in production: a service that no longer believes its own books must stop, not guess.
 * What comes from outside is never asserted: it gets an error and an answer. */
#pragma once

/* Writes one JSON log line with the place and the expression, then aborts. */
void check_failed(const char *expression, const char *file, int line) __attribute__((noreturn, cold));

/* Called once by a check that fails, before it writes its own line; must not wait for long. Set before the threads start. */
void check_before_abort(void (*say)(void));

#define CHECK(expression) ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds this member. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
