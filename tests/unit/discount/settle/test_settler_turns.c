/* The settler's rounds, while somebody waits for a place. */
#include "rounds.h"

/* The second one, who has come too late: all places are taken. */
static void line_up(void) {
    struct campaign *campaign = &campaigns[0];
    campaign->max_redemptions = campaign->redeemed = campaign->credited = 1;
    campaign->first_redeemed_at_us = campaign->last_redeemed_at_us = 1;
    campaign->waiting = campaign->lined_up = 1;
    show(0);
}

static void open_place(void) {
    campaigns[0].max_redemptions = 2;
    show(0);
}

static void expect_promotion(void) {
    assert_int_equal(fake_store.count, 1);
    assert_ptr_equal(fake_store_action(0), &promote_action);
    assert_true(id_equal(fake_store_request(0)->campaign_id, campaigns[0].id));
}

static void test_it_wakes_once_a_second_while_somebody_waits(void **state) {
    (void)state;
    line_up();
    begin();
    go_after(SECOND_US / 4); /* the greeting is on its way, and stays there */
    expect_wait(750);
    open_place();
    go();
    assert_int_equal(fake_store.count, 0); /* nobody has said so, and a round alone is no reason */
    expect_wait(750);
    go_after(SECOND_US * 3 / 4);
    expect_promotion();
    expect_wait(MOST_MS);
    fake_store_end(0, result_error(RESULT_UNAVAILABLE));
    end();
}

static void test_it_looks_for_places_when_it_is_poked(void **state) {
    (void)state;
    line_up();
    begin();
    open_place();
    settler_poke(settler);
    go();
    expect_promotion();
    fake_store_end(0, result_error(RESULT_UNAVAILABLE));
    end();
}

/* Their claims are in the database alone. */
static void test_it_wakes_to_read_who_was_promoted(void **state) {
    (void)state;
    line_up();
    open_place();
    begin();
    expect_promotion();
    go_after(SECOND_US / 4);    /* the greeting is on its way, and stays there */
    assert_int_equal(reads, 1); /* at the start */
    campaigns[0].waiting = 0;
    show(0);
    fake_store_request(0)->promoted = 1;
    fake_store_end(0, result_ok());
    read_outcome = result_error(RESULT_IO);
    go();
    expect_logged(LOG_ERROR, "refill_failed");
    assert_int_equal(reads, 2);
    go(); /* behind the one who was promoted there may be more */
    assert_in_range(fake_client.waited_ms, 1, BACKOFF_FIRST_US / 1000);
    read_outcome = result_ok();
    go_after(fake_client.waited_ms * 1000);
    assert_int_equal(reads, 3);
    expect_wait(MOST_MS);
    end();
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_wakes_once_a_second_while_somebody_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_looks_for_places_when_it_is_poked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_wakes_to_read_who_was_promoted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
