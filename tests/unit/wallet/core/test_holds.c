/* Holds: counted at once, and ended in exactly one way. */
#include "core.h"

struct shop {
    struct core *core;
    struct account *sara;
    struct merchant *merchant;
};

static struct shop open_shop(void **state) {
    struct shop shop = {.core = *state};
    shop.sara = core_open_wallet(shop.core, "sara");
    assert_int_equal(core_credit(shop.core, "gift", shop.sara, 100, ""), LEDGER_APPLIED);
    assert_int_equal(ledger_open_merchant(&shop.core->ledger, TEXT("Corner shop"), shop.core->now_us, &shop.merchant), LEDGER_APPLIED);
    return shop;
}

static enum ledger_outcome hold(struct shop *shop, const char *reference, int64_t amount, struct hold **ret_hold) {
    const struct hold_command command = {.caller = TEXT("shop"),
                                         .reference = text_of(reference),
                                         .user_id = shop->sara->user_id,
                                         .merchant = {.id = shop->merchant->account->id},
                                         .amount = {amount, CURRENCY_IRT},
                                         .expires_in_us = 1000};
    return ledger_hold(&shop->core->ledger, &command, shop->core->now_us, ret_hold);
}

static struct hold_command command_of(const struct shop *shop, const char *reference, int64_t amount) {
    return (struct hold_command){.caller = TEXT("shop"),
                                 .reference = text_of(reference),
                                 .user_id = shop->sara->user_id,
                                 .merchant = {.name = TEXT("")},
                                 .amount = {amount, CURRENCY_IRT},
                                 .expires_in_us = 1000};
}

static enum ledger_outcome hold_by(struct shop *shop, const struct hold_command *command, struct hold **ret_hold) {
    return ledger_hold(&shop->core->ledger, command, shop->core->now_us, ret_hold);
}

static enum ledger_outcome capture(struct shop *shop, const struct hold *held, int64_t amount, bool is_final) {
    const struct transfer *transfer = NULL;
    struct hold *hold = NULL;
    const struct capture_command command = {
        .caller = TEXT("shop"), .hold_id = held->id, .amount_minor = amount, .is_final = is_final, .merchant = {.name = TEXT("")}};
    return ledger_capture(&shop->core->ledger, &command, shop->core->now_us, &hold, &transfer);
}

static enum ledger_outcome set_free(struct shop *shop, const struct hold *held) {
    struct hold *hold = NULL;
    return ledger_release_hold(&shop->core->ledger, TEXT("shop"), held->id, shop->core->now_us, &hold);
}

static void expect(const struct shop *shop, const struct hold *hold, enum hold_state state, int64_t captured, int64_t remaining) {
    assert_int_equal(hold->state, state);
    assert_int_equal(hold->captured_minor, captured);
    assert_int_equal(hold->remaining_minor, remaining);
    assert_int_equal(shop->sara->debits_pending, remaining);
    assert_int_equal(account_balance(shop->sara).amount_minor, 100 - captured);
    assert_int_equal(account_balance(shop->merchant->account).amount_minor, captured);
}

static void what_is_held_can_not_be_held_again(void **state) {
    struct shop shop = open_shop(state);
    struct hold *first = NULL, *second = NULL;
    assert_int_equal(hold(&shop, "a", 60, &first), LEDGER_APPLIED);
    expect(&shop, first, HOLD_HELD, 0, 60);
    ASSERT_REFUSED(shop.core, LEDGER_INSUFFICIENT_FUNDS, hold(&shop, "b", 41, &second));
    ASSERT_REFUSED(shop.core, LEDGER_REPLAYED, hold(&shop, "a", 60, &second));
    assert_ptr_equal(first, second);
    ASSERT_REFUSED(shop.core, LEDGER_REFERENCE_CONFLICT, hold(&shop, "a", 61, &second));
    assert_int_equal(hold(&shop, "b", 40, &second), LEDGER_APPLIED);
    assert_int_equal(core_newest(shop.core)->debit_sequence, 0); /* nothing moved */
}

static void it_is_captured_in_parts(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL;
    assert_int_equal(hold(&shop, "a", 60, &held), LEDGER_APPLIED);
    assert_int_equal(capture(&shop, held, 10, false), LEDGER_APPLIED);
    expect(&shop, held, HOLD_HELD, 10, 50);
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_EXCEEDED, capture(&shop, held, 51, true));
    assert_int_equal(capture(&shop, held, 20, true), LEDGER_APPLIED);
    expect(&shop, held, HOLD_CAPTURED, 30, 0);
    assert_int_equal(core_newest(shop.core)->kind, TRANSFER_HOLD_RELEASE);
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_CLOSED, capture(&shop, held, 1, true));
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_CLOSED, set_free(&shop, held));
}

static void all_of_it_is_captured(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL;
    assert_int_equal(hold(&shop, "a", 60, &held), LEDGER_APPLIED);
    assert_int_equal(capture(&shop, held, 0, false), LEDGER_APPLIED);
    expect(&shop, held, HOLD_CAPTURED, 60, 0);
    assert_int_equal(core_newest(shop.core)->kind, TRANSFER_CAPTURE);
    assert_int_equal(core_newest(shop.core)->origin, held->number);
}

static void it_is_released(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL;
    assert_int_equal(hold(&shop, "a", 60, &held), LEDGER_APPLIED);
    shop.sara->is_frozen = true;
    ASSERT_REFUSED(shop.core, LEDGER_ACCOUNT_FROZEN, capture(&shop, held, 1, true));
    assert_int_equal(set_free(&shop, held), LEDGER_APPLIED);
    expect(&shop, held, HOLD_RELEASED, 0, 0);
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_CLOSED, set_free(&shop, held));
}

/* At its time, not a microsecond before, and once; whatever meets it ends it first. */
static void it_expires(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL, *other = NULL;
    assert_int_equal(hold(&shop, "a", 60, &held), LEDGER_APPLIED);
    assert_int_equal(held->expires_at_us, held->created_at_us + 1000);
    assert_false(ledger_expire_hold(&shop.core->ledger, held, held->expires_at_us - 1));
    expect(&shop, held, HOLD_HELD, 0, 60);
    shop.core->now_us = held->expires_at_us - 1;
    assert_int_equal(capture(&shop, held, 10, false), LEDGER_APPLIED);
    shop.core->now_us = held->expires_at_us;
    assert_int_equal(capture(&shop, held, 10, false), LEDGER_HOLD_CLOSED);
    expect(&shop, held, HOLD_EXPIRED, 10, 0);
    assert_int_equal(core_newest(shop.core)->kind, TRANSFER_HOLD_EXPIRY);
    assert_false(ledger_expire_hold(&shop.core->ledger, held, held->expires_at_us));
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_CLOSED, set_free(&shop, held));
    assert_int_equal(hold(&shop, "b", 90, &other), LEDGER_APPLIED); /* it is free */
}

/* Whatever differs: another hold must not be taken for this one. */
static void another_hold_of_its_reference_is_a_conflict(void **state) {
    struct shop shop = open_shop(state);
    struct merchant *merchant = NULL;
    struct hold *first = NULL, *again = NULL;
    assert_int_equal(ledger_open_merchant(&shop.core->ledger, TEXT("Other"), shop.core->now_us, &merchant), LEDGER_APPLIED);
    const struct account *reza = core_open_wallet(shop.core, "reza");
    const struct hold_command for_nobody = command_of(&shop, "a", 10);
    assert_int_equal(hold_by(&shop, &for_nobody, &first), LEDGER_APPLIED);
    ASSERT_REFUSED(shop.core, LEDGER_REPLAYED, hold_by(&shop, &for_nobody, &again));
    assert_ptr_equal(again, first);
    struct hold_command others[] = {for_nobody, for_nobody, for_nobody, for_nobody, for_nobody};
    others[0].user_id = reza->user_id;
    others[1].merchant.id = shop.merchant->account->id;
    others[2].merchant.name = TEXT("Nobody");
    others[3].amount.amount_minor = 11;
    others[4].expires_in_us = 1001;
    for (size_t i = 0; i < ARRAY_COUNT(others); i++)
        ASSERT_REFUSED(shop.core, LEDGER_REFERENCE_CONFLICT, hold_by(&shop, &others[i], &again));
    struct hold_command for_one = command_of(&shop, "b", 10);
    for_one.merchant.name = TEXT("Other");
    assert_int_equal(hold_by(&shop, &for_one, &again), LEDGER_APPLIED);
    assert_true(id_equal(again->merchant_id, merchant->account->id));
    ASSERT_REFUSED(shop.core, LEDGER_REPLAYED, hold_by(&shop, &for_one, &again));
    for_one.merchant.name = TEXT("");
    ASSERT_REFUSED(shop.core, LEDGER_REFERENCE_CONFLICT, hold_by(&shop, &for_one, &again));
}

static void who_is_not_there_holds_nothing(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL;
    struct hold_command command = command_of(&shop, "a", 10);
    command.merchant.name = TEXT("Nobody");
    ASSERT_REFUSED(shop.core, LEDGER_MERCHANT_NOT_FOUND, hold_by(&shop, &command, &held));
    command.user_id = (struct id){{9}};
    ASSERT_REFUSED(shop.core, LEDGER_PAYER_NOT_FOUND, hold_by(&shop, &command, &held));
}

/* In the journal stands who shall be paid, if anybody, and nothing of balances: none has changed. */
static void a_hold_is_written_down_without_balances(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL;
    const struct hold_command for_nobody = command_of(&shop, "a", 10);
    assert_int_equal(hold_by(&shop, &for_nobody, &held), LEDGER_APPLIED);
    const struct transfer *transfer = core_newest(shop.core);
    assert_int_equal(transfer->debit_account, shop.sara->number);
    assert_int_equal(transfer->credit_account, 0);
    assert_true(transfer->debit_sequence == 0 && transfer->debit_balance_after == 0);
    assert_true(transfer->credit_sequence == 0 && transfer->credit_balance_after == 0);
    assert_int_equal(transfer->expires_at_us, shop.core->now_us + 1000);
    assert_int_equal(hold(&shop, "b", 10, &held), LEDGER_APPLIED);
    assert_int_equal(core_newest(shop.core)->credit_account, shop.merchant->account->number);
}

static enum ledger_outcome capture_for(struct shop *shop, const struct hold *held, struct merchant_named merchant, struct hold **ret_hold) {
    const struct transfer *transfer = NULL;
    const struct capture_command command = {.caller = TEXT("shop"), .hold_id = held->id, .amount_minor = 1, .merchant = merchant};
    return ledger_capture(&shop->core->ledger, &command, shop->core->now_us, ret_hold, &transfer);
}

static void a_capture_pays_whom_the_hold_or_the_capture_names(void **state) {
    struct shop shop = open_shop(state);
    struct merchant *other = NULL;
    struct hold *open = NULL, *bound = NULL, *met = NULL;
    assert_int_equal(ledger_open_merchant(&shop.core->ledger, TEXT("Other"), shop.core->now_us, &other), LEDGER_APPLIED);
    const struct merchant_named nobody = {.name = TEXT("")}, unknown = {.name = TEXT("Nobody")}, named = {.name = TEXT("Other")};
    const struct hold_command for_nobody = command_of(&shop, "a", 10);
    assert_int_equal(hold_by(&shop, &for_nobody, &open), LEDGER_APPLIED);
    assert_int_equal(hold(&shop, "b", 10, &bound), LEDGER_APPLIED);
    ASSERT_REFUSED(shop.core, LEDGER_MERCHANT_REQUIRED, capture_for(&shop, open, nobody, &met));
    ASSERT_REFUSED(shop.core, LEDGER_MERCHANT_NOT_FOUND, capture_for(&shop, open, unknown, &met));
    ASSERT_REFUSED(shop.core, LEDGER_MERCHANT_DIFFERS, capture_for(&shop, bound, named, &met));
    assert_null(met);
    assert_int_equal(capture_for(&shop, open, named, &met), LEDGER_APPLIED);
    assert_ptr_equal(met, open);
    assert_int_equal(account_balance(other->account).amount_minor, 1);
    assert_int_equal(capture_for(&shop, bound, (struct merchant_named){.name = TEXT("Corner shop")}, &met), LEDGER_APPLIED);
    assert_int_equal(account_balance(shop.merchant->account).amount_minor, 1);
}

static void another_callers_hold_is_not_there(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL, *met = NULL;
    assert_int_equal(hold(&shop, "a", 10, &held), LEDGER_APPLIED);
    const struct hold unknown = {.id = {{7}}};
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_NOT_FOUND, set_free(&shop, &unknown));
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_NOT_FOUND, capture(&shop, &unknown, 1, true));
    ASSERT_REFUSED(shop.core, LEDGER_HOLD_NOT_FOUND,
                   ledger_release_hold(&shop.core->ledger, TEXT("shop2"), held->id, shop.core->now_us, &met));
}

/* And so it is saved, with its time. */
static void whatever_changes_a_hold_marks_it(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL;
    assert_int_equal(hold(&shop, "a", 10, &held), LEDGER_APPLIED);
    assert_int_equal(held->row_state, ROW_NEW);
    held->row_state = ROW_KEPT;
    shop.core->now_us += 7;
    assert_int_equal(capture(&shop, held, 4, false), LEDGER_APPLIED);
    assert_int_equal(held->row_state, ROW_CHANGED);
    assert_int_equal(held->updated_at_us, held->created_at_us + 7);
}

static void the_same_again_after_its_time_says_that_it_has_expired(void **state) {
    struct shop shop = open_shop(state);
    struct hold *held = NULL, *again = NULL;
    assert_int_equal(hold(&shop, "a", 60, &held), LEDGER_APPLIED);
    shop.core->now_us = held->expires_at_us;
    assert_int_equal(hold(&shop, "a", 60, &again), LEDGER_REPLAYED);
    assert_ptr_equal(again, held);
    expect(&shop, held, HOLD_EXPIRED, 0, 0);
}

static void rows_that_break_the_rules_are_refused(void **state) {
    struct shop shop = open_shop(state);
    struct account *account = shop.sara;
    account->debits_pending = 4;
    const struct hold sound = {.number = 1,
                               .id = {{9}},
                               .caller = TEXT("c"),
                               .reference = TEXT("r"),
                               .account = account,
                               .amount = {5, CURRENCY_IRT},
                               .state = HOLD_RELEASED};
    struct hold rows[] = {sound, sound, sound, sound, sound, sound, sound, sound, sound};
    rows[0].number = 0;
    rows[1].captured_minor = 6;
    rows[2].captured_minor = -1;
    rows[3].remaining_minor = 1; /* and it is released */
    rows[4].state = HOLD_HELD;   /* and nothing remains */
    rows[4].captured_minor = 5;
    rows[5].state = HOLD_HELD;
    rows[5].remaining_minor = 4; /* where is the fifth? */
    rows[6].state = HOLD_HELD;
    rows[6].remaining_minor = 5; /* and less is pending */
    rows[7].remaining_minor = -1;
    rows[8].amount.amount_minor = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_non_null(hold_fault(&rows[i]));
        assert_int_equal(ledger_add_hold(&shop.core->ledger, &rows[i]).code, RESULT_CORRUPT);
    }
    assert_null(hold_fault(&sound));
    struct hold held = {.number = 1, .account = account, .amount = {4, CURRENCY_IRT}, .state = HOLD_HELD, .remaining_minor = 4};
    assert_null(hold_fault(&held));
    account->debits_pending = 0;
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(what_is_held_can_not_be_held_again),
        CORE_TEST(it_is_captured_in_parts),
        CORE_TEST(all_of_it_is_captured),
        CORE_TEST(it_is_released),
        CORE_TEST(it_expires),
        CORE_TEST(another_hold_of_its_reference_is_a_conflict),
        CORE_TEST(who_is_not_there_holds_nothing),
        CORE_TEST(a_hold_is_written_down_without_balances),
        CORE_TEST(a_capture_pays_whom_the_hold_or_the_capture_names),
        CORE_TEST(another_callers_hold_is_not_there),
        CORE_TEST(whatever_changes_a_hold_marks_it),
        CORE_TEST(the_same_again_after_its_time_says_that_it_has_expired),
        CORE_TEST(rows_that_break_the_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
