/* A walk over credits of which some were taken back: in Wallet alone, here alone, or in both. */
#include "walk.h"

static const struct redemption *asked_again[8];
static size_t asked_again_count;
static bool has_room;

static bool reverse_again(void *reversals, const struct redemption *redemption) {
    assert_ptr_equal(reversals, &asked_again);
    asked_again[asked_again_count++] = redemption;
    return has_room;
}

static void begin_with_reversals(void) {
    walk.taker = &taker;
    walk.reversals = &asked_again;
    walk.reverse_again = reverse_again;
    asked_again_count = 0;
    has_room = true;
    begin();
}

/* Of those on the page, the ones with these positions were taken back in Wallet, all of the credit or less. */
static const char *reversed_page_of(const char *positions, const char *reversed, int amount) {
    char member[32], *at = (char *)(uintptr_t)page_of(positions, NULL);
    size_t size = (size_t)snprintf(member, sizeof member, "\"reversed\":%d,", amount);
    for (size_t i = 0; (at = strstr(at, "\"created_at\"")) != NULL; i++, at++) {
        if (strchr(reversed, positions[i]) == NULL) continue;
        memmove(at + size, at, strlen(at) + 1);
        memcpy(at, member, size);
        at += size;
    }
    return page;
}

static void test_a_reversal_that_wallet_has_lost_is_asked_for_again(void **state) {
    (void)state;
    fill(4, 4);
    rows[0].status = rows[1].status = rows[2].status = rows[3].status = REDEMPTION_REVERSED;
    rows[2].user_id = id_with(0x33, 3); /* Wallet has it of another one */
    begin_with_reversals();
    answer(200, reversed_page_of("123", "2", 1000));
    assert_int_equal(asked_again_count, 1);
    assert_int_equal(walk.counts.reversals_again, 1);
    assert_int_equal(walk.counts.of_another, 1);
    assert_int_equal(taken.count, 0);
    run();
    expect_end(true);
    assert_int_equal(walk.counts.again, 0); /* nor is one credited again that Wallet does not know */
}

static void test_without_room_it_is_found_by_the_next_look(void **state) {
    (void)state;
    fill(1, 1);
    rows[0].status = REDEMPTION_REVERSED;
    begin_with_reversals();
    has_room = false;
    answer(200, page_of("1", NULL));
    assert_int_equal(asked_again_count, 1);
    assert_int_equal(walk.counts.reversals_again, 0);
}

static void test_where_nobody_reverses_nothing_is_asked_for_again(void **state) {
    (void)state;
    fill(1, 1);
    rows[0].status = REDEMPTION_REVERSED;
    begin_with_reversals();
    walk.reverse_again = NULL;
    answer(200, page_of("1", NULL));
    assert_int_equal(walk.counts.reversals_again, 0);
}

/* What is on its way back is credited, and Wallet has it. */
static void test_what_is_on_its_way_back_was_paid(void **state) {
    (void)state;
    fill(2, 2);
    rows[0].status = REDEMPTION_REVERSING;
    begin_with_reversals();
    answer(200, page_of("12", NULL));
    run();
    expect_end(true);
    assert_int_equal(walk.counts.again, 0);
    assert_int_equal(walk.paid_count, 2);
}

/* It is handed over when it is that one's, in this campaign, all of it, and not known to be over here. */
static void test_what_is_handed_over_as_taken_back_there(void **state) {
    for (int which = 0; which < 7; which++) {
        tear_down(state);
        set_up(state);
        fill(1, 1);
        int amount = 1000;
        if (which == 1) rows[0].user_id = id_with(0x33, 1);
        if (which == 2) rows[0].campaign_number = 2;
        if (which == 3) rows[0].status = REDEMPTION_FAILED;
        if (which == 4) rows[0].status = REDEMPTION_CLAIMED;
        if (which == 5) amount = 999;
        if (which == 6)
            rows[0].claimed_as = rows[0].id, rows[0].id = id_with(5, 5); /* it was claimed so before it was known to be another */
        begin_with_reversals();
        answer(200, reversed_page_of("1", "1", amount));
        assert_int_equal(taken.count, which == 0 || which == 4);
    }
}

/* Of the smallest credit as of all others: who says nothing of it has it still. */
static void test_the_smallest_credit_is_not_taken_back_by_saying_nothing(void **state) {
    (void)state;
    begin_with_reversals();
    answer(200,
           "{\"data\":[{\"reference\":\"01010000-0000-0000-0000-000000000001\",\"user_id\":\"22010000-0000-0000-0000-000000000001\","
           "\"transaction_id\":\"aa010000-0000-0000-0000-000000000001\",\"amount\":1,\"created_at\":\"" AT "\"}],\"next_cursor\":null}");
    assert_int_equal(taken.count, 1);
    assert_false(taken.credits[0].is_reversed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_reversal_that_wallet_has_lost_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_it_is_found_by_the_next_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_where_nobody_reverses_nothing_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_on_its_way_back_was_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_smallest_credit_is_not_taken_back_by_saying_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_handed_over_as_taken_back_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
