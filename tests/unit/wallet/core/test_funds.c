/* Funds: opened, filled, emptied. */
#include "core.h"

static void a_fund_pays_exactly_what_it_holds(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 1000, &fund), LEDGER_APPLIED);
    int applied = 0, exhausted = 0;
    for (int i = 0; i < 1100; i++) {
        char reference[8];
        snprintf(reference, sizeof reference, "%d", i);
        enum ledger_outcome outcome = core_credit(core, reference, sara, 1, "f");
        applied += outcome == LEDGER_APPLIED;
        exhausted += outcome == LEDGER_FUND_EXHAUSTED;
    }
    assert_int_equal(applied, 1000);
    assert_int_equal(exhausted, 100);
    assert_int_equal(account_balance(fund->account).amount_minor, 0);
    assert_int_equal(account_balance(sara).amount_minor, 1000);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRT]).amount_minor, -1000);
}

static void a_refused_command_about_a_fund_changes_nothing(void **state) {
    struct core *core = *state;
    struct fund *fund = NULL;
    struct fund_command topup = core_fund_command("f", 7), unknown = core_fund_command("g", 7), other = core_fund_command("f", 7);
    other.caller = TEXT("shop");
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, core_open_fund(core, "g", MONEY_AMOUNT_MAX, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_REFERENCE_CONFLICT, core_open_fund(core, "f", 101, &fund));
    ASSERT_REFUSED(core, LEDGER_REPLAYED, core_open_fund(core, "f", 100, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_NOT_FOUND, ledger_topup_fund(&core->ledger, &unknown, core->now_us, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_NOT_FOUND, ledger_topup_fund(&core->ledger, &other, core->now_us, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_NOT_FOUND, ledger_release_fund(&core->ledger, &other, core->now_us, &fund));
    topup.amount.currency = CURRENCY_IRR;
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    topup.amount = (struct money){MONEY_AMOUNT_MAX - 99, CURRENCY_IRT}; /* 100 are in it: one too many */
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    struct fund_command opening = core_fund_command("f", 100);
    opening.amount.currency = CURRENCY_IRR; /* as much, and not the same */
    ASSERT_REFUSED(core, LEDGER_FUND_REFERENCE_CONFLICT, ledger_open_fund(&core->ledger, &opening, core->now_us, &fund));
}

static void a_topup_is_recognised_by_its_reference(void **state) {
    struct core *core = *state;
    struct fund *fund = NULL;
    struct fund_command topup = core_fund_command("f", 7);
    topup.topup_reference = TEXT("t1");
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(fund->funded_minor, 107);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    topup.amount.amount_minor = 8;
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    topup.topup_reference = TEXT(""); /* without one, each is a new one */
    assert_int_equal(ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(account_balance(fund->account).amount_minor, 123);
    assert_int_equal(fund->funded_minor, 123);
}

/* Also by one of a single character; and what is put in says when. */
static void a_topup_is_as_good_as_its_posting(void **state) {
    struct core *core = *state;
    struct fund *fund = NULL, *large = NULL;
    struct fund_command topup = core_fund_command("f", 1);
    topup.topup_reference = TEXT("t");
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    core->now_us += 5;
    assert_int_equal(ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(fund->updated_at_us, core->now_us);
    assert_int_equal(fund->created_at_us, core->now_us - 5);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    /* Issuance has nothing left, though the fund would have room. */
    assert_int_equal(core_open_fund(core, "g", MONEY_AMOUNT_MAX - 101, &large), LEDGER_APPLIED);
    topup.topup_reference = TEXT("u");
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    assert_int_equal(fund->funded_minor, 101);
}

static void the_last_unit_goes_back_too(void **state) {
    struct core *core = *state;
    struct fund *fund = NULL;
    struct fund_command release = core_fund_command("f", 0);
    assert_int_equal(core_open_fund(core, "f", 1, &fund), LEDGER_APPLIED);
    assert_int_equal(ledger_release_fund(&core->ledger, &release, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(fund->released_minor, 1);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRT]).amount_minor, 0);
}

static void what_is_left_goes_back_once(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    struct fund_command release = core_fund_command("f", 0), topup = core_fund_command("f", 1);
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    assert_int_equal(ledger_release_fund(&core->ledger, &release, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(fund->released_minor, 40);
    assert_true(fund->is_released);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRT]).amount_minor, -60);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_release_fund(&core->ledger, &release, core->now_us, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_RELEASED, ledger_topup_fund(&core->ledger, &topup, core->now_us, &fund));
    ASSERT_REFUSED(core, LEDGER_FUND_RELEASED, core_credit(core, "r2", sara, 1, "f"));
    /* One that is empty is released without a transfer. */
    struct fund_command empty = core_fund_command("e", 0);
    assert_int_equal(core_open_fund(core, "e", 5, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r3", sara, 5, "e"), LEDGER_APPLIED);
    size_t transfers = core->ledger.transfers.count;
    assert_int_equal(ledger_release_fund(&core->ledger, &empty, core->now_us, &fund), LEDGER_APPLIED);
    assert_true(fund->is_released && fund->released_minor == 0);
    assert_int_equal(core->ledger.transfers.count, transfers);
}

/* And so it is saved, with its time; also when nothing is released any more. */
static void what_comes_back_marks_the_fund(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    core_load_original(core, core_newest(core), "f");
    fund->state = ROW_KEPT;
    core->now_us += 7;
    const struct credit_reversal_item item = {.reference = TEXT("r1"), .reason = TEXT("why")};
    assert_int_equal(ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(fund->state, ROW_CHANGED);
    assert_int_equal(fund->updated_at_us, core->now_us);
}

static void each_fault_is_told(void **state) {
    struct core *core = *state;
    struct fund *sound = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &sound), LEDGER_APPLIED);
    assert_null(fund_fault(sound));
    struct account account = *sound->account;
    struct fund broken[8];
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) broken[i] = *sound;
    broken[0].funded_minor = 101;
    broken[1].credited_minor = 1;
    broken[2].released_minor = 1;
    broken[3].opened_minor = 0;
    broken[4].is_released = true;
    account.kind = ACCOUNT_ISSUANCE;
    broken[5].account = &account;
    broken[6].opened_minor = 101; /* more than was ever put in */
    broken[7].reversed_minor = -1;
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) assert_non_null(fund_fault(&broken[i]));
    struct fund negative = *sound;
    negative.credited_minor = -1;
    negative.released_minor = 1; /* adds up, and still can't be */
    assert_non_null(fund_fault(&negative));
    negative.credited_minor = 1;
    negative.released_minor = -1;
    assert_non_null(fund_fault(&negative));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_fund_pays_exactly_what_it_holds),
        CORE_TEST(a_refused_command_about_a_fund_changes_nothing),
        CORE_TEST(a_topup_is_recognised_by_its_reference),
        CORE_TEST(a_topup_is_as_good_as_its_posting),
        CORE_TEST(the_last_unit_goes_back_too),
        CORE_TEST(what_is_left_goes_back_once),
        CORE_TEST(what_comes_back_marks_the_fund),
        CORE_TEST(each_fault_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
