/* Several currencies: an account comes with its first movement, issuance with it, and nothing moves from one currency into another. */
#include "wallet/core/adjustments.h"
#include "wallet/core/payments.h"
#include "wallet/core/reversals.h"

#include "core.h"

static struct money rials(int64_t amount) { return (struct money){amount, CURRENCY_IRR}; }

static enum ledger_outcome credit_rials(struct core *core, const char *reference, struct id user_id, int64_t amount, const char *fund) {
    const struct credit_item item = {.reference = text_of(reference), .user_id = user_id, .amount = rials(amount), .fund = text_of(fund)};
    return ledger_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome;
}

static int64_t balance(const struct core *core, struct id user_id, enum currency currency) {
    return account_balance(ledger_find_wallet(&core->ledger, user_id, currency)).amount_minor;
}

/* Σ debits = Σ credits in each. */
static void assert_balanced(const struct core *core) {
    int64_t sums[CURRENCY_COUNT] = {0};
    for (size_t i = 0; i < core->ledger.accounts.count; i++) {
        const struct account *account = core->ledger.accounts.rows[i];
        assert_null(account_fault(account));
        assert_false(account->is_draft);
        assert_int_equal(account->number, (int64_t)i + 1);
        sums[account->currency] += account_balance(account).amount_minor;
    }
    for (size_t i = 0; i < CURRENCY_COUNT; i++) assert_int_equal(sums[i], 0);
}

static void the_first_credit_opens_an_account(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    assert_null(ledger_find_wallet(&core->ledger, sara, CURRENCY_IRR));
    assert_int_equal(credit_rials(core, "r1", sara, 70, ""), LEDGER_APPLIED);
    const struct account *wallet = ledger_find_wallet(&core->ledger, sara, CURRENCY_IRR);
    assert_true(wallet != NULL && wallet->state == ROW_NEW && wallet->kind == ACCOUNT_USER && wallet->created_at_us == core->now_us);
    assert_int_equal(core->ledger.issuances[CURRENCY_IRR]->number, 3); /* before what it gives to */
    assert_int_equal(core->ledger.last_account_number, 4);
    assert_int_equal(core_newest(core)->debit_account, 3);
    assert_int_equal(core_newest(core)->credit_account, 4);
    assert_int_equal(credit_rials(core, "r2", sara, 5, ""), LEDGER_APPLIED);
    assert_int_equal(core->ledger.last_account_number, 4);
    assert_int_equal(balance(core, sara, CURRENCY_IRR), 75);
    assert_int_equal(balance(core, sara, CURRENCY_IRT), 0);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, credit_rials(core, "r1", sara, 70, ""));
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, core_credit(core, "r1", ledger_find_account_of_user(&core->ledger, sara), 70, ""));
    assert_balanced(core);
}

static void a_refused_credit_opens_none(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id, reza = core_register(core, "reza")->id;
    struct fund *fund = NULL;
    assert_int_equal(core_open_fund(core, "f", 100, &fund), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_USER_NOT_FOUND, credit_rials(core, "r1", (struct id){{9}}, 1, ""));
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, credit_rials(core, "r1", sara, 1, "f"));
    ASSERT_REFUSED(core, LEDGER_FUND_NOT_FOUND, credit_rials(core, "r1", sara, 1, "g"));
    assert_int_equal(credit_rials(core, "r1", sara, MONEY_AMOUNT_MAX, ""), LEDGER_APPLIED); /* of each currency there is as much */
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, credit_rials(core, "r2", sara, 1, ""));
    core->ledger.issuances[CURRENCY_IRR]->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, credit_rials(core, "r2", reza, 1, ""));
}

/* "f", with 100 of them. */
static struct fund *open_fund_of_rials(struct core *core, struct fund_command *ret_command) {
    struct fund *fund = NULL;
    *ret_command = core_fund_command("f", 100);
    ret_command->amount = rials(100);
    assert_int_equal(ledger_open_fund(&core->ledger, ret_command, core->now_us, &fund), LEDGER_APPLIED);
    return fund;
}

static void a_fund_is_in_the_currency_that_it_was_opened_with(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    struct fund_command command;
    struct fund *fund = open_fund_of_rials(core, &command);
    assert_true(fund->account->currency == CURRENCY_IRR && !fund->account->is_draft);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRR]).amount_minor, -100);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_open_fund(&core->ledger, &command, core->now_us, &fund));
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, core_credit(core, "r1", ledger_find_account_of_user(&core->ledger, sara), 1, "f"));
    assert_int_equal(credit_rials(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_FUND_EXHAUSTED, credit_rials(core, "r2", sara, 41, "f"));
    command.topup_reference = TEXT("t");
    assert_int_equal(ledger_topup_fund(&core->ledger, &command, core->now_us, &fund), LEDGER_APPLIED);
    core_load_original(core, core->ledger.transfers.rows[1], "f");
    assert_int_equal(ledger_release_fund(&core->ledger, &command, core->now_us, &fund), LEDGER_APPLIED);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRR]).amount_minor, -60);
    const struct credit_reversal_item item = {TEXT("r1"), TEXT("why")};
    core->ledger.issuances[CURRENCY_IRR]->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome);
    core->ledger.issuances[CURRENCY_IRR]->is_frozen = false;
    core->ledger.issuances[CURRENCY_IRT]->is_frozen = true; /* it is none of its business */
    assert_int_equal(ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRR]).amount_minor, 0);
    assert_balanced(core);
}

static void a_transfer_opens_the_recipients_account(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id, reza = core_register(core, "reza")->id;
    const struct transfer *transfer = NULL;
    struct transfer_command command = {.user_id = sara, .recipient_name = TEXT("reza"), .amount = rials(30)};
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_transfer(&core->ledger, &command, core->now_us, &transfer));
    assert_int_equal(credit_rials(core, "r1", sara, 70, ""), LEDGER_APPLIED);
    assert_int_equal(ledger_transfer(&core->ledger, &command, core->now_us, &transfer), LEDGER_APPLIED);
    assert_int_equal(balance(core, reza, CURRENCY_IRR), 30);
    assert_int_equal(balance(core, reza, CURRENCY_IRT), 0);
    command.recipient_name = TEXT("sara");
    ASSERT_REFUSED(core, LEDGER_SAME_ACCOUNT, ledger_transfer(&core->ledger, &command, core->now_us, &transfer));
    command.recipient = RECIPIENT_ACCOUNT;
    command.recipient_account = ledger_find_account_of_user(&core->ledger, reza)->id;
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_transfer(&core->ledger, &command, core->now_us, &transfer));
    command.recipient_account = ledger_find_account_of_user(&core->ledger, sara)->id; /* nobody exchanges with himself */
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_transfer(&core->ledger, &command, core->now_us, &transfer));
    command.amount.currency = CURRENCY_IRT;
    ASSERT_REFUSED(core, LEDGER_SAME_ACCOUNT, ledger_transfer(&core->ledger, &command, core->now_us, &transfer));
    command.user_id = (struct id){{9}};
    ASSERT_REFUSED(core, LEDGER_USER_NOT_FOUND, ledger_transfer(&core->ledger, &command, core->now_us, &transfer));
    assert_balanced(core);
}

static struct payment_command make_payment(struct core *core, struct id user_id) {
    struct merchant *shop = NULL;
    assert_int_equal(ledger_open_merchant(&core->ledger, TEXT("shop"), core->now_us, &shop), LEDGER_APPLIED);
    return (struct payment_command){.caller = TEXT("till"),
                                    .reference = TEXT("o1"),
                                    .user_id = user_id,
                                    .merchant = {.id = shop->account->id},
                                    .amount = rials(40),
                                    .description = TEXT(""),
                                    .metadata = TEXT("")};
}

static void a_merchant_is_paid_into_a_till_of_that_currency(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    struct payment_command command = make_payment(core, sara);
    const struct merchant *shop = ledger_find_merchant(&core->ledger, command.merchant.id);
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_pay(&core->ledger, &command, core->now_us).outcome);
    assert_null(ledger_find_till(&core->ledger, shop, CURRENCY_IRR));
    assert_ptr_equal(ledger_find_till(&core->ledger, shop, CURRENCY_IRT), shop);
    assert_int_equal(credit_rials(core, "r1", sara, 100, ""), LEDGER_APPLIED);
    const struct payment_outcome paid = ledger_pay(&core->ledger, &command, core->now_us);
    assert_int_equal(paid.outcome, LEDGER_APPLIED);
    assert_true(id_equal(paid.merchant_id, shop->account->id));
    const struct merchant *till = ledger_find_till(&core->ledger, shop, CURRENCY_IRR);
    assert_true(till != NULL && till->state == ROW_NEW && till->number == shop->account->number && !merchant_is_itself(till));
    assert_true(text_equal(till->name, TEXT("shop")) && till->account->currency == CURRENCY_IRR);
    assert_int_equal(account_balance(till->account).amount_minor, 40);
    assert_int_equal(account_balance(shop->account).amount_minor, 0);
    assert_null(ledger_find_merchant(&core->ledger, till->account->id)); /* a till is no merchant */
    assert_ptr_equal(ledger_find_merchant_by_name(&core->ledger, TEXT("shop")), shop);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_pay(&core->ledger, &command, core->now_us).outcome);
    command.amount.currency = CURRENCY_IRT;
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, ledger_pay(&core->ledger, &command, core->now_us).outcome);
    command.amount = rials(10);
    command.reference = TEXT("o2");
    assert_int_equal(ledger_pay(&core->ledger, &command, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(core->ledger.merchants.count, 2);
    assert_balanced(core);
}

static void a_hold_names_the_merchant_and_pays_its_till(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    const struct payment_command payment = make_payment(core, sara);
    const struct merchant *shop = ledger_find_merchant(&core->ledger, payment.merchant.id);
    assert_int_equal(credit_rials(core, "r1", sara, 100, ""), LEDGER_APPLIED);
    struct hold_command command = {.caller = TEXT("till"),
                                   .reference = TEXT("h1"),
                                   .user_id = sara,
                                   .merchant = payment.merchant,
                                   .amount = rials(30),
                                   .expires_in_us = 1000};
    struct hold *hold = NULL;
    const struct transfer *transfer = NULL;
    assert_int_equal(ledger_hold(&core->ledger, &command, core->now_us, &hold), LEDGER_APPLIED);
    assert_true(id_equal(hold->merchant_id, shop->account->id));
    assert_int_equal(core_newest(core)->credit_account, ledger_find_till(&core->ledger, shop, CURRENCY_IRR)->account->number);
    ASSERT_REFUSED(core, LEDGER_REPLAYED, ledger_hold(&core->ledger, &command, core->now_us, &hold));
    command.merchant = (struct merchant_named){.name = TEXT("")}; /* the next names nobody yet */
    command.reference = TEXT("h2");
    struct hold *second = NULL;
    assert_int_equal(ledger_hold(&core->ledger, &command, core->now_us, &second), LEDGER_APPLIED);
    const struct capture_command captures[] = {
        {.caller = TEXT("till"), .hold_id = hold->id, .is_final = true, .merchant = {.name = TEXT("")}},
        {.caller = TEXT("till"), .hold_id = second->id, .is_final = true, .merchant = payment.merchant}};
    for (size_t i = 0; i < ARRAY_COUNT(captures); i++)
        assert_int_equal(ledger_capture(&core->ledger, &captures[i], core->now_us, &hold, &transfer), LEDGER_APPLIED);
    assert_int_equal(account_balance(ledger_find_till(&core->ledger, shop, CURRENCY_IRR)->account).amount_minor, 60);
    assert_int_equal(balance(core, sara, CURRENCY_IRR), 40);
    struct hold mixed = *hold;
    mixed.amount.currency = CURRENCY_IRT;
    assert_string_equal(hold_fault(&mixed), "its currency is another than its account's");
    assert_balanced(core);
}

/* A capture alone may open the till as well. */
static void a_capture_opens_the_till_that_is_missing(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    const struct payment_command payment = make_payment(core, sara);
    const struct merchant *shop = ledger_find_merchant(&core->ledger, payment.merchant.id);
    assert_int_equal(credit_rials(core, "r1", sara, 100, ""), LEDGER_APPLIED);
    const struct hold_command command = {.caller = TEXT("till"),
                                         .reference = TEXT("h1"),
                                         .user_id = sara,
                                         .merchant = {.name = TEXT("")},
                                         .amount = rials(30),
                                         .expires_in_us = 1000};
    struct hold *hold = NULL;
    const struct transfer *transfer = NULL;
    assert_int_equal(ledger_hold(&core->ledger, &command, core->now_us, &hold), LEDGER_APPLIED);
    const struct capture_command capture = {.caller = TEXT("till"), .hold_id = hold->id, .merchant = payment.merchant, .amount_minor = 10};
    assert_int_equal(ledger_capture(&core->ledger, &capture, core->now_us, &hold, &transfer), LEDGER_APPLIED);
    assert_int_equal(account_balance(ledger_find_till(&core->ledger, shop, CURRENCY_IRR)->account).amount_minor, 10);
    assert_balanced(core);
}

static void an_adjustment_is_in_the_currency_of_its_account(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    assert_int_equal(credit_rials(core, "r1", sara, 100, ""), LEDGER_APPLIED);
    struct adjustment_command command = {.caller = TEXT("admin:1"),
                                         .reference = TEXT(""),
                                         .account_id = ledger_find_wallet(&core->ledger, sara, CURRENCY_IRR)->id,
                                         .is_credit = true,
                                         .amount = {7, CURRENCY_IRT},
                                         .reason = TEXT("why")};
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_adjust(&core->ledger, &command, core->now_us).outcome);
    command.amount = rials(7);
    assert_int_equal(ledger_adjust(&core->ledger, &command, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRR]).amount_minor, -107);
    command.account_id = ledger_find_account_of_user(&core->ledger, sara)->id;
    ASSERT_REFUSED(core, LEDGER_CURRENCY_MISMATCH, ledger_adjust(&core->ledger, &command, core->now_us).outcome);
    assert_balanced(core);
}

static void a_till_that_contradicts_its_account_does_not_come_in(void **state) {
    struct core *core = *state;
    struct account *account = ledger_open_account(&core->ledger, ACCOUNT_MERCHANT, (struct id){{0}}, CURRENCY_IRR, core->now_us);
    struct merchant row = {.name = TEXT("shop"), .account = account, .number = 1, .currency = CURRENCY_IRT};
    assert_int_equal(ledger_add_merchant(&core->ledger, &row).code, RESULT_CORRUPT); /* another currency */
    row.currency = CURRENCY_IRR;
    row.number = account->number;
    assert_int_equal(ledger_add_merchant(&core->ledger, &row).code, RESULT_CORRUPT); /* itself, and not in the main one */
    row.number = 1;
    assert_int_equal(ledger_add_merchant(&core->ledger, &row).code, RESULT_OK);
    account = ledger_open_account(&core->ledger, ACCOUNT_MERCHANT, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    row = (struct merchant){.name = TEXT("other"), .account = account, .number = 1, .currency = CURRENCY_IRR};
    assert_int_equal(ledger_add_merchant(&core->ledger, &row).code, RESULT_CORRUPT); /* a till, by its row, and not by its account */
    account = ledger_open_account(&core->ledger, ACCOUNT_FUND, (struct id){{0}}, CURRENCY_IRT, core->now_us);
    row = (struct merchant){.name = TEXT("fund"), .account = account, .number = account->number, .currency = CURRENCY_IRT};
    assert_int_equal(ledger_add_merchant(&core->ledger, &row).code, RESULT_CORRUPT); /* no merchant's, and else in order */
    assert_int_equal(core->ledger.merchants.count, 1);
}

/* Such books are damaged, and verify says so: until then nobody ends for it. */
static void issuance_that_was_lost_is_lived_without(void **state) {
    struct core *core = *state;
    const struct id sara = core_register(core, "sara")->id;
    struct fund_command command;
    struct fund *fund = open_fund_of_rials(core, &command);
    assert_int_equal(credit_rials(core, "r1", sara, 60, "f"), LEDGER_APPLIED);
    core_load_original(core, core_newest(core), "f");
    assert_int_equal(credit_rials(core, "r2", sara, 70, ""), LEDGER_APPLIED);
    assert_int_equal(ledger_release_fund(&core->ledger, &command, core->now_us, &fund), LEDGER_APPLIED);
    core->ledger.issuances[CURRENCY_IRR] = NULL;
    ASSERT_REFUSED(core, LEDGER_REFERENCE_CONFLICT, credit_rials(core, "r2", sara, 70, "")); /* it came from elsewhere, as it looks */
    const struct credit_reversal_item item = {TEXT("r1"), TEXT("why")};
    assert_int_equal(ledger_reverse_credit(&core->ledger, TEXT("discount"), &item, core->now_us).outcome, LEDGER_APPLIED);
    assert_int_equal(account_balance(core->ledger.issuances[CURRENCY_IRR]).amount_minor, 60); /* a new one */
    assert_int_equal(account_balance(fund->account).amount_minor, 0);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {CORE_TEST(the_first_credit_opens_an_account),
                                       CORE_TEST(a_refused_credit_opens_none),
                                       CORE_TEST(a_fund_is_in_the_currency_that_it_was_opened_with),
                                       CORE_TEST(a_transfer_opens_the_recipients_account),
                                       CORE_TEST(a_merchant_is_paid_into_a_till_of_that_currency),
                                       CORE_TEST(a_hold_names_the_merchant_and_pays_its_till),
                                       CORE_TEST(a_capture_opens_the_till_that_is_missing),
                                       CORE_TEST(an_adjustment_is_in_the_currency_of_its_account),
                                       CORE_TEST(a_till_that_contradicts_its_account_does_not_come_in),
                                       CORE_TEST(issuance_that_was_lost_is_lived_without)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
