/* The working set. */
#include "core.h"

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
        ledger_clear(&core->ledger);
        assert_int_equal(core->ledger.last_account_number, 0);
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
    assert_null(ledger_find_account_by_number(&core->ledger, 9));
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

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(clearing_forgets_everything),
        CORE_TEST(a_row_that_breaks_a_rule_does_not_come_in),
        CORE_TEST(a_row_comes_in_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
