/* Who may leave memory, and when; and who must come back. */
#include "fake_store.h"

#include "discount/settle/archive.h"

#define AFTER_US (90 * CLOCK_SECOND_US)
#define MOST     (ARCHIVE_CROWD + 1) /* campaigns: a crowd, by one */

static struct archive archive;
static struct claims claims;
static struct comparison comparison;
static struct funds funds;
static struct messages messages;
static uint32_t again[MOST];
static bool is_compared[MOST], has_funds_due[MOST];
static size_t funds_looks;

/* In the place of comparison.c and funds.c. */
bool comparison_is_on(const struct comparison *asked, uint32_t number) {
    (void)asked;
    assert_in_range(number, 1, board_count(board));
    return is_compared[number - 1];
}
bool funds_are_done(const struct funds *asked, uint32_t number) {
    (void)asked;
    return !has_funds_due[number - 1];
}
void funds_look(struct funds *looked) {
    (void)looked;
    funds_looks++;
}

static struct board_slot *slot_of(size_t index) { return board_slot(board, index); }

/* Three places, settled, and its fund is released. */
static void end_now(struct campaign *campaign) {
    campaign->redeemed = campaign->credited = 3;
    campaign->first_redeemed_at_us = campaign->last_redeemed_at_us = 1;
    campaign->ended_at_us = fake_now_us;
    campaign->fund_is_released = true;
    campaign->sequence++;
}

static void finish(size_t index) {
    end_now(&campaigns[index]);
    show(index);
}

/* In the place of the two: so many, all of them finished. */
static void finish_many(size_t count) {
    struct campaign campaign = campaigns[0];
    end_now(&campaign);
    campaign.code = (struct code){.size = 0};
    board_free(board);
    assert_true(result_is_ok(board_create(count, &board)));
    archive.board = board;
    for (size_t i = 0; i < count; i++) {
        campaign.number = (uint32_t)i + 1;
        memcpy(campaign.id.bytes, &campaign.number, sizeof campaign.number);
        board_reserve(board, &campaign);
        board_publish(board, &campaign, 0);
        board_set_books(slot_of(i), BOOKS_AGREE);
    }
}

static int set_up(void **state) {
    (void)state;
    memset(&fake_store, 0, sizeof fake_store);
    memset(&comparison, 0, sizeof comparison);
    memset(is_compared, 0, sizeof is_compared);
    memset(has_funds_due, 0, sizeof has_funds_due);
    memset(again, 0, sizeof again);
    claims.again = again;
    fake_now_us = INT64_C(1700000000) * CLOCK_SECOND_US;
    board_begin();
    assert_true(result_is_ok(messages_init(&messages)));
    for (size_t i = 0; i < 2; i++) board_set_books(slot_of(i), BOOKS_AGREE);
    archive = (struct archive){.board = board,
                               .clock = &fake_clock,
                               .claims = &claims,
                               .funds = &funds,
                               .comparison = &comparison,
                               .messages = &messages,
                               .is_on = true,
                               .after_us = AFTER_US};
    archive_init(&archive);
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

static void end(struct result outcome) {
    fake_store_end(0, outcome);
    (void)messages_take(&messages, nobody, NULL);
}

/* When it wants to; if it never does, long before that. */
static void run(void) {
    int64_t next_us = archive_next_us(&archive);
    archive_run(&archive, next_us == INT64_MAX ? fake_now_us : next_us);
}

/* For so many, one behind the other. */
static void be_asked_for(const struct action *action, uint32_t first_number, size_t count) {
    assert_int_equal(fake_store.count, 1);
    assert_ptr_equal(fake_store_action(0), action);
    assert_int_equal(fake_store_request(0)->archive.count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(fake_store_request(0)->archive.numbers[i], first_number + i);
    assert_int_equal(archive_next_us(&archive), INT64_MAX);
}

static void be_asked(const struct action *action, uint32_t number) { be_asked_for(action, number, 1); }

static void leave(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) assert_true(board_archive(slot_of(i)));
}

/* All that was to be done for them is done. */
static void come_back(size_t from, size_t to) {
    static const struct board_history history;
    for (size_t i = from; i < to; i++) {
        board_recall(slot_of(i), &history);
        is_compared[i] = false;
    }
}

static void test_what_is_over_leaves_when_its_time_has_come(void **state) {
    (void)state;
    finish(1);
    run();
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(archive_next_us(&archive), 60 * CLOCK_SECOND_US); /* as seldom as the time is long, and once a minute */
    fake_now_us += AFTER_US - 1;
    run();
    assert_int_equal(fake_store.count, 0);
    fake_now_us++;
    run();
    be_asked(&archive_action, 2);
    assert_true(board_archive(slot_of(1)));
    end(result_ok());
    run();
    assert_int_equal(fake_store.count, 0); /* it is gone */
}

/* A rule for each reason to stay. */
static void test_what_is_used_stays(void **state) {
    (void)state;
    finish(0);
    fake_now_us += AFTER_US;
    board_set_books(slot_of(0), BOOKS_NOT_COMPARED);
    run();
    board_set_books(slot_of(0), BOOKS_AGREE);
    again[0] = 1;
    run();
    again[0] = 0;
    is_compared[0] = true;
    run();
    is_compared[0] = false;
    assert_true(board_hold(slot_of(0)));
    run();
    board_let_go(slot_of(0));
    has_funds_due[0] = true;
    run();
    has_funds_due[0] = false;
    campaigns[0].reversing = 1;
    show(0);
    run();
    campaigns[0].reversing = 0;
    campaigns[0].fund_is_released = false;
    show(0);
    run();
    campaigns[0].fund_is_released = true;
    campaigns[0].credited = 2; /* one is not settled */
    show(0);
    run();
    campaigns[0].credited = 3;
    show(0);
    atomic_store(&slot_of(0)->wanted_at_us, fake_now_us - 59 * CLOCK_SECOND_US);
    run();
    archive.is_on = false;
    run();
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(archive_next_us(&archive), INT64_MAX);
    archive.is_on = true;
    fake_now_us += CLOCK_SECOND_US;
    run();
    be_asked(&archive_action, 1);
    end(result_error(RESULT_IO));
    run();
    be_asked(&archive_action, 1); /* at the next look */
}

static void test_what_is_wanted_comes_back(void **state) {
    (void)state;
    finish(0);
    assert_true(board_archive(slot_of(0)));
    comparison.wants_archived = true;
    run();
    assert_int_equal(fake_store.count, 0);                              /* nothing was to be done by then */
    is_compared[0] = is_compared[1] = comparison.wants_archived = true; /* the second is here */
    assert_int_equal(archive_next_us(&archive), 0);
    run();
    be_asked(&recall_action, 1);
    end(result_error(RESULT_IO));
    assert_true(archive_next_us(&archive) > 0);
    archive_run(&archive, 0);
    assert_int_equal(fake_store.count, 0); /* not before the next look */
    run();
    be_asked(&recall_action, 1);
    size_t looks = funds_looks;
    come_back(0, 1);
    end(result_ok());
    assert_int_equal(funds_looks, looks + 1);
    run();
    assert_int_equal(fake_store.count, 0);
}

/* It was asked about before anything was to be done, and is archived after. */
static void test_who_leaves_in_the_wrong_moment_comes_back(void **state) {
    (void)state;
    archive.after_us = 0;
    finish(0);
    run();
    be_asked(&archive_action, 1);
    has_funds_due[0] = true;
    assert_true(board_archive(slot_of(0)));
    end(result_ok());
    assert_int_equal(archive_next_us(&archive), CLOCK_SECOND_US);
    run();
    be_asked(&recall_action, 1);
}

static void test_of_many_some_leave_at_a_time(void **state) {
    (void)state;
    archive.after_us = 0;
    finish_many(ARCHIVE_AT_ONCE + 1);
    run();
    be_asked_for(&archive_action, 1, ARCHIVE_AT_ONCE);
    end(result_error(RESULT_IO));
    assert_int_equal(archive_next_us(&archive), CLOCK_SECOND_US); /* as if they were few */
    run();
    be_asked_for(&archive_action, 1, ARCHIVE_AT_ONCE);
    leave(0, ARCHIVE_AT_ONCE);
    end(result_ok());
    assert_int_equal(archive_next_us(&archive), 0);
    run();
    be_asked(&archive_action, ARCHIVE_AT_ONCE + 1);
    leave(ARCHIVE_AT_ONCE, ARCHIVE_AT_ONCE + 1);
    end(result_ok());
    assert_int_equal(archive_next_us(&archive), CLOCK_SECOND_US); /* there were no more of them */
}

/* Also where nothing is archived any more; until a look finds none. */
static void test_of_many_some_come_back_at_a_time(void **state) {
    (void)state;
    archive.is_on = false;
    finish_many(ARCHIVE_AT_ONCE + 1);
    fake_now_us += AFTER_US;
    leave(0, ARCHIVE_AT_ONCE + 1);
    for (size_t i = 0; i < ARCHIVE_AT_ONCE + 1; i++) is_compared[i] = true;
    comparison.wants_archived = true;
    run();
    be_asked_for(&recall_action, 1, ARCHIVE_AT_ONCE);
    come_back(0, ARCHIVE_AT_ONCE);
    end(result_ok());
    assert_int_equal(archive_next_us(&archive), 0); /* another is archived yet */
    run();
    be_asked(&recall_action, ARCHIVE_AT_ONCE + 1);
    come_back(ARCHIVE_AT_ONCE, ARCHIVE_AT_ONCE + 1);
    end(result_ok());
    assert_int_equal(archive_next_us(&archive), 60 * CLOCK_SECOND_US);
    run();
    assert_int_equal(fake_store.count, 0); /* and none of them leaves again */
    assert_int_equal(archive_next_us(&archive), INT64_MAX);
}

static void test_in_a_crowd_nobody_waits_for_its_time(void **state) {
    (void)state;
    finish_many(MOST);
    run();
    be_asked_for(&archive_action, 1, ARCHIVE_AT_ONCE);
    leave(0, 1); /* and with it the crowd */
    end(result_ok());
    assert_int_equal(archive_next_us(&archive), 0);
    run();
    assert_int_equal(fake_store.count, 0);
}

static void test_a_store_that_stops_is_asked_no_more(void **state) {
    (void)state;
    archive.after_us = 0;
    finish(0);
    fake_store.is_stopping = true;
    run();
    assert_int_equal(archive_next_us(&archive), INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_over_leaves_when_its_time_has_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_used_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wanted_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_leaves_in_the_wrong_moment_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_many_some_leave_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_many_some_come_back_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_a_crowd_nobody_waits_for_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_store_that_stops_is_asked_no_more, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
