/* An administrator gives and takes. */
#include "wallet/core/adjustments.h"

#include "core.h"

static struct adjustment_outcome adjust(struct core *core, const struct account *account, bool is_credit, int64_t amount,
                                        const char *reference, const char *reason) {
    const struct adjustment_command command = {.caller = TEXT("admin:1"),
                                               .reference = text_of(reference),
                                               .account_id = account->id,
                                               .is_credit = is_credit,
                                               .amount = {amount, CURRENCY_IRT},
                                               .reason = text_of(reason)};
    return ledger_adjust(&core->ledger, &command, core->now_us);
}

static void money_comes_from_issuance_and_goes_back(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *issuance = core->ledger.issuances[CURRENCY_IRT];
    const struct adjustment_outcome given = adjust(core, sara, true, 50, "", "Goodwill");
    assert_int_equal(given.outcome, LEDGER_APPLIED);
    const struct transfer *transfer = core_newest(core);
    assert_true(id_equal(transfer->id, given.transaction_id));
    assert_int_equal(transfer->created_at_us, given.created_at_us);
    assert_int_equal(transfer->kind, TRANSFER_ADJUSTMENT);
    assert_int_equal(transfer->debit_account, issuance->number);
    assert_int_equal(transfer->credit_account, sara->number);
    assert_true(text_equal(transfer->description, TEXT("Goodwill")) && text_equal(transfer->caller, TEXT("admin:1")));
    assert_int_equal(account_balance(sara).amount_minor, 50);
    assert_int_equal(adjust(core, sara, false, 51, "", "Too much").outcome, LEDGER_INSUFFICIENT_FUNDS);
    assert_int_equal(adjust(core, sara, false, 50, "", "Back").outcome, LEDGER_APPLIED);
    assert_int_equal(core_newest(core)->debit_account, sara->number);
    assert_int_equal(account_balance(sara).amount_minor, 0);
    assert_int_equal(account_balance(issuance).amount_minor, 0);
}

static void a_reference_stands_for_one_adjustment(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    const struct adjustment_outcome first = adjust(core, sara, true, 50, "a", "x"), again = adjust(core, sara, true, 50, "a", "x");
    assert_int_equal(first.outcome, LEDGER_APPLIED);
    assert_int_equal(again.outcome, LEDGER_REPLAYED);
    assert_true(id_equal(first.transaction_id, again.transaction_id) && first.created_at_us == again.created_at_us);
    assert_int_equal(adjust(core, sara, false, 50, "a", "x").outcome, LEDGER_REFERENCE_CONFLICT);
    assert_int_equal(adjust(core, sara, true, 51, "a", "x").outcome, LEDGER_REFERENCE_CONFLICT);
    assert_int_equal(adjust(core, sara, true, 50, "a", "y").outcome, LEDGER_REFERENCE_CONFLICT);
    assert_int_equal(adjust(core, reza, true, 50, "a", "x").outcome, LEDGER_REFERENCE_CONFLICT);
    assert_int_equal(adjust(core, reza, true, 50, "b", "x").outcome, LEDGER_APPLIED);
    assert_int_equal(adjust(core, reza, false, 20, "c", "x").outcome, LEDGER_APPLIED);
    assert_int_equal(adjust(core, reza, false, 20, "c", "x").outcome, LEDGER_REPLAYED);
    assert_int_equal(adjust(core, reza, true, 1, "", "x").outcome, LEDGER_APPLIED);
    assert_int_equal(adjust(core, reza, true, 1, "", "x").outcome, LEDGER_APPLIED); /* without one, each is another */
    assert_int_equal(account_balance(sara).amount_minor, 50);
    assert_int_equal(account_balance(reza).amount_minor, 32);
}

static void funds_and_issuance_are_not_adjusted(void **state) {
    struct core *core = *state;
    struct fund *fund = NULL;
    struct merchant *merchant = NULL;
    assert_int_equal(core_open_fund(core, "f", 10, &fund), LEDGER_APPLIED);
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("Shop"), core->now_us, &merchant), LEDGER_APPLIED);
    assert_int_equal(adjust(core, fund->account, true, 1, "", "x").outcome, LEDGER_ACCOUNT_OF_BOOKS);
    assert_int_equal(adjust(core, core->ledger.issuances[CURRENCY_IRT], true, 1, "", "x").outcome, LEDGER_ACCOUNT_OF_BOOKS);
    assert_int_equal(adjust(core, merchant->account, true, 1, "", "x").outcome, LEDGER_APPLIED);
    const struct account unknown = {.id = {{9}}};
    assert_int_equal(adjust(core, &unknown, true, 1, "", "x").outcome, LEDGER_ACCOUNT_NOT_FOUND);
    assert_null(fund_fault(fund));
}

static void nothing_moves_of_what_is_frozen_or_closed(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    bool is_changed = false;
    assert_int_equal(account_set_frozen(sara, true, core->now_us, &is_changed), LEDGER_APPLIED);
    assert_int_equal(adjust(core, sara, true, 1, "", "x").outcome, LEDGER_ACCOUNT_FROZEN);
    assert_int_equal(account_close(reza, core->now_us, &is_changed), LEDGER_APPLIED);
    assert_int_equal(adjust(core, reza, true, 1, "", "x").outcome, LEDGER_ACCOUNT_CLOSED);
    assert_int_equal(core_credit(core, "a", reza, 1, ""), LEDGER_ACCOUNT_CLOSED);
    assert_int_equal(core->ledger.transfers.count, 0);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(money_comes_from_issuance_and_goes_back),
        CORE_TEST(a_reference_stands_for_one_adjustment),
        CORE_TEST(funds_and_issuance_are_not_adjusted),
        CORE_TEST(nothing_moves_of_what_is_frozen_or_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
