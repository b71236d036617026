/* Which currencies campaigns may be in, from one start to the next. */
#include "world.h"

#include "../base/folder.h"
#include "discount/currencies.h"
#include "discount/tables.h"
#include "store/open.h"

struct kept_books {
    char folder[64], path[128];
    struct batch *batch;
};

static int open_books(void **state) {
    struct kept_books *books = calloc(1, sizeof *books);
    assert_non_null(books);
    folder_create(books->folder, "discount-currencies");
    snprintf(books->path, sizeof books->path, "%s/discount.db", books->folder);
    assert_true(result_is_ok(batch_open(&(struct place){.file = books->path, .schema = &discount_schema}, BATCH_CREATE, &books->batch)));
    *state = books;
    return 0;
}

static int drop_books(void **state) {
    struct kept_books *books = *state;
    batch_close(books->batch);
    assert_true(folder_remove(books->folder));
    free(books);
    return 0;
}

static void commit(struct kept_books *books) {
    struct result reason;
    assert_int_equal(batch_commit(books->batch, &reason), COMMITTED);
}

static void write_sql(struct kept_books *books, const char *sql) {
    const struct question question = {.name = "a campaign", .sql = sql};
    struct batch *batch = NULL;
    struct result reason;
    batch_close(books->batch);
    assert_true(result_is_ok(batch_open(&(struct place){.file = books->path, .schema = &discount_schema}, BATCH_WRITE, &batch)));
    assert_true(result_is_ok(batch_begin(batch)));
    batch_do(batch, &question, NULL, ROWS_ANY);
    assert_int_equal(batch_commit(batch, &reason), COMMITTED);
    batch_close(batch);
    assert_true(result_is_ok(batch_open(&(struct place){.file = books->path, .schema = &discount_schema}, BATCH_WRITE, &books->batch)));
}

#define CAMPAIGN_COLUMNS                                                                                                                \
    "number, id, code, name, amount, currency, max_redemptions, starts_at, ends_at, ended_at, is_paused, version, sequence, redeemed, " \
    "credited, failed, first_redeemed_at, last_redeemed_at, exhausted_at, created_at, updated_at, fund_confirmed, fund_step, "          \
    "fund_step_version, fund_is_released"
#define CAMPAIGN_IN_USD                                                                                                \
    "INSERT INTO campaigns (" CAMPAIGN_COLUMNS                                                                         \
    ") VALUES (1, x'01020304050607080910111213141516', 'GIFT', 'Gift', 1000, 'USD', 3, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, " \
    "0, 0, 50, 50, 0, 0, 0, 0)"

static struct result value_seen(void *text, const struct row *row) {
    struct text value = row_bytes(row, 0);
    snprintf(text, 64, "%.*s", (int)value.size, value.data);
    return result_ok();
}

static void assert_stored(struct kept_books *books, const char *expected) {
    char text[64] = "";
    ask_setting(books->batch, TEXT("currencies"), value_seen, text);
    assert_true(result_is_ok(batch_run(books->batch)));
    batch_end_round(books->batch);
    assert_string_equal(text, expected);
}

static void what_a_campaign_is_in_stays(void **state) {
    struct kept_books *books = *state;
    struct currency_options options = {.count = 2, .added = {{"USD", 2}, {"EUR", 2}}};
    enum currency currency = CURRENCY_NONE;
    assert_true(result_is_ok(currencies_review(books->batch, &options)));
    assert_stored(books, "USD2EUR2");
    assert_true(result_is_ok(currencies_review(books->batch, &options)));
    write_sql(books, CAMPAIGN_IN_USD);
    options = (struct currency_options){.count = 1, .added = {{"USD", 3}}};
    assert_int_equal(currencies_review(books->batch, &options).code, RESULT_INVALID);
    assert_stored(books, "USD2EUR2"); /* nothing was done */
    options = (struct currency_options){.count = 1, .added = {{"EUR", 3}}};
    assert_true(result_is_ok(currencies_review(books->batch, &options)));
    assert_stored(books, "EUR3USD2");
    options = (struct currency_options){.count = 0};
    assert_true(result_is_ok(currencies_review(books->batch, &options)));
    assert_stored(books, "USD2");
    assert_true(result_is_ok(currency_add(TEXT("USD"), 7, &currency)));
    assert_true(result_is_ok(currencies_learn(books->batch)));
    assert_int_equal(currency_exponent(currency), 2);
}

static void a_list_that_is_none_is_refused(void **state) {
    struct kept_books *books = *state;
    static const char *const damaged[] = {"USD", "USD2E", "usd2", "USD9", "USD/"};
    for (size_t i = 0; i < ARRAY_COUNT(damaged); i++) {
        assert_true(result_is_ok(batch_begin(books->batch)));
        save_setting(books->batch, TEXT("currencies"), damaged[i], strlen(damaged[i]));
        commit(books);
        assert_int_equal(currencies_learn(books->batch).code, RESULT_CORRUPT);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(what_a_campaign_is_in_stays, open_books, drop_books),
                                       cmocka_unit_test_setup_teardown(a_list_that_is_none_is_refused, open_books, drop_books)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
