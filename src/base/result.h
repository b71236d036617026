/* The one way a function says how it went.
 *
 * Results leave through ret_ pointers, the verdict through this struct, so that a forgotten check is a compiler error and a verdict is never
 * mistaken for a count or a boolean. What went wrong in detail is logged or answered by the layer that decides, not carried here. */
#pragma once

enum result_code {
    RESULT_OK = 0,
    RESULT_INVALID,     /* what came from outside breaks a rule */
    RESULT_NOT_FOUND,   /* no such thing */
    RESULT_CONFLICT,    /* it exists already, or its state forbids this */
    RESULT_DENIED,      /* proof or permission is missing */
    RESULT_FULL,        /* a bound is reached: queue, arena, table, disk */
    RESULT_IO,          /* disk or network failed: the outcome may be unknown */
    RESULT_CORRUPT,     /* stored data breaks its own rules */
    RESULT_UNAVAILABLE, /* not now: try again later */
    RESULT_TIMEOUT,     /* no answer in time: the outcome is unknown */
};

struct result {
    enum result_code code;
};

#define MUST_CHECK __attribute__((warn_unused_result))

static inline struct result result_ok(void) { return (struct result){RESULT_OK}; }
static inline struct result result_error(enum result_code code) { return (struct result){code}; }
static inline _Bool result_is_ok(struct result result) { return result.code == RESULT_OK; }

/* A constant name for logs: "ok", "invalid", … */
const char *result_name(struct result result);

/* Returns from the calling function when the expression failed. */
#define TRY(expression)                                     \
    do {                                                    \
        struct result try_result_ = (expression);           \
        if (!result_is_ok(try_result_)) return try_result_; \
    } while (0)
