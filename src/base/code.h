/* A gift code in its one canonical form: capitals, digits as 0-9, separators and what can not be seen dropped (CodeInput in api/discount.yaml). */
#pragma once

#include "base/limits.h"
#include "base/text.h"

struct code {
    uint8_t size; /* bytes used; 0 is no code */
    char canonical[LIMIT_CODE_BYTES];
};

/* RESULT_INVALID: empty after folding, longer than LIMIT_CODE_BYTES, not valid UTF-8, or with characters other than letters, their marks and
 * digits, of any script. */
struct result code_parse(struct text typed, struct code *ret_code) MUST_CHECK;
static inline struct text code_text(const struct code *code) { return (struct text){code->canonical, code->size}; }
bool code_equal(const struct code *a, const struct code *b);
