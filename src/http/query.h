/* Query parameters, declared like JSON members: unknown, repeated and ill-formed ones are faults with the parameter's name. */
#pragma once

#include "http/exchange.h"

enum query_kind {
    QUERY_TEXT,    /* struct text; min and max in bytes */
    QUERY_INTEGER, /* int64_t; min and max */
    QUERY_TIME,    /* int64_t, RFC 3339 */
    QUERY_ID,      /* struct id */
    QUERY_CHOICE,  /* struct text; one of `choices`, separated by | */
    QUERY_CURRENCY /* enum currency; a known one */
};

struct query_member {
    const char *name;
    enum query_kind kind;
    void *target;
    int64_t min, max; /* both 0: no rule */
    const char *choices;
    bool *present; /* may be NULL */
};

void query_read(const struct exchange *exchange, const struct query_member *members, size_t count, struct faults *faults);
