/* What is collected, in which order it goes to the store, and how it ends. */
#include "fake_store.h"

#include "discount/settle/rebuild.h"

/* Memory that ends, by the linker (meson.build). */
static bool memory_has_ended;
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) { return memory_has_ended ? NULL : __real_realloc(memory, size); }

static struct calls calls;
static struct messages messages;
static struct claims claims;
static struct rebuild rebuild;
static uint32_t ended_number, read_anew_number;
static int ended_how;

void claims_read_anew(struct claims *told, uint32_t campaign_number) {
    assert_ptr_equal(told, &claims);
    read_anew_number = campaign_number;
}

/* Lines since the last time. */
static size_t lines_logged(void) {
    static size_t before;
    size_t count = fake_log_lines - before;
    before = fake_log_lines;
    return count;
}

static void ended(void *context, uint32_t number, enum rebuild_end how) {
    assert_ptr_equal(context, &ended_how);
    assert_false(rebuild_is_busy(&rebuild));
    ended_number = number;
    ended_how = (int)how;
}

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&fake_store, 0, sizeof fake_store);
    assert_true(result_is_ok(messages_init(&messages)));
    board_begin();
    rebuild = (struct rebuild){
        .board = board, .clock = &fake_clock, .messages = &messages, .claims = &claims, .ended = ended, .context = &ended_how};
    assert_true(result_is_ok(rebuild_init(&rebuild)));
    ended_number = read_anew_number = 0;
    ended_how = -1;
    (void)lines_logged();
    fake_log_event[0] = '\0';
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rebuild_free(&rebuild);
    calls_free(&calls);
    messages_free(&messages);
    board_free(board);
    return 0;
}

static void nobody(void *context, struct discount_operation *request) {
    (void)context;
    (void)request;
    fail();
}

static bool hand_over(int64_t position) {
    const struct unknown_credit credit = {.reference.bytes = {1, (uint8_t)position, (uint8_t)(position >> 8)},
                                          .user_id.bytes = {2, (uint8_t)position},
                                          .transaction_id.bytes = {3, (uint8_t)(position >> 8), (uint8_t)position},
                                          .amount_minor = 1000,
                                          .created_at_us = fake_now_us - position,
                                          .is_described = true,
                                          .position = position,
                                          .phone = {3, "+98"}};
    return rebuild.taker.credit(rebuild.taker.context, &credit);
}

static void collect(const int64_t *positions, size_t count) {
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    for (size_t i = 0; i < count; i++) assert_true(hand_over(positions[i]));
    assert_int_equal(rebuild_next_us(&rebuild), INT64_MAX);
    rebuild.taker.end(rebuild.taker.context, 2);
}

static void run(void) {
    assert_true(rebuild_next_us(&rebuild) <= fake_now_us);
    rebuild_run(&rebuild, fake_now_us);
}

/* The slice in the store is of these places, and comes back with this verdict of each. */
static void expect_slice(const int64_t *positions, size_t count, enum rebuild_verdict verdict) {
    assert_int_equal(fake_store.count, 1);
    assert_ptr_equal(fake_store_action(0), &rebuild_action);
    const struct own_request *request = fake_store_request(0);
    assert_int_equal(request->rebuild.count, count);
    assert_int_equal(request->base.operation.store.weight, 3 * count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(request->rebuild.items[i].id.bytes[1], positions[i]);
        assert_int_equal(request->rebuild.items[i].campaign_number, 2);
        request->rebuild.verdicts[i] = verdict;
    }
    assert_int_equal(rebuild_next_us(&rebuild), INT64_MAX);
}

static void come_back(struct result outcome) {
    fake_store_end(0, outcome);
    messages_take(&messages, nobody, NULL);
}

static void expect_end(enum rebuild_end how) {
    assert_int_equal(ended_number, 0);
    run();
    assert_int_equal(ended_number, 2);
    assert_int_equal(ended_how, how);
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(rebuild_next_us(&rebuild), INT64_MAX);
    ended_number = 0;
}

static void test_all_are_made_in_the_order_of_their_places(void **state) {
    (void)state;
    int64_t made = atomic_load(&rebuild_metric_made.value);
    assert_int_equal(rebuild_next_us(&rebuild), INT64_MAX);
    collect((const int64_t[]){7, 3, 5}, 3);
    assert_int_equal(read_anew_number, 2);
    run();
    expect_slice((const int64_t[]){3, 5, 7}, 3, REBUILD_MADE);
    const struct paid_place *place = &fake_store_request(0)->rebuild.items[0];
    assert_int_equal(place->user_id.bytes[0], 2);
    assert_int_equal(place->transaction_id.bytes[0], 3);
    assert_int_equal(place->amount_minor, 1000);
    assert_int_equal(place->paid_at_us, fake_now_us - 3);
    assert_int_equal(place->phone.size, 3);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
    assert_int_equal(atomic_load(&rebuild_metric_made.value) - made, 3);
    assert_int_equal(atomic_load(&rebuild_metric_conflicts.value), 0);
    expect_logged(LOG_WARN, "redemptions_rebuilt");
    assert_int_equal(lines_logged(), 1);
}

/* Nobody knows where they stood: behind the others, in the order in which they were paid. */
static void test_those_without_a_place_come_last(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    struct unknown_credit credit = {.reference.bytes = {1, 20}, .transaction_id.bytes = {9}};
    assert_true(rebuild.taker.credit(rebuild.taker.context, &credit));
    credit = (struct unknown_credit){.reference.bytes = {1, 10}, .transaction_id.bytes = {8}, .position = 1};
    assert_true(rebuild.taker.credit(rebuild.taker.context, &credit));
    assert_true(hand_over(30));
    rebuild.taker.end(rebuild.taker.context, 2);
    run();
    expect_slice((const int64_t[]){30, 10, 20}, 3, REBUILD_KNOWN);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
}

static bool hand_over_paid(int64_t position, uint8_t id, uint8_t paid) {
    const struct unknown_credit credit = {.reference.bytes = {1, id},
                                          .transaction_id.bytes = {paid},
                                          .is_described = true,
                                          .position = position};
    return rebuild.taker.credit(rebuild.taker.context, &credit);
}

/* The place counts before the payment, and the payment among those that say the same place. */
static void test_the_order_is_that_of_the_places_and_then_of_the_payments(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    assert_true(hand_over_paid(2, 20, 8));
    assert_true(hand_over_paid(1, 10, 9));
    assert_true(hand_over_paid(2, 30, 7));
    rebuild.taker.end(rebuild.taker.context, 2);
    run();
    expect_slice((const int64_t[]){10, 30, 20}, 3, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
}

static void test_one_campaign_at_a_time(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    assert_false(rebuild.taker.begin(rebuild.taker.context, 1));
    rebuild.taker.end(rebuild.taker.context, 2);
    assert_false(rebuild.taker.begin(rebuild.taker.context, 1));
    expect_end(REBUILD_WHOLE);
    assert_true(rebuild.taker.begin(rebuild.taker.context, 1));
    rebuild.taker.end(rebuild.taker.context, 1);
    run();
    assert_int_equal(ended_number, 1); /* the first one of the board as well */
}

static void test_a_walk_that_is_given_up_leaves_nothing(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    assert_true(hand_over(1));
    rebuild.taker.give_up(rebuild.taker.context, 2);
    assert_false(rebuild_is_busy(&rebuild));
    rebuild_run(&rebuild, fake_now_us);
    assert_int_equal(fake_store.count, 0);
    collect((const int64_t[]){2}, 1);
    run();
    expect_slice((const int64_t[]){2}, 1, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
}

static void test_a_slice_that_failed_is_sent_again(void **state) {
    (void)state;
    collect((const int64_t[]){1, 2}, 2);
    run();
    expect_slice((const int64_t[]){1, 2}, 2, REBUILD_MADE);
    come_back(result_error(RESULT_IO));
    expect_logged(LOG_WARN, "redemptions_not_rebuilt");
    assert_int_equal(ended_number, 0);
    assert_true(rebuild_next_us(&rebuild) > fake_now_us);
    rebuild_run(&rebuild, fake_now_us);
    assert_int_equal(fake_store.count, 0);
    fake_now_us = rebuild_next_us(&rebuild);
    run();
    expect_slice((const int64_t[]){1, 2}, 2, REBUILD_SETTLED);
    int64_t settled = atomic_load(&rebuild_metric_settled.value);
    come_back(result_ok());
    assert_int_equal(rebuild.backoff.attempts, 0);
    assert_int_equal(atomic_load(&rebuild_metric_settled.value) - settled, 2);
    expect_end(REBUILD_WHOLE);
    fake_store.is_stopping = true;
    collect((const int64_t[]){1}, 1);
    run();
    assert_false(rebuild.is_in_store);
    assert_true(rebuild_next_us(&rebuild) > fake_now_us);
}

static void test_many_go_in_slices(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    for (int64_t position = REBUILD_ITEMS_MAX + 100; position > 0; position--) assert_true(hand_over(position));
    rebuild.taker.end(rebuild.taker.context, 2);
    static const size_t sizes[] = {REBUILD_ITEMS_MAX, 100};
    int64_t renamed = atomic_load(&rebuild_metric_renamed.value), reversed = atomic_load(&rebuild_metric_reversed.value);
    for (size_t i = 0; i < 2; i++) {
        run();
        assert_int_equal(fake_store_request(0)->rebuild.count, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) fake_store_request(0)->rebuild.verdicts[k] = i == 0 ? REBUILD_RENAMED : REBUILD_REVERSED;
        assert_int_equal(fake_store_request(0)->rebuild.items[0].id.bytes[2], i * REBUILD_ITEMS_MAX >> 8);
        come_back(result_ok());
    }
    expect_end(REBUILD_WHOLE);
    assert_int_equal(atomic_load(&rebuild_metric_renamed.value) - renamed, REBUILD_ITEMS_MAX);
    assert_int_equal(atomic_load(&rebuild_metric_reversed.value) - reversed, 100);
}

/* The lowest places are held, whatever the order in which they come; the others are for another walk. */
static void test_no_more_are_held_than_there_is_room_for(void **state) {
    (void)state;
    rebuild.held_max = 4;
    collect((const int64_t[]){8, 2, 6, 4}, 4);
    run();
    expect_slice((const int64_t[]){2, 4, 6, 8}, 4, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE); /* exactly as many */
    collect((const int64_t[]){8, 2, 6, 4, 5, 9, 3, 1}, 8);
    run(); /* cut at 8 2 6 4 to 2 4; 5, 9: behind; 3, 1 */
    expect_slice((const int64_t[]){1, 2, 3, 4}, 4, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_CUT);
    collect((const int64_t[]){8, 2, 6, 4, 3, 1, 5}, 7);
    run();
    expect_slice((const int64_t[]){1, 2, 3, 4}, 4, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_CUT);
    collect((const int64_t[]){1}, 1);
    run();
    come_back(result_ok());
    expect_end(REBUILD_WHOLE); /* nothing of before is remembered */
}

static void expect_cut(const int64_t *positions, size_t count, const int64_t *held, size_t held_count) {
    collect(positions, count);
    run();
    expect_slice(held, held_count, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_CUT);
}

/* Another one of the last place that is held may be one of those that were cut off: with them. */
static void test_of_the_last_place_only_those_are_held_that_were_not_cut_off(void **state) {
    (void)state;
    rebuild.held_max = 4;
    expect_cut((const int64_t[]){8, 2, 6, 4, 4}, 5, (const int64_t[]){2, 4}, 2);                /* it is what cuts */
    expect_cut((const int64_t[]){8, 2, 6, 4, 5, 4}, 6, (const int64_t[]){2, 4}, 2);             /* there is room again */
    expect_cut((const int64_t[]){8, 2, 6, 4, 5, 3, 1, 4}, 8, (const int64_t[]){1, 2, 3, 4}, 4); /* nothing more is cut for it */
}

static void test_the_room_grows_with_what_is_held(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    for (int64_t position = 1; position <= 1024; position++) assert_true(hand_over(position));
    assert_int_equal(rebuild.capacity, 1024);
    assert_true(hand_over(1025));
    assert_int_equal(rebuild.capacity, 2048);
    rebuild.taker.give_up(rebuild.taker.context, 2);
    rebuild.held_max = 1023; /* and never beyond what may be held */
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    assert_true(hand_over(1));
    assert_int_equal(rebuild.capacity, 1023);
    rebuild.taker.give_up(rebuild.taker.context, 2);
}

/* The walk gives up, and another one begins with nothing. */
static void test_what_there_is_no_memory_for_is_not_taken(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    for (int64_t position = 1; position <= 1024; position++) assert_true(hand_over(position));
    memory_has_ended = true;
    bool is_taken = hand_over(1025);
    memory_has_ended = false;
    assert_false(is_taken);
    assert_int_equal(rebuild.count, 1024);
    rebuild.taker.give_up(rebuild.taker.context, 2);
    collect((const int64_t[]){2}, 1);
    run();
    expect_slice((const int64_t[]){2}, 1, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
}

static void meet_conflicts(size_t count, enum rebuild_verdict verdict, size_t lines) {
    const int64_t positions[] = {1, 2, 3};
    collect(positions, count);
    run();
    expect_slice(positions, count, verdict);
    fake_store_request(0)->rebuild.verdicts[0] = REBUILD_USER_TAKEN;
    come_back(result_ok());
    expect_end(REBUILD_CONFLICTED);
    assert_int_equal(lines_logged(), lines);
    assert_int_equal(atomic_load(&rebuild_metric_conflicts.value), count);
}

/* Each by its reason, and how it ended: once, and when there are more. */
static void test_conflicts_are_said_once(void **state) {
    (void)state;
    meet_conflicts(2, REBUILD_PHONE_TAKEN, 3);
    meet_conflicts(2, REBUILD_PHONE_TAKEN, 0);
    meet_conflicts(3, REBUILD_NO_PHONE, 2);
    meet_conflicts(1, REBUILD_MADE, 1);
    collect((const int64_t[]){1}, 1);
    run();
    expect_slice((const int64_t[]){1}, 1, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
    assert_int_equal(atomic_load(&rebuild_metric_conflicts.value), 0);
    assert_int_equal(lines_logged(), 1);
    meet_conflicts(1, REBUILD_MADE, 2); /* after it was whole */
}

/* All have the same phone there: by their users alone. */
static struct conflict whose(int64_t position) {
    return (struct conflict){.campaign_number = 2, .user_id = fake_store_request(0)->rebuild.items[position - 1].user_id};
}

/* So that all others may be paid. */
static void test_who_is_in_conflict_is_known(void **state) {
    (void)state;
    const int64_t positions[] = {1, 2, 3};
    for (unsigned i = 0; i < 2; i++) { /* the second time they are found anew */
        collect(positions, 3);
        assert_int_equal(rebuild.conflicts.count, 0);
        run();
        expect_slice(positions, 3, REBUILD_MADE);
        const struct conflict first = whose(1), second = whose(2), third = whose(3);
        fake_store_request(0)->rebuild.verdicts[0] = fake_store_request(0)->rebuild.verdicts[2] = REBUILD_USER_TAKEN;
        come_back(result_ok());
        expect_end(REBUILD_CONFLICTED);
        assert_int_equal(rebuild.conflicts.count, 2);
        assert_true(conflicts_have(&rebuild.conflicts, &first) && conflicts_have(&rebuild.conflicts, &third));
        assert_false(conflicts_have(&rebuild.conflicts, &second));
        assert_int_equal(rebuild.conflict_minor, 2000);
    }
    collect(positions, 1);
    run();
    expect_slice(positions, 1, REBUILD_MADE);
    come_back(result_ok());
    expect_end(REBUILD_WHOLE);
    assert_int_equal(rebuild.conflict_minor, 0);
}

/* What was cut off may concern anybody, and so may what there was no room for. */
static void test_when_not_all_conflicts_are_known_nobody_is_paid(void **state) {
    (void)state;
    rebuild.held_max = 2;
    collect((const int64_t[]){1, 2, 3}, 3);
    run();
    for (size_t i = 0; i < fake_store_request(0)->rebuild.count; i++) fake_store_request(0)->rebuild.verdicts[i] = REBUILD_NO_PHONE;
    come_back(result_ok());
    expect_end(REBUILD_BLOCKED);
    rebuild.held_max = REBUILD_HELD_MAX;
    collect((const int64_t[]){1}, 1);
    run();
    expect_slice((const int64_t[]){1}, 1, REBUILD_USER_TAKEN);
    rebuild.conflict_minor = INT64_MAX; /* nor what they are worth, if that is more than can be counted */
    come_back(result_ok());
    expect_end(REBUILD_BLOCKED);
    rebuild.conflicts.count = 0;
    for (size_t i = 0; i < CONFLICTS_MAX; i++) assert_true(conflicts_add(&rebuild.conflicts, &(struct conflict){.campaign_number = 1}));
    for (unsigned i = 0; i < 2; i++) {
        collect((const int64_t[]){1}, 1);
        run();
        expect_slice((const int64_t[]){1}, 1, REBUILD_USER_TAKEN);
        come_back(result_ok());
        expect_end(i == 0 ? REBUILD_BLOCKED : REBUILD_CONFLICTED);
        rebuild.conflicts.count--;
    }
}

static void test_only_some_conflicts_are_said(void **state) {
    (void)state;
    assert_true(rebuild.taker.begin(rebuild.taker.context, 2));
    for (int64_t position = 1; position <= 50; position++) assert_true(hand_over(position));
    rebuild.taker.end(rebuild.taker.context, 2);
    run();
    for (size_t i = 0; i < 50; i++) fake_store_request(0)->rebuild.verdicts[i] = i == 0 ? REBUILD_NO_PLACE : REBUILD_NOT_FUNDED;
    come_back(result_ok());
    expect_logged(LOG_ERROR, "redemption_not_rebuilt");
    expect_end(REBUILD_CONFLICTED);
    assert_int_equal(lines_logged(), 21);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_are_made_in_the_order_of_their_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_those_without_a_place_come_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_order_is_that_of_the_places_and_then_of_the_payments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_campaign_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_walk_that_is_given_up_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slice_that_failed_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_go_in_slices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_are_held_than_there_is_room_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_the_last_place_only_those_are_held_that_were_not_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_room_grows_with_what_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_there_is_no_memory_for_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conflicts_are_said_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_in_conflict_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_when_not_all_conflicts_are_known_nobody_is_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_some_conflicts_are_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
