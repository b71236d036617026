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

/* Overdrawn is who has less than the floor, by one already, and nobody else. */
static void who_is_said_to_be_overdrawn_is_so(void **state) {
    (void)state;
    struct account account = sample(); /* at its floor */
    account.is_overdrawn = true;
    assert_non_null(account_fault(&account));
    account.debits_pending++;
    assert_null(account_fault(&account));
    account.is_overdrawn = false;
    assert_non_null(account_fault(&account));
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
        const struct account *account = ledger_open_account(&core->ledger, ACCOUNT_FUND, (struct id){{0}}, CURRENCY_IRT, core->now_us);
        assert_int_equal(account->number, number);
        assert_int_equal(core->ledger.last_account_number, number);
        assert_ptr_equal(ledger_find_account(&core->ledger, account->id), account);
    }
}

static void a_draft_is_what_would_be_opened_next(void **state) {
    struct core *core = *state;
    const struct account draft = account_draft(&core->ledger, ACCOUNT_FUND, (struct id){{0}}, CURRENCY_IRR, core->now_us);
    assert_null(account_fault(&draft));
    assert_true(draft.is_draft && id_is_zero(draft.id));
    assert_int_equal(core->ledger.last_account_number, 1);
    assert_int_equal(core->ledger.accounts.count, 1);
    const struct account *opened = ledger_open_account(&core->ledger, draft.kind, draft.user_id, draft.currency, core->now_us);
    assert_int_equal(opened->number, draft.number);
    assert_false(opened->is_draft || id_is_zero(opened->id));
}

static void what_was_so_before_is_no_change(void **state) {
    (void)state;
    struct account account = sample();
    account.state = ROW_KEPT;
    bool is_changed = true;
    assert_int_equal(account_set_frozen(&account, false, 7, &is_changed), LEDGER_APPLIED);
    assert_false(is_changed);
    assert_int_equal(account.state, ROW_KEPT);
    assert_int_equal(account_set_frozen(&account, true, 7, &is_changed), LEDGER_APPLIED);
    assert_true(is_changed && account.is_frozen);
    assert_int_equal(account.state, ROW_CHANGED);
    assert_int_equal(account.updated_at_us, 7);
    assert_int_equal(account_set_frozen(&account, true, 8, &is_changed), LEDGER_APPLIED);
    assert_false(is_changed);
    assert_int_equal(account.updated_at_us, 7);
    assert_int_equal(account_set_frozen(&account, false, 9, &is_changed), LEDGER_APPLIED);
    assert_true(is_changed && !account.is_frozen);
}

static void only_what_is_empty_is_closed_and_it_stays_so(void **state) {
    (void)state;
    struct account account = sample();
    bool is_changed = true;
    account.state = ROW_KEPT;
    assert_int_equal(account_close(&account, 7, &is_changed), LEDGER_ACCOUNT_NOT_EMPTY);
    account.debits_posted = 10; /* its balance is zero now, and 6 are still held: such an account has gone below its floor */
    account.is_overdrawn = true;
    assert_int_equal(account_close(&account, 7, &is_changed), LEDGER_ACCOUNT_NOT_EMPTY);
    account.debits_pending = 0;
    account.is_overdrawn = false;
    account.credits_pending = 1;
    assert_int_equal(account_close(&account, 7, &is_changed), LEDGER_ACCOUNT_NOT_EMPTY);
    account.credits_pending = 0;
    assert_false(is_changed || account.is_closed);
    assert_int_equal(account_close(&account, 7, &is_changed), LEDGER_APPLIED);
    assert_true(is_changed && account.is_closed);
    assert_int_equal(account.state, ROW_CHANGED);
    assert_int_equal(account.updated_at_us, 7);
    assert_int_equal(account_close(&account, 8, &is_changed), LEDGER_APPLIED);
    assert_false(is_changed);
    assert_int_equal(account.updated_at_us, 7);
    assert_int_equal(account_set_frozen(&account, true, 9, &is_changed), LEDGER_ACCOUNT_CLOSED);
    assert_false(is_changed || account.is_frozen);
    account.credits_posted = 11;
    assert_string_equal(account_fault(&account), "it is closed, and not empty");
}

static void accounts_of_the_books_are_not_closed(void **state) {
    (void)state;
    static const struct {
        enum account_kind kind;
        enum ledger_outcome outcome;
    } kinds[] = {{ACCOUNT_FUND, LEDGER_ACCOUNT_OF_BOOKS}, {ACCOUNT_ISSUANCE, LEDGER_ACCOUNT_OF_BOOKS}, {ACCOUNT_MERCHANT, LEDGER_APPLIED}};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        struct account account = account_new(2, (struct id){{2}}, kinds[i].kind, (struct id){{0}}, CURRENCY_IRT, 1);
        bool is_changed = true;
        assert_int_equal(account_close(&account, 7, &is_changed), kinds[i].outcome);
        assert_int_equal(is_changed, kinds[i].outcome == LEDGER_APPLIED);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_told),
        cmocka_unit_test(who_is_said_to_be_overdrawn_is_so),
        cmocka_unit_test(only_issuance_goes_below_zero),
        cmocka_unit_test(what_was_so_before_is_no_change),
        cmocka_unit_test(only_what_is_empty_is_closed_and_it_stays_so),
        cmocka_unit_test(accounts_of_the_books_are_not_closed),
        CORE_TEST(accounts_are_numbered_one_after_the_other),
        CORE_TEST(a_draft_is_what_would_be_opened_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
