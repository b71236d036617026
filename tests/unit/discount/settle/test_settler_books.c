/* What the settler holds back until it is known who was paid, and while another Wallet is there. */
#include "rounds.h"

static void test_it_wakes_to_compare_what_it_could_not_compare(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(LAST, OURS, 200, "{}");
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    answer(BOOKS, OURS, 500, "");
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(calls_to(LAST), 2);
    end();
}

static void test_nothing_is_sent_before_the_books_are_compared(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(LAST, OURS, 200, "{}"); /* at once */
    assert_int_equal(calls_to(BOOKS), 1);
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    submit();
    go();
    go_after(SECOND_US / 10);
    assert_int_equal(calls_to(CREDITS), 0);
    assert_true(is_untold(&request));
    struct pollfd compared = {.fd = settler_compared(settler), .events = POLLIN};
    assert_int_equal(poll(&compared, 1, 0), 0);
    answer(BOOKS, OURS, 404, "");
    go();
    assert_int_equal(calls_to(CREDITS), 1); /* its request waits with it now */
    assert_int_equal(poll(&compared, 1, 0), 1);
    expect_wait(600); /* and no longer than it would have */
    go_after(SECOND_US * 6 / 10);
    assert_true(is_returned(&request));
    answer(CREDITS, OURS, 500, "");
    end();
}

static void test_who_waits_for_the_books_is_answered_in_time(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    submit();
    go();
    assert_true(is_untold(&request));
    go_after(SECOND_US * 7 / 10);
    assert_true(is_returned(&request));
    assert_int_equal(calls_to(CREDITS), 0);
    end();
}

static void test_who_comes_while_a_campaign_recovers_waits_for_nothing(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_RECOVERING);
    begin();
    submit();
    go();
    assert_true(is_returned(&request));
    board_set_books(board_slot(board, 0), BOOKS_AGREE);
    go_after(SECOND_US / 10);
    assert_int_equal(calls_to(CREDITS), 0);
    end();
}

/* Somebody of a campaign was paid otherwise: not this one. */
static void test_whom_no_conflict_names_is_paid(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_CONFLICTED);
    begin();
    submit();
    go();
    assert_true(is_untold(&request) && calls_to(CREDITS) == 1);
    answer(CREDITS, OURS, 500, "");
    end();
}

static void test_while_another_wallet_is_there_nothing_is_settled(void **state) {
    (void)state;
    options.revocations = revocations;
    begin();
    go_after(SECOND_US / 4);
    answer(GREETING, ANOTHER, 200, "");
    answer(BOOKS, ANOTHER, 200, "{\"data\":[],\"next_cursor\":null}");
    answer(ENDED, ANOTHER, 200, "{\"data\":[],\"next_cursor\":\"x\"}");
    go();
    expect_wait(2000); /* who is there, and nothing else */
    campaigns[1].ends_at_us = fake_now_us;
    show(1);
    want_fund(1);
    settler_poke(settler);
    submit();
    go_after(SECOND_US * 3 / 2);
    assert_int_equal(fake_client.count, 0);
    assert_ptr_equal(fake_store_action(0), &expire_action); /* for that nobody is called */
    fake_store_end(0, result_error(RESULT_UNAVAILABLE));
    go_after(SECOND_US / 2);
    assert_int_equal(fake_client.count, 1);
    answer(GREETING, OURS, 200, "");
    go();
    assert_int_equal(calls_to(ENDED), 1);
    assert_int_equal(calls_to(CREDITS), 1);
    assert_int_equal(calls_to(FUND), 1);
    answer(CREDITS, OURS, 500, "");
    answer(FUND, OURS, 500, "");
    while (fake_store.count > 0) fake_store_end(0, result_error(RESULT_UNAVAILABLE));
    end();
}

#define FUND_OF(id, credited) "{\"reference\":\"" id "\",\"funded\":100000,\"credited\":" credited ",\"released\":0,\"state\":\"open\"}"
#define FUNDS_THERE(credited)                                                                                                   \
    "{\"data\":[" FUND_OF("01000000-0000-0000-0000-000000000000", credited) "," FUND_OF("02000000-0000-0000-0000-000000000000", \
                                                                                        "0") "],\"next_cursor\":null}"
#define WALK "/transactions?"

static void test_what_wallet_has_lost_is_looked_for(void **state) {
    (void)state;
    campaigns[0].redeemed = campaigns[0].credited = 1;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = fake_now_us;
    show(0);
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(LAST, OURS, 200, "{}");
    answer(BOOKS, OURS, 200, FUNDS_THERE("0"));
    go();
    assert_int_equal(calls_to(WALK), 1);
    submit();
    go();
    assert_true(is_untold(&request));
    answer(WALK, OURS, 200, "{\"data\":[],\"next_cursor\":null}");
    go();
    go();
    assert_int_equal(calls_to(CREDITS), 1);
    answer(CREDITS, OURS, 500, "");
    end();
}

#define CREDIT_ID "019aab20-4c00-7a31-9f00-5b1e2c3d4e05"
#define UNKNOWN                                                                                                 \
    "{\"data\":[{\"reference\":\"" CREDIT_ID "\",\"user_id\":\"" CREDIT_ID "\",\"transaction_id\":\"" CREDIT_ID \
    "\",\"amount\":1000,\"created_at\":\"2026-01-02T03:04:05Z\"}],\"next_cursor\":null}"

static void test_what_we_have_lost_is_made_anew(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    begin();
    answer(LAST, OURS, 200, "{}");
    answer(BOOKS, OURS, 200, FUNDS_THERE("1000"));
    go();
    answer(WALK, OURS, 200, UNKNOWN);
    go();
    for (unsigned i = 0; i < 3 && fake_store.count == 0; i++) go();
    assert_int_equal(fake_store.count, 1);
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    fake_store_end(0, result_error(RESULT_IO));
    go();
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(fake_store.count, 1);
    fake_store_end(0, result_error(RESULT_IO));
    go();
    end();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_wakes_to_compare_what_it_could_not_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_sent_before_the_books_are_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_the_books_is_answered_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_comes_while_a_campaign_recovers_waits_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whom_no_conflict_names_is_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_another_wallet_is_there_nothing_is_settled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_has_lost_is_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_we_have_lost_is_made_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
