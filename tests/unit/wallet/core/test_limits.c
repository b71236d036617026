/* What an account may have, and may let go of: what a refusal says, what is given back, and what is none of its business. */
#include "wallet/core/limits.h"

#include "wallet/core/adjustments.h"

#include "core.h"

#define DAY   INT64_C(1000)
#define MONTH (30 * DAY)

static void find_periods(const void *zone, int64_t moment_us, struct period *ret_day, struct period *ret_month) {
    (void)zone;
    ret_day->from_us = moment_us - moment_us % DAY;
    ret_day->until_us = ret_day->from_us + DAY;
    ret_month->from_us = moment_us - moment_us % MONTH;
    ret_month->until_us = ret_month->from_us + MONTH;
}

struct shop {
    struct core *core;
    struct account *sara;
    struct merchant *merchant;
    int count;
    char references[64][8];
};

static struct shop open_shop(void **state) {
    struct shop shop = {.core = *state};
    shop.core->now_us -= shop.core->now_us % MONTH;
    shop.core->ledger.calendar = (struct calendar){.find = find_periods};
    shop.sara = core_open_wallet(shop.core, "sara");
    assert_int_equal(core_credit(shop.core, "gift", shop.sara, 1000, ""), LEDGER_APPLIED);
    assert_int_equal(ledger_open_merchant(&shop.core->ledger, TEXT("Shop"), shop.core->now_us, &shop.merchant), LEDGER_APPLIED);
    return shop;
}

static struct text next_reference(struct shop *shop) {
    snprintf(shop->references[shop->count], sizeof shop->references[0], "r%d", shop->count);
    return text_of(shop->references[shop->count++]);
}

static enum ledger_outcome pay(struct shop *shop, int64_t amount) {
    const struct payment_command command = {.caller = TEXT("shop"),
                                            .reference = next_reference(shop),
                                            .user_id = shop->sara->user_id,
                                            .merchant = {.id = shop->merchant->account->id},
                                            .amount = {amount, CURRENCY_IRT}};
    return ledger_pay(&shop->core->ledger, &command, shop->core->now_us).outcome;
}

static enum ledger_outcome reverse(struct shop *shop, const struct original *original, int64_t amount) {
    const struct reversal_command command = {.caller = TEXT("admin:1"),
                                             .reference = TEXT(""),
                                             .transaction_id = original->id,
                                             .amount_minor = amount,
                                             .reason = TEXT("x"),
                                             .is_admin = true};
    return ledger_reverse(&shop->core->ledger, &command, shop->core->now_us).outcome;
}

static bool set(struct shop *shop, struct limits limits, int64_t floor_minor) {
    const struct spent spent = {shop->core->now_us - shop->core->now_us % DAY, 0, shop->core->now_us - shop->core->now_us % MONTH, 0};
    bool is_changed = false;
    assert_int_equal(account_set_limits(shop->sara, &limits, floor_minor, &spent, shop->core->now_us, &is_changed), LEDGER_APPLIED);
    return is_changed;
}

#define ASSERT_REACHED(shop, limit, left, until)                          \
    do {                                                                  \
        assert_int_equal((shop).core->ledger.reached.limit_minor, limit); \
        assert_int_equal((shop).core->ledger.reached.left_minor, left);   \
        assert_int_equal((shop).core->ledger.reached.until_us, until);    \
    } while (0)

static void a_refusal_says_what_is_left(void **state) {
    struct shop shop = open_shop(state);
    int64_t begin_us = shop.core->now_us;
    assert_true(set(&shop, (struct limits){1100, 400, 500, 600}, 50));
    assert_int_equal(pay(&shop, 951), LEDGER_FLOOR_REACHED);
    ASSERT_REACHED(shop, 50, 950, 0);
    assert_int_equal(pay(&shop, 401), LEDGER_LIMIT_PER_TRANSACTION);
    ASSERT_REACHED(shop, 400, 400, 0);
    assert_int_equal(core_credit(shop.core, "more", shop.sara, 101, ""), LEDGER_CEILING_REACHED);
    ASSERT_REACHED(shop, 1100, 100, 0);
    assert_int_equal(core_credit(shop.core, "more", shop.sara, 100, ""), LEDGER_APPLIED);
    assert_int_equal(pay(&shop, 400), LEDGER_APPLIED);
    assert_int_equal(pay(&shop, 101), LEDGER_LIMIT_DAILY);
    ASSERT_REACHED(shop, 500, 100, begin_us + DAY);
    assert_int_equal(pay(&shop, 100), LEDGER_APPLIED);
    shop.core->now_us = begin_us + DAY - 1;
    assert_int_equal(pay(&shop, 1), LEDGER_LIMIT_DAILY);
    shop.core->now_us = begin_us + DAY; /* the next day, of the same month */
    assert_int_equal(pay(&shop, 101), LEDGER_LIMIT_MONTHLY);
    ASSERT_REACHED(shop, 600, 100, begin_us + MONTH);
    assert_int_equal(pay(&shop, 100), LEDGER_APPLIED);
    assert_int_equal(pay(&shop, 1), LEDGER_LIMIT_MONTHLY);
    shop.core->now_us = begin_us + MONTH;
    assert_int_equal(pay(&shop, 400), LEDGER_APPLIED);
    assert_int_equal(pay(&shop, 101), LEDGER_INSUFFICIENT_FUNDS); /* 100 are there: that comes before all limits */
}

static void what_was_spent_yesterday_makes_no_room_today(void **state) {
    struct shop shop = open_shop(state);
    int64_t begin_us = shop.core->now_us;
    assert_true(set(&shop, (struct limits){LIMIT_NONE, LIMIT_NONE, 100, 300}, 0));
    assert_int_equal(pay(&shop, 100), LEDGER_APPLIED);
    const struct original *paid = core_load_original(shop.core, core_newest(shop.core), "");
    shop.core->now_us = begin_us + DAY;
    assert_int_equal(pay(&shop, 100), LEDGER_APPLIED);
    assert_int_equal(reverse(&shop, paid, 60), LEDGER_APPLIED);
    assert_int_equal(pay(&shop, 1), LEDGER_LIMIT_DAILY);
    struct spent spent = limits_spent(&shop.core->ledger, shop.sara, shop.core->now_us);
    assert_int_equal(spent.day_minor, 100);
    assert_int_equal(spent.month_minor, 140);
    shop.core->now_us = begin_us + MONTH;
    assert_int_equal(reverse(&shop, paid, 40), LEDGER_APPLIED);
    spent = limits_spent(&shop.core->ledger, shop.sara, shop.core->now_us);
    assert_int_equal(spent.day_minor, 0);
    assert_int_equal(spent.month_minor, 0);
    assert_int_equal(spent.day_from_us, begin_us + MONTH);
    assert_int_equal(spent.month_from_us, begin_us + MONTH);
}

/* The time of the journal counts, which does not go back with the clock. */
static void a_clock_that_goes_back_opens_no_other_day(void **state) {
    struct shop shop = open_shop(state);
    assert_true(set(&shop, (struct limits){LIMIT_NONE, LIMIT_NONE, 100, LIMIT_NONE}, 0));
    assert_int_equal(pay(&shop, 100), LEDGER_APPLIED);
    shop.core->now_us -= 1;
    assert_int_equal(pay(&shop, 1), LEDGER_LIMIT_DAILY);
}

static void what_is_taken_back_of_others_is_not_spent(void **state) {
    struct shop shop = open_shop(state);
    const struct original *gift = core_load_original(shop.core, core_newest(shop.core), "");
    assert_true(set(&shop, (struct limits){LIMIT_NONE, 10, 10, 10}, 0));
    assert_int_equal(reverse(&shop, gift, 500), LEDGER_APPLIED);
    assert_int_equal(limits_spent(&shop.core->ledger, shop.sara, shop.core->now_us).day_minor, 0);
    assert_int_equal(pay(&shop, 10), LEDGER_APPLIED);
    assert_true(set(&shop, LIMITS_NONE, 100));
    const struct credit_reversal_item item = {.reference = TEXT("gift"), .reason = TEXT("x")};
    assert_int_equal(ledger_reverse_credit(&shop.core->ledger, TEXT("discount"), &item, shop.core->now_us).outcome,
                     LEDGER_INSUFFICIENT_FUNDS);
}

static void a_floor_above_what_is_there_is_an_overdraft(void **state) {
    struct shop shop = open_shop(state);
    shop.sara->state = ROW_KEPT;
    shop.sara->terms_changed = false;
    assert_true(set(&shop, LIMITS_NONE, 1001));
    assert_true(shop.sara->is_overdrawn && shop.sara->terms_changed && !shop.sara->is_limited);
    assert_int_equal(shop.sara->state, ROW_CHANGED);
    assert_int_equal(pay(&shop, 1), LEDGER_FLOOR_REACHED);
    ASSERT_REACHED(shop, 1001, 0, 0);
    assert_int_equal(core_credit(shop.core, "more", shop.sara, 2, ""), LEDGER_APPLIED);
    assert_false(shop.sara->is_overdrawn);
    assert_int_equal(pay(&shop, 1), LEDGER_APPLIED);
    assert_true(set(&shop, LIMITS_NONE, 1001) == false);
    assert_true(set(&shop, LIMITS_NONE, 0));
    assert_int_equal(pay(&shop, 1001), LEDGER_APPLIED);
}

static void only_what_has_a_limit_of_a_time_counts(void **state) {
    struct shop shop = open_shop(state);
    shop.core->ledger.calendar = (struct calendar){0}; /* nobody asks it */
    assert_true(set(&shop, (struct limits){5000, 500, LIMIT_NONE, LIMIT_NONE}, 0));
    assert_int_equal(shop.sara->spent.day_from_us, 0);
    shop.sara->terms_changed = false;
    assert_int_equal(pay(&shop, 10), LEDGER_APPLIED);
    assert_false(shop.sara->terms_changed);
    assert_int_equal(shop.sara->spent.day_minor, 0);
    shop.core->ledger.calendar = (struct calendar){.find = find_periods};
    assert_true(set(&shop, (struct limits){LIMIT_NONE, LIMIT_NONE, LIMIT_NONE, 500}, 0));
    shop.sara->terms_changed = false;
    assert_int_equal(pay(&shop, 10), LEDGER_APPLIED);
    assert_true(shop.sara->terms_changed);
    assert_int_equal(shop.sara->spent.day_minor, 10);
    assert_int_equal(shop.sara->spent.month_minor, 10);
}

/* A row that says too little is broken, and no reason to end. */
static void a_sum_does_not_go_below_zero(void **state) {
    struct shop shop = open_shop(state);
    assert_true(set(&shop, (struct limits){LIMIT_NONE, LIMIT_NONE, 500, LIMIT_NONE}, 0));
    assert_int_equal(pay(&shop, 100), LEDGER_APPLIED);
    const struct original *paid = core_load_original(shop.core, core_newest(shop.core), "");
    shop.sara->spent.day_minor = 30;
    shop.sara->terms_changed = false;
    assert_int_equal(reverse(&shop, paid, 40), LEDGER_APPLIED);
    assert_true(shop.sara->terms_changed);
    assert_int_equal(shop.sara->spent.day_minor, 0);
    assert_int_equal(shop.sara->spent.month_minor, 60);
}

static void sums_do_not_overflow(void **state) {
    struct shop shop = open_shop(state);
    assert_true(set(&shop, (struct limits){LIMIT_NONE, LIMIT_NONE, 500, LIMIT_NONE}, 0));
    assert_int_equal(pay(&shop, 1), LEDGER_APPLIED);
    shop.sara->spent.month_minor = INT64_MAX - 5;
    assert_int_equal(pay(&shop, 6), LEDGER_BALANCE_TOO_LARGE);
    assert_int_equal(pay(&shop, 5), LEDGER_APPLIED);
    shop.sara->limits = (struct limits){LIMIT_NONE, LIMIT_NONE, LIMIT_NONE, MONEY_AMOUNT_MAX};
    shop.sara->spent.month_minor = 0;
    shop.sara->spent.day_minor = INT64_MAX - 5;
    assert_int_equal(pay(&shop, 6), LEDGER_BALANCE_TOO_LARGE);
}

static void the_ceiling_of_who_is_below_zero(void **state) {
    struct shop shop = open_shop(state);
    assert_int_equal(pay(&shop, 1000), LEDGER_APPLIED);
    shop.sara->debits_posted += 10;
    shop.core->ledger.issuances[CURRENCY_IRT]->credits_posted += 10;
    shop.sara->is_overdrawn = true;
    assert_true(set(&shop, (struct limits){100, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}, 0));
    assert_int_equal(core_credit(shop.core, "more", shop.sara, 111, ""), LEDGER_CEILING_REACHED);
    ASSERT_REACHED(shop, 100, 110, 0);
    shop.sara->credits_pending = 20;
    assert_int_equal(core_credit(shop.core, "more", shop.sara, 91, ""), LEDGER_CEILING_REACHED);
    ASSERT_REACHED(shop, 100, 90, 0);
    assert_int_equal(core_credit(shop.core, "more", shop.sara, 90, ""), LEDGER_APPLIED);
}

static void each_fault_of_a_limit_is_told(void **state) {
    (void)state;
    struct account sound = account_new(2, (struct id){{2}}, ACCOUNT_USER, (struct id){{1}}, CURRENCY_IRT, 1);
    sound.is_limited = true;
    sound.limits = (struct limits){0, MONEY_AMOUNT_MAX, LIMIT_NONE, 5};
    assert_null(account_fault(&sound));
    struct account broken[7];
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) broken[i] = sound;
    broken[0].limits.ceiling_minor = -2;
    broken[1].limits.per_transaction_minor = MONEY_AMOUNT_MAX + 1;
    broken[2].limits.daily_minor = -2;
    broken[3].limits.monthly_minor = MONEY_AMOUNT_MAX + 1;
    broken[4].spent.day_minor = -1;
    broken[5].spent.month_minor = -1;
    broken[6].limits.ceiling_minor = MONEY_AMOUNT_MAX + 1;
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        if (account_fault(&broken[i]) == NULL) fail_msg("%zu has no fault", i);
    }
    for (size_t i = 0; i < 4; i++) {
        struct limits limits = LIMITS_NONE;
        assert_false(limits_any(&limits));
        ((int64_t *)&limits)[i] = 0;
        assert_true(limits_any(&limits));
        assert_false(limits_equal(&limits, &LIMITS_NONE));
    }
}

static void accounts_of_the_books_and_closed_ones_have_none(void **state) {
    struct shop shop = open_shop(state);
    struct account closed = account_new(9, (struct id){{9}}, ACCOUNT_MERCHANT, (struct id){{0}}, CURRENCY_IRT, 1);
    bool is_changed = true;
    assert_int_equal(account_set_limits(shop.core->ledger.issuances[CURRENCY_IRT], &LIMITS_NONE, 5, &(struct spent){0}, 1, &is_changed),
                     LEDGER_ACCOUNT_OF_BOOKS);
    assert_false(is_changed);
    assert_int_equal(account_close(&closed, 1, &is_changed), LEDGER_APPLIED);
    assert_int_equal(account_set_limits(&closed, &LIMITS_NONE, 5, &(struct spent){0}, 1, &is_changed), LEDGER_ACCOUNT_CLOSED);
    assert_false(is_changed);
    closed.is_closed = false;
    assert_int_equal(account_set_limits(&closed, &LIMITS_NONE, 5, &(struct spent){0}, 7, &is_changed), LEDGER_APPLIED);
    assert_true(is_changed && closed.updated_at_us == 7);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_refusal_says_what_is_left),
        CORE_TEST(what_was_spent_yesterday_makes_no_room_today),
        CORE_TEST(a_clock_that_goes_back_opens_no_other_day),
        CORE_TEST(what_is_taken_back_of_others_is_not_spent),
        CORE_TEST(a_floor_above_what_is_there_is_an_overdraft),
        CORE_TEST(only_what_has_a_limit_of_a_time_counts),
        CORE_TEST(a_sum_does_not_go_below_zero),
        CORE_TEST(sums_do_not_overflow),
        CORE_TEST(the_ceiling_of_who_is_below_zero),
        cmocka_unit_test(each_fault_of_a_limit_is_told),
        CORE_TEST(accounts_of_the_books_and_closed_ones_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
