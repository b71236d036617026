#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "crowd/crowd.h"

static bool read_terms(const char *campaign, struct terms *terms) {
    struct arena arena;
    struct faults faults;
    struct json_document *document;
    arena_init(&arena, 65536);
    faults_init(&faults, &arena);
    assert_true(result_is_ok(json_open(&arena, text_of(campaign), &faults, &document)));
    bool is_read = terms_read(json_root(document), terms);
    json_close(document);
    arena_release(&arena);
    return is_read;
}

static int64_t percent_of(const char *percent) {
    char campaign[128];
    struct terms terms;
    snprintf(campaign, sizeof campaign, "{\"kind\":\"percent_off\",\"discount\":{\"percent\":\"%s\"}}", percent);
    return read_terms(campaign, &terms) ? terms.percent_hundredths : -1;
}

static void test_a_share_is_read_to_two_decimals(void **state) {
    (void)state;
    assert_int_equal(percent_of("12.5"), 1250);
    assert_int_equal(percent_of("0.01"), 1);
    assert_int_equal(percent_of("7"), 700);
    assert_int_equal(percent_of("33.33"), 3333);
    assert_int_equal(percent_of("100"), 10000);
    static const char *const others[] = {"", "0", "0.00", "100.01", "1.234", "1.2.3", "-1", "1e1", " 1", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) assert_int_equal(percent_of(others[i]), -1);
}

static void test_terms_are_of_one_kind(void **state) {
    (void)state;
    struct terms terms;
    assert_true(read_terms("{\"kind\":\"wallet_credit\",\"credit\":{\"amount\":5,\"currency\":\"IRR\"}}", &terms));
    assert_false(terms.is_off_order);
    assert_string_equal(terms.currency, "IRR");
    assert_true(read_terms("{\"kind\":\"amount_off\",\"discount\":{\"amount\":5,\"currency\":\"IRR\"}}", &terms));
    assert_true(terms.is_off_order);
    assert_int_equal(terms.amount_off, 5);
    assert_string_equal(terms.currency, "IRR");
    assert_true(
        read_terms("{\"kind\":\"percent_off\",\"discount\":{\"percent\":\"10\",\"max\":{\"amount\":7,\"currency\":\"IRR\"}}}", &terms));
    assert_int_equal(terms.most_off, 7);
    assert_string_equal(terms.currency, "IRR");
    static const char *const none[] = {
        "{\"kind\":\"amount_off\"}",
        "{\"kind\":\"amount_off\",\"discount\":{\"amount\":0,\"currency\":\"IRT\"}}",
        "{\"kind\":\"amount_off\",\"discount\":{\"amount\":5,\"currency\":\"TOOLONGS\"}}",
        "{\"kind\":\"percent_off\",\"discount\":{}}",
        "{\"kind\":\"percent_off\",\"discount\":{\"percent\":\"10\",\"max\":{\"amount\":0,\"currency\":\"IRT\"}}}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(none); i++) assert_false(read_terms(none[i], &terms));
}

static void test_what_is_taken_off(void **state) {
    (void)state;
    assert_int_equal(terms_discount(&(struct terms){.amount_off = 300}, 1000), 300);
    assert_int_equal(terms_discount(&(struct terms){.amount_off = 300}, 200), 200);
    assert_int_equal(terms_discount(&(struct terms){.percent_hundredths = 1250}, 999), 124);
    assert_int_equal(terms_discount(&(struct terms){.percent_hundredths = 1250, .most_off = 100}, 999), 100);
    assert_int_equal(terms_discount(&(struct terms){.percent_hundredths = 10000}, 7), 7);
    assert_int_equal(terms_discount(&(struct terms){.percent_hundredths = 1}, 9999), 0);
    assert_int_equal(terms_discount(&(struct terms){.percent_hundredths = 1}, 10000), 1);
    assert_int_equal(terms_discount(&(struct terms){.percent_hundredths = 3333}, INT64_C(9007199254740991)), INT64_C(3002099511605172));
}

static void test_an_order_is_the_users_own(void **state) {
    (void)state;
    struct crowd_options options = {.credit = 1000, .has_orders = true};
    struct crowd crowd = {.options = &options, .terms = {.currency = "IRT"}};
    struct user first = {.index = 0, .crowd = &crowd, .username = "crowd-1-0"},
                second = {.index = 1, .crowd = &crowd, .username = "crowd-1-1"};
    char order[ORDER_BYTES];
    user_write_order(&first, order);
    assert_string_equal(order, ",\"order\":{\"reference\":\"crowd-1-0\",\"amount\":1,\"currency\":\"IRT\"}");
    user_write_order(&second, order);
    assert_string_equal(order, ",\"order\":{\"reference\":\"crowd-1-1\",\"amount\":7920,\"currency\":\"IRT\"}");
    options.has_orders = false;
    user_write_order(&second, order);
    assert_string_equal(order, "");
}

static void test_an_order_fits_where_money_does(void **state) {
    (void)state;
    struct crowd_options options = {.credit = MONEY_AMOUNT_MAX};
    struct crowd crowd = {.options = &options};
    for (size_t i = 0; i < 1000000; i += 99999) {
        struct user user = {.index = i, .crowd = &crowd};
        assert_in_range(user_order_amount(&user), 1, MONEY_AMOUNT_MAX);
    }
    options.credit = 1;
    for (size_t i = 0; i < 100; i++) assert_in_range(user_order_amount(&(struct user){.index = i, .crowd = &crowd}), 1, 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_is_read_to_two_decimals),
        cmocka_unit_test(test_terms_are_of_one_kind),
        cmocka_unit_test(test_what_is_taken_off),
        cmocka_unit_test(test_an_order_is_the_users_own),
        cmocka_unit_test(test_an_order_fits_where_money_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
