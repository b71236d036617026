/* Reversals: back to where it came from, and never more than was moved. */
#include "core.h"

static enum ledger_outcome take_back(struct core *core, const char *reference) {
    const struct credit_reversal_item item = {.reference = text_of(reference), .reason = TEXT("why")};
    return ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome;
}

static void a_credit_goes_back_into_its_fund_once(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    const struct original *original = core_load_original(core, core_newest(core), "f");
    assert_int_equal(take_back(core, "r1"), LEDGER_APPLIED);
    const struct transfer *transfer = core_newest(core);
    assert_int_equal(transfer->kind, TRANSFER_CREDIT_REVERSAL);
    assert_int_equal(transfer->origin, original->sequence);
    assert_true(text_equal(transfer->reference, TEXT("r1")) && text_equal(transfer->description, TEXT("why")));
    assert_int_equal(account_balance(sara).amount_minor, 0);
    assert_int_equal(account_balance(fund->account).amount_minor, 100);
    assert_int_equal(fund->credited_minor, 0);
    assert_int_equal(fund->reversed_minor, 60);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, take_back(core, "r1"));
    assert_null(fund_fault(fund));
}

static void out_of_a_released_fund_it_goes_on_to_issuance(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct fund *fund = NULL;
    struct fund_command command = core_fund_command("f", 100);
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    core_load_original(core, core_newest(core), "f");
    assert_int_equal(ledger_release_fund(&core->ledger, &command, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(take_back(core, "r1"), LEDGER_APPLIED);
    assert_int_equal(core_newest(core)->kind, TRANSFER_RELEASE);
    assert_int_equal(account_balance(fund->account).amount_minor, 0);
    assert_int_equal(account_balance(core->ledger.issuance).amount_minor, 0);
    assert_int_equal(fund->released_minor, 100);
    assert_null(fund_fault(fund));
}

static void a_refused_reversal_changes_nothing(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    core_open_wallet(core, "reza");
    assert_int_equal(core_credit(core, "r1", sara, 60, ""), LEDGER_APPLIED);
    core_load_original(core, core_newest(core), "");
    ASSERT_REFUSED(core, LEDGER_CREDIT_NOT_FOUND, take_back(core, "r2"));
    const struct credit_reversal_item item = {.reference = TEXT("r1"), .reason = TEXT("why")};
    ASSERT_REFUSED(core, LEDGER_CREDIT_NOT_FOUND, ledger_reverse_credit(&core->ledger, TEXT("other"), &item, core->now_us).outcome);
    sara->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, take_back(core, "r1"));
    sara->is_frozen = false;
    assert_int_equal(core_send(core, sara, "reza", 1), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, take_back(core, "r1"));
    assert_int_equal(core_credit(core, "r3", sara, 1, ""), LEDGER_APPLIED);
    assert_int_equal(take_back(core, "r1"), LEDGER_APPLIED);
}

static enum ledger_outcome reverse(struct core *core, const struct original *original, int64_t amount, bool may_overdraw) {
    const struct reversal_command command = {.caller = TEXT("admin:1"),
                                             .reference = TEXT(""),
                                             .transaction_id = original->id,
                                             .amount_minor = amount,
                                             .reason = TEXT("why"),
                                             .is_admin = true,
                                             .may_overdraw = may_overdraw};
    return ledger_reverse(&core->ledger, &command, core->now_us).outcome;
}

static void parts_add_up_to_the_original_at_most(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    assert_int_equal(core_credit(core, "r1", sara, 60, ""), LEDGER_APPLIED);
    assert_int_equal(core_send(core, sara, "reza", 60), LEDGER_APPLIED);
    const struct original *original = core_load_original(core, core_newest(core), "");
    ASSERT_REFUSED(core, LEDGER_REVERSAL_EXCEEDS_ORIGINAL, reverse(core, original, 61, false));
    assert_int_equal(reverse(core, original, 20, false), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_REVERSAL_EXCEEDS_ORIGINAL, reverse(core, original, 41, false));
    assert_int_equal(reverse(core, original, 0, false), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_REVERSAL_EXCEEDS_ORIGINAL, reverse(core, original, 0, false));
    ASSERT_REFUSED(core, LEDGER_REVERSAL_EXCEEDS_ORIGINAL, reverse(core, original, 1, false));
    assert_int_equal(account_balance(sara).amount_minor, 60);
    assert_int_equal(account_balance(reza).amount_minor, 0);
    const struct original *reversal = core_load_original(core, core_newest(core), "");
    ASSERT_REFUSED(core, LEDGER_NOT_REVERSIBLE, reverse(core, reversal, 0, false));
}

/* What is overdrawn gives nothing until enough has come, and is an account like any other then. */
static void who_is_overdrawn_gives_nothing(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    assert_int_equal(core_credit(core, "r1", sara, 60, ""), LEDGER_APPLIED);
    const struct original *original = core_load_original(core, core_newest(core), "");
    assert_int_equal(core_send(core, sara, "reza", 50), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, reverse(core, original, 11, false));
    assert_int_equal(reverse(core, original, 30, true), LEDGER_APPLIED);
    assert_int_equal(account_balance(sara).amount_minor, -20);
    assert_true(sara->is_overdrawn);
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, core_send(core, sara, "reza", 1));
    assert_int_equal(core_send(core, reza, "sara", 19), LEDGER_APPLIED);
    assert_true(sara->is_overdrawn);
    assert_int_equal(core_send(core, reza, "sara", 1), LEDGER_APPLIED);
    assert_false(sara->is_overdrawn);
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, core_send(core, sara, "reza", 1));
}

static void a_row_that_breaks_the_rules_is_refused(void **state) {
    struct core *core = *state;
    const struct original sound = {.sequence = 1, .id = {{1}}, .kind = TRANSFER_USER, .amount = {5, CURRENCY_IRT}};
    struct original rows[] = {sound, sound, sound, sound};
    rows[0].sequence = 0;
    rows[1].reversed_minor = 6;
    rows[2].reversed_minor = 5; /* and no reversal */
    rows[3].reversal_id = (struct id){{2}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_non_null(original_fault(&rows[i]));
        assert_int_equal(ledger_add_original(&core->ledger, &rows[i]).code, RESULT_CORRUPT);
    }
    assert_null(original_fault(&sound));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_credit_goes_back_into_its_fund_once), CORE_TEST(out_of_a_released_fund_it_goes_on_to_issuance),
        CORE_TEST(a_refused_reversal_changes_nothing),    CORE_TEST(parts_add_up_to_the_original_at_most),
        CORE_TEST(who_is_overdrawn_gives_nothing),        CORE_TEST(a_row_that_breaks_the_rules_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
