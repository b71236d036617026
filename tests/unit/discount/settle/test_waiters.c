#include "fake_store.h"

#define WAIT_US (15 * CLOCK_SECOND_US)

static struct waiters waiters;
static struct operation_list list;
static struct test_request requests[4];

static int set_up(void **state) {
    (void)state;
    fake_now_us = INT64_C(1700000000) * CLOCK_SECOND_US;
    memset(&fake_store, 0, sizeof fake_store);
    board_begin();
    TAILQ_INIT(&list);
    waiters_init(&waiters, board, &fake_clock, NULL, WAIT_US);
    for (unsigned i = 0; i < 4; i++) request_init(&requests[i], 1, i + 1, NULL);
    read_outcome = result_ok();
    campaign_is_missing = false;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) request_clear(&requests[i]);
    board_free(board);
    return 0;
}

static void add(size_t index) { waiters_add(&waiters, &list, &requests[index].operation); }

static void test_each_waits_equally_long(void **state) {
    (void)state;
    assert_int_equal(waiters_next_us(&waiters), INT64_MAX);
    int64_t start_us = fake_now_us;
    add(0);
    fake_now_us += CLOCK_SECOND_US;
    add(1);
    assert_int_equal(waiters_next_us(&waiters), start_us + WAIT_US);
    waiters_end(&waiters, start_us + WAIT_US - 1, false);
    assert_true(is_untold(&requests[0]));
    waiters_end(&waiters, start_us + WAIT_US, false);
    assert_true(is_returned(&requests[0]) && is_untold(&requests[1]));
    assert_int_equal(requests[0].operation.operation.fate, FATE_DECIDED);
    assert_int_equal(requests[0].operation.decided_us, fake_now_us);
    assert_int_equal(requests[0].operation.redemption.status, REDEMPTION_CLAIMED);
    assert_int_equal(waiters_next_us(&waiters), start_us + CLOCK_SECOND_US + WAIT_US);
    waiters_end(&waiters, fake_now_us, true); /* all of them, at the end */
    assert_true(is_returned(&requests[1]));
    assert_true(TAILQ_EMPTY(&list));
    assert_int_equal(waiters_next_us(&waiters), INT64_MAX);
}

static void test_whoever_is_taken_has_no_deadline(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) add(i);
    assert_ptr_equal(waiters_take(&waiters, &list), &requests[0].operation);
    struct operation_list frozen = TAILQ_HEAD_INITIALIZER(frozen);
    assert_int_equal(waiters_freeze(&waiters, &list, &frozen, 1), 1);
    assert_ptr_equal(TAILQ_FIRST(&frozen), &requests[1].operation);
    assert_ptr_equal(requests[1].operation.waits_in, &frozen);
    waiters_end(&waiters, fake_now_us + WAIT_US, false);
    assert_true(is_untold(&requests[0]) && is_untold(&requests[1]) && is_returned(&requests[2]));
    assert_int_equal(waiters_freeze(&waiters, &list, &frozen, 7), 0);
    assert_null(waiters_take(&waiters, &list));
}

/* And keeps its deadline. */
static void test_whoever_is_moved_waits_there_only(void **state) {
    (void)state;
    struct operation_list other = TAILQ_HEAD_INITIALIZER(other);
    for (size_t i = 0; i < 3; i++) add(i);
    waiters_move(&waiters, &requests[1].operation, &other);
    assert_ptr_equal(requests[1].operation.waits_in, &other);
    assert_ptr_equal(TAILQ_NEXT(&requests[0].operation, link), &requests[2].operation);
    assert_ptr_equal(waiters_take(&waiters, &other), &requests[1].operation);
    assert_true(TAILQ_EMPTY(&other));
    waiters_move(&waiters, &requests[0].operation, &other);
    waiters_move(&waiters, &requests[2].operation, NULL); /* nowhere: it hears what is so */
    assert_true(is_returned(&requests[2]) && is_untold(&requests[0]) && TAILQ_EMPTY(&list));
    waiters_end(&waiters, fake_now_us + WAIT_US, false);
    assert_true(is_returned(&requests[0]) && TAILQ_EMPTY(&other));
}

/* What an own operation made of them was not committed: it is as before. */
static void test_thawed_ones_hear_what_is_on_disk(void **state) {
    (void)state;
    struct operation_list frozen = TAILQ_HEAD_INITIALIZER(frozen);
    add(0);
    add(1);
    waiters_freeze(&waiters, &list, &frozen, 2);
    struct redemption *redemption = &requests[0].operation.redemption;
    redemption->status = REDEMPTION_FAILED;
    redemption->settled_at_us = 7;
    redemption->failure_size = 3;
    redemption->transaction_id.bytes[0] = 1;
    requests[0].operation.operation.fate = FATE_REPLAYED;
    requests[0].operation.operation.answer.status = 201;
    waiters_thaw(&waiters, &frozen);
    assert_true(is_returned(&requests[0]) && is_returned(&requests[1]));
    assert_int_equal(redemption->status, REDEMPTION_CLAIMED);
    assert_int_equal(redemption->settled_at_us, 0);
    assert_int_equal(redemption->failure_size, 0);
    assert_true(id_is_zero(redemption->transaction_id));
    assert_int_equal(requests[0].operation.operation.fate, FATE_DECIDED);
    assert_int_equal(requests[0].operation.operation.answer.status, 0); /* to be rendered anew */
}

/* Whoever waits for a reversal waits on: whether Wallet had it back or refused it is not on disk. */
static void test_a_thawed_reversal_is_on_its_way(void **state) {
    (void)state;
    struct operation_list frozen = TAILQ_HEAD_INITIALIZER(frozen);
    requests[0].operation.is_reversal = true;
    add(0);
    waiters_freeze(&waiters, &list, &frozen, 1);
    struct redemption *redemption = &requests[0].operation.redemption;
    redemption->status = REDEMPTION_CREDITED;
    redemption->settled_at_us = 7;
    redemption->failure_size = 3;
    redemption->transaction_id.bytes[0] = 1;
    waiters_thaw(&waiters, &frozen);
    assert_true(redemption->status == REDEMPTION_REVERSING && redemption->failure_size == 0);
    assert_true(redemption->settled_at_us == 7 && redemption->transaction_id.bytes[0] == 1); /* it is credited still */
}

static void test_a_key_has_its_record_written_first(void **state) {
    (void)state;
    requests[0].operation.operation.idempotency.key = TEXT("key");
    waiters_answer_now(&waiters, &requests[0].operation);
    assert_true(is_untold(&requests[0]));
    assert_ptr_equal(fake_store_action(0), &note_action);
    assert_ptr_equal(TAILQ_FIRST(&fake_store_request(0)->waiters), &requests[0].operation);
    assert_int_equal(requests[0].exchange.state, EXCHANGE_AWAY);
    fake_store_end(0, result_ok());
    assert_true(is_returned(&requests[0]));
    assert_null(requests[0].operation.waits_in);
}

/* The place is taken, whatever the disk says now. */
static void test_a_record_that_could_not_be_written_is_no_nothing_was_done(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct test_request *request = &requests[i];
        request->operation.operation.idempotency.key = TEXT("key");
        fake_store.is_stopping = i == 2;
        waiters_answer_now(&waiters, &request->operation);
        if (i < 2) fake_store_end(0, result_error(i == 0 ? RESULT_IO : RESULT_TIMEOUT));
        assert_int_equal(request->finished, 1);
        assert_int_equal(request->returned, 0);
        assert_int_equal(request->exchange.status, 503);
        struct text body = request->exchange.reply_body;
        assert_null(memmem(body.data, body.size, "Nothing was done", 16));
        assert_non_null(memmem(body.data, body.size, "It is done", 10));
    }
}

static void test_a_campaign_is_told_as_it_stands(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) requests[i].operation.operation.subject = campaigns[0].id;
    requests[0].operation.verdict = CAMPAIGN_UNCHANGED; /* and its fund was waited for */
    waiters_answer_now(&waiters, &requests[0].operation);
    assert_true(is_returned(&requests[0]));
    assert_int_equal(requests[0].operation.verdict, CAMPAIGN_DONE);
    assert_int_equal(requests[0].told.max_redemptions, 100);
    campaign_is_missing = true;
    waiters_answer_now(&waiters, &requests[1].operation);
    assert_int_equal(requests[1].finished, 1);
    read_outcome = result_error(RESULT_IO);
    waiters_answer_now(&waiters, &requests[2].operation);
    assert_int_equal(requests[2].exchange.status, 503);
}

static void test_without_room_for_its_note_a_request_is_answered_all_the_same(void **state) {
    (void)state;
    request_clear(&requests[0]);
    request_init(&requests[0], 1, 1, "key");
    requests[0].exchange.arena.limit_bytes = requests[0].exchange.arena.used_bytes;
    waiters_answer_now(&waiters, &requests[0].operation);
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(requests[0].finished, 1);
    assert_int_equal(requests[0].exchange.status, 503);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_room_for_its_note_a_request_is_answered_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_waits_equally_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whoever_is_taken_has_no_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whoever_is_moved_waits_there_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thawed_ones_hear_what_is_on_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_thawed_reversal_is_on_its_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_has_its_record_written_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_record_that_could_not_be_written_is_no_nothing_was_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_campaign_is_told_as_it_stands, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
