/* Credits: exactly once, by their references. */
#include "core.h"

static void a_refused_credit_changes_nothing(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    const struct account *reza = core_open_wallet(core, "reza");
    struct account nobody = {.user_id = {{5}}};
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);

    ASSERT_REFUSED(core, LEDGER_FUND_EXHAUSTED, core_credit(core, "r2", sara, 41, "f"));
    ASSERT_REFUSED(core, LEDGER_FUND_NOT_FOUND, core_credit(core, "r2", sara, 1, "g"));
    ASSERT_REFUSED(core, LEDGER_USER_NOT_FOUND, core_credit(core, "r2", &nobody, 1, "f"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r1", sara, 61, "f"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r1", sara, 60, ""));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r1", sara, 60, "g"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r1", reza, 60, "f"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r1", &nobody, 60, "f"));
    ASSERT_REFUSED(core, LEDGER_REPLAYED, core_credit(core, "r1", sara, 60, "f"));
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, core_credit(core, "r2", sara, MONEY_AMOUNT_MAX, ""));
    sara->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, core_credit(core, "r2", sara, 1, "f"));
    sara->is_frozen = false;
    struct credit_item item = {.reference = TEXT("r2"), .user_id = sara->user_id, .amount = {1, CURRENCY_IRR}, .fund = TEXT("f")};
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome);
}

/* Another service does not see the fund, nor does its reference collide. */
static void each_service_has_its_own_names(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    struct credit_item item = {.reference = TEXT("r1"), .user_id = sara->user_id, .amount = {1, CURRENCY_IRT}, .fund = TEXT("f")};
    assert_int_equal(ledger_credit(&core->ledger, TEXT("shop"), &item, core->now_us).outcome, LEDGER_FUND_NOT_FOUND);
    item.fund = TEXT("");
    assert_int_equal(ledger_credit(&core->ledger, TEXT("shop"), &item, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(account_balance(sara).amount_minor, 61);
}

static void the_same_credit_again_gets_the_first_answer(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct credit_item item = {.reference = TEXT("r1"), .user_id = sara->user_id, .amount = {7, CURRENCY_IRT}};
    struct credit_outcome first = ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us);
    assert_int_equal(core_credit(core, "r2", sara, 5, ""), LEDGER_APPLIED);
    struct credit_outcome again = ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us + 1000);
    assert_int_equal(first.outcome, LEDGER_APPLIED);
    assert_int_equal(again.outcome, LEDGER_REPLAYED);
    assert_true(id_equal(first.transaction_id, again.transaction_id));
    assert_int_equal(again.balance_after, 7); /* as it was then */
    assert_int_equal(again.created_at_us, first.created_at_us);
}

/* The same money to the same account, but out of another pocket, is another credit. */
static void a_reference_names_the_fund_as_well(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_open_fund(core, "g", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r", sara, 5, "f"), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, core_credit(core, "r", sara, 5, "f"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r", sara, 5, "g"));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r", sara, 5, "h"));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_reference_names_the_fund_as_well),
        CORE_TEST(a_refused_credit_changes_nothing),
        CORE_TEST(each_service_has_its_own_names),
        CORE_TEST(the_same_credit_again_gets_the_first_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
