/* --currency of both services: CODE is the main one, CODE:EXPONENT makes another one known beside IRT and IRR, which always are. */
#pragma once

#include "base/money.h"
#include "base/param.h"

#define CURRENCY_PARAM(target_, sentence_) \
    { .name = "currency", .kind = PARAM_LIST, .target = (target_), .optional = true, .unit = "CODE[:EXPONENT]", .sentence = (sentence_) }

struct currency_options {
    char main[CURRENCY_CODE_BYTES + 1]; /* empty: not said */
    size_t count;
    struct currency_option {
        char code[CURRENCY_CODE_BYTES + 1];
        int64_t exponent;
    } added[PARAM_LIST_MAX];
};

/* Says on standard error, for `program`, why not: RESULT_INVALID. Nothing is known by it yet. */
struct result currency_options_read(const char *program, const struct param_list *given, struct currency_options *ret_options) MUST_CHECK;
/* Makes them known, before there are threads. RESULT_FULL: there are too many. */
struct result currency_options_add(const struct currency_options *options) MUST_CHECK;
/* The main one: `otherwise` when none was said. RESULT_INVALID, said on standard error: it is not known. */
struct result currency_options_main(const char *program, const struct currency_options *options, enum currency otherwise,
                                    enum currency *ret_currency) MUST_CHECK;
