/* Postings, and transfers between users. */
#include "core.h"

static void the_largest_balance_is_reached_and_not_passed(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    assert_int_equal(core_credit(core, "r1", sara, MONEY_AMOUNT_MAX, ""), LEDGER_APPLIED);
    assert_int_equal(account_balance(sara).amount_minor, MONEY_AMOUNT_MAX);
    assert_int_equal(core_credit(core, "r2", sara, 1, ""), LEDGER_BALANCE_TOO_LARGE);
}

static void a_refused_transfer_changes_nothing(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    struct account nobody = {.user_id = {{5}}};
    assert_int_equal(core_credit(core, "r1", sara, 60, ""), LEDGER_APPLIED);
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, core_send(core, sara, "reza", 61));
    ASSERT_REFUSED(core, LEDGER_SAME_ACCOUNT, core_send(core, sara, "sara", 1));
    ASSERT_REFUSED(core, LEDGER_RECIPIENT_NOT_FOUND, core_send(core, sara, "nobody", 1));
    ASSERT_REFUSED(core, LEDGER_USER_NOT_FOUND, core_send(core, &nobody, "reza", 1));
    sara->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, core_send(core, sara, "reza", 1));
    sara->is_frozen = false;
    reza->is_frozen = true;
    ASSERT_REFUSED(core, LEDGER_ACCOUNT_FROZEN, core_send(core, sara, "reza", 1));
    reza->is_frozen = false;
    sara->debits_pending = 60; /* all of it is held */
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, core_send(core, sara, "reza", 1));
    sara->debits_pending = 59;
    assert_int_equal(core_send(core, sara, "reza", 1), LEDGER_APPLIED);
    sara->debits_pending = 0;
    reza->credits_pending = MONEY_AMOUNT_MAX - 1; /* what is to come has its room */
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, core_send(core, sara, "reza", 1));
    reza->credits_pending = 0;
    sara->floor_minor = 50;
    ASSERT_REFUSED(core, LEDGER_FLOOR_REACHED, core_send(core, sara, "reza", 10));
    assert_int_equal(core_send(core, sara, "reza", 9), LEDGER_APPLIED);
}

/* By name, by phone number, by account; another kind of account is nobody's wallet. */
static void a_recipient_is_named_in_three_ways(void **state) {
    struct core *core = *state;
    const struct account *sara = core_open_wallet(core, "sara");
    struct user *reza = NULL;
    struct register_command command = {.name = TEXT("reza"), .password_hash = CORE_PASSWORD};
    assert_int_equal(phone_parse(TEXT("+989121234567"), "IR", &command.phone).code, RESULT_OK);
    assert_int_equal(ledger_register_user(&core->ledger, &command, core->now_us, &reza), LEDGER_APPLIED);
    const struct account *account = ledger_find_account_of_user(&core->ledger, reza->id);
    assert_int_equal(core_credit(core, "r1", sara, 100, ""), LEDGER_APPLIED);
    struct transfer_command ways[] = {
        {.recipient = RECIPIENT_USERNAME, .recipient_name = TEXT("reza")},
        {.recipient = RECIPIENT_PHONE, .recipient_phone = command.phone},
        {.recipient = RECIPIENT_ACCOUNT, .recipient_account = account->id},
        {.recipient = RECIPIENT_ACCOUNT, .recipient_account = core->ledger.issuances[CURRENCY_IRT]->id},
        {.recipient = RECIPIENT_ACCOUNT, .recipient_account = {{9, 9}}},
        {.recipient = RECIPIENT_PHONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        const struct transfer *transfer = NULL;
        ways[i].user_id = sara->user_id;
        ways[i].amount = (struct money){10, CURRENCY_IRT};
        ways[i].reference = TEXT("invoice");
        enum ledger_outcome outcome = ledger_transfer(&core->ledger, &ways[i], core->now_us, &transfer);
        assert_int_equal(outcome, i < 3 ? LEDGER_APPLIED : LEDGER_RECIPIENT_NOT_FOUND);
        if (i < 3) assert_int_equal(transfer->credit_account, account->number);
        if (i < 3) assert_true(text_equal(transfer->reference, TEXT("invoice")));
    }
    assert_int_equal(account_balance(account).amount_minor, 30);
}

static void what_moved_is_in_both_accounts_and_in_the_transfer(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    assert_int_equal(core_credit(core, "r1", sara, 60, ""), LEDGER_APPLIED);
    core->now_us += 5;
    assert_int_equal(core_send(core, sara, "reza", 25), LEDGER_APPLIED);
    const struct transfer *transfer = core->ledger.transfers.rows[1];
    assert_int_equal(transfer->kind, TRANSFER_USER);
    assert_int_equal(transfer->debit_account, sara->number);
    assert_int_equal(transfer->debit_sequence, 2);
    assert_int_equal(transfer->debit_balance_after, 35);
    assert_int_equal(transfer->credit_account, reza->number);
    assert_int_equal(transfer->credit_sequence, 1);
    assert_int_equal(transfer->credit_balance_after, 25);
    assert_int_equal(sara->debits_posted, 25);
    assert_int_equal(sara->credits_posted, 60);
    assert_int_equal(reza->credits_posted, 25);
    assert_int_equal(sara->updated_at_us, core->now_us);
    assert_int_equal(reza->updated_at_us, core->now_us);
}

static void totals_are_bounded_by_the_integer_that_holds_them(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    sara->debits_posted = INT64_MAX - 5;
    sara->credits_posted = INT64_MAX;
    ASSERT_REFUSED(core, LEDGER_BALANCE_TOO_LARGE, core_credit(core, "r1", sara, 1, ""));
    ASSERT_REFUSED(core, LEDGER_INSUFFICIENT_FUNDS, core_send(core, sara, "reza", 6));
    assert_int_equal(core_send(core, sara, "reza", 5), LEDGER_APPLIED);
    assert_int_equal(account_balance(reza).amount_minor, 5);
}

/* Asked of the posting itself, because most commands look at the currency before. */
static void both_sides_have_the_currency_of_the_amount(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara"), *reza = core_open_wallet(core, "reza");
    assert_int_equal(core_credit(core, "r1", sara, 100, ""), LEDGER_APPLIED);
    struct posting posting = {.kind = TRANSFER_USER, .debit = sara, .credit = reza, .amount = {1, CURRENCY_IRT}};
    sara->currency = CURRENCY_IRR;
    assert_int_equal(posting_outcome(&core->ledger, &posting, core->now_us), LEDGER_CURRENCY_MISMATCH);
    sara->currency = CURRENCY_IRT;
    reza->currency = CURRENCY_IRR;
    assert_int_equal(posting_outcome(&core->ledger, &posting, core->now_us), LEDGER_CURRENCY_MISMATCH);
    reza->currency = CURRENCY_IRT;
    assert_int_equal(posting_outcome(&core->ledger, &posting, core->now_us), LEDGER_APPLIED);
}

/* What ever went out, or in, is counted up for ever: the totals must have room as well. */
static void totals_do_not_overflow(void **state) {
    struct core *core = *state;
    struct account *sara = core_open_wallet(core, "sara");
    struct posting posting = {.kind = TRANSFER_CREDIT,
                              .debit = core->ledger.issuances[CURRENCY_IRT],
                              .credit = sara,
                              .amount = {6, CURRENCY_IRT}};
    core->ledger.issuances[CURRENCY_IRT]->debits_posted = core->ledger.issuances[CURRENCY_IRT]->credits_posted = INT64_MAX - 5;
    assert_int_equal(posting_outcome(&core->ledger, &posting, core->now_us), LEDGER_BALANCE_TOO_LARGE);
    core->ledger.issuances[CURRENCY_IRT]->debits_posted = core->ledger.issuances[CURRENCY_IRT]->credits_posted = INT64_MAX - 6;
    assert_int_equal(posting_outcome(&core->ledger, &posting, core->now_us), LEDGER_APPLIED);
    sara->debits_posted = sara->credits_posted = INT64_MAX - 5;
    assert_int_equal(posting_outcome(&core->ledger, &posting, core->now_us), LEDGER_BALANCE_TOO_LARGE);
}

static void each_kind_says_what_it_is(void **state) {
    (void)state;
    for (int number = TRANSFER_CREDIT; number <= TRANSFER_KIND_LAST + 1; number++) {
        enum transfer_kind kind = (enum transfer_kind)number;
        bool is_by_its_owner = kind == TRANSFER_USER || kind == TRANSFER_PAYMENT;
        bool is_unknown = number > TRANSFER_KIND_LAST;
        assert_int_equal(strcmp(transfer_kind_name(kind), "unknown") == 0, is_unknown);
        assert_int_equal(transfer_kind_spends(kind), is_by_its_owner || kind == TRANSFER_HOLD || kind == TRANSFER_ADJUSTMENT);
        assert_int_equal(transfer_kind_is_reversible(kind), is_by_its_owner || kind == TRANSFER_CREDIT || kind == TRANSFER_CAPTURE);
        assert_int_equal(transfer_kind_moves(kind), kind != TRANSFER_HOLD && kind != TRANSFER_HOLD_RELEASE && kind != TRANSFER_HOLD_EXPIRY);
    }
    assert_string_equal(transfer_kind_name((enum transfer_kind)0), "unknown");
    assert_string_equal(transfer_kind_name(TRANSFER_ADJUSTMENT), "adjustment");
}

/* Nobody pages through issuance and funds: their side of what they pay, or get back, keeps no line. */
static void entries_of_funds_keep_no_line(void **state) {
    (void)state;
    for (int number = TRANSFER_CREDIT; number <= TRANSFER_KIND_LAST; number++) {
        enum transfer_kind kind = (enum transfer_kind)number;
        bool is_between_funds = kind == TRANSFER_OPEN || kind == TRANSFER_TOPUP || kind == TRANSFER_RELEASE;
        assert_int_equal(transfer_kind_is_shown(kind, false), !is_between_funds && kind != TRANSFER_CREDIT);
        assert_int_equal(transfer_kind_is_shown(kind, true), !is_between_funds && kind != TRANSFER_CREDIT_REVERSAL);
        assert_int_equal(transfer_kind_names_other(kind), kind == TRANSFER_USER || kind == TRANSFER_PAYMENT || kind == TRANSFER_CAPTURE);
    }
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        CORE_TEST(both_sides_have_the_currency_of_the_amount),
        CORE_TEST(totals_do_not_overflow),
        CORE_TEST(each_kind_says_what_it_is),
        CORE_TEST(entries_of_funds_keep_no_line),
        CORE_TEST(the_largest_balance_is_reached_and_not_passed),
        CORE_TEST(a_refused_transfer_changes_nothing),
        CORE_TEST(a_recipient_is_named_in_three_ways),
        CORE_TEST(what_moved_is_in_both_accounts_and_in_the_transfer),
        CORE_TEST(totals_are_bounded_by_the_integer_that_holds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
