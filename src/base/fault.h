/* What is wrong with an input, fault by fault: the `errors` member of a problem document (RFC 9457, section 3.2).
 * All of them, not only the first; at most LIMIT_FAULTS, the rest is counted. */
#pragma once

#include "base/arena.h"
#include "base/limits.h"

struct fault {
    const char *field;  /* as a path: "items[3].amount"; the name of a query parameter or header where it stands there */
    const char *code;   /* required, unknown_field, duplicate_field, wrong_type, out_of_range, too_short, too_long, invalid_format, … */
    const char *detail; /* a sentence for a person, which names the rule */
};

struct faults {
    struct arena *arena; /* owns the texts */
    struct fault items[LIMIT_FAULTS];
    size_t count;
    size_t dropped; /* beyond LIMIT_FAULTS */
};

void faults_init(struct faults *faults, struct arena *arena);
/* Copies field and detail; `code` must be a constant. */
void faults_add(struct faults *faults, const char *field, const char *code, const char *detail, ...) __attribute__((format(printf, 4, 5)));
static inline bool faults_any(const struct faults *faults) { return faults->count > 0; }
