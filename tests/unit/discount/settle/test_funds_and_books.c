/* What the books say about a fund, and what is done before any other step of it. */
#include "funds.h"

/* Of the first campaign: over, and `credited` of three were paid. */
static void end_campaign(int64_t credited) {
    campaigns[0].ended_at_us = fake_now_us;
    campaigns[0].redeemed = 3;
    campaigns[0].credited = credited;
    campaigns[0].failed = 3 - credited;
    show(0);
    funds_look(&funds);
}

static void test_what_paid_nobody_is_released_at_once(void **state) {
    (void)state;
    end_campaign(0);
    run();
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/release", "");
}

static void test_a_single_credit_is_counted_before_the_release(void **state) {
    (void)state;
    end_campaign(1);
    run();
    expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
}

/* The money for a credit that Wallet has lost must not go back. */
static void test_no_release_while_wallet_has_fewer_credits(void **state) {
    (void)state;
    end_campaign(2);
    run();
    fake_answer(0, 200, "{\"funded\":100000,\"credited\":1999}");
    assert_int_equal(fake_client.count, 0);
    assert_true(calls.must_compare);
    assert_false(funds_are_busy(&funds));
    run();
    assert_int_equal(fake_client.count, 0); /* later */
    fake_now_us = funds_next_us(&funds);
    run();
    expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
}

static void test_no_release_before_the_books_agree(void **state) {
    (void)state;
    static const enum books books[] = {BOOKS_NOT_COMPARED, BOOKS_WALKING, BOOKS_RECOVERING};
    end_campaign(2);
    for (size_t i = 0; i < ARRAY_COUNT(books); i++) {
        board_set_books(board_slot(board, 0), books[i]);
        funds_look(&funds);
        run();
        assert_int_equal(fake_client.started, 0);
    }
    board_set_books(board_slot(board, 0), BOOKS_AGREE);
    again[0] = 1;
    funds_look(&funds);
    run();
    assert_int_equal(fake_client.started, 0);
    again[0] = 0;
    funds_hold(&funds, 1, true);
    run();
    assert_int_equal(fake_client.started, 0);
    funds_hold(&funds, 1, false);
    run();
    assert_int_equal(fake_client.started, 1);
}

/* What Wallet has paid to nobody of ours stands for none of our credits. */
static void test_what_nobody_got_is_not_counted_before_the_release(void **state) {
    (void)state;
    campaigns[0].ended_at_us = fake_now_us;
    campaigns[0].redeemed = campaigns[0].credited = 2;
    funds_note_foreign(&funds, 1, 1000);
    show(0);
    run();
    fake_answer(0, 200, "{\"funded\":100000,\"credited\":2000}");
    assert_int_equal(fake_client.count, 0);
    assert_true(calls.must_compare);
    fake_now_us = funds_next_us(&funds) > fake_now_us ? funds_next_us(&funds) : fake_now_us;
    run();
    fake_now_us = funds_next_us(&funds) > fake_now_us ? funds_next_us(&funds) : fake_now_us;
    run();
    fake_answer(0, 200, "{\"funded\":100000,\"credited\":3000}");
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/release", "");
}

static void test_what_is_in_conflict_is_not_counted_before_the_release_either(void **state) {
    (void)state;
    end_campaign(2);
    board_set_books(board_slot(board, 0), BOOKS_CONFLICTED);
    funds_note_conflicts(&funds, 1, 1000);
    funds_note_foreign(&funds, 1, 500);
    funds_look(&funds);
    run();
    fake_answer(0, 200, "{\"funded\":100000,\"credited\":3499}");
    assert_true(calls.must_compare);
    fake_now_us = funds_next_us(&funds) > fake_now_us ? funds_next_us(&funds) : fake_now_us;
    run();
    fake_now_us = funds_next_us(&funds) > fake_now_us ? funds_next_us(&funds) : fake_now_us;
    run();
    fake_answer(0, 200, "{\"funded\":100000,\"credited\":3500}");
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/release", "");
}

/* Of three one was credited, one failed and one was taken back. */
static void test_what_came_back_is_counted_before_the_release(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        bool is_released;
    } cases[] = {{"{\"funded\":100000,\"credited\":0,\"reversed\":1000}", false}, /* Wallet has lost the one that is credited */
                 {"{\"funded\":100000,\"credited\":999,\"reversed\":1000}", false},
                 {"{\"funded\":100000,\"credited\":1000,\"reversed\":0}",
                  true}, /* the other one was lost with its reversal: nobody is owed it */
                 {"{\"funded\":100000,\"credited\":999,\"reversed\":1001}", true}, /* and some of it was taken back by somebody else */
                 {"{\"funded\":100000,\"credited\":1000,\"reversed\":1000}", true}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        tear_down(state);
        set_up(state);
        campaigns[0].reversed = campaigns[0].returned = 1;
        campaigns[0].ended_at_us = fake_now_us;
        campaigns[0].redeemed = 3;
        campaigns[0].credited = campaigns[0].failed = 1;
        show(0);
        funds_look(&funds);
        run();
        fake_answer(0, 200, cases[i].answer);
        assert_int_equal(fake_client.count, cases[i].is_released);
        if (cases[i].is_released) expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/release", "");
        assert_int_equal(calls.must_compare, !cases[i].is_released);
    }
}

/* An older copy of Wallet may lack even what it had paid to nobody of ours, and an answer may say nothing at all. */
static void test_no_release_while_wallet_says_less_than_what_nobody_got(void **state) {
    (void)state;
    static const char *const answers[] = {"{\"funded\":100000,\"credited\":999}", "{\"funded\":100000,\"credited\":0}",
                                          "{\"funded\":100000}", "?"};
    end_campaign(1);
    board_set_books(board_slot(board, 0), BOOKS_CONFLICTED);
    funds_note_conflicts(&funds, 1, 500);
    funds_note_foreign(&funds, 1, 500);
    funds_look(&funds);
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        calls.must_compare = false;
        while (fake_client.count == 0) {
            fake_now_us = funds_next_us(&funds) > fake_now_us ? funds_next_us(&funds) : fake_now_us;
            run();
        }
        fake_answer(0, 200, answers[i]);
        assert_int_equal(fake_client.count, 0);
        assert_true(calls.must_compare);
    }
}

static void test_what_wallet_says_is_adopted_before_any_other_step(void **state) {
    (void)state;
    assert_false(funds_is_behind(&funds, 1));
    want_step(100000, 2000);
    assert_true(funds_is_behind(&funds, 1));
    funds_adopt(&funds, 1, &(struct fund_said){.funded_minor = 7000, .is_released = true});
    run();
    assert_int_equal(fake_client.started, 0); /* nobody is asked */
    assert_ptr_equal(fake_store_action(0), &fund_adopted_action);
    assert_true(fake_store_request(0)->fund_said.funded_minor == 7000 && fake_store_request(0)->fund_said.is_released);
    assert_true(id_equal(fake_store_request(0)->campaign_id, campaigns[0].id));
    run(); /* one at a time */
    assert_int_equal(fake_store.count, 1);
    end_in_store(result_error(RESULT_IO));
    assert_true(funds_is_behind(&funds, 1));
    fake_now_us = funds_next_us(&funds) > fake_now_us ? funds_next_us(&funds) : fake_now_us;
    run();
    fake_now_us = funds_next_us(&funds);
    run();
    assert_ptr_equal(fake_store_action(0), &fund_adopted_action);
    campaigns[0].fund_confirmed_minor = 7000;
    campaigns[0].fund_step_minor = 0;
    show(0);
    assert_int_equal(claims_looks, 0);
    end_in_store(result_ok());
    assert_false(funds_is_behind(&funds, 1));
    assert_int_equal(claims_looks, 1);
    run();
    assert_int_equal(fake_store.count, 0);
}

/* Whatever else is under way ends first, and does not count for it. */
static void test_what_is_to_be_adopted_stays_so_until_it_is(void **state) {
    (void)state;
    want_step(0, 100000);
    run();
    fake_answer(0, 201, "{}");
    assert_ptr_equal(fake_store_action(0), &fund_confirmed_action);
    run();
    assert_true(funds_next_us(&funds) > fake_now_us);
    funds_adopt(&funds, 1, &(struct fund_said){.funded_minor = 7000});
    assert_int_equal(funds_next_us(&funds), 0); /* it is looked at now */
    campaigns[0].fund_confirmed_minor = 100000;
    campaigns[0].fund_step_minor = 0;
    show(0);
    end_in_store(result_ok());
    assert_true(funds_is_behind(&funds, 1));
    run();
    assert_ptr_equal(fake_store_action(0), &fund_adopted_action);
    end_in_store(result_ok());
    assert_false(funds_is_behind(&funds, 1));
}

static void test_a_step_that_is_refused_holds_up_nothing(void **state) {
    (void)state;
    campaigns[0].fund_refusal_size = 1;
    want_step(100000, 2000);
    assert_false(funds_is_behind(&funds, 1));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_paid_nobody_is_released_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_single_credit_is_counted_before_the_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_release_while_wallet_has_fewer_credits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_release_before_the_books_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_nobody_got_is_not_counted_before_the_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_in_conflict_is_not_counted_before_the_release_either, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_came_back_is_counted_before_the_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_release_while_wallet_says_less_than_what_nobody_got, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_says_is_adopted_before_any_other_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_to_be_adopted_stays_so_until_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_step_that_is_refused_holds_up_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
