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
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRT]).amount_minor, 0);
    assert_int_equal(fund->released_minor, 100);
    assert_null(fund_fault(fund));
}

/* It would go on to issuance, where nothing may come. */
static void nothing_goes_back_through_a_released_fund_to_frozen_issuance(void **state) {
    struct core *core = *state;
    struct fund *fund = NULL;
    struct account *sara = core_open_wallet(core, "sara");
    struct fund_command command = core_fund_command("f", 100);
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    assert_int_equal(core_credit(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    core_load_original(core, core_newest(core), "f");
    assert_int_equal(ledger_release_fund(&core->ledger, &command, core->now_us, &fund), LEDGER_APPLIED);
    core->ledger.issuances[CURRENCY_IRT]->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, take_back(core, "r1"));
    core->ledger.issuances[CURRENCY_IRT]->is_frozen = false;
    assert_int_equal(take_back(core, "r1"), LEDGER_APPLIED);
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

static struct reversal_command by_service(const struct original *original, int64_t amount) {
    return (struct reversal_command){
        .caller = original->caller, .reference = TEXT("b"), .transaction_id = original->id, .amount_minor = amount, .reason = TEXT("w")};
}

static const struct original *give(struct core *core, const char *reference, const struct account *account, int64_t amount) {
    assert_int_equal(core_credit(core, reference, account, amount, ""), LEDGER_APPLIED);
    return core_load_original(core, core_newest(core), "");
}

/* The first time, what is left; then whatever was said then. */
static void a_reference_takes_back_once(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    const struct original *original = give(core, "r1", sara, 60);
    struct reversal_command command = by_service(original, 0);
    const struct reversal_outcome first = ledger_reverse(&core->ledger, &command, core->now_us);
    assert_int_equal(first.outcome, LEDGER_APPLIED);
    assert_true(id_equal(first.transaction_id, core_newest(core)->id) && first.amount.amount_minor == 60);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_reverse(&core->ledger, &command, core->now_us + 5).outcome);
    command.amount_minor = 60; /* the same in other words */
    const struct reversal_outcome again = ledger_reverse(&core->ledger, &command, core->now_us + 5);
    assert_int_equal(again.outcome, LEDGER_REPLAYED);
    assert_true(id_equal(again.transaction_id, first.transaction_id) && again.amount.amount_minor == 60);
    assert_int_equal(again.created_at_us, first.created_at_us);
}

static void another_reversal_of_its_reference_is_a_conflict(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    const struct original *original = give(core, "r1", sara, 60), *other = give(core, "r2", sara, 60);
    const struct reversal_command command = by_service(original, 20);
    assert_int_equal(ledger_reverse(&core->ledger, &command, core->now_us).outcome, LEDGER_APPLIED);
    struct reversal_command others[] = {command, command, command, command};
    others[0].transaction_id = other->id;
    others[1].transaction_id = (struct id){{9}};
    others[2].amount_minor = 21;
    others[3].reason = TEXT("x");
    for (size_t i = 0; i < ARRAY_COUNT(others); i++)
        ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, ledger_reverse(&core->ledger, &others[i], core->now_us).outcome);
    struct reversal_command next = command;
    next.reference = TEXT("c");
    assert_int_equal(ledger_reverse(&core->ledger, &next, core->now_us).outcome, LEDGER_APPLIED);
}

/* Without a reference each is one more. */
static void what_has_no_reference_is_not_remembered(void **state) {
    struct core *core = *state;
    const struct original *original = give(core, "r1", core_open_wallet(core, "sara"), 60);
    struct reversal_command command = by_service(original, 20);
    command.reference = TEXT("");
    for (unsigned i = 0; i < 3; i++) assert_int_equal(ledger_reverse(&core->ledger, &command, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(core->ledger.references.count, 1); /* the credit's */
}

static void what_is_anothers_or_moved_nothing_is_not_there(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    const struct original *original = give(core, "r1", sara, 60);
    struct reversal_command command = by_service(original, 0);
    command.caller = TEXT("till");
    ASSERT_REFUSED(core, LEDGER_TRANSACTION_NOT_FOUND, ledger_reverse(&core->ledger, &command, core->now_us).outcome);
    command = by_service(original, 0);
    command.transaction_id = (struct id){{9}};
    ASSERT_REFUSED(core, LEDGER_TRANSACTION_NOT_FOUND, ledger_reverse(&core->ledger, &command, core->now_us).outcome);
    const struct hold_command reserved = {.caller = TEXT("discount"),
                                          .reference = TEXT("h"),
                                          .user_id = sara->user_id,
                                          .merchant = {.name = TEXT("")},
                                          .amount = {5, CURRENCY_IRT},
                                          .expires_in_us = 1};
    struct hold *hold = NULL;
    assert_int_equal(ledger_hold(&core->ledger, &reserved, core->now_us, &hold), LEDGER_APPLIED);
    command = by_service(core_load_original(core, core_newest(core), ""), 0);
    ASSERT_REFUSED(core, LEDGER_TRANSACTION_NOT_FOUND, ledger_reverse(&core->ledger, &command, core->now_us).outcome);
}

static void a_credit_taken_back_is_told_as_the_first_time(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    const struct credit_reversal_item item = {.reference = TEXT("r1"), .reason = TEXT("why")};
    core_open_wallet(core, "reza");
    assert_int_equal(core_credit(core, "r0", sara, 7, ""), LEDGER_APPLIED);
    const struct original *original = give(core, "r1", sara, 60);
    const struct credit_reversal_outcome first = ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us);
    assert_int_equal(first.outcome, LEDGER_APPLIED);
    assert_true(id_equal(first.transaction_id, core_newest(core)->id));
    assert_int_equal(first.balance_after, 7);
    assert_int_equal(first.created_at_us, core_newest(core)->created_at_us);
    const struct credit_reversal_outcome again = ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us + 5);
    assert_int_equal(again.outcome, LEDGER_REPLAYED);
    assert_true(id_equal(again.transaction_id, first.transaction_id) && again.balance_after == 7);
    assert_int_equal(again.created_at_us, first.created_at_us);
    /* What is refused tells of no transaction, not even of an earlier one. */
    original = give(core, "r2", sara, 60);
    assert_int_equal(reverse(core, original, 20, false), LEDGER_APPLIED);
    assert_int_equal(core_send(core, sara, "reza", 47), LEDGER_APPLIED);
    const struct credit_reversal_item second = {.reference = TEXT("r2"), .reason = TEXT("why")};
    const struct credit_reversal_outcome refused = ledger_reverse_credit(&core->ledger, TEXT("discount"), &second, core->now_us);
    assert_int_equal(refused.outcome, LEDGER_INSUFFICIENT_FUNDS);
    assert_true(id_is_zero(refused.transaction_id) && refused.created_at_us == 0);
}

static void a_row_that_breaks_the_rules_is_refused(void **state) {
    struct core *core = *state;
    const struct original sound = {.sequence = 1, .id = {{1}}, .kind = TRANSFER_USER, .amount = {5, CURRENCY_IRT}};
    struct original rows[] = {sound, sound, sound, sound, sound, sound};
    rows[0].sequence = 0;
    rows[1].reversed_minor = 6;
    rows[1].reversal_id = (struct id){{2}};
    rows[2].reversed_minor = 5; /* and no reversal */
    rows[3].reversal_id = (struct id){{2}};
    rows[4].reversal_id = (struct id){{2}};
    rows[4].reversed_minor = -1;
    rows[5].amount.amount_minor = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_non_null(original_fault(&rows[i]));
        assert_int_equal(ledger_add_original(&core->ledger, &rows[i]).code, RESULT_CORRUPT);
    }
    assert_null(original_fault(&sound));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_credit_goes_back_into_its_fund_once),
        CORE_TEST(out_of_a_released_fund_it_goes_on_to_issuance),
        CORE_TEST(nothing_goes_back_through_a_released_fund_to_frozen_issuance),
        CORE_TEST(a_refused_reversal_changes_nothing),
        CORE_TEST(parts_add_up_to_the_original_at_most),
        CORE_TEST(who_is_overdrawn_gives_nothing),
        CORE_TEST(a_reference_takes_back_once),
        CORE_TEST(another_reversal_of_its_reference_is_a_conflict),
        CORE_TEST(what_has_no_reference_is_not_remembered),
        CORE_TEST(what_is_anothers_or_moved_nothing_is_not_there),
        CORE_TEST(a_credit_taken_back_is_told_as_the_first_time),
        CORE_TEST(a_row_that_breaks_the_rules_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
