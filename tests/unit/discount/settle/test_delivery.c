/* What delivers, with parcels: a kind of its own, whose answers are one letter per item: d(one), r(efused for good), l(ater). */
#include "fake_client.h"

#include "discount/settle/delivery.h"

#define PARCELS 1200u

struct parcel {
    struct delivery_item item;
    size_t kept;     /* so often its outcome was written down */
    bool is_not_due; /* goes back to its owner when it is asked about */
};

static struct calls calls;
static struct delivery delivery;
static struct parcel parcels[PARCELS];
static struct delivery_batch *keeping[DELIVERY_CALLS];
static size_t keeping_count;
static bool has_no_room;
static struct metric metric_refused = {.name = "refused", .kind = METRIC_COUNTER};
static struct metric metric_size = {.name = "size", .kind = METRIC_HISTOGRAM};

static struct parcel *parcel_of(struct delivery_item *item) { return CONTAINER_OF(item, struct parcel, item); }

static bool is_due(void *context, struct delivery_item *item) {
    assert_ptr_equal(context, &delivery);
    assert_int_equal(item->state, DELIVERY_IDLE);
    return !parcel_of(item)->is_not_due;
}

static bool write_call(void *context, struct delivery_batch *batch) {
    (void)context;
    batch->call.method = "POST";
    batch->call.body = TEXT("parcels");
    return !has_no_room;
}

static struct result read_answer(void *context, struct delivery_batch *batch, struct text reply) {
    (void)context;
    if (reply.size != batch->item_count) return result_error(RESULT_INVALID);
    for (size_t i = 0; i < reply.size; i++) {
        static const enum delivery_verdict verdicts[] = {['d'] = DELIVERY_DONE, ['r'] = DELIVERY_REFUSED, ['l'] = DELIVERY_LATER};
        batch->outcomes[i] = (struct delivery_outcome){.verdict = verdicts[(size_t)reply.data[i]], .code = TEXT("code")};
        batch->outcomes[i].transaction_id = batch->items[i]->id;
    }
    return result_ok();
}

static void keep(void *context, struct delivery_batch *batch) {
    (void)context;
    for (size_t i = 0; i < batch->item_count; i++) {
        assert_int_equal(batch->items[i]->state, DELIVERY_KEEPING);
        assert_true(id_equal(batch->outcomes[i].transaction_id, batch->items[i]->id)); /* of this item, whatever was sorted out */
        parcel_of(batch->items[i])->kept++;
    }
    keeping[keeping_count++] = batch;
}

static const struct delivery_kind kind = {.item_name = "parcel",
                                          .items_name = "parcels",
                                          .failed_event = "failed",
                                          .refused_event = "refused",
                                          .back_event = "back",
                                          .refused = &metric_refused,
                                          .batch_size = &metric_size,
                                          .path = {"/v1/parcels", 11},
                                          .is_due = is_due,
                                          .write = write_call,
                                          .read = read_answer,
                                          .keep = keep};

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&delivery, 0, sizeof delivery);
    memset(parcels, 0, sizeof parcels);
    for (size_t i = 0; i < PARCELS; i++) {
        parcels[i].item.id.bytes[0] = (uint8_t)i;
        parcels[i].item.id.bytes[1] = (uint8_t)(i >> 8);
        parcels[i].item.id.bytes[2] = 1;
    }
    keeping_count = 0;
    has_no_room = false;
    delivery_init(&delivery, &kind, &delivery, &calls, &fake_clock);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    delivery_free(&delivery);
    return 0;
}

static void add(size_t first, size_t count) {
    for (size_t i = 0; i < count; i++) delivery_add(&delivery, &parcels[first + i].item);
}

static void send(void) {
    delivery_wake_delayed(&delivery, fake_now_us);
    delivery_send(&delivery, fake_now_us);
}

static size_t size_of_call(size_t index) {
    const struct delivery_batch *batch = fake_client.calls[index]->context;
    return batch->item_count;
}

static void answer_done(size_t index) {
    char body[PARCELS + 1];
    size_t count = size_of_call(index);
    memset(body, 'd', count);
    body[count] = 0;
    fake_answer(index, 200, body);
}

static void test_from_ready_to_kept(void **state) {
    (void)state;
    assert_int_equal(delivery_next_us(&delivery, fake_now_us), INT64_MAX);
    assert_false(delivery_is_busy(&delivery));
    add(0, 3);
    send();
    assert_int_equal(fake_client.count, 1);
    assert_string_equal(fake_client.calls[0]->url, "http://wallet/v1/parcels");
    assert_int_equal(parcels[0].item.state, DELIVERY_IN_FLIGHT);
    assert_true(delivery_is_busy(&delivery));
    fake_answer(0, 200, "drd");
    assert_int_equal(fake_client.cleared, 1);
    assert_int_equal(keeping_count, 1);
    assert_int_equal(keeping[0]->item_count, 3);
    delivery_kept(keeping[0]);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(parcels[i].item.state, DELIVERY_IDLE);
        assert_int_equal(parcels[i].kept, 1);
    }
    assert_false(delivery_is_busy(&delivery));
}

static void test_those_refused_for_now_come_again_by_themselves(void **state) {
    (void)state;
    int64_t refused = atomic_load(&metric_refused.value);
    add(0, 4);
    send();
    fake_answer(0, 200, "ldlr");
    assert_int_equal(atomic_load(&metric_refused.value), refused + 2);
    assert_int_equal(keeping[0]->item_count, 2);
    assert_ptr_equal(keeping[0]->items[0], &parcels[1].item);
    assert_ptr_equal(keeping[0]->items[1], &parcels[3].item);
    assert_int_equal(keeping[0]->outcomes[1].verdict, DELIVERY_REFUSED);
    assert_int_equal(parcels[0].item.state, DELIVERY_DELAYED);
    int64_t next_us = delivery_next_us(&delivery, fake_now_us);
    assert_in_range(next_us - fake_now_us, BACKOFF_FIRST_US / 2, BACKOFF_FIRST_US - 1);
    fake_now_us = next_us - 1;
    send();
    assert_int_equal(fake_client.count, 0);
    fake_now_us += BACKOFF_FIRST_US;
    send();
    assert_int_equal(size_of_call(0), 2);
    fake_answer(0, 200, "ll"); /* the second time it waits longer */
    assert_int_equal(parcels[0].item.backoff.attempts, 2);
    assert_int_equal(keeping_count, 1); /* nothing of it was settled: nothing to keep */
}

/* What its owner takes back is on none of the lists any more. */
static void test_a_delayed_one_can_be_taken_back(void **state) {
    (void)state;
    add(0, 3);
    send();
    fake_answer(0, 200, "lll");
    delivery_take_back(&delivery, &parcels[1].item);
    assert_int_equal(parcels[1].item.state, DELIVERY_IDLE);
    assert_ptr_equal(TAILQ_FIRST(&delivery.delayed), &parcels[0].item);
    assert_ptr_equal(TAILQ_NEXT(&parcels[0].item, link), &parcels[2].item);
    fake_now_us += BACKOFF_FIRST_US;
    send();
    assert_int_equal(size_of_call(0), 2);
}

/* By it the kind finds what it keeps beside it. */
static void test_each_batch_has_an_index_of_its_own(void **state) {
    (void)state;
    for (size_t i = 0; i < DELIVERY_CALLS; i++) assert_int_equal(delivery.batches[i].index, i);
}

static void test_without_an_answer_all_of_it_goes_again(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        const char *body;
    } rows[] = {{{RESULT_IO}, 0, ""},      {{RESULT_TIMEOUT}, 0, ""}, {{RESULT_FULL}, 0, ""},   {{RESULT_OK}, 500, ""},
                {{RESULT_OK}, 404, "ddd"}, {{RESULT_OK}, 429, "ddd"}, {{RESULT_OK}, 200, "dd"}, {{RESULT_OK}, 201, "ddd"}};
    add(0, 3);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int64_t retries = atomic_load(&calls_metric_retries.value), errors = atomic_load(&calls_metric_errors.value);
        send();
        assert_int_equal(fake_client.count, 1);
        fake_end(0, rows[i].outcome, rows[i].status, rows[i].body);
        for (size_t k = 0; k < 3; k++) assert_int_equal(parcels[k].item.state, DELIVERY_READY);
        assert_int_equal(atomic_load(&calls_metric_retries.value), retries + 3);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
        assert_int_equal(delivery.backoff.attempts, i + 1);
        assert_int_equal(delivery_next_us(&delivery, delivery.backoff.retry_at_us - 1), delivery.backoff.retry_at_us);
        assert_int_equal(delivery_next_us(&delivery, fake_now_us), delivery.backoff.retry_at_us);
        send(); /* not yet */
        assert_int_equal(fake_client.count, 0);
        fake_now_us = delivery.backoff.retry_at_us;
    }
    send();
    fake_answer(0, 200, "ddd");
    assert_int_equal(delivery.backoff.attempts, 0);
    for (size_t i = 0; i < 3; i++) assert_int_equal(parcels[i].kept, 1);
}

static void test_what_another_wallet_says_is_not_believed(void **state) {
    (void)state;
    calls.instance.ours.bytes[0] = 1;
    add(0, 1);
    send();
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "019aab20-4c00-7a31-9f00-5b1e2c3d4e02");
    fake_answer(0, 200, "r");
    assert_int_equal(parcels[0].item.state, DELIVERY_READY);
    assert_int_equal(keeping_count, 0);
}

static void test_while_nothing_comes_back_one_call_finds_out(void **state) {
    (void)state;
    add(0, DELIVERY_CROWDED);
    send();
    fake_end(0, result_error(RESULT_IO), 0, "");
    add(DELIVERY_CROWDED, PARCELS - DELIVERY_CROWDED);
    fake_now_us = delivery.backoff.retry_at_us;
    send();
    assert_int_equal(fake_client.count, 1);
    answer_done(0);
    delivery_kept(keeping[0]);
    add(0, 100);
    send();
    send();
    assert_true(fake_client.count >= 1);
    assert_int_equal(delivery.backoff.attempts, 0);
}

static void test_calls_at_once(void **state) {
    (void)state;
    add(0, 1);
    send();
    add(1, 1);
    send();
    assert_int_equal(fake_client.count, 2);
    add(2, DELIVERY_CROWDED - 1);
    send();
    assert_int_equal(fake_client.count, 2); /* two are enough */
    add(DELIVERY_CROWDED + 1, 1);
    send();
    assert_int_equal(fake_client.count, 3);
    assert_int_equal(size_of_call(2), DELIVERY_CROWDED); /* all that was there: nothing is left for a fourth */
    assert_int_equal(delivery.ready_count, 0);
}

static void test_no_more_calls_than_there_are(void **state) {
    (void)state;
    for (size_t i = 0; i < DELIVERY_CROWDED + 8; i++) parcels[i].item.batch_max = 1;
    int64_t sizes = atomic_load(&metric_size.sum);
    add(0, DELIVERY_CROWDED + 8);
    send();
    assert_int_equal(fake_client.count, DELIVERY_CALLS);
    assert_int_equal(atomic_load(&metric_size.sum), sizes + DELIVERY_CALLS);
    send();
    assert_int_equal(fake_client.count, DELIVERY_CALLS);
}

/* Whoever can't be sent now has nothing to be woken for: the end of a call wakes. */
static void test_nothing_to_wake_for(void **state) {
    (void)state;
    delivery.backoff.retry_at_us = fake_now_us + 5;
    assert_int_equal(delivery_next_us(&delivery, fake_now_us), INT64_MAX); /* nothing is ready */
    fake_now_us += 5;
    for (size_t i = 0; i < 3; i++) {
        add(i, 1);
        send();
    }
    assert_int_equal(fake_client.count, 2);
    assert_int_equal(delivery_next_us(&delivery, fake_now_us), INT64_MAX); /* two are under way, which is enough */
}

static void test_no_call_is_larger_than_it_may_be(void **state) {
    (void)state;
    add(0, PARCELS);
    send();
    assert_int_equal(size_of_call(0), DELIVERY_ITEMS_MAX);
    assert_int_equal(size_of_call(1), PARCELS - DELIVERY_ITEMS_MAX);
    answer_done(0);
    answer_done(0);
    for (size_t i = 0; i < PARCELS; i++) assert_int_equal(parcels[i].kept, 1);
}

/* One of seven is what the other side can't take: the others get through, it is tried later and later. */
static void test_halving(void **state) {
    (void)state;
    static const int statuses[] = {413, 422};
    for (size_t s = 0; s < ARRAY_COUNT(statuses); s++) {
        add(0, 7);
        for (size_t turn = 0; turn < 40; turn++) {
            send();
            while (fake_client.count > 0) {
                const struct delivery_batch *batch = fake_client.calls[0]->context;
                bool has_bad = false;
                for (size_t i = 0; i < batch->item_count; i++) has_bad = has_bad || batch->items[i] == &parcels[4].item;
                size_t before = keeping_count;
                if (has_bad)
                    fake_answer(0, statuses[s], "");
                else
                    answer_done(0);
                if (keeping_count > before) delivery_kept(keeping[before]);
                keeping_count = before;
            }
        }
        for (size_t i = 0; i < 7; i++) assert_int_equal(parcels[i].kept, i != 4);
        assert_int_equal(parcels[4].item.state, DELIVERY_DELAYED);
        assert_int_equal(parcels[4].item.backoff.attempts, 1);
        assert_int_equal(delivery.backoff.attempts, 0); /* the other side is there: nobody else waits */
        tear_down(NULL);
        set_up(NULL);
    }
}

/* Halves are not put together again: what follows in the queue and has no bound of its own takes no part either. */
static void test_a_half_stays_a_half(void **state) {
    (void)state;
    add(0, 4);
    send();
    fake_answer(0, 413, "");
    add(4, 4);
    send();
    assert_int_equal(size_of_call(0), 2);
    assert_int_equal(size_of_call(1), 2);
    answer_done(0);
    answer_done(0);
    delivery_kept(keeping[0]);
    delivery_kept(keeping[1]);
    send();
    assert_int_equal(size_of_call(0), 4);
}

/* The smallest bound of those in a call is the call's. */
static void test_a_call_is_as_small_as_any_in_it_wants(void **state) {
    (void)state;
    parcels[0].item.batch_max = 2;
    for (size_t i = 1; i < 5; i++) parcels[i].item.batch_max = 4;
    add(0, 5);
    send();
    assert_int_equal(size_of_call(0), 2);
    assert_int_equal(size_of_call(1), 3);
    tear_down(NULL);
    set_up(NULL);
    parcels[2].item.batch_max = 2;
    add(0, 3);
    send();
    assert_int_equal(size_of_call(0), 2); /* the two before it are as many as it goes with */
}

/* What has no bound of its own goes without those that have one. */
static void test_a_half_joins_no_larger_call(void **state) {
    (void)state;
    add(0, 4);
    send();
    add(4, 3);
    fake_answer(0, 413, "");
    send();
    assert_int_equal(size_of_call(0), 3);
    assert_int_equal(size_of_call(1), 2);
}

static void test_a_single_one_that_is_refused_goes_alone(void **state) {
    (void)state;
    add(0, 1);
    send();
    fake_client.calls[0]->retry_after_ms = 2000;
    int64_t refused = atomic_load(&metric_refused.value), retries = atomic_load(&calls_metric_retries.value);
    int64_t errors = atomic_load(&calls_metric_errors.value);
    fake_answer(0, 413, "");
    assert_int_equal(atomic_load(&metric_refused.value), refused + 1);
    assert_int_equal(atomic_load(&calls_metric_retries.value), retries + 1);
    assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
    assert_int_equal(parcels[0].item.backoff.retry_at_us, fake_now_us + 2000000);
    fake_now_us += 2000000;
    delivery_wake_delayed(&delivery, fake_now_us);
    add(1, 3);
    send();
    assert_int_equal(size_of_call(0), 1);
    assert_int_equal(size_of_call(1), 3);
}

static void test_the_other_side_says_when_to_come_back(void **state) {
    (void)state;
    add(0, 1);
    send();
    fake_client.calls[0]->retry_after_ms = 3000;
    fake_answer(0, 429, "");
    assert_int_equal(delivery_next_us(&delivery, fake_now_us), fake_now_us + 3000000);
}

static void test_what_is_not_due_goes_back_to_its_owner(void **state) {
    (void)state;
    parcels[0].is_not_due = parcels[2].is_not_due = true;
    add(0, 3);
    send();
    assert_int_equal(size_of_call(0), 1);
    assert_int_equal(parcels[0].item.state, DELIVERY_IDLE);
    assert_int_equal(parcels[1].item.state, DELIVERY_IN_FLIGHT);
    assert_int_equal(parcels[2].item.state, DELIVERY_IDLE);
    assert_int_equal(delivery.ready_count, 0);
    add(2, 1);
    send(); /* nothing but such: no call */
    assert_int_equal(fake_client.count, 1);
    parcels[2].is_not_due = false;
    add(2, 1);
    send();
    assert_int_equal(fake_client.count, 2);
}

static void test_what_could_not_be_kept_is_sent_again(void **state) {
    (void)state;
    add(0, 2);
    send();
    fake_answer(0, 200, "dd");
    delivery_not_kept(keeping[0]);
    assert_int_equal(parcels[0].item.state, DELIVERY_DELAYED);
    assert_false(delivery_is_busy(&delivery));
    fake_now_us += BACKOFF_FIRST_US;
    send();
    assert_int_equal(size_of_call(0), 2);
    fake_answer(0, 200, "dd");
    delivery_kept(keeping[1]);
    assert_int_equal(parcels[1].kept, 2);
}

static void test_what_cannot_be_started_is_tried_later(void **state) {
    (void)state;
    add(0, 2);
    fake_client.refuses = true;
    send();
    assert_int_equal(parcels[0].item.state, DELIVERY_READY);
    assert_int_equal(delivery.backoff.attempts, 1);
    fake_client.refuses = false;
    has_no_room = true;
    fake_now_us = delivery.backoff.retry_at_us;
    send();
    assert_int_equal(delivery.backoff.attempts, 2);
    assert_int_equal(fake_client.started, 0);
    assert_false(delivery_is_busy(&delivery));
    has_no_room = false;
    fake_now_us = delivery.backoff.retry_at_us;
    send();
    assert_int_equal(fake_client.count, 1);
}

static void test_an_answer_that_finds_no_room_is_none(void **state) {
    (void)state;
    add(0, 1);
    send();
    struct delivery_batch *batch = fake_client.calls[0]->context;
    batch->arena.limit_bytes = batch->arena.used_bytes;
    fake_answer(0, 200, "d");
    assert_int_equal(keeping_count, 0);
    assert_int_equal(parcels[0].item.state, DELIVERY_READY);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_ready_to_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_those_refused_for_now_come_again_by_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_an_answer_all_of_it_goes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_another_wallet_says_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_nothing_comes_back_one_call_finds_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_calls_than_there_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_wake_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_is_as_small_as_any_in_it_wants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_call_is_larger_than_it_may_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_delayed_one_can_be_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_batch_has_an_index_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_halving, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_half_stays_a_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_half_joins_no_larger_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_single_one_that_is_refused_goes_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_other_side_says_when_to_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_due_goes_back_to_its_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_could_not_be_kept_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_started_is_tried_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_finds_no_room_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
