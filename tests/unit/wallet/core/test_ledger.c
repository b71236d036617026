/* The working set. */
#include "core.h"

#include "../../base/memory_ends.h"

/* Small and large sets are cleared in two ways; both must leave nothing. */
static void clearing_forgets_everything(void **state) {
    struct core *core = *state;
    static const int sizes[] = {3, 1500};
    for (size_t round = 0; round < ARRAY_COUNT(sizes); round++) {
        for (int i = 0; i < sizes[round]; i++) {
            char name[16];
            snprintf(name, sizeof name, "user%d", i);
            core_open_wallet(core, name);
        }
        core->ledger.head.sequence = 7;
        ledger_clear(&core->ledger);
        assert_int_equal(core->ledger.last_account_number, 0);
        assert_int_equal(core->ledger.head.sequence, 0);
        assert_null(core->ledger.issuances[CURRENCY_IRT]);
        core->ledger.last_account_number = 1; /* as a load gives it */
        assert_int_equal(core->ledger.users.count, 0);
        assert_null(ledger_find_user_by_name(&core->ledger, TEXT("user0")));
        assert_int_equal(core->ledger.users_by_name.count, 0);
        assert_int_equal(core->ledger.accounts_by_user.count, 0);
    }
}

static void a_row_that_breaks_a_rule_does_not_come_in(void **state) {
    struct core *core = *state;
    struct account row = account_new(9, (struct id){{9}}, ACCOUNT_FUND, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    row.debits_posted = 1; /* below its floor */
    assert_int_equal(ledger_add_account(&core->ledger, &row, NULL).code, RESULT_CORRUPT);
    assert_null(ledger_find_account(&core->ledger, row.id));
    row.credits_posted = 1;
    struct fund fund = {.caller = TEXT("discount"), .reference = TEXT("f"), .opened_minor = 1, .funded_minor = 1};
    assert_int_equal(ledger_add_account(&core->ledger, &row, &fund.account).code, RESULT_OK);
    assert_int_equal(ledger_add_fund(&core->ledger, &fund).code, RESULT_CORRUPT); /* it holds nothing, and paid nothing */
    assert_null(ledger_find_fund(&core->ledger, fund.caller, fund.reference));
    fund.credited_minor = 1;
    assert_int_equal(ledger_add_fund(&core->ledger, &fund).code, RESULT_OK);
}

static void a_row_comes_in_once(void **state) {
    struct core *core = *state;
    struct user *sara = core_register(core, "sara");
    struct user again = *sara;
    again.is_admin = true; /* what is there already stays: it may have been decided about */
    assert_int_equal(ledger_add_user(&core->ledger, &again).code, RESULT_OK);
    assert_int_equal(core->ledger.users.count, 1);
    assert_false(ledger_find_user(&core->ledger, sara->id)->is_admin);
}

/* Whatever was decided about a row since it came in, the same row from the disk does not undo it. */
static void no_row_comes_in_twice(void **state) {
    struct core *core = *state;
    struct ledger *ledger = &core->ledger;
    struct session session = {.id = {{1}}, .user_id = {{2}}, .generation = 1}, later_session = session;
    struct refresh_token token = {.session_id = {{1}}, .generation = 1}, later_token = token;
    struct known_reference reference = {.key = TEXT("k"), .debit_account = 1}, later_reference = reference;
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    struct fund later_fund = *fund;
    later_session.generation = later_token.generation = 2;
    later_reference.debit_account = 2;
    later_fund.opened_minor = 99;
    assert_int_equal(ledger_add_session(ledger, &session).code, RESULT_OK);
    assert_int_equal(ledger_add_session(ledger, &later_session).code, RESULT_OK);
    assert_int_equal(ledger_add_token(ledger, &token).code, RESULT_OK);
    assert_int_equal(ledger_add_token(ledger, &later_token).code, RESULT_OK);
    assert_int_equal(ledger_add_reference(ledger, &reference).code, RESULT_OK);
    assert_int_equal(ledger_add_reference(ledger, &later_reference).code, RESULT_OK);
    assert_int_equal(ledger_add_fund(ledger, &later_fund).code, RESULT_OK);
    struct account later_account = *fund->account, *account = NULL;
    const size_t accounts = ledger->accounts.count;
    later_account.credits_posted--;
    assert_int_equal(ledger_add_account(ledger, &later_account, &account).code, RESULT_OK);
    assert_ptr_equal(account, fund->account);
    assert_int_equal(ledger->accounts.count, accounts);
    assert_int_equal(account->credits_posted, 100);
    assert_int_equal(ledger->sessions.count, 1);
    assert_int_equal(ledger->tokens.count, 1);
    assert_int_equal(ledger->references.count, 1);
    assert_int_equal(ledger->funds.count, 1);
    assert_int_equal(ledger_find_session(ledger, session.id)->generation, 1);
    assert_int_equal(ledger_find_token(ledger, session.id, &token.hash)->generation, 1);
    assert_int_equal(ledger_find_reference(ledger, TEXT("k"))->debit_account, 1);
    assert_int_equal(ledger_find_fund(ledger, TEXT("discount"), TEXT("f"))->opened_minor, 100);
}

/* What a row points to is the request's or the statement's: it may go when the row is in. */
static void texts_of_a_row_are_copied(void **state) {
    struct core *core = *state;
    char texts[] = "discount|summer|a gift";
    struct fund *fund = NULL;
    struct fund_command command = {.caller = {texts, 8},
                                   .reference = {texts + 9, 6},
                                   .description = {texts + 16, 6},
                                   .amount = {5, CURRENCY_IRT}};
    assert_int_equal(ledger_open_fund(&core->ledger, &command, core->now_us, &fund), LEDGER_APPLIED);
    memset(texts, '-', sizeof texts - 1);
    assert_true(text_equal(fund->caller, TEXT("discount")));
    assert_true(text_equal(fund->reference, TEXT("summer")));
    assert_true(text_equal(fund->description, TEXT("a gift")));
    assert_ptr_equal(ledger_find_fund(&core->ledger, TEXT("discount"), TEXT("summer")), fund);
}

static const char *const rows_texts = "till|order 7|a|m|Corner shop";

/* One row of each table whose rows have texts, which point into `texts`. */
struct rows {
    struct known_reference reference;
    struct original original;
    struct merchant merchant;
    struct hold hold;
};
static struct rows make_rows(struct core *core, const char *texts) {
    struct account *shop = ledger_open_account(&core->ledger, ACCOUNT_MERCHANT, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    struct account *sara = core_open_wallet(core, "sara");
    const struct text caller = {texts, 4}, reference = {texts + 5, 7}, letter = {texts + 13, 1}, other = {texts + 15, 1};
    return (struct rows){.reference = {.key = reference, .debit_account = 1, .description = letter, .metadata = other},
                         .original = {.sequence = 1,
                                      .id = {{1}},
                                      .kind = TRANSFER_CREDIT,
                                      .amount = {5, CURRENCY_IRT},
                                      .caller = caller,
                                      .reference = reference,
                                      .fund_reference = letter},
                         .merchant = {.name = {texts + 17, 11}, .account = shop, .number = shop->number, .currency = CURRENCY_IRT},
                         .hold = {.number = 1,
                                  .id = {{2}},
                                  .account = sara,
                                  .amount = {5, CURRENCY_IRT},
                                  .state = HOLD_RELEASED,
                                  .caller = caller,
                                  .reference = reference}};
}

static void texts_of_every_row_are_copied(void **state) {
    struct core *core = *state;
    struct ledger *ledger = &core->ledger;
    char texts[32];
    snprintf(texts, sizeof texts, "%s", rows_texts);
    const struct rows rows = make_rows(core, texts);
    assert_int_equal(ledger_add_reference(ledger, &rows.reference).code, RESULT_OK);
    assert_int_equal(ledger_add_original(ledger, &rows.original).code, RESULT_OK);
    assert_int_equal(ledger_add_merchant(ledger, &rows.merchant).code, RESULT_OK);
    assert_int_equal(ledger_add_hold(ledger, &rows.hold).code, RESULT_OK);
    memset(texts, '-', sizeof texts - 1);
    const struct known_reference *reference = ledger_find_reference(ledger, TEXT("order 7"));
    assert_non_null(reference);
    assert_true(text_equal(reference->description, TEXT("a")) && text_equal(reference->metadata, TEXT("m")));
    const struct original *original = ledger_find_credit(ledger, TEXT("till"), TEXT("order 7"));
    assert_non_null(original);
    assert_ptr_equal(ledger_find_original(ledger, rows.original.id), original);
    assert_true(text_equal(original->caller, TEXT("till")) && text_equal(original->reference, TEXT("order 7")));
    assert_true(text_equal(original->fund_reference, TEXT("a")));
    const struct merchant *merchant = ledger_find_merchant_by_name(ledger, TEXT("Corner shop"));
    assert_non_null(merchant);
    assert_true(text_equal(merchant->name, TEXT("Corner shop")));
    const struct hold *hold = ledger_find_hold_by_reference(ledger, TEXT("till"), TEXT("order 7"));
    assert_non_null(hold);
    assert_ptr_equal(ledger_find_hold(ledger, rows.hold.id), hold);
    assert_true(text_equal(hold->caller, TEXT("till")) && text_equal(hold->reference, TEXT("order 7")));
}

static struct result add_all(struct ledger *ledger, const struct rows *rows) {
    TRY(ledger_add_original(ledger, &rows->original));
    TRY(ledger_add_merchant(ledger, &rows->merchant));
    return ledger_add_hold(ledger, &rows->hold);
}

static void no_original_merchant_or_hold_comes_in_twice(void **state) {
    struct core *core = *state;
    struct ledger *ledger = &core->ledger;
    struct rows rows = make_rows(core, rows_texts);
    assert_true(result_is_ok(add_all(ledger, &rows)));
    rows.original.amount.amount_minor = rows.hold.amount.amount_minor = 6; /* it may have been decided about since */
    rows.merchant.name = TEXT("Other");
    assert_true(result_is_ok(add_all(ledger, &rows)));
    assert_true(ledger->originals.count == 1 && ledger->merchants.count == 1 && ledger->holds.count == 1);
    assert_int_equal(ledger_find_original(ledger, rows.original.id)->amount.amount_minor, 5);
    assert_int_equal(ledger_find_hold(ledger, rows.hold.id)->amount.amount_minor, 5);
    assert_null(ledger_find_merchant_by_name(ledger, TEXT("Other")));
    rows.merchant.account = core->ledger.issuances[CURRENCY_IRT];
    assert_int_equal(ledger_add_merchant(ledger, &rows.merchant).code, RESULT_CORRUPT);
}

/* With more and more room: a row is in whole, and found by all that it is found by, or there is none. */
static void a_row_comes_in_whole_or_not_at_all(void **state) {
    struct core *core = *state;
    struct ledger *ledger = &core->ledger;
    const struct rows rows = make_rows(core, rows_texts);
    const size_t limit = ledger->arena.limit_bytes;
    for (unsigned which = 0; which < 4; which++) {
        struct result outcome = result_error(RESULT_FULL);
        for (size_t room = 0; !result_is_ok(outcome); room += 8) {
            assert_int_equal(outcome.code, RESULT_FULL);
            ledger->arena.limit_bytes = ledger->arena.used_bytes + room;
            outcome = which == 0   ? ledger_add_reference(ledger, &rows.reference)
                      : which == 1 ? ledger_add_original(ledger, &rows.original)
                      : which == 2 ? ledger_add_merchant(ledger, &rows.merchant)
                                   : ledger_add_hold(ledger, &rows.hold);
            bool is_there = which == 0   ? ledger_find_reference(ledger, rows.reference.key) != NULL
                            : which == 1 ? ledger_find_credit(ledger, rows.original.caller, rows.original.reference) != NULL
                            : which == 2 ? ledger_find_merchant_by_name(ledger, rows.merchant.name) != NULL
                                         : ledger_find_hold_by_reference(ledger, rows.hold.caller, rows.hold.reference) != NULL;
            assert_int_equal(is_there, result_is_ok(outcome));
        }
    }
    ledger->arena.limit_bytes = limit;
    assert_true(text_equal(ledger_find_original(ledger, rows.original.id)->fund_reference, TEXT("a")));
    assert_true(text_equal(ledger_find_reference(ledger, rows.reference.key)->metadata, TEXT("m")));
    assert_true(text_equal(ledger_find_merchant(ledger, rows.merchant.account->id)->name, TEXT("Corner shop")));
}

static void a_key_is_both_texts_with_a_zero_between(void **state) {
    (void)state;
    char buffer[8];
    assert_int_equal(ledger_join_key(TEXT("a"), TEXT("b"), buffer, 3), 3);
    assert_memory_equal(buffer, "a\0b", 3);
    assert_int_equal(ledger_join_key(TEXT(""), TEXT("bc"), buffer, sizeof buffer), 3);
    assert_memory_equal(buffer, "\0bc", 3);
    assert_int_equal(ledger_join_key(TEXT("ab"), TEXT(""), buffer, sizeof buffer), 3);
    assert_memory_equal(buffer, "ab\0", 3);
}

/* Books of several currencies have an issuance each; a set has the one of its own. */
static void issuance_is_the_one_of_its_currency(void **state) {
    struct core *core = *state;
    const struct account *own = core->ledger.issuances[CURRENCY_IRT];
    struct account other = account_new(2, (struct id){{9}}, ACCOUNT_ISSUANCE, (struct id){{0}}, CURRENCY_IRR, core->now_us);
    assert_int_equal(ledger_add_account(&core->ledger, &other, NULL).code, RESULT_OK);
    assert_ptr_equal(core->ledger.issuances[CURRENCY_IRT], own);
    assert_ptr_equal(core->ledger.issuances[CURRENCY_IRR], ledger_find_account(&core->ledger, other.id));
    ledger_clear(&core->ledger);
    assert_null(core->ledger.issuances[CURRENCY_IRT]);
    assert_null(core->ledger.issuances[CURRENCY_IRR]);
}

static void without_memory_there_is_no_ledger(void **state) {
    struct core *core = *state;
    struct ledger none;
    struct result outcome = result_error(RESULT_FULL);
    size_t objects = 0;
    for (; !result_is_ok(outcome); objects++) {
        objects_left = objects;
        outcome = ledger_init(&none, CURRENCY_IRT, &core->ids);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
        ledger_free(&none);
    }
    objects_left = SIZE_MAX;
    assert_true(objects > 7); /* as many tables, and their maps */
}

/* Whatever there is no room for is not in the ledger, and what asked for it says so. */
static void without_room_no_row_comes_in(void **state) {
    struct core *core = *state;
    struct ledger *ledger = &core->ledger;
    const struct account account = account_new(9, (struct id){{9}}, ACCOUNT_FUND, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    const struct user user = {.id = {{1}}, .name = "sara", .name_size = 4};
    const struct session session = {.id = {{1}}};
    const struct refresh_token token = {.session_id = {{1}}};
    const struct known_reference reference = {.key = TEXT("k")};
    struct fund *other = NULL, fund = {.caller = TEXT("discount"), .description = TEXT("d"), .opened_minor = 100, .funded_minor = 100};
    fund.reference = TEXT("much longer than its description, which may find room where its key finds none");
    assert_int_equal(core_open_fund(core, "other", 100, &other), LEDGER_APPLIED);
    fund.account = other->account;
    const size_t limit = ledger->arena.limit_bytes;
    ledger->arena.limit_bytes = ledger->arena.used_bytes;
    assert_int_equal(ledger_add_account(ledger, &account, NULL).code, RESULT_FULL);
    assert_int_equal(ledger_add_user(ledger, &user).code, RESULT_FULL);
    assert_int_equal(ledger_add_session(ledger, &session).code, RESULT_FULL);
    assert_int_equal(ledger_add_token(ledger, &token).code, RESULT_FULL);
    assert_int_equal(ledger_add_reference(ledger, &reference).code, RESULT_FULL);
    ledger->arena.limit_bytes += sizeof reference; /* and none for its key */
    assert_int_equal(ledger_add_reference(ledger, &reference).code, RESULT_FULL);
    assert_null(ledger_find_reference(ledger, reference.key));
    size_t room = 0;
    for (struct result outcome = result_error(RESULT_FULL); !result_is_ok(outcome); room += 8) {
        assert_null(ledger_find_fund(ledger, fund.caller, fund.reference));
        ledger->arena.limit_bytes = ledger->arena.used_bytes + room;
        outcome = ledger_add_fund(ledger, &fund);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
    }
    assert_true(room > sizeof fund);
    assert_non_null(ledger_find_fund(ledger, fund.caller, fund.reference));
    ledger->arena.limit_bytes = limit;
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(clearing_forgets_everything),
        CORE_TEST(a_row_that_breaks_a_rule_does_not_come_in),
        CORE_TEST(a_row_comes_in_once),
        CORE_TEST(no_row_comes_in_twice),
        CORE_TEST(texts_of_a_row_are_copied),
        CORE_TEST(texts_of_every_row_are_copied),
        CORE_TEST(no_original_merchant_or_hold_comes_in_twice),
        CORE_TEST(a_row_comes_in_whole_or_not_at_all),
        CORE_TEST(a_key_is_both_texts_with_a_zero_between),
        CORE_TEST(issuance_is_the_one_of_its_currency),
        CORE_TEST(without_memory_there_is_no_ledger),
        CORE_TEST(without_room_no_row_comes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
