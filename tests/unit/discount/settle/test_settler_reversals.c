/* The settler's rounds, while redemptions are taken back. */
#include "rounds.h"

#define REVERSALS "/v1/credits/reversals"
#define DONE                                                                                                         \
    "{\"items\":[{\"reference\":\"01010000-0000-0000-0000-000000000001\",\"status\":\"applied\",\"transaction_id\":" \
    "\"0190f5fe-7c00-7a00-8000-0000000000aa\"}]}"

static struct redemption owed;

/* Somebody wants the first redemption taken back, and the database owes it. */
static void submit_reversal(void) {
    request.operation.is_reversal = true;
    request.operation.redemption.status = REDEMPTION_REVERSING;
    owed = request.operation.redemption;
    owed_reversal = &owed;
    submit();
    go();
    assert_int_equal(calls_to(REVERSALS), 1);
    assert_ptr_equal(reversals_batch, &the_batch);
}

static void test_it_wakes_for_reversals_and_who_waits_for_them(void **state) {
    (void)state;
    options.settle_wait_ms = 9000;
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    expect_wait(MOST_MS);
    submit_reversal();
    expect_wait(9000); /* the request's time */
    answer(REVERSALS, OURS, 500, "");
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(calls_to(REVERSALS), 1);
    answer(REVERSALS, OURS, 200, DONE);
    assert_ptr_equal(fake_store_action(0), &taken_back_action);
    assert_true(is_untold(&request));
    fake_store_end(0, result_ok());
    assert_true(is_returned(&request));
    go();
    expect_wait(MOST_MS);
    end();
}

/* The place that came free has somebody else now, whose claim is in the database. */
static void test_who_was_promoted_by_a_reversal_is_read(void **state) {
    (void)state;
    begin();
    submit_reversal();
    answer(REVERSALS, OURS, 200, DONE);
    fake_store_request(0)->promoted = 1;
    fake_store_end(0, result_ok());
    assert_int_equal(reads, 1); /* at the start */
    go();
    assert_int_equal(reads, 2);
    end();
}

static void test_a_stop_waits_for_reversals_and_then_gives_up(void **state) {
    (void)state;
    begin();
    submit_reversal();
    begin_to_stop();
    go();
    expect_wait(3000);
    go_after(3 * SECOND_US - 1);
    expect_wait(1);
    fake_now_us++;
    sem_post(&goes);
    expect_stopped();
    assert_true(is_returned(&request));
    assert_int_equal(fake_client.count, 0);
}

#define THE_FUND \
    "{\"reference\":\"01000000-0000-0000-0000-000000000000\",\"funded\":100000,\"credited\":1000,\"released\":0,\"state\":\"open\"}"
#define OTHER_FUND \
    "{\"reference\":\"02000000-0000-0000-0000-000000000000\",\"funded\":100000,\"credited\":0,\"released\":0,\"state\":\"open\"}"
#define THE_CREDIT                                                                                                                     \
    "{\"reference\":\"01010000-0000-0000-0000-000000000001\",\"user_id\":\"22010000-0000-0000-0000-000000000001\",\"transaction_id\":" \
    "\"aa010000-0000-0000-0000-000000000001\",\"amount\":1000,\"created_at\":\"2026-01-02T03:04:05.000000Z\"}"

static void test_what_wallet_has_not_taken_back_any_more_is_sent_again(void **state) {
    (void)state;
    owed = request.operation.redemption;
    owed.status = REDEMPTION_REVERSED;
    owed.settled_at_us = owed.claimed_at_us;
    owed.user_id = id_of("22010000-0000-0000-0000-000000000001");
    owed.transaction_id = id_of("aa010000-0000-0000-0000-000000000001");
    owed_reversal = &owed;
    campaigns[0].redeemed = campaigns[0].reversed = campaigns[0].returned = 1;
    show(0);
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(LAST, OURS, 200, "{}");
    answer(BOOKS, OURS, 200, "{\"data\":[" THE_FUND "," OTHER_FUND "],\"next_cursor\":null}");
    for (int i = 0; i < 3 && calls_to("/transactions") == 0; i++) go();
    answer("/transactions", OURS, 200, "{\"data\":[" THE_CREDIT "],\"next_cursor\":null}");
    for (int i = 0; i < 3 && calls_to(REVERSALS) == 0; i++) go();
    assert_int_equal(calls_to(REVERSALS), 1);
    answer(REVERSALS, OURS, 500, "");
    end();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_wakes_for_reversals_and_who_waits_for_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_promoted_by_a_reversal_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_has_not_taken_back_any_more_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_waits_for_reversals_and_then_gives_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
