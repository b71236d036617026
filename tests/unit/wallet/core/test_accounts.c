/* What must be true of an account. */
#include "core.h"

static struct account sample(void) {
    struct account account = account_new(2, (struct id){{2}}, ACCOUNT_USER, (struct id){{1}}, CURRENCY_IRT, 1);
    account.credits_posted = 10;
    account.debits_posted = 4;
    account.debits_pending = 6;
    return account;
}

static void each_fault_is_told(void **state) {
    (void)state;
    struct account sound = sample();
    assert_null(account_fault(&sound));
    assert_int_equal(account_balance(&sound).amount_minor, 6);
    assert_int_equal(account_available(&sound).amount_minor, 0);
    struct account broken[14];
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) broken[i] = sound;
    broken[0].number = 0;
    broken[1].debits_posted = -1;
    broken[2].credits_posted = -1;
    broken[3].debits_pending = -1;
    broken[4].credits_pending = -1;
    broken[5].sequence = -1;
    broken[6].currency = CURRENCY_NONE;
    broken[7].user_id = (struct id){{0}};
    broken[8].kind = ACCOUNT_FUND; /* with a user */
    broken[9].debits_pending = 7;  /* more is held than there is */
    broken[10].floor_minor = 1;
    broken[11].credits_posted = INT64_MAX;
    broken[12].credits_pending = MONEY_AMOUNT_MAX - 5;
    broken[13].debits_posted = INT64_MAX;
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        if (account_fault(&broken[i]) == NULL) fail_msg("%zu has no fault", i);
    }
    sound.credits_pending = MONEY_AMOUNT_MAX - 6;
    assert_null(account_fault(&sound));
}

static void only_issuance_goes_below_zero(void **state) {
    (void)state;
    struct account issuance = account_new(1, (struct id){{1}}, ACCOUNT_ISSUANCE, (struct id){{0}}, CURRENCY_IRT, 1);
    issuance.debits_posted = MONEY_AMOUNT_MAX;
    assert_null(account_fault(&issuance));
    issuance.debits_posted++;
    assert_non_null(account_fault(&issuance));
}

static void accounts_are_numbered_one_after_the_other(void **state) {
    struct core *core = *state;
    for (int64_t number = 2; number <= 5; number++) {
        const struct account *account = ledger_open_account(&core->ledger, ACCOUNT_FUND, (struct id){{0}}, core->now_us);
        assert_int_equal(account->number, number);
        assert_int_equal(core->ledger.last_account_number, number);
        assert_ptr_equal(ledger_find_account(&core->ledger, account->id), account);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_told),
        cmocka_unit_test(only_issuance_goes_below_zero),
        CORE_TEST(accounts_are_numbered_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
