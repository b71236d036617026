/* Campaigns that are archived: compared by the counts that were published last, and wanted back when there is something to be done. */
#include "compared.h"

#define RELEASED(funded, credited) PAGE(FUND(FIRST_ID, funded, credited, "released") "," FUND(SECOND_ID, "100000", "0", "open"), "null")

static struct board_slot *first(void) { return board_slot(board, 0); }

/* Two places, credited, and its fund is released. */
static void finish(void) {
    campaigns[0].redeemed = campaigns[0].credited = 2;
    campaigns[0].first_redeemed_at_us = campaigns[0].last_redeemed_at_us = campaigns[0].ended_at_us = fake_now_us;
    campaigns[0].fund_is_released = true;
    show(0);
}

static void recall(void) {
    const struct board_history nothing = {0};
    board_recall(first(), &nothing);
}

static void test_one_that_agrees_stays_where_it_is(void **state) {
    (void)state;
    finish();
    assert_true(board_archive(first()));
    answer(200, RELEASED("100000", "2000"));
    expect_nothing_logged();
    assert_false(comparison.wants_archived);
    assert_int_equal(told.adopts + told.walks, 0);
}

static void test_one_that_has_lost_credits_is_wanted_back(void **state) {
    (void)state;
    finish();
    assert_true(board_archive(first()));
    answer(200, RELEASED("100000", "1000"));
    assert_true(comparison.wants_archived);
    assert_int_equal(told.adopts, 0);
    assert_true(comparison_is_on(&comparison, 1));
}

static void test_one_whose_fund_has_changed_is_wanted_back(void **state) {
    (void)state;
    finish();
    assert_true(board_archive(first()));
    answer(200, RELEASED("99000", "2000"));
    assert_true(comparison.wants_archived);
    assert_int_equal(told.adopts, 1);
    assert_false(comparison_is_on(&comparison, 1));
}

static void test_one_that_is_recovering_is_wanted_back(void **state) {
    (void)state;
    finish();
    assert_true(board_archive(first()));
    set_books(0, BOOKS_RECOVERING);
    rebuild.state = REBUILD_MAKING;
    answer(200, RELEASED("100000", "2000"));
    assert_true(comparison.wants_archived);
}

static void test_one_that_is_there_need_not_be_brought(void **state) {
    (void)state;
    finish();
    answer(200, RELEASED("99000", "1000"));
    assert_int_equal(told.adopts, 1);
    assert_true(comparison_is_on(&comparison, 1));
    assert_false(comparison.wants_archived);
}

/* It may have changed since Wallet was asked, and nobody has looked at it before that. */
static void test_one_that_came_back_meanwhile_is_judged_at_the_next_look(void **state) {
    (void)state;
    finish();
    assert_true(board_archive(first()));
    let_ask();
    recall();
    end_call(200, RELEASED("99000", "1000"));
    expect_nothing_logged();
    assert_int_equal(told.adopts, 0);
    assert_false(comparison_is_on(&comparison, 1));
    answer(200, RELEASED("99000", "1000"));
    expect_logged(LOG_WARN, "books_differ");
    assert_int_equal(told.adopts, 1);
}

/* Who is being looked at is not archived. */
static void test_what_it_is_on(void **state) {
    (void)state;
    finish();
    assert_false(comparison_is_on(&comparison, 1));
    told.is_behind = true;
    answer(200, RELEASED("100000", "1000"));
    assert_true(comparison_is_on(&comparison, 1)); /* it waits */
    assert_false(comparison_is_on(&comparison, 2));
    told.is_behind = false;
    run();
    assert_int_equal(told.walked, 1);
    assert_true(comparison_is_on(&comparison, 1));
    assert_false(comparison_is_on(&comparison, 2));
    end_walk(true);
    assert_false(comparison_is_on(&comparison, 1));
    rebuild = (struct rebuild){.state = REBUILD_MAKING, .campaign_number = 1};
    assert_true(comparison_is_on(&comparison, 1));
    assert_false(comparison_is_on(&comparison, 2));
    rebuild.state = REBUILD_IDLE;
    assert_false(comparison_is_on(&comparison, 1));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_one_that_agrees_stays_where_it_is),
        TEST(test_one_that_has_lost_credits_is_wanted_back),
        TEST(test_one_whose_fund_has_changed_is_wanted_back),
        TEST(test_one_that_is_recovering_is_wanted_back),
        TEST(test_one_that_is_there_need_not_be_brought),
        TEST(test_one_that_came_back_meanwhile_is_judged_at_the_next_look),
        TEST(test_what_it_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
