/* Money is an integer of the currency's smallest unit and its currency. It is a struct so that a plain + does not compile. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "base/text.h"

#define MONEY_AMOUNT_MAX INT64_C(9007199254740991) /* 2^53 - 1: exact in every JSON reader (RFC 8259, section 6) */

/* Two are always known; those behind them are added at start, and named by their place in that process alone: on disk and on the wire stands the code. */
enum currency {
    CURRENCY_NONE = 0,
    CURRENCY_IRT, /* Toman, no subunit */
    CURRENCY_IRR, /* Rial; 10 IRR = 1 IRT, never converted silently */
    CURRENCY_FIRST_ADDED,
    CURRENCY_LAST = 63
};
#define CURRENCY_COUNT        (CURRENCY_LAST + 1u) /* with none */
#define CURRENCY_CODE_BYTES   3u
#define CURRENCY_EXPONENT_MAX 8 /* 90,071,992 whole units of such a one still fit into an amount */

struct money {
    int64_t amount_minor; /* smallest unit; may be negative inside the ledger, 1..MONEY_AMOUNT_MAX at the API */
    enum currency currency;
};

const char *currency_code(enum currency currency); /* "IRT"; "" for none */
int currency_exponent(enum currency currency);     /* how many digits of an amount stand behind the point */
struct result currency_parse(struct text code, enum currency *ret_currency) MUST_CHECK; /* RESULT_INVALID: none that is known */
bool currency_is_code(struct text code);                                                /* three capital letters, as of ISO 4217 */
/* "IRT, IRR or USD": all that are known, for whoever has named another one. */
const char *currency_known(void);

/* Makes a currency known, from here to the end of the process; again with another exponent: that one counts. To be called before there are threads.
 * RESULT_INVALID: no code, or an exponent out of range; RESULT_CONFLICT: it is one of the two, which have none; RESULT_FULL: there are CURRENCY_LAST. */
struct result currency_add(struct text code, int64_t exponent, enum currency *ret_currency) MUST_CHECK;

/* RESULT_CONFLICT for two currencies, RESULT_FULL when the result leaves ±MONEY_AMOUNT_MAX. */
struct result money_add(struct money a, struct money b, struct money *ret_sum) MUST_CHECK;
struct result money_subtract(struct money a, struct money b, struct money *ret_difference) MUST_CHECK;
struct result money_multiply(struct money a, int64_t factor, struct money *ret_product) MUST_CHECK;
bool money_equal(struct money a, struct money b);
/* parts / whole of an amount, rounded down to its unit; 0 <= parts <= whole. */
struct money money_share(struct money amount, int64_t parts, int64_t whole);

/* Totals: what ever went in, or out, from 0 up; only the difference of two is an amount of money. RESULT_FULL when an integer can't hold the sum. */
struct result money_add_to_total(int64_t total_minor, struct money amount, int64_t *ret_total_minor) MUST_CHECK;
/* How often an amount (above zero) is in a total, whole. */
int64_t money_count_in_total(int64_t total_minor, struct money amount);
/* May be out of the range of money when the totals come from outside. */
struct money money_between_totals(int64_t in_minor, int64_t out_minor, enum currency currency);
