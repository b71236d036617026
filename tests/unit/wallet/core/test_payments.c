/* Payments: each reference pays once, and says the same whenever it is said again. */
#include "core.h"

static struct payment_command open_shop(struct core *core) {
    const struct account *sara = core_open_wallet(core, "sara");
    core_open_wallet(core, "reza");
    struct merchant *shop = NULL, *other = NULL;
    assert_int_equal(core_credit(core, "gift", sara, 100, ""), LEDGER_APPLIED);
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("shop"), core->now_us, &shop), LEDGER_APPLIED);
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("other"), core->now_us, &other), LEDGER_APPLIED);
    return (struct payment_command){.caller = TEXT("till"),
                                    .reference = TEXT("o"),
                                    .user_id = sara->user_id,
                                    .merchant = {.name = TEXT("shop")},
                                    .amount = {60, CURRENCY_IRT},
                                    .description = TEXT("d"),
                                    .metadata = TEXT("m")};
}

static struct payment_outcome pay(struct core *core, const struct payment_command *command) {
    return ledger_pay(&core->ledger, command, core->now_us);
}

static void a_payment_moves_its_amount(void **state) {
    struct core *core = *state;
    const struct payment_command command = open_shop(core);
    const struct payment_outcome paid = pay(core, &command);
    const struct transfer *transfer = core_newest(core);
    assert_int_equal(paid.outcome, LEDGER_APPLIED);
    assert_true(id_equal(paid.transaction_id, transfer->id) && paid.created_at_us == transfer->created_at_us);
    const struct merchant *shop = ledger_find_merchant(&core->ledger, paid.merchant_id);
    assert_true(shop != NULL && text_equal(shop->name, TEXT("shop")));
    assert_int_equal(account_balance(shop->account).amount_minor, 60);
    assert_int_equal(account_balance(ledger_find_account_of_user(&core->ledger, command.user_id)).amount_minor, 40);
    assert_int_equal(transfer->kind, TRANSFER_PAYMENT);
    assert_true(text_equal(transfer->caller, TEXT("till")) && text_equal(transfer->reference, TEXT("o")));
    assert_true(text_equal(transfer->description, TEXT("d")) && text_equal(transfer->metadata, TEXT("m")));
}

static void the_same_again_is_answered_as_the_first_time(void **state) {
    struct core *core = *state;
    const struct payment_command command = open_shop(core);
    const struct payment_outcome paid = pay(core, &command);
    core->now_us += 5;
    const struct payment_outcome again = pay(core, &command);
    assert_int_equal(again.outcome, LEDGER_REPLAYED);
    assert_true(id_equal(again.transaction_id, paid.transaction_id) && id_equal(again.merchant_id, paid.merchant_id));
    assert_int_equal(again.created_at_us, paid.created_at_us);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, pay(core, &command).outcome);
}

/* Whatever differs: another payment must not be taken for this one. */
static void another_payment_of_its_reference_is_a_conflict(void **state) {
    struct core *core = *state;
    const struct payment_command command = open_shop(core);
    assert_int_equal(pay(core, &command).outcome, LEDGER_APPLIED);
    struct payment_command others[] = {command, command, command, command, command, command, command};
    others[0].user_id = ledger_find_user_by_name(&core->ledger, TEXT("reza"))->id;
    others[1].user_id = (struct id){{9}};
    others[2].merchant.name = TEXT("other");
    others[3].merchant.name = TEXT("nobody");
    others[4].amount.amount_minor = 1;
    others[5].description = TEXT("e");
    others[6].metadata = TEXT("n");
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, pay(core, &others[i]).outcome);
    struct payment_command of_another = command;
    of_another.caller = TEXT("till2");
    of_another.amount.amount_minor = 1;
    assert_int_equal(pay(core, &of_another).outcome, LEDGER_APPLIED); /* each caller has references of its own */
}

static void a_refused_payment_changes_nothing(void **state) {
    struct core *core = *state;
    const struct payment_command command = open_shop(core);
    struct payment_command refused[] = {command, command, command};
    refused[0].user_id = (struct id){{9}};
    refused[1].merchant.name = TEXT("nobody");
    refused[2].amount.amount_minor = 101;
    static const enum ledger_outcome outcomes[] = {LEDGER_PAYER_NOT_FOUND, LEDGER_MERCHANT_NOT_FOUND, LEDGER_INSUFFICIENT_FUNDS};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) ASSERT_REFUSED(core, outcomes[i], pay(core, &refused[i]).outcome);
    assert_int_equal(pay(core, &command).outcome, LEDGER_APPLIED); /* its reference is free */
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(a_payment_moves_its_amount),
        CORE_TEST(the_same_again_is_answered_as_the_first_time),
        CORE_TEST(another_payment_of_its_reference_is_a_conflict),
        CORE_TEST(a_refused_payment_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
