#include "base/money.h"

#include "base/check.h"

const char *currency_code(enum currency currency) {
    switch (currency) {
    case CURRENCY_NONE: return "";
    case CURRENCY_IRT: return "IRT";
    case CURRENCY_IRR: return "IRR";
    }
    return "";
}

struct result currency_parse(struct text code, enum currency *ret_currency) {
    static const enum currency all[] = {CURRENCY_IRT, CURRENCY_IRR};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        if (!text_equal(code, text_of(currency_code(all[i])))) continue;
        *ret_currency = all[i];
        return result_ok();
    }
    return result_error(RESULT_INVALID);
}

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
