#include "fake_store.h"

static struct messages messages;
static struct test_request requests[3];
static struct own_operation own;
static const struct discount_operation *visited[8];
static size_t visited_count, returned_count;
static struct result returned_outcome;

static void visit(void *context, struct discount_operation *operation) {
    assert_ptr_equal(context, &messages);
    visited[visited_count++] = operation;
}

static void note_return(struct own_operation *returned, struct result outcome) {
    assert_ptr_equal(returned, &own);
    returned_count++;
    returned_outcome = outcome;
}

static int set_up(void **state) {
    (void)state;
    memset(&fake_store, 0, sizeof fake_store);
    memset(&own, 0, sizeof own);
    own.returned = note_return;
    TAILQ_INIT(&own.request.waiters);
    visited_count = returned_count = fake_logged = 0;
    memset(&messages, 0xFF, sizeof messages);
    assert_true(result_is_ok(messages_init(&messages)));
    for (unsigned i = 0; i < 3; i++) request_init(&requests[i], 1, i + 1, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    messages_free(&messages);
    for (unsigned i = 0; i < 3; i++) request_clear(&requests[i]);
    return 0;
}

static bool is_woken(void) {
    bool woken = waker_wait(&messages.waker, 0);
    waker_clear(&messages.waker);
    return woken;
}

static void push(size_t index) {
    exchange_give(&requests[index].exchange, EXCHANGE_OF_SETTLER);
    messages_push(&messages, &requests[index].operation);
}

static void test_requests_come_in_their_order(void **state) {
    (void)state;
    assert_false(is_woken());
    push(0);
    assert_true(is_woken());
    push(1);
    assert_false(is_woken()); /* it knows already */
    assert_false(messages_take(&messages, visit, &messages));
    assert_int_equal(visited_count, 2);
    assert_ptr_equal(visited[0], &requests[0].operation);
    assert_ptr_equal(visited[1], &requests[1].operation);
    assert_int_equal(requests[0].exchange.state, EXCHANGE_TAKEN);
    push(2);
    assert_true(is_woken());
}

static void test_a_poke_is_heard_once(void **state) {
    (void)state;
    messages_poke(&messages);
    assert_true(is_woken());
    assert_true(messages_take(&messages, visit, &messages));
    assert_false(messages_take(&messages, visit, &messages));
}

static void freeze(size_t index) { operation_list_append(&own.request.waiters, &requests[index].operation); }

static void test_after_the_commit_who_was_frozen_hears_it_at_once(void **state) {
    (void)state;
    freeze(0);
    freeze(1);
    assert_true(own_submit(&messages, &own, &mark_action));
    assert_ptr_equal(fake_store_action(0), &mark_action);
    assert_int_equal(messages.in_store, 1);
    assert_int_equal(requests[0].exchange.given_to, EXCHANGE_OF_STORE);
    fake_store_end(0, result_ok());
    assert_true(is_returned(&requests[0]) && is_returned(&requests[1]));
    assert_int_equal(fake_logged, 1);
    assert_int_equal(returned_count, 0); /* the settler's thread hears it when it looks */
    assert_true(is_woken());
    messages_take(&messages, visit, &messages);
    assert_int_equal(returned_count, 1);
    assert_true(result_is_ok(returned_outcome));
    assert_int_equal(messages.in_store, 0);
    assert_int_equal(visited_count, 0);
    assert_true(TAILQ_EMPTY(&own.request.waiters));
}

static void test_without_a_commit_they_come_back(void **state) {
    (void)state;
    freeze(0);
    assert_true(own_submit(&messages, &own, &mark_action));
    fake_store_end(0, result_error(RESULT_IO));
    assert_int_equal(fake_logged, 0);
    assert_true(is_untold(&requests[0]));
    assert_int_equal(requests[0].exchange.given_to, EXCHANGE_OF_SETTLER);
    messages_take(&messages, visit, &messages);
    assert_int_equal(returned_outcome.code, RESULT_IO);
    assert_ptr_equal(TAILQ_FIRST(&own.request.waiters), &requests[0].operation);
    assert_int_equal(requests[0].exchange.state, EXCHANGE_TAKEN);
}

static void test_what_the_store_does_not_take_is_still_ours(void **state) {
    (void)state;
    freeze(0);
    fake_store.is_stopping = true;
    assert_false(own_submit(&messages, &own, &mark_action));
    assert_int_equal(messages.in_store, 0);
    assert_int_equal(requests[0].exchange.state, EXCHANGE_TAKEN);
    assert_ptr_equal(TAILQ_FIRST(&own.request.waiters), &requests[0].operation);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests_come_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_poke_is_heard_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_the_commit_who_was_frozen_hears_it_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_commit_they_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_the_store_does_not_take_is_still_ours, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
