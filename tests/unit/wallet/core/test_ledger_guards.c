/* What one guard alone keeps: who tells it by the first answer that is wrong without it, and what is written though nobody reads it in the same batch. */
#include "wallet/core/accounts.h"

#include "wallet/core/adjustments.h"
#include "wallet/core/limits.h"

#include "core.h"

#define DAY   INT64_C(1000)
#define MONTH (30 * DAY)

static void find_periods(const void *zone, int64_t moment_us, struct period *ret_day, struct period *ret_month) {
    (void)zone;
    *ret_day = (struct period){moment_us - moment_us % DAY, moment_us - moment_us % DAY + DAY};
    *ret_month = (struct period){moment_us - moment_us % MONTH, moment_us - moment_us % MONTH + MONTH};
}

static enum ledger_outcome adjust(struct core *core, const struct account *account, bool is_credit, int64_t amount, const char *reference) {
    const struct adjustment_command command = {.caller = TEXT("admin:1"),
                                               .reference = text_of(reference),
                                               .account_id = account->id,
                                               .is_credit = is_credit,
                                               .amount = {amount, CURRENCY_IRT},
                                               .reason = TEXT("x")};
    return ledger_adjust(&core->ledger, &command, core->now_us).outcome;
}

static struct account *open_with(struct core *core, const char *name, int64_t amount) {
    struct account *account = core_open_wallet(core, name);
    assert_int_equal(core_credit(core, name, account, amount, ""), LEDGER_APPLIED);
    return account;
}

static void limit(struct core *core, struct account *account, struct limits limits, int64_t floor_minor) {
    bool is_changed = false;
    assert_int_equal(account_set_limits(account, &limits, floor_minor, &(struct spent){0}, core->now_us, &is_changed), LEDGER_APPLIED);
}

/* ---- accounts ---- */

static void what_is_frozen_or_closed_is_written_with_its_terms(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    bool is_changed = false;
    sara->terms_changed = false;
    assert_int_equal(account_set_frozen(sara, true, core->now_us, &is_changed), LEDGER_APPLIED);
    assert_true(sara->terms_changed);
    sara->terms_changed = false;
    assert_int_equal(account_close(sara, core->now_us, &is_changed), LEDGER_APPLIED);
    assert_true(sara->terms_changed);
}

static void what_is_not_empty_is_not_closed(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 5);
    bool is_changed = true;
    assert_int_equal(account_close(sara, core->now_us, &is_changed), LEDGER_ACCOUNT_NOT_EMPTY);
    assert_false(is_changed || sara->is_closed);
    struct account closed = *core_open_wallet(core, "reza");
    closed.is_closed = true;
    assert_null(account_fault(&closed));
    closed.debits_pending = 1;
    assert_string_equal(account_fault(&closed), "it is closed, and not empty");
}

static void what_is_closed_says_so_and_not_that_it_is_empty(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    bool is_changed = false;
    assert_int_equal(account_close(sara, core->now_us, &is_changed), LEDGER_APPLIED);
    assert_int_equal(adjust(core, sara, false, 1, ""), LEDGER_ACCOUNT_CLOSED);
}

static void one_reference_takes_from_one_account(void **state) {
    struct core *core = *state;
    const struct account *sara = open_with(core, "sara", 5), *reza = open_with(core, "reza", 5);
    assert_int_equal(adjust(core, sara, false, 2, "a"), LEDGER_APPLIED);
    assert_int_equal(adjust(core, reza, false, 2, "a"), LEDGER_REFERENCE_CONFLICT); /* both go to issuance */
    assert_int_equal(account_balance(reza).amount_minor, 5);
}

/* ---- limits ---- */

static void the_same_limits_again_are_no_change(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    sara->state = ROW_KEPT;
    sara->terms_changed = false;
    limit(core, sara, LIMITS_NONE, 0);
    assert_true(sara->state == ROW_KEPT && !sara->terms_changed);
}

static void a_credit_that_reaches_the_ceiling_says_which(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 5);
    limit(core, sara, (struct limits){7, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}, 0);
    const struct credit_item item = {.reference = TEXT("more"), .user_id = sara->user_id, .amount = {3, CURRENCY_IRT}};
    const struct credit_outcome outcome = ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us);
    assert_int_equal(outcome.outcome, LEDGER_CEILING_REACHED);
    assert_true(outcome.reached.limit_minor == 7 && outcome.reached.left_minor == 2);
}

/* Who asks of a moment of yesterday is told of yesterday, also when today is known already. */
static void a_moment_is_of_its_own_day(void **state) {
    struct core *core = *state;
    core->ledger.calendar = (struct calendar){.find = find_periods};
    const struct account *sara = core_open_wallet(core, "sara");
    assert_int_equal(limits_spent(&core->ledger, sara, 5 * DAY).day_from_us, 5 * DAY);
    assert_int_equal(limits_spent(&core->ledger, sara, 5 * DAY - 1).day_from_us, 4 * DAY);
    assert_int_equal(limits_spent(&core->ledger, sara, 5 * DAY).day_from_us, 5 * DAY);
}

static void what_is_held_for_a_shop_does_not_reach_its_ceiling(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 50);
    struct merchant *merchant = NULL;
    struct hold *hold = NULL;
    const struct transfer *transfer = NULL;
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Shop"), core->now_us, &merchant), LEDGER_APPLIED);
    limit(core, merchant->account, (struct limits){9, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}, 0);
    limit(core, sara, (struct limits){LIMIT_NONE, 40, LIMIT_NONE, LIMIT_NONE},
          0); /* of no time: nobody asks the calendar, for there is none */
    const struct hold_command command = {.caller = TEXT("shop"),
                                         .reference = TEXT("h"),
                                         .user_id = sara->user_id,
                                         .merchant = {.id = merchant->account->id},
                                         .amount = {10, CURRENCY_IRT},
                                         .expires_in_us = 1000};
    assert_int_equal(ledger_hold(&core->ledger, &command, core->now_us, &hold), LEDGER_APPLIED);
    struct capture_command capture = {.caller = TEXT("shop"), .hold_id = hold->id, .is_final = true, .merchant = {.name = TEXT("")}};
    assert_int_equal(ledger_capture(&core->ledger, &capture, core->now_us, &hold, &transfer), LEDGER_CEILING_REACHED);
    capture.amount_minor = 9;
    assert_int_equal(ledger_capture(&core->ledger, &capture, core->now_us, &hold, &transfer), LEDGER_APPLIED); /* and sets the rest free */
    assert_true(hold->state == HOLD_CAPTURED && hold->remaining_minor == 0 && sara->debits_pending == 0);
}

static void the_whole_is_captured_and_nothing_is_left_to_set_free(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 50);
    struct merchant *merchant = NULL;
    struct hold *hold = NULL;
    const struct transfer *transfer = NULL;
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Shop"), core->now_us, &merchant), LEDGER_APPLIED);
    const struct hold_command command = {.caller = TEXT("shop"),
                                         .reference = TEXT("h"),
                                         .user_id = sara->user_id,
                                         .merchant = {.id = merchant->account->id},
                                         .amount = {10, CURRENCY_IRT},
                                         .expires_in_us = 1000};
    assert_int_equal(ledger_hold(&core->ledger, &command, core->now_us, &hold), LEDGER_APPLIED);
    const struct capture_command capture = {.caller = TEXT("shop"), .hold_id = hold->id, .is_final = true, .merchant = {.name = TEXT("")}};
    size_t before = core->ledger.transfers.count;
    assert_int_equal(ledger_capture(&core->ledger, &capture, core->now_us, &hold, &transfer), LEDGER_APPLIED);
    assert_int_equal(core->ledger.transfers.count, before + 1);
    assert_int_equal(hold->state, HOLD_CAPTURED);
}

static enum ledger_outcome reverse(struct core *core, const struct original *original) {
    const struct reversal_command command = {
        .caller = TEXT("admin:1"), .reference = TEXT(""), .transaction_id = original->id, .reason = TEXT("x"), .is_admin = true};
    return ledger_reverse(&core->ledger, &command, core->now_us).outcome;
}

static const struct original *pay(struct core *core, const struct account *sara, const struct merchant *merchant, int64_t amount) {
    const struct payment_command command = {.caller = TEXT("shop"),
                                            .reference = TEXT("p"),
                                            .user_id = sara->user_id,
                                            .merchant = {.id = merchant->account->id},
                                            .amount = {amount, CURRENCY_IRT}};
    assert_int_equal(ledger_pay(&core->ledger, &command, core->now_us).outcome, LEDGER_APPLIED);
    return core_load_original(core, core_newest(core), "");
}

static void what_comes_back_asks_no_calendar_where_nothing_is_counted(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 50);
    struct merchant *merchant = NULL;
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Shop"), core->now_us, &merchant), LEDGER_APPLIED);
    limit(core, sara, (struct limits){LIMIT_NONE, 40, LIMIT_NONE, LIMIT_NONE}, 0);
    assert_int_equal(reverse(core, pay(core, sara, merchant, 10)), LEDGER_APPLIED);
    assert_int_equal(account_balance(sara).amount_minor, 50);
}

static void what_comes_back_on_another_day_is_written_of_that_day(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 50);
    struct merchant *merchant = NULL;
    core->ledger.calendar = (struct calendar){.find = find_periods};
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Shop"), core->now_us, &merchant), LEDGER_APPLIED);
    limit(core, sara, (struct limits){LIMIT_NONE, LIMIT_NONE, 40, LIMIT_NONE}, 0);
    const struct original *paid = pay(core, sara, merchant, 10);
    core->now_us += DAY;
    assert_int_equal(reverse(core, paid), LEDGER_APPLIED);
    assert_int_equal(sara->spent.day_from_us, core->now_us - core->now_us % DAY);
}

/* ---- credits that are taken back ---- */

static void a_floor_is_none_of_the_business_of_who_takes_a_credit_back(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 50);
    (void)core_load_original(core, core_newest(core), "");
    limit(core, sara, LIMITS_NONE, 10);
    const struct credit_reversal_item item = {.reference = TEXT("sara"), .reason = TEXT("x")};
    assert_int_equal(ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome, LEDGER_INSUFFICIENT_FUNDS);
}

/* What comes back into an open fund stays there: that issuance is frozen hinders nobody. */
static void a_credit_comes_back_into_its_open_fund(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    bool is_changed = false;
    assert_int_equal(core_open_fund(core, "f", 50, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "c", sara, 50, "f"), LEDGER_APPLIED);
    (void)core_load_original(core, core_newest(core), "f");
    assert_int_equal(account_set_frozen(core->ledger.issuances[CURRENCY_IRT], true, core->now_us, &is_changed), LEDGER_APPLIED);
    const struct credit_reversal_item item = {.reference = TEXT("c"), .reason = TEXT("x")};
    assert_int_equal(ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(account_balance(fund->account).amount_minor, 50);
}

/* What is held may come back, and what is there then is over the ceiling. */
static void what_is_held_counts_against_the_ceiling(void **state) {
    struct core *core = *state;
    struct account *sara = open_with(core, "sara", 50);
    struct hold *hold = NULL;
    const struct hold_command command = {
        .caller = TEXT("shop"), .reference = TEXT("h"), .user_id = sara->user_id, .amount = {30, CURRENCY_IRT}, .expires_in_us = 1000};
    assert_int_equal(ledger_hold(&core->ledger, &command, core->now_us, &hold), LEDGER_APPLIED);
    limit(core, sara, (struct limits){60, LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}, 0);
    assert_int_equal(core_credit(core, "more", sara, 11, ""), LEDGER_CEILING_REACHED);
    assert_int_equal(core_credit(core, "more", sara, 10, ""), LEDGER_APPLIED);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(what_is_frozen_or_closed_is_written_with_its_terms),
        CORE_TEST(what_is_not_empty_is_not_closed),
        CORE_TEST(what_is_closed_says_so_and_not_that_it_is_empty),
        CORE_TEST(one_reference_takes_from_one_account),
        CORE_TEST(the_same_limits_again_are_no_change),
        CORE_TEST(a_credit_that_reaches_the_ceiling_says_which),
        CORE_TEST(a_moment_is_of_its_own_day),
        CORE_TEST(what_is_held_for_a_shop_does_not_reach_its_ceiling),
        CORE_TEST(what_is_held_counts_against_the_ceiling),
        CORE_TEST(the_whole_is_captured_and_nothing_is_left_to_set_free),
        CORE_TEST(what_comes_back_asks_no_calendar_where_nothing_is_counted),
        CORE_TEST(what_comes_back_on_another_day_is_written_of_that_day),
        CORE_TEST(a_floor_is_none_of_the_business_of_who_takes_a_credit_back),
        CORE_TEST(a_credit_comes_back_into_its_open_fund),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
