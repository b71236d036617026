/* Whose turn it is: which campaigns the store is asked about, how often, and what is looked at afterwards. */
#include "fake_store.h"

#include "discount/settle/turns.h"

static struct turns turns;
static struct claims claims;
static struct messages messages;
static struct store *const store = NULL;

/* In the place of claims.c, which reads what is in the database. */
void claims_look(struct claims *looked) { looked->must_refill = true; }

static void publish(size_t index) {
    campaigns[index].sequence++;
    show(index);
}

/* Somebody waits, and a place is open. */
static void open_place(size_t index) {
    struct campaign *campaign = &campaigns[index];
    campaign->waiting = campaign->lined_up = 2;
    campaign->redeemed = 1;
    campaign->first_redeemed_at_us = campaign->last_redeemed_at_us = 1;
    publish(index);
}

static int set_up(void **state) {
    (void)state;
    memset(&fake_store, 0, sizeof fake_store);
    memset(&claims, 0, sizeof claims);
    board_begin();
    assert_true(result_is_ok(messages_init(&messages)));
    messages.store = store;
    for (size_t i = 0; i < 2; i++) board_set_books(board_slot(board, i), BOOKS_AGREE);
    turns = (struct turns){.board = board, .clock = &fake_clock, .claims = &claims, .messages = &messages};
    turns_init(&turns);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    messages_free(&messages);
    board_free(board);
    return 0;
}

static void nobody(void *context, struct discount_operation *request) {
    (void)context;
    (void)request;
    fail();
}

/* The store has done it: so many were promoted. */
static void end(int64_t promoted, struct result outcome) {
    fake_store_request(0)->promoted = promoted;
    fake_store_end(0, outcome);
    (void)messages_take(&messages, nobody, NULL);
}

static void be_asked(size_t index) {
    assert_int_equal(fake_store.count, 1);
    assert_ptr_equal(fake_store_action(0), &promote_action);
    assert_true(id_equal(fake_store_request(0)->campaign_id, campaigns[index].id));
    assert_int_equal(operation_of(fake_store.operations[0])->store.weight, PROMOTE_AT_ONCE);
    assert_int_equal(fake_store_request(0)->promoted, 0);
    assert_int_equal(turns_next_us(&turns), INT64_MAX);
}

static void test_without_a_line_nobody_is_asked_and_nothing_is_waited_for(void **state) {
    (void)state;
    assert_int_equal(turns_next_us(&turns), 0);
    turns_run(&turns, 5);
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(turns_next_us(&turns), INT64_MAX);
    open_place(0);
    turns_run(&turns, 6); /* nobody has told */
    assert_int_equal(fake_store.count, 0);
    turns_look(&turns);
    turns_run(&turns, 6);
    be_asked(0);
}

static void test_one_after_the_other_until_nobody_gets_one(void **state) {
    (void)state;
    open_place(0);
    open_place(1);
    turns_run(&turns, 5);
    be_asked(0);
    turns_look(&turns);
    turns_run(&turns, 5);
    assert_int_equal(fake_store.count, 1); /* one at a time */
    end(250, result_ok());
    assert_true(claims.must_refill);
    claims.must_refill = false;
    turns_run(&turns, 5);
    be_asked(1);
    end(0, result_ok());
    assert_false(claims.must_refill);
    turns_run(&turns, 5); /* the end of this turn */
    assert_int_equal(turns_next_us(&turns), 0);
    turns_run(&turns, 5); /* some were promoted: there may be more */
    be_asked(0);
    end(0, result_ok());
    turns_run(&turns, 5);
    be_asked(1);
    end(0, result_ok());
    turns_run(&turns, 7);
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(turns_next_us(&turns), 7 + CLOCK_SECOND_US);
    turns_run(&turns, 6 + CLOCK_SECOND_US);
    assert_int_equal(fake_store.count, 0);
    turns_run(&turns, 7 + CLOCK_SECOND_US); /* an hour may have come */
    be_asked(0);
    end(3, result_error(RESULT_IO));
    assert_false(claims.must_refill);
}

static void test_what_comes_up_meanwhile_is_looked_at(void **state) {
    (void)state;
    open_place(1);
    turns_run(&turns, 5);
    be_asked(1);
    open_place(0); /* before the one that is asked for */
    turns_look(&turns);
    end(0, result_ok());
    turns_run(&turns, 5);
    assert_int_equal(turns_next_us(&turns), 0);
    turns_run(&turns, 5);
    be_asked(0);
}

static void test_a_store_that_stops_is_asked_no_more(void **state) {
    (void)state;
    open_place(0);
    fake_store.is_stopping = true;
    turns_run(&turns, 5);
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(turns_next_us(&turns), INT64_MAX);
}

#define HELD(...)                                                \
    do {                                                         \
        struct campaign before = campaigns[0];                   \
        __VA_ARGS__;                                             \
        publish(0);                                              \
        turns_look(&turns);                                      \
        turns_run(&turns, 5);                                    \
        if (fake_store.count != 0) fail_msg("%s", #__VA_ARGS__); \
        before.sequence = campaigns[0].sequence;                 \
        campaigns[0] = before;                                   \
    } while (0)

static void test_what_can_have_no_place_is_not_asked_for(void **state) {
    (void)state;
    struct campaign *campaign = &campaigns[0];
    open_place(0);
    HELD(campaign->is_paused = true);
    HELD(campaign->ended_at_us = 1);
    HELD(campaign->starts_at_us = fake_now_us + CLOCK_SECOND_US);
    HELD(campaign->max_redemptions = 1);
    HELD(campaign->fund_confirmed_minor = 1000);
    HELD(campaign->approval.waits = APPROVAL_OF_CREATION);
    HELD(campaign->rules.budget_minor = campaign->spent_minor = 1000);
    HELD(campaign->rules.max_per_day = 1, campaign->day_ends_at_us = INT64_MAX);
    HELD(campaign->waiting = 0, campaign->called = 2);
    board_set_books(board_slot(board, 0), BOOKS_RECOVERING);
    HELD((void)0);
    board_set_books(board_slot(board, 0), BOOKS_NOT_COMPARED);
    publish(0);
    turns_look(&turns);
    turns_run(&turns, 5);
    be_asked(0);
}

#define ASKED(...)                                               \
    do {                                                         \
        __VA_ARGS__;                                             \
        publish(0);                                              \
        turns_look(&turns);                                      \
        turns_run(&turns, 5);                                    \
        if (fake_store.count == 0) fail_msg("%s", #__VA_ARGS__); \
        end(0, result_ok());                                     \
        turns_run(&turns, 5);                                    \
    } while (0)

/* Be it the last of the money, of the day, of the places or of the line. */
static void test_the_last_place_is_asked_for(void **state) {
    (void)state;
    struct campaign *campaign = &campaigns[0];
    open_place(0);
    ASKED(campaign->max_redemptions = 2);
    ASKED(campaign->fund_confirmed_minor = 2000);
    ASKED(campaign->spent_minor = 1000, campaign->rules.budget_minor = 1001);
    ASKED(campaign->rules.max_per_day = 2, campaign->day_ends_at_us = INT64_MAX);
    ASKED(campaign->called = campaign->waiting = 1);
}

/* Without a word of anybody else: whoever is behind those who were promoted may have a place as well. */
static void test_some_were_promoted_and_so_it_is_looked_again(void **state) {
    (void)state;
    open_place(0);
    turns_run(&turns, 5);
    end(1, result_ok());
    turns_run(&turns, 5); /* the end of this turn */
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(turns_next_us(&turns), 0);
}

/* Nobody waits any more where all is over. */
static void test_a_line_that_has_ended_is_waited_for_by_nobody(void **state) {
    (void)state;
    open_place(0);
    campaigns[0].ended_at_us = 1;
    publish(0);
    turns_run(&turns, 5);
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(turns_next_us(&turns), INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_line_nobody_is_asked_and_nothing_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_after_the_other_until_nobody_gets_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_up_meanwhile_is_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_store_that_stops_is_asked_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_place_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_some_were_promoted_and_so_it_is_looked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_that_has_ended_is_waited_for_by_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_have_no_place_is_not_asked_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
