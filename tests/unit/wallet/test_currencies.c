/* Which currencies the books know from one start to the next. */
#include "damage.h"

#include "wallet/currencies.h"

static int make_desk(void **state) {
    *state = desk_open();
    return 0;
}
static int drop_desk(void **state) {
    desk_close(*state);
    return 0;
}
#define DESK_TEST(test) cmocka_unit_test_setup_teardown(test, make_desk, drop_desk)

static struct currency_options given(size_t count, const struct currency_option *added) {
    struct currency_options options = {.count = count};
    for (size_t i = 0; i < count; i++) options.added[i] = added[i];
    return options;
}

struct rows {
    size_t count;
    char text[256];
};
static struct result row_seen(void *context, const struct row *row) {
    struct rows *rows = context;
    rows->count++;
    snprintf(rows->text + strlen(rows->text), sizeof rows->text - strlen(rows->text), "%.3s:%d%s ", row_text(row, 0).data,
             (int)row_integer(row, 1), row_integer(row, 3) != 0 ? "!" : "");
    return result_ok();
}
static struct rows stored(struct desk *desk) {
    struct rows rows = {.count = 0};
    ask_currencies(desk->reader, row_seen, &rows);
    assert_true(result_is_ok(batch_run(desk->reader)));
    batch_end_round(desk->reader);
    return rows;
}

static void credit_in(struct desk *desk, const char *reference, struct id user_id, const char *code) {
    struct credits *credits = desk_make_credit(desk, reference, user_id, 5, "");
    struct credit_item item = credits->items[0];
    assert_true(result_is_ok(currency_parse(text_of(code), &item.amount.currency)));
    credits->items = &item;
    desk_decide(desk, &credits->operation);
    assert_int_equal(credits->outcomes[0].outcome, LEDGER_APPLIED);
}

static void what_is_used_stays_and_what_is_not_goes(void **state) {
    struct desk *desk = *state;
    const struct currency_option both[] = {{"USD", 2}, {"EUR", 2}, {"IRR", 0}}, changed[] = {{"EUR", 3}}, other[] = {{"USD", 3}};
    struct currency_options options = given(3, both);
    enum currency currency = CURRENCY_NONE;
    assert_true(result_is_ok(currencies_review(desk->writer, &options)));
    assert_string_equal(stored(desk).text, "EUR:2 USD:2 "); /* not what is always known */
    assert_true(result_is_ok(currencies_review(desk->writer, &options)));
    assert_string_equal(stored(desk).text, "EUR:2 USD:2 ");
    const struct id sara = desk_register(desk, "sara");
    credit_in(desk, "r1", sara, "USD");
    credit_in(desk, "r2", sara, "IRR");
    assert_string_equal(stored(desk).text, "EUR:2 USD:2! ");
    options = given(1, other);
    assert_int_equal(currencies_review(desk->writer, &options).code, RESULT_INVALID);
    assert_string_equal(stored(desk).text, "EUR:2 USD:2! "); /* nothing was done */
    options = given(1, changed);
    assert_true(result_is_ok(currencies_review(desk->writer, &options)));
    assert_string_equal(stored(desk).text, "EUR:3 USD:2! ");
    assert_true(result_is_ok(currency_parse(TEXT("EUR"), &currency)));
    assert_int_equal(currency_exponent(currency), 3);
    options = given(0, NULL);
    assert_true(result_is_ok(currencies_review(desk->writer, &options)));
    assert_string_equal(stored(desk).text, "USD:2! ");
    assert_true(result_is_ok(currency_parse(TEXT("USD"), &currency)));
    assert_true(result_is_ok(currency_add(TEXT("USD"), 7, &currency))); /* whatever was known: what the books say counts */
    assert_true(result_is_ok(currencies_learn(desk->reader)));
    assert_int_equal(currency_exponent(currency), 2);
}

static void a_row_that_is_none_is_refused(void **state) {
    struct desk *desk = *state;
    static const char *const damages[] = {"UPDATE currencies SET exponent = 9", "UPDATE currencies SET exponent = -1",
                                          "UPDATE currencies SET code = 'usd'", "UPDATE currencies SET code = 'USDT'"};
    const struct currency_option usd[] = {{"USD", 2}};
    const struct currency_options options = given(1, usd);
    assert_true(result_is_ok(currencies_review(desk->writer, &options)));
    for (size_t i = 0; i < ARRAY_COUNT(damages); i++) {
        struct database *raw = open_raw(desk);
        take_guards_away(raw);
        run_sql(raw, damages[i]);
        close_raw(desk, raw);
        assert_int_equal(currencies_learn(desk->reader).code, RESULT_CORRUPT);
        batch_end_round(desk->reader);
        raw = open_raw(desk);
        run_sql(raw, "UPDATE currencies SET code = 'USD', exponent = 2");
        close_raw(desk, raw);
    }
    assert_true(result_is_ok(currencies_learn(desk->reader)));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {DESK_TEST(what_is_used_stays_and_what_is_not_goes), DESK_TEST(a_row_that_is_none_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
