/* --currency: what is taken, what is refused, and what becomes known by it. */
#include "../base/assertions.h"

#include "service/currencies.h"

static struct result read_options(struct currency_options *options, size_t count, const char *const *items) {
    struct param_list given = {.count = count};
    for (size_t i = 0; i < count; i++) given.items[i] = items[i];
    return currency_options_read("tested", &given, options);
}

static void what_is_named_is_read(void **state) {
    (void)state;
    struct currency_options options;
    const char *const items[] = {"USD:2", "IRR", "BHD:3", "USD:2", "IRR", "IRT:0", "XBT:8"};
    assert_ok(read_options(&options, 7, items));
    assert_string_equal(options.main, "IRR");
    assert_int_equal(options.count, 4); /* once each */
    assert_string_equal(options.added[0].code, "USD");
    assert_int_equal(options.added[0].exponent, 2);
    assert_string_equal(options.added[1].code, "BHD");
    assert_int_equal(options.added[1].exponent, 3);
    assert_string_equal(options.added[2].code, "IRT");
    assert_string_equal(options.added[3].code, "XBT");
    assert_int_equal(options.added[3].exponent, 8);
    assert_ok(read_options(&options, 0, NULL));
    assert_true(options.count == 0 && options.main[0] == '\0');
}

static void what_is_none_is_refused(void **state) {
    (void)state;
    struct currency_options options;
    const char *const refused[] = {"",       "US",   "usd",     "USDT", "USD:",   "USD:9", "USD:-1", "USD:2 ",
                                   " USD:2", "USD2", "USD:2:3", "U:2",  "USDT:2", ":2",    "IRT:1",  "IRR:2"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) assert_result(read_options(&options, 1, &refused[i]), RESULT_INVALID);
    const char *const two_main[] = {"IRT", "IRR"}, *const two_exponents[] = {"USD:2", "USD:3"};
    assert_result(read_options(&options, 2, two_main), RESULT_INVALID);
    assert_result(read_options(&options, 2, two_exponents), RESULT_INVALID);
}

static void what_is_added_is_known(void **state) {
    (void)state;
    struct currency_options options;
    const char *const items[] = {"KWD:3", "KWD"};
    enum currency currency = CURRENCY_NONE;
    assert_ok(read_options(&options, 2, items));
    assert_result(currency_options_main("tested", &options, CURRENCY_IRT, &currency), RESULT_INVALID); /* not yet */
    assert_ok(currency_options_add(&options));
    assert_ok(currency_options_main("tested", &options, CURRENCY_IRT, &currency));
    assert_string_equal(currency_code(currency), "KWD");
    assert_int_equal(currency_exponent(currency), 3);
    assert_ok(read_options(&options, 1, items));
    assert_ok(currency_options_main("tested", &options, CURRENCY_IRR, &currency));
    assert_int_equal(currency, CURRENCY_IRR);
    options.added[0] = (struct currency_option){"IRT", 2};
    assert_result(currency_options_add(&options), RESULT_CONFLICT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_named_is_read), cmocka_unit_test(what_is_none_is_refused),
                                       cmocka_unit_test(what_is_added_is_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
