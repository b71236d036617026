/* From a claim to its mark: what is sent, what is marked, who hears of it when. The delivery and the claims are the real ones. */
#include "fake_store.h"

#include "base/json/json.h"
#include "discount/settle/credits.h"

#define CLAIMS 3u

static struct calls calls;
static struct messages messages;
static struct waiters waiters;
static struct claims claims;
static struct funds funds;
static struct credits credits;
static struct test_request requests[CLAIMS];
static size_t looks; /* asked of the funds */

void funds_look(struct funds *asked) {
    assert_ptr_equal(asked, &funds);
    looks++;
}

/* Nobody is read back in these tests: what is owed stays in memory. */
void ask_unsettled(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    (void)batch;
    (void)after;
    (void)limit;
    (void)visit;
    (void)context;
}

struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    (void)row;
    (void)first_column;
    (void)ret_redemption;
    fail();
    return result_ok();
}

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&fake_store, 0, sizeof fake_store);
    memset(&credits, 0, sizeof credits);
    looks = 0;
    board_begin();
    assert_true(result_is_ok(messages_init(&messages)));
    waiters_init(&waiters, board, &fake_clock, NULL, CLOCK_SECOND_US);
    credits.board = board;
    credits.clock = &fake_clock;
    credits.claims = &claims;
    credits.waiters = &waiters;
    credits.funds = &funds;
    credits.messages = &messages;
    credits_init(&credits, &calls);
    claims = (struct claims){0};
    assert_true(result_is_ok(claims_init(&claims, 8, board, NULL, &credits.delivery)));
    for (unsigned i = 0; i < CLAIMS; i++) {
        request_init(&requests[i], 1, i + 1, NULL);
        requests[i].operation.redemption.user_id.bytes[4] = (uint8_t)(i + 1);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    credits_free(&credits);
    claims_free(&claims);
    messages_free(&messages);
    board_free(board);
    for (unsigned i = 0; i < CLAIMS; i++) request_clear(&requests[i]);
    return 0;
}

static void claim(size_t index) {
    struct claim *taken = claims_take(&claims, &requests[index].operation.redemption);
    assert_non_null(taken);
    waiters_add(&waiters, &taken->waiters, &requests[index].operation);
}

static void send(void) {
    delivery_wake_delayed(&credits.delivery, fake_now_us);
    delivery_send(&credits.delivery, fake_now_us);
}

static void nobody(void *context, struct discount_operation *request) {
    (void)context;
    (void)request;
    fail();
}

static void end_in_store(struct result outcome) {
    fake_store_end(0, outcome);
    messages_take(&messages, nobody, NULL);
}

/* Wallet's answer: one letter for each claim, d(one), D(one, with a word of what was before), r(efused for good), l(ater) or o(ver: its fund has gone back). */
static void answer(const char *verdicts) {
    char body[2048];
    size_t size = (size_t)snprintf(body, sizeof body, "{\"items\":[");
    for (size_t i = 0; verdicts[i] != 0; i++) {
        char id[ID_TEXT_BYTES];
        id_format(requests[i].operation.redemption.id, id);
        const char *rest = verdicts[i] == 'd'   ? "\"status\":\"applied\",\"transaction_id\":\"0190f5fe-7c00-7a00-8000-0000000000aa\","
                                                  "\"created_at\":\"2026-01-02T03:04:05.000000Z\""
                           : verdicts[i] == 'D' ? "\"status\":\"replayed\",\"transaction_id\":\"0190f5fe-7c00-7a00-8000-0000000000aa\","
                                                  "\"code\":\"fund_released\""
                           : verdicts[i] == 'l' ? "\"status\":\"rejected\",\"code\":\"fund_exhausted\""
                           : verdicts[i] == 'o' ? "\"status\":\"rejected\",\"code\":\"fund_released\""
                                                : "\"status\":\"rejected\",\"code\":\"account_frozen\"";
        size +=
            (size_t)snprintf(body + size, sizeof body - size, "%s{\"reference\":\"%.*s\",%s}", i == 0 ? "" : ",", (int)sizeof id, id, rest);
    }
    snprintf(body + size, sizeof body - size, "]}");
    fake_answer(0, 200, body);
}

static void test_what_is_sent(void **state) {
    (void)state;
    requests[1].exchange.traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    struct redemption alone = requests[0].operation.redemption; /* nobody waits for it */
    assert_non_null(claims_take(&claims, &alone));
    claim(1);
    send();
    assert_int_equal(fake_client.count, 1);
    const struct http_call *call = fake_client.calls[0];
    assert_string_equal(call->method, "POST");
    assert_string_equal(call->url, "http://wallet/v1/credits");
    assert_non_null(call->traceparent); /* of the oldest one that waits */
    assert_non_null(strstr(call->traceparent, "0af7651916cd43dd8448eb211c80319c"));
    static const char expected[] =
        "{\"items\":[{\"reference\":\"01010000-0000-0000-0000-000000000001\",\"user_id\":\"00000000-0100-0000-0000-"
        "000000000000\",\"amount\":1000,\"currency\":\"IRT\",\"fund\":\"01000000-0000-0000-0000-000000000000\","
        "\"metadata\":{\"campaign\":\"01000000-0000-0000-0000-000000000000\",\"position\":1,\"phone\":\"\",\"code\":\"FIRST\"}},";
    if (!text_starts_with(call->body, TEXT(expected))) fail_msg("sent %.*s", (int)call->body.size, call->body.data);
    assert_memory_equal(call->body.data + call->body.size - 5, "\"}}]}", 5); /* and is whole */
    fake_answer(0, 500, "");
}

/* What makes it anew says which code it was, if it was one of a batch's. */
static void test_a_credit_says_which_code_of_a_batch_it_was_for(void **state) {
    (void)state;
    requests[0].operation.redemption.code_batch = 7;
    requests[0].operation.redemption.code_index = 9;
    claim(0);
    claim(1);
    send();
    const struct text body = fake_client.calls[0]->body;
    static const char words[] = ",\"code_batch\":7,\"code_index\":9}}";
    const char *first = memmem(body.data, body.size, words, strlen(words));
    assert_non_null(first);
    assert_null(memmem(first + strlen(words), body.size - (size_t)(first + strlen(words) - body.data), "code_", strlen("code_")));
    fake_answer(0, 500, "");
}

/* Each credit says what it is for in its own campaign's words, if it has any. */
static void test_a_credit_is_described_by_its_campaigns_name(void **state) {
    (void)state;
    campaigns[0].name[0] = 'N';
    campaigns[0].name_size = 1;
    show(0);
    request_init(&requests[1], 2, 1, NULL);
    for (size_t i = 0; i < 3; i++) claim(i);
    send();
    struct text rest = fake_client.calls[0]->body;
    size_t described = 0, plain = 0;
    static const char with_name[] = "\"fund\":\"01000000-0000-0000-0000-000000000000\",\"description\":\"N\",",
                      without[] = "\"fund\":\"02000000-0000-0000-0000-000000000000\",\"metadata\"";
    for (; rest.size >= sizeof with_name; rest.data++, rest.size--) {
        described += text_starts_with(rest, TEXT(with_name));
        plain += text_starts_with(rest, TEXT(without));
    }
    assert_int_equal(described, 2);
    assert_int_equal(plain, 1);
    fake_answer(0, 500, "");
}

static void test_the_trace_is_of_the_oldest_who_waits_if_it_has_one(void **state) {
    (void)state;
    requests[0].exchange.traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    requests[1].exchange.traceparent = TEXT("00-1bf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    claim(0);
    claim(1);
    send();
    assert_string_equal(fake_client.calls[0]->traceparent, requests[0].exchange.traceparent.data);
    requests[2].exchange.traceparent = (struct text){NULL, 0};
    claim(2);
    send();
    assert_null(fake_client.calls[1]->traceparent);
}

static void test_what_is_marked(void **state) {
    (void)state;
    for (size_t i = 0; i < CLAIMS; i++) claim(i);
    send();
    answer("drd");
    assert_ptr_equal(fake_store_action(0), &mark_action);
    const struct own_request *mark = fake_store_request(0);
    assert_int_equal(mark->mark.count, 3);
    assert_int_equal(mark->base.operation.store.weight, 6); /* claims, and who waits for them */
    int64_t created_at_us;
    assert_true(result_is_ok(clock_parse(TEXT("2026-01-02T03:04:05Z"), &created_at_us)));
    for (size_t i = 0; i < CLAIMS; i++) {
        const struct settlement *settlement = &mark->mark.items[i];
        assert_true(id_equal(settlement->redemption_id, requests[i].operation.redemption.id));
        assert_true(settlement->is_credited == (i != 1) && !settlement->is_again);
        assert_int_equal(settlement->settled_at_us, i != 1 ? created_at_us : fake_now_us);
        assert_int_equal(id_is_zero(settlement->transaction_id), i == 1);
        assert_true(text_equal(settlement->failure, i == 1 ? TEXT("account_frozen") : TEXT("")));
        assert_true(is_untold(&requests[i]));
    }
    int64_t credited = atomic_load(&credits_metric_credited.value), failed = atomic_load(&credits_metric_failed.value);
    int64_t lag_us = atomic_load(&credits_metric_lag.sum);
    assert_int_equal(claims_count(&claims), 3);
    fake_now_us += 7;
    end_in_store(result_ok());
    assert_int_equal(atomic_load(&credits_metric_lag.sum), lag_us + 3 * 7);
    for (size_t i = 0; i < CLAIMS; i++) assert_true(is_returned(&requests[i]));
    assert_int_equal(claims_count(&claims), 0);
    assert_int_equal(atomic_load(&credits_metric_credited.value), credited + 2);
    assert_int_equal(atomic_load(&credits_metric_failed.value), failed + 1);
    assert_int_equal(looks, 1); /* an ended campaign may be settled now */
    assert_false(delivery_is_busy(&credits.delivery));
}

/* Settled before, and lost by Wallet: it goes out whether its books agree or not, is marked as such, and is counted for itself. */
static void test_what_is_sent_again_is_marked_so(void **state) {
    (void)state;
    board_set_books(board_slot(board, 0), BOOKS_WALKING);
    for (size_t i = 0; i < CLAIMS; i++) assert_true(claims_take_again(&claims, &requests[i].operation.redemption));
    int64_t lag_us = atomic_load(&credits_metric_lag.sum), credited = atomic_load(&credits_metric_credited.value);
    int64_t again = atomic_load(&credits_metric_credited_again.value), failed = atomic_load(&credits_metric_failed_again.value);
    send();
    answer("drd");
    const struct own_request *mark = fake_store_request(0);
    assert_int_equal(mark->mark.count, CLAIMS);
    for (size_t i = 0; i < CLAIMS; i++) assert_true(mark->mark.items[i].is_again);
    fake_now_us += 7;
    end_in_store(result_ok());
    assert_int_equal(atomic_load(&credits_metric_credited_again.value), again + 2);
    assert_int_equal(atomic_load(&credits_metric_failed_again.value), failed + 1);
    assert_int_equal(atomic_load(&credits_metric_credited.value), credited);
    assert_int_equal(atomic_load(&credits_metric_lag.sum), lag_us);
    assert_int_equal(claims_again(&claims, 1), 0);
}

static void test_who_comes_while_it_is_marked_hears_it_after(void **state) {
    (void)state;
    claim(0);
    send();
    answer("r");
    requests[1].operation.redemption = requests[0].operation.redemption;
    claim(1);
    end_in_store(result_ok());
    assert_true(is_returned(&requests[1]));
    const struct redemption *redemption = &requests[1].operation.redemption;
    assert_int_equal(redemption->status, REDEMPTION_FAILED);
    assert_int_equal(redemption->settled_at_us, fake_now_us);
    assert_memory_equal(redemption->failure, "account_frozen", 14);
    assert_int_equal(redemption->failure_size, 14);
    assert_int_equal(waiters_next_us(&waiters), INT64_MAX);
}

static void test_a_late_one_of_a_credited_claim(void **state) {
    (void)state;
    claim(0);
    send();
    answer("d");
    requests[1].operation.redemption = requests[0].operation.redemption;
    claim(1);
    end_in_store(result_ok());
    assert_int_equal(requests[1].operation.redemption.status, REDEMPTION_CREDITED);
    assert_false(id_is_zero(requests[1].operation.redemption.transaction_id));
    assert_int_equal(requests[1].operation.redemption.failure_size, 0);
}

/* Credited in Wallet, not marked here: whoever waited is told what is on disk, and the claim is sent until its mark is there. */
static void test_without_its_mark_a_claim_is_not_forgotten(void **state) {
    (void)state;
    static const bool is_stopping[] = {false, true};
    for (size_t i = 0; i < ARRAY_COUNT(is_stopping); i++) {
        claim(i);
        send();
        fake_store.is_stopping = is_stopping[i];
        struct redemption sent = requests[0].operation.redemption;
        requests[0].operation.redemption.id = requests[i].operation.redemption.id;
        answer("d");
        requests[0].operation.redemption = sent;
        if (!is_stopping[i]) end_in_store(result_error(RESULT_IO));
        assert_true(is_returned(&requests[i]));
        assert_int_equal(requests[i].operation.redemption.status, REDEMPTION_CLAIMED);
        assert_int_equal(claims_count(&claims), i + 1);
        assert_false(delivery_is_busy(&credits.delivery));
    }
    fake_store.is_stopping = false;
    fake_now_us += BACKOFF_FIRST_US;
    send();
    answer("dd");
    end_in_store(result_ok());
    assert_int_equal(claims_count(&claims), 0);
}

/* What is done is done, whatever has become of the fund since. */
static void test_who_is_paid_is_not_told_otherwise(void **state) {
    (void)state;
    claim(0);
    campaigns[0].ended_at_us = fake_now_us;
    show(0);
    send();
    answer("D");
    assert_true(fake_store_request(0)->mark.items[0].is_credited);
    end_in_store(result_ok());
}

static void test_a_claim_whose_fund_is_lost_goes_back_to_the_database(void **state) {
    (void)state;
    claim(0);
    int64_t confirmed_minor = campaigns[0].fund_confirmed_minor;
    campaigns[0].fund_confirmed_minor = 0;
    show(0);
    send();
    assert_int_equal(fake_client.started, 0);
    assert_int_equal(claims_count(&claims), 0);
    assert_int_equal(requests[0].returned, 1); /* its client hears of the claim, and waits no more */
    campaigns[0].fund_confirmed_minor = confirmed_minor;
    show(0);
    claim(1);
    send();
    assert_int_equal(fake_client.started, 1);
}

/* It may be another one by now: what is owed is what the database says. */
static void test_a_claim_that_is_old_is_read_anew(void **state) {
    (void)state;
    claim(0);
    claims_read_anew(&claims, campaigns[0].number);
    claims.must_refill = false;
    send();
    assert_int_equal(fake_client.started, 0);
    assert_int_equal(claims_count(&claims), 0);
    assert_int_equal(requests[0].returned, 1);
    assert_true(claims.must_refill);
}

/* It can't be paid any more: else it would be sent for ever, and its campaign never be settled. */
static void test_who_claims_of_what_has_gone_back_is_told(void **state) {
    (void)state;
    for (unsigned i = 0; i < CLAIMS; i++) claim(i);
    send();
    answer("olo"); /* it has not ended here: that is found out first */
    assert_int_equal(fake_store.count, 0);
    campaigns[0].ended_at_us = fake_now_us;
    show(0);
    fake_now_us += 6 * CLOCK_SECOND_US;
    send();
    answer("olo");
    const struct own_request *marked = fake_store_request(0);
    assert_int_equal(marked->mark.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_false(marked->mark.items[i].is_credited);
        assert_true(text_equal(marked->mark.items[i].failure, TEXT("fund_released")));
    }
    end_in_store(result_ok());
    assert_int_equal(claims_count(&claims), 1);
    waiters_end(&waiters, fake_now_us, true);
}

/* Who was told that he is paid is not told otherwise for that. */
static void test_what_is_sent_again_does_not_fail_by_what_has_gone_back(void **state) {
    (void)state;
    for (unsigned i = 0; i < CLAIMS; i++) assert_true(claims_take_again(&claims, &requests[i].operation.redemption));
    campaigns[0].ended_at_us = fake_now_us;
    show(0);
    send();
    answer("ooo");
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(claims_again(&claims, 1), 3);
}

static void refuse_for_now(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        fake_now_us += 6 * CLOCK_SECOND_US;
        send();
        answer("lll");
    }
}

static size_t answered_requests(void) {
    size_t count = 0;
    for (unsigned i = 0; i < CLAIMS; i++) count += is_returned(&requests[i]);
    return count;
}

/* Else the claims of one campaign, whose fund has no more, keep all others from ever being read. */
static void test_claims_that_are_refused_again_and_again_make_room(void **state) {
    (void)state;
    claims_free(&claims);
    claims = (struct claims){0};
    assert_true(result_is_ok(claims_init(&claims, 4, board, NULL, &credits.delivery)));
    for (unsigned i = 0; i < CLAIMS; i++) claim(i);
    refuse_for_now(5);
    assert_true(claims_want_room(&claims));
    credits_make_room(&credits);
    assert_int_equal(claims_count(&claims), 3); /* not yet */
    refuse_for_now(1);
    claims.must_refill = false;
    credits_make_room(&credits);
    assert_int_equal(claims_count(&claims), 3); /* nobody wants it */
    claims.is_refilling = true;                 /* what makes room is behind, and must be looked for anew */
    credits_make_room(&credits);
    assert_true(claims.must_refill);
    assert_int_equal(claims_count(&claims), 2); /* half is enough */
    assert_int_equal(answered_requests(), 1);
    assert_false(claims_want_room(&claims));
    assert_true(claims_next_us(&claims) <= fake_now_us); /* they are read again, behind the others */
    credits_make_room(&credits);
    assert_int_equal(claims_count(&claims), 2);
    waiters_end(&waiters, fake_now_us, true);
}

/* No look into the database would find it again. */
static void test_what_is_sent_again_makes_no_room(void **state) {
    (void)state;
    claims_free(&claims);
    claims = (struct claims){0};
    assert_true(result_is_ok(claims_init(&claims, 4, board, NULL, &credits.delivery)));
    for (unsigned i = 0; i < CLAIMS; i++) assert_true(claims_take_again(&claims, &requests[i].operation.redemption));
    refuse_for_now(6);
    credits_make_room(&credits);
    assert_int_equal(claims_count(&claims), 3);
    assert_true(claims_want_room(&claims));
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_claims_of_what_has_gone_back_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_sent_again_does_not_fail_by_what_has_gone_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims_that_are_refused_again_and_again_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_sent_again_makes_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_credit_says_which_code_of_a_batch_it_was_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_credit_is_described_by_its_campaigns_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_trace_is_of_the_oldest_who_waits_if_it_has_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_sent_again_is_marked_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_comes_while_it_is_marked_hears_it_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_late_one_of_a_credited_claim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_its_mark_a_claim_is_not_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_paid_is_not_told_otherwise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_claim_whose_fund_is_lost_goes_back_to_the_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_claim_that_is_old_is_read_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
