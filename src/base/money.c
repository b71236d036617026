#include "base/money.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* ---- which there are ---- */

/* Written before there are threads, and only read by them. */
static struct {
    char code[CURRENCY_CODE_BYTES + 1];
    int exponent;
} currencies[CURRENCY_COUNT] = {[CURRENCY_IRT] = {"IRT", 0}, [CURRENCY_IRR] = {"IRR", 0}};
static unsigned currency_count = CURRENCY_FIRST_ADDED;                         /* none among them */
static char known[CURRENCY_COUNT * (CURRENCY_CODE_BYTES + 4u)] = "IRT or IRR"; /* each with what stands before it */

const char *currency_code(enum currency currency) { return currencies[currency].code; }

int currency_exponent(enum currency currency) { return currencies[currency].exponent; }

const char *currency_known(void) { return known; }

struct result currency_parse(struct text code, enum currency *ret_currency) {
    if (code.size != CURRENCY_CODE_BYTES) return result_error(RESULT_INVALID);
    for (unsigned i = CURRENCY_IRT; i < currency_count; i++) {
        if (memcmp(code.data, currencies[i].code, CURRENCY_CODE_BYTES) != 0) continue;
        *ret_currency = (enum currency)i;
        return result_ok();
    }
    return result_error(RESULT_INVALID);
}

bool currency_is_code(struct text code) {
    bool is_code = code.size == CURRENCY_CODE_BYTES;
    for (size_t i = 0; is_code && i < code.size; i++) is_code = code.data[i] >= 'A' && code.data[i] <= 'Z';
    return is_code;
}

static void list_known(void) {
    size_t size = 0;
    for (unsigned i = CURRENCY_IRT; i < currency_count; i++) {
        const char *before = i == CURRENCY_IRT ? "" : i + 1 == currency_count ? " or " : ", ";
        size += (size_t)snprintf(known + size, sizeof known - size, "%s%s", before, currencies[i].code);
    }
}

struct result currency_add(struct text code, int64_t exponent, enum currency *ret_currency) {
    if (!currency_is_code(code) || exponent < 0 || exponent > CURRENCY_EXPONENT_MAX) return result_error(RESULT_INVALID);
    if (result_is_ok(currency_parse(code, ret_currency))) {
        bool is_ours = *ret_currency < CURRENCY_FIRST_ADDED;
        if (is_ours && exponent != currencies[*ret_currency].exponent) return result_error(RESULT_CONFLICT);
        currencies[*ret_currency].exponent = (int)exponent;
        return result_ok();
    }
    if (currency_count == CURRENCY_COUNT) return result_error(RESULT_FULL);
    memcpy(currencies[currency_count].code, code.data, CURRENCY_CODE_BYTES);
    currencies[currency_count].exponent = (int)exponent;
    *ret_currency = (enum currency)currency_count++;
    list_known();
    return result_ok();
}

/* ---- amounts ---- */

static struct result keep_in_bounds(bool overflows, int64_t amount_minor, enum currency currency, struct money *ret_money) {
    if (overflows || amount_minor > MONEY_AMOUNT_MAX || amount_minor < -MONEY_AMOUNT_MAX) return result_error(RESULT_FULL);
    *ret_money = (struct money){amount_minor, currency};
    return result_ok();
}

struct result money_add(struct money a, struct money b, struct money *ret_sum) {
    if (a.currency != b.currency) return result_error(RESULT_CONFLICT);
    int64_t sum = 0;
    bool overflows = __builtin_add_overflow(a.amount_minor, b.amount_minor, &sum);
    return keep_in_bounds(overflows, sum, a.currency, ret_sum);
}

struct result money_subtract(struct money a, struct money b, struct money *ret_difference) {
    if (a.currency != b.currency) return result_error(RESULT_CONFLICT);
    int64_t difference = 0;
    bool overflows = __builtin_sub_overflow(a.amount_minor, b.amount_minor, &difference);
    return keep_in_bounds(overflows, difference, a.currency, ret_difference);
}

struct result money_multiply(struct money a, int64_t factor, struct money *ret_product) {
    int64_t product = 0;
    bool overflows = __builtin_mul_overflow(a.amount_minor, factor, &product);
    return keep_in_bounds(overflows, product, a.currency, ret_product);
}

bool money_equal(struct money a, struct money b) { return a.amount_minor == b.amount_minor && a.currency == b.currency; }

struct money money_share(struct money amount, int64_t parts, int64_t whole) {
    CHECK(amount.amount_minor >= 0 && parts >= 0 && whole > 0 && parts <= whole);
    __extension__ typedef __int128 wide;
    return (struct money){(int64_t)((wide)amount.amount_minor * parts / whole), amount.currency};
}

struct result money_add_to_total(int64_t total_minor, struct money amount, int64_t *ret_total_minor) {
    CHECK(total_minor >= 0 && amount.amount_minor >= 0);
    return __builtin_add_overflow(total_minor, amount.amount_minor, ret_total_minor) ? result_error(RESULT_FULL) : result_ok();
}

int64_t money_count_in_total(int64_t total_minor, struct money amount) {
    CHECK(total_minor >= 0 && amount.amount_minor > 0);
    return total_minor / amount.amount_minor;
}

struct money money_between_totals(int64_t in_minor, int64_t out_minor, enum currency currency) {
    CHECK(in_minor >= 0 && out_minor >= 0); /* so that no difference can overflow */
    return (struct money){in_minor - out_minor, currency};
}
