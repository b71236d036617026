#include "assertions.h"

#include "base/money.h"

static struct money irt(int64_t amount) { return (struct money){amount, CURRENCY_IRT}; }

static void currencies(void **state) {
    (void)state;
    enum currency currency = CURRENCY_NONE;
    assert_ok(currency_parse(TEXT("IRT"), &currency));
    assert_int_equal(currency, CURRENCY_IRT);
    assert_ok(currency_parse(TEXT("IRR"), &currency));
    assert_int_equal(currency, CURRENCY_IRR);
    static const char *const bad[] = {"", "irt", "USD", "IRT ", "IR"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_result(currency_parse(text_of(bad[i]), &currency), RESULT_INVALID);
    assert_int_equal(currency, CURRENCY_IRR);
    assert_string_equal(currency_code(CURRENCY_IRT), "IRT");
    assert_string_equal(currency_code(CURRENCY_IRR), "IRR");
    assert_string_equal(currency_code(CURRENCY_NONE), "");
}

static void a_currency_is_added_with_its_exponent(void **state) {
    (void)state;
    enum currency usd = CURRENCY_NONE, other = CURRENCY_NONE;
    assert_string_equal(currency_known(), "IRT or IRR");
    assert_int_equal(currency_exponent(CURRENCY_IRR), 0);
    assert_ok(currency_add(TEXT("USD"), 2, &usd));
    assert_int_equal(usd, CURRENCY_FIRST_ADDED);
    assert_string_equal(currency_code(usd), "USD");
    assert_int_equal(currency_exponent(usd), 2);
    assert_ok(currency_parse(TEXT("USD"), &other));
    assert_int_equal(other, usd);
    assert_string_equal(currency_known(), "IRT, IRR or USD");
    assert_ok(currency_add(TEXT("USD"), 3, &other)); /* the last word counts */
    assert_int_equal(other, usd);
    assert_int_equal(currency_exponent(usd), 3);
    assert_ok(currency_add(TEXT("IRT"), 0, &other));
    assert_int_equal(other, CURRENCY_IRT);
    assert_result(currency_add(TEXT("IRR"), 1, &other), RESULT_CONFLICT);
    assert_int_equal(currency_exponent(CURRENCY_IRR), 0);
    static const char *const bad[] = {"", "US", "usd", "USDT", "U$D", "US[", "US@", "\xd8\xaa."};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) assert_result(currency_add(text_of(bad[i]), 2, &other), RESULT_INVALID);
    assert_result(currency_add(TEXT("AAA"), -1, &other), RESULT_INVALID);
    assert_result(currency_add(TEXT("AAA"), CURRENCY_EXPONENT_MAX + 1, &other), RESULT_INVALID);
    assert_result(currency_parse(TEXT("AAA"), &other), RESULT_INVALID);
    assert_true(currency_is_code(TEXT("AAZ")) && !currency_is_code(TEXT("AA[")));
}

/* The last: nothing takes them away again. */
static void there_are_so_many_and_no_more(void **state) {
    (void)state;
    enum currency currency = CURRENCY_NONE;
    for (unsigned i = CURRENCY_FIRST_ADDED + 1; i <= CURRENCY_LAST; i++) {
        const char code[] = {'X', (char)('A' + i / 26), (char)('A' + i % 26), '\0'};
        assert_ok(currency_add(text_of(code), i % 9, &currency));
        assert_int_equal(currency, i);
    }
    assert_result(currency_add(TEXT("ZZZ"), 0, &currency), RESULT_FULL);
    assert_ok(currency_add(TEXT("USD"), 2, &currency));
    assert_int_equal(strlen(currency_known()), CURRENCY_LAST * 3 + (CURRENCY_LAST - 2) * 2 + 4);
    assert_string_equal(currency_known() + strlen(currency_known()) - 10, "XCK or XCL");
}

static void arithmetic(void **state) {
    (void)state;
    struct money result = irt(0);
    assert_ok(money_add(irt(2), irt(3), &result));
    assert_true(money_equal(result, irt(5)));
    assert_ok(money_subtract(irt(2), irt(3), &result));
    assert_true(money_equal(result, irt(-1)));
    assert_ok(money_multiply(irt(1000000), 1000, &result));
    assert_true(money_equal(result, irt(1000000000)));
    assert_false(money_equal(irt(1), (struct money){1, CURRENCY_IRR}));
    assert_false(money_equal(irt(1), irt(2)));
}

static void currencies_do_not_mix(void **state) {
    (void)state;
    struct money result = irt(42);
    assert_result(money_add(irt(1), (struct money){1, CURRENCY_IRR}, &result), RESULT_CONFLICT);
    assert_result(money_subtract(irt(1), (struct money){1, CURRENCY_IRR}, &result), RESULT_CONFLICT);
    assert_true(money_equal(result, irt(42)));
}

static void results_stay_in_bounds(void **state) {
    (void)state;
    struct money result = irt(42);
    assert_result(money_add(irt(MONEY_AMOUNT_MAX), irt(1), &result), RESULT_FULL);
    assert_result(money_add(irt(INT64_MAX), irt(INT64_MAX), &result), RESULT_FULL);
    assert_result(money_subtract(irt(-MONEY_AMOUNT_MAX), irt(1), &result), RESULT_FULL);
    assert_result(money_subtract(irt(INT64_MIN), irt(1), &result), RESULT_FULL);
    assert_result(money_multiply(irt(MONEY_AMOUNT_MAX), 2, &result), RESULT_FULL);
    assert_result(money_multiply(irt(MONEY_AMOUNT_MAX), INT64_MAX, &result), RESULT_FULL);
    assert_result(money_multiply(irt(MONEY_AMOUNT_MAX), -2, &result), RESULT_FULL);
    assert_true(money_equal(result, irt(42)));
    assert_ok(money_add(irt(MONEY_AMOUNT_MAX - 1), irt(1), &result));
    assert_ok(money_subtract(irt(-MONEY_AMOUNT_MAX + 1), irt(1), &result));
    assert_true(money_equal(result, irt(-MONEY_AMOUNT_MAX)));
}

static void totals_are_bounded_by_their_integer(void **state) {
    (void)state;
    int64_t total = 0;
    struct money one = {1, CURRENCY_IRT}, most = {MONEY_AMOUNT_MAX, CURRENCY_IRT};
    assert_int_equal(money_add_to_total(MONEY_AMOUNT_MAX, most, &total).code, RESULT_OK);
    assert_int_equal(total, 2 * MONEY_AMOUNT_MAX);
    assert_int_equal(money_add_to_total(INT64_MAX - 1, one, &total).code, RESULT_OK);
    assert_int_equal(money_add_to_total(INT64_MAX, one, &total).code, RESULT_FULL);
    struct money between = money_between_totals(3, INT64_MAX, CURRENCY_IRR);
    assert_int_equal(between.amount_minor, 3 - INT64_MAX);
    assert_int_equal(between.currency, CURRENCY_IRR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies),
        cmocka_unit_test(a_currency_is_added_with_its_exponent),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(currencies_do_not_mix),
        cmocka_unit_test(results_stay_in_bounds),
        cmocka_unit_test(totals_are_bounded_by_their_integer),
        cmocka_unit_test(there_are_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
