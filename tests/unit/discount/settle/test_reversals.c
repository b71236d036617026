/* From a reversal that is owed to its mark: what is read, sent and marked, who hears of it when, and what is asked of the database again. */
#include "fake_store.h"

#include "../../base/memory_ends.h"
#include "discount/settle/reversals.h"

#define OWED 600u

static struct calls calls;
static struct messages messages;
static struct waiters waiters;
static struct reversals reversals;
static struct claims claims;
static size_t claims_looks; /* how often there may be a new claim */
static struct test_request request;

void claims_look(struct claims *looked) {
    assert_ptr_equal(looked, &claims);
    claims_looks++;
}

/* ---- the database: answered as soon as it is asked ---- */

struct owed {
    struct reversal reversal;
    struct redemption redemption;
};
static struct owed owed[OWED]; /* by position */
static size_t owed_count, walks, single_asks;
static int64_t walked_after, walked_most;

struct result reversal_of_row(const struct row *row, int first_column, struct reversal *ret_reversal) {
    assert_int_equal(first_column, 0);
    *ret_reversal = ((const struct owed *)row)->reversal;
    return result_ok();
}

struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    assert_int_equal(first_column, REVERSAL_COLUMNS_COUNT);
    *ret_redemption = ((const struct owed *)row)->redemption;
    return result_ok();
}

static void visit_owed(const struct owed *row, row_visitor *visit, void *context) {
    assert_true(result_is_ok(visit(context, (const struct row *)row)));
}

void ask_owed_reversals(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    (void)batch;
    walks++;
    walked_after = after;
    walked_most = limit;
    for (size_t i = 0; i < owed_count && limit > 0 && result_is_ok(read_outcome); i++) {
        if (redemption_key(owed[i].redemption.campaign_number, owed[i].redemption.position) <= after) continue;
        visit_owed(&owed[i], visit, context);
        limit--;
    }
}

void ask_owed_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context) {
    (void)batch;
    single_asks++;
    for (size_t i = 0; i < owed_count && result_is_ok(read_outcome); i++) {
        if (id_equal(owed[i].redemption.id, redemption_id)) visit_owed(&owed[i], visit, context);
    }
}

static struct owed owed_at(uint16_t position) {
    struct owed one = {.reversal = {.reason_size = 3, .reason = "why"},
                       .redemption = {.id = {{1, (uint8_t)(position >> 8), (uint8_t)position, [15] = 1}},
                                      .campaign_number = 1,
                                      .position = position,
                                      .status = REDEMPTION_REVERSING,
                                      .code_batch = 7,
                                      .code_index = 100 + position}};
    return one;
}

static void owe(uint16_t count) {
    for (uint16_t i = 0; i < count; i++) owed[i] = owed_at((uint16_t)(i + 1));
    owed_count = count;
}

/* ---- life ---- */

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&fake_store, 0, sizeof fake_store);
    memset(&reversals, 0, sizeof reversals);
    owed_count = walks = single_asks = 0;
    read_outcome = result_ok();
    board_begin();
    assert_true(result_is_ok(messages_init(&messages)));
    waiters_init(&waiters, board, &fake_clock, NULL, CLOCK_SECOND_US);
    reversals.clock = &fake_clock;
    reversals.waiters = &waiters;
    reversals.messages = &messages;
    reversals.claims = &claims;
    claims_looks = 0;
    assert_true(result_is_ok(reversals_init(&reversals, &calls)));
    request_init(&request, 1, 1, NULL);
    request.operation.is_reversal = true;
    request.operation.redemption.id = owed_at(1).redemption.id;
    request.operation.redemption.status = REDEMPTION_REVERSING;
    request.operation.operation.subject = request.operation.redemption.id;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    reversals_free(&reversals);
    messages_free(&messages);
    board_free(board);
    request_clear(&request);
    return 0;
}

static void look(void) { reversals_look(&reversals, fake_now_us); }
static void send(void) { reversals_send(&reversals, fake_now_us); }
static int64_t next(void) { return reversals_next_us(&reversals, fake_now_us); }

static void nobody(void *context, struct discount_operation *operation) {
    (void)context;
    (void)operation;
    fail();
}

static void end_in_store(struct result outcome) {
    fake_store_end(0, outcome);
    messages_take(&messages, nobody, NULL);
}

/* Wallet's answer to the first `count` of the oldest call, all alike; NULL: it was done. */
static void answer(size_t count, const char *code) {
    static char body[65536];
    size_t size = (size_t)snprintf(body, sizeof body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        char id[ID_TEXT_BYTES];
        id_format(reversals.delivery.batches[0].items[i]->id, id);
        size += (size_t)snprintf(body + size, sizeof body - size, "%s{\"reference\":\"%.*s\",", i == 0 ? "" : ",", (int)sizeof id, id);
        size += code == NULL ? (size_t)snprintf(body + size, sizeof body - size,
                                                "\"status\":\"applied\",\"transaction_id\":\"0190f5fe-7c00-7a00-8000-0000000000aa\"}")
                             : (size_t)snprintf(body + size, sizeof body - size, "\"status\":\"rejected\",\"code\":\"%s\"}", code);
    }
    snprintf(body + size, sizeof body - size, "]}");
    fake_answer(0, 200, body);
}

static int64_t metric(struct metric *of) { return atomic_load(&of->value); }

/* ---- tests ---- */

static void test_what_is_owed_is_read_and_sent(void **state) {
    (void)state;
    owe(2);
    assert_true(next() <= fake_now_us); /* what was owed before we started */
    look();
    assert_int_equal(walked_after, 0);
    assert_int_equal(walked_most, REVERSALS_MAX);
    assert_int_equal(reversals.free_count, REVERSALS_MAX - 2);
    send();
    assert_int_equal(fake_client.count, 1);
    const struct http_call *call = fake_client.calls[0];
    assert_string_equal(call->method, "POST");
    assert_string_equal(call->url, "http://wallet/v1/credits/reversals");
    assert_true(text_equal(call->body, TEXT("{\"items\":[{\"reference\":\"01000100-0000-0000-0000-000000000001\",\"reason\":\"why\"},"
                                            "{\"reference\":\"01000200-0000-0000-0000-000000000001\",\"reason\":\"why\"}]}")));
    assert_int_equal(single_asks, 0); /* what was not tried yet is owed */
    look();                           /* not again */
    assert_int_equal(walks, 1);
    assert_int_equal(next(), INT64_MAX);
}

static void test_what_wallet_has_back_is_marked_and_forgotten(void **state) {
    (void)state;
    owe(2);
    look();
    reversals_wait(&reversals, &request.operation);
    assert_true(is_untold(&request) && single_asks == 0);
    send();
    answer(2, NULL);
    assert_ptr_equal(fake_store_action(0), &taken_back_action);
    const struct own_request *mark = fake_store_request(0);
    assert_int_equal(mark->taken_back.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct taken_back *item = &mark->taken_back.items[i];
        assert_true(id_equal(item->redemption_id, owed[i].redemption.id) && !item->is_refused && item->transaction_id.bytes[15] == 0xaa);
        assert_true(id_equal(mark->taken_back.subjects[i].redemption_id, owed[i].redemption.id));
        assert_int_equal(mark->taken_back.subjects[i].code_batch, 7);
        assert_int_equal(mark->taken_back.subjects[i].code_index, 101 + (int64_t)i);
    }
    assert_int_equal(mark->base.operation.store.weight, 2 * REVERSAL_WEIGHT + 1); /* and who waits */
    assert_true(is_untold(&request));
    int64_t reversed = metric(&reversals_metric_reversed), kept = metric(&reversals_metric_kept);
    end_in_store(result_ok());
    assert_true(is_returned(&request));
    assert_int_equal(metric(&reversals_metric_reversed), reversed + 2);
    assert_int_equal(metric(&reversals_metric_kept), kept);
    assert_int_equal(reversals.free_count, REVERSALS_MAX);
    assert_int_equal(reversals.by_id.count, 0);
    assert_int_equal(next(), INT64_MAX);
    assert_false(delivery_is_busy(&reversals.delivery));
}

/* Somebody has the place now, and is owed a credit. */
static void test_who_was_promoted_is_looked_for(void **state) {
    (void)state;
    owe(2);
    for (int64_t promoted = 0; promoted < 2; promoted++) {
        reversals.must_look = true;
        look();
        send();
        answer(2, NULL);
        assert_int_equal(fake_store_request(0)->taken_back.subjects[1].campaign_number, 1);
        assert_int_equal(fake_store_request(0)->promoted, 0); /* of the last time nothing is left */
        fake_store_request(0)->promoted = promoted;
        end_in_store(result_ok());
        assert_int_equal(claims_looks, promoted);
    }
    reversals.must_look = true;
    look();
    send();
    answer(2, NULL);
    end_in_store(result_ok());
    assert_int_equal(claims_looks, 1);
}

static void test_what_wallet_refuses_for_good_is_marked_so(void **state) {
    (void)state;
    static const char *const codes[] = {"insufficient_funds", "account_frozen", "account_closed"};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        tear_down(state);
        set_up(state);
        owe(1);
        look();
        send();
        answer(1, codes[i]);
        expect_logged(LOG_WARN, "reversal_refused");
        const struct taken_back *item = &fake_store_request(0)->taken_back.items[0];
        assert_true(item->is_refused && text_equal(item->refusal, text_of(codes[i])));
        int64_t reversed = metric(&reversals_metric_reversed), kept = metric(&reversals_metric_kept);
        end_in_store(result_ok());
        assert_true(metric(&reversals_metric_reversed) == reversed && metric(&reversals_metric_kept) == kept + 1);
        assert_int_equal(reversals.free_count, REVERSALS_MAX);
    }
}

/* It has lost the credit: that is sent again, and then taken back. */
static void test_what_is_refused_for_now_is_tried_again_while_it_is_owed(void **state) {
    (void)state;
    owe(1);
    look();
    reversals_wait(&reversals, &request.operation);
    send();
    for (size_t i = 1; i <= 2; i++) {
        answer(1, "credit_not_found");
        assert_int_equal(fake_store.count, 0);
        send();
        assert_int_equal(fake_client.count, 0); /* later */
        fake_now_us = next();
        read_outcome = i == 1 ? result_ok() : result_error(RESULT_IO); /* what can't be asked is sent */
        send();
        assert_int_equal(fake_client.count, 1);
        assert_int_equal(single_asks, i);
    }
    read_outcome = result_ok();
    answer(1, "credit_not_found");
    owed_count = 0; /* its credit has failed for good meanwhile */
    fake_now_us = next();
    send();
    assert_int_equal(fake_client.count, 0);
    assert_true(is_returned(&request));
    assert_int_equal(reversals.free_count, REVERSALS_MAX);
    assert_int_equal(next(), INT64_MAX);
}

static void test_what_was_not_marked_is_sent_again(void **state) {
    (void)state;
    owe(1);
    look();
    for (size_t i = 0; i < 2; i++) {
        fake_store.is_stopping = i == 1;
        if (i == 1) reversals_wait(&reversals, &request.operation);
        send();
        assert_true(is_untold(&request));
        answer(1, NULL);
        if (i == 1) assert_true(is_returned(&request) && request.operation.redemption.status == REDEMPTION_REVERSING);
        if (i == 0) end_in_store(result_error(RESULT_IO));
        assert_int_equal(reversals.free_count, REVERSALS_MAX - 1);
        fake_now_us = next();
        assert_true(fake_now_us < INT64_MAX);
    }
    fake_store.is_stopping = false;
    send();
    answer(1, NULL);
    end_in_store(result_ok());
    assert_int_equal(reversals.free_count, REVERSALS_MAX);
}

static void test_who_waits_has_it_read(void **state) {
    (void)state;
    look(); /* nothing was owed then */
    owe(1);
    reversals.looked_at = 77;
    reversals_wait(&reversals, &request.operation);
    assert_true(is_untold(&request) && single_asks == 1 && reversals.looked_at == 77 && !reversals.must_look);
    send();
    answer(1, NULL);
    end_in_store(result_ok());
    assert_true(is_returned(&request));
}

static void test_who_waits_for_what_is_not_owed_is_answered(void **state) {
    (void)state;
    look();
    reversals_wait(&reversals, &request.operation);
    assert_true(is_returned(&request) && !reversals.must_look);
}

static void test_who_waits_for_what_can_not_be_read_is_answered_and_it_is_looked_for(void **state) {
    (void)state;
    look();
    read_outcome = result_error(RESULT_IO);
    reversals_wait(&reversals, &request.operation);
    assert_true(is_returned(&request) && reversals.must_look);
    assert_true(next() <= fake_now_us);
}

static void test_a_look_that_failed_is_repeated_later(void **state) {
    (void)state;
    owe(1);
    read_outcome = result_error(RESULT_IO);
    look();
    expect_logged(LOG_ERROR, "reversals_not_read");
    look();
    assert_int_equal(walks, 1);
    int64_t at_us = next();
    assert_true(at_us > fake_now_us && at_us < INT64_MAX);
    read_outcome = result_ok();
    fake_now_us = at_us - 1;
    look();
    assert_int_equal(walks, 1);
    fake_now_us = at_us;
    look();
    assert_int_equal(walks, 2);
    assert_int_equal(reversals.lookup.attempts, 0);
    assert_int_equal(reversals.free_count, REVERSALS_MAX - 1);
    send();
    assert_int_equal(fake_client.count, 1);
}

/* One call, and its mark, of all that are under way. */
static void settle_batch(void) {
    size_t count = reversals.delivery.batches[0].item_count;
    answer(count, NULL);
    end_in_store(result_ok());
}

static void test_more_than_there_is_room_for_are_read_bit_by_bit(void **state) {
    (void)state;
    owe(REVERSALS_MAX + 3);
    look();
    assert_true(reversals.free_count == 0 && reversals.is_looking);
    send();
    assert_int_equal(next(), INT64_MAX); /* without room */
    look();
    assert_int_equal(walks, 1);
    settle_batch();
    assert_true(reversals.free_count >= REVERSALS_MAX / 2);
    assert_true(next() <= fake_now_us);
    look();
    assert_int_equal(walks, 2);
    assert_int_equal(walked_after, redemption_key(1, REVERSALS_MAX)); /* it goes on there */
    assert_int_equal(reversals.free_count, REVERSALS_MAX - 3);
    assert_false(reversals.is_looking || reversals.must_look);
    reversals.must_look = true; /* the next walk begins anew */
    look();
    assert_int_equal(walked_after, 0);
    assert_int_equal(walked_most, REVERSALS_MAX - 3);
    assert_int_equal(reversals.free_count, 0); /* those of the database again, but for the three that are here */
}

static void test_a_walk_that_failed_on_its_way_begins_anew(void **state) {
    (void)state;
    owe(REVERSALS_MAX + 3);
    look();
    send();
    settle_batch();
    read_outcome = result_error(RESULT_IO);
    look();
    assert_int_equal(walked_after, redemption_key(1, REVERSALS_MAX));
    assert_false(reversals.is_looking);
    read_outcome = result_ok();
    fake_now_us = next();
    look();
    assert_int_equal(walks, 3);
    assert_int_equal(walked_after, 0);
}

static void test_there_is_room_from_half_on(void **state) {
    (void)state;
    reversals.free_count = REVERSALS_MAX / 2;
    assert_true(next() <= fake_now_us);
    reversals.free_count--;
    assert_int_equal(next(), INT64_MAX);
    reversals.free_count = REVERSALS_MAX;
}

static void test_who_finds_no_room_has_it_looked_for(void **state) {
    (void)state;
    owe(REVERSALS_MAX + 1);
    owed_count = REVERSALS_MAX;
    look();
    look();
    reversals.is_looking = reversals.must_look = false;
    owed_count++;
    request.operation.redemption.id = owed[REVERSALS_MAX].redemption.id;
    reversals_wait(&reversals, &request.operation);
    assert_true(is_returned(&request) && reversals.must_look);
}

/* ---- reversed here, and not in Wallet ---- */

static void test_what_was_reversed_before_is_sent_without_being_asked_for(void **state) {
    (void)state;
    look();
    const struct redemption redemption = owed_at(9).redemption;
    assert_true(reversals_take_again(&reversals, &redemption));
    assert_true(reversals_take_again(&reversals, &redemption)); /* it is here once */
    assert_int_equal(reversals.free_count, REVERSALS_MAX - 1);
    send();
    assert_true(text_equal(fake_client.calls[0]->body, TEXT("{\"items\":[{\"reference\":\"01000900-0000-0000-0000-000000000001\","
                                                            "\"reason\":\"It was taken back before.\"}]}")));
    answer(1, "credit_not_found");
    fake_now_us = next();
    send();
    assert_int_equal(fake_client.count, 1);
    assert_int_equal(single_asks, 0);
    settle_batch();
    assert_int_equal(reversals.free_count, REVERSALS_MAX);
}

static void test_without_room_nothing_is_sent_again(void **state) {
    (void)state;
    owe(REVERSALS_MAX);
    look();
    for (int must_look = 0; must_look < 2; must_look++) {
        const struct redemption redemption = owed_at(400).redemption;
        reversals.must_look = must_look != 0;
        assert_false(reversals_take_again(&reversals, &redemption));
        assert_int_equal(reversals.must_look, must_look); /* no look would find it */
    }
}

static void test_without_memory_there_is_none(void **state) {
    (void)state;
    for (size_t left = 0; left < 2; left++) {
        struct reversals none = {.clock = &fake_clock};
        objects_left = left;
        struct result outcome = reversals_init(&none, &calls);
        assert_int_equal(outcome.code, RESULT_FULL);
        objects_left = SIZE_MAX;
        free(none.memory);
    }
    struct reversals zeros = {0};
    reversals_free(&zeros);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_owed_is_read_and_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_has_back_is_marked_and_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_promoted_is_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_wallet_refuses_for_good_is_marked_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused_for_now_is_tried_again_while_it_is_owed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_not_marked_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_has_it_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_what_is_not_owed_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_what_can_not_be_read_is_answered_and_it_is_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_look_that_failed_is_repeated_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_than_there_is_room_for_are_read_bit_by_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_walk_that_failed_on_its_way_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_there_is_room_from_half_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_finds_no_room_has_it_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_reversed_before_is_sent_without_being_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_room_nothing_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_memory_there_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
