/* Each step of a fund, asked for by what the board shows, against calls and a store that the test answers. */
#include "funds.h"

static void test_nothing_is_due(void **state) {
    (void)state;
    assert_int_equal(funds_next_us(&funds), 0);
    run();
    assert_int_equal(fake_client.started, 0);
    assert_false(funds_are_busy(&funds));
    assert_int_equal(funds_next_us(&funds), INT64_MAX);
    run(); /* nobody has asked to look */
    funds_look_by(&funds, fake_now_us + 5);
    assert_int_equal(funds_next_us(&funds), fake_now_us + 5);
    run();
    fake_now_us += 5;
    run();
}

static void test_opening(void **state) {
    (void)state;
    want_step(0, 100000);
    run();
    expect_call("POST", "http://wallet/v1/funds", "{\"reference\":\"" FIRST_ID "\",\"amount\":100000,\"currency\":\"IRT\"}");
    assert_null(fake_client.calls[0]->idempotency_key);
    assert_true(funds_are_busy(&funds));
    assert_int_equal(claims_looks, 0); /* its claims wait */
    run();                             /* one job for each */
    funds_look(&funds);
    run();
    assert_int_equal(fake_client.started, 1);
    fake_answer(0, 201, "{}");
    assert_ptr_equal(fake_store_action(0), &fund_confirmed_action);
    assert_true(id_equal(fake_store_request(0)->campaign_id, campaigns[0].id));
    assert_int_equal(fake_store_request(0)->fund_step_version, 3);
    assert_true(funds_are_busy(&funds));
    confirm();
    assert_false(funds_are_busy(&funds));
    assert_int_equal(funds_next_us(&funds), 0);
    run();
    assert_int_equal(fake_client.started, 1);
    assert_int_equal(claims_looks, 1);
}

static void test_a_fund_is_described_by_its_campaigns_name_once(void **state) {
    (void)state;
    campaigns[0].name[0] = 'N';
    campaigns[0].name_size = 1;
    want_step(0, 100000);
    run();
    expect_call("POST", "http://wallet/v1/funds",
                "{\"reference\":\"" FIRST_ID "\",\"amount\":100000,\"currency\":\"IRT\",\"description\":\"N\"}");
    fake_answer(0, 201, "{}");
    confirm();
    want_step(100000, 2000);
    run();
    fake_answer(0, 200, "{\"funded\":100000}");
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/topup", "{\"amount\":2000,\"currency\":\"IRT\"}");
}

static void test_topping_up_looks_first(void **state) {
    (void)state;
    want_step(100000, 2000);
    run();
    expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
    fake_answer(0, 200, "{\"funded\":100000}");
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/topup", "{\"amount\":2000,\"currency\":\"IRT\"}");
    assert_string_equal(fake_client.calls[0]->idempotency_key, FIRST_ID ":3:100000");
    fake_answer(0, 200, "{}");
    assert_ptr_equal(fake_store_action(0), &fund_confirmed_action);
    confirm();
    assert_false(funds_are_busy(&funds));
}

static void test_what_was_applied_is_not_sent_again(void **state) {
    (void)state;
    static const char *const bodies[] = {"{\"funded\":102000}", "{\"funded\":999999}"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        want_step(100000, 2000);
        run();
        fake_answer(0, 200, bodies[i]);
        assert_int_equal(fake_client.count, 0);
        assert_ptr_equal(fake_store_action(0), &fund_confirmed_action);
        confirm();
    }
}

/* A fund that has been given less than is known, or does not say: it is looked at again, and nothing is added. */
static void test_a_fund_that_does_not_say_is_not_added_to(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
    } rows[] = {{200, "{\"funded\":99999}"}, {200, "{}"}, {200, "nonsense"}, {200, "[]"}, {404, "{\"funded\":100000}"}, {500, ""}};
    want_step(100000, 2000);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        run();
        expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
        int64_t retries = atomic_load(&calls_metric_retries.value), errors = atomic_load(&calls_metric_errors.value);
        size_t cleared = fake_client.cleared;
        fake_answer(0, rows[i].status, rows[i].body);
        assert_int_equal(fake_client.cleared, cleared + 1);
        assert_false(funds_are_busy(&funds));
        assert_int_equal(fake_store.count, 0);
        assert_int_equal(atomic_load(&calls_metric_retries.value), retries + 1);
        assert_int_equal(atomic_load(&calls_metric_errors.value), errors + 1);
        run(); /* not yet */
        assert_int_equal(fake_client.count, 0);
        assert_true(funds_next_us(&funds) > fake_now_us);
        assert_true(funds_next_us(&funds) <= fake_now_us + BACKOFF_MOST_US);
        fake_now_us = funds_next_us(&funds) - 1;
        funds_look(&funds);
        run(); /* still not */
        assert_int_equal(fake_client.count, 0);
        fake_now_us++;
    }
    run();
    fake_client.calls[0]->retry_after_ms = 4000;
    fake_answer(0, 429, "");
    run();
    assert_int_equal(funds_next_us(&funds), fake_now_us + 4000000);
    fake_now_us += 4000000;
    run();
    fake_answer(0, 200, "{\"funded\":102000}");
    confirm();
    want_step(102000, 2000); /* it went well: the next failure is a first one */
    run();
    fake_answer(0, 500, "");
    run();
    assert_true(funds_next_us(&funds) < fake_now_us + BACKOFF_FIRST_US);
}

static void test_an_answer_that_says_it_twice_or_broke_off_or_is_a_strangers_says_nothing(void **state) {
    (void)state;
    want_step(100000, 2000);
    run();
    fake_answer(0, 200, "{\"funded\":102000,\"funded\":102000}");
    assert_int_equal(fake_store.count, 0);
    run();
    fake_now_us = funds_next_us(&funds);
    run();
    fake_end(0, result_error(RESULT_IO), 200, "{\"funded\":102000}");
    assert_int_equal(fake_store.count, 0);
    run();
    fake_now_us = funds_next_us(&funds);
    run();
    calls.instance.ours.bytes[0] = 1;
    snprintf(fake_client.calls[0]->header, sizeof fake_client.calls[0]->header, "019aab20-4c00-7a31-9f00-5b1e2c3d4e02");
    fake_answer(0, 200, "{\"funded\":102000}");
    assert_int_equal(fake_store.count, 0);
}

/* A refusal needs somebody to look at it; whatever else fails is tried again, and may go well. */
static void test_how_loud_a_failed_call_is(void **state) {
    (void)state;
    static const struct {
        struct result outcome;
        int status;
        enum log_level level;
    } rows[] = {{{RESULT_OK}, 399, LOG_WARN},  {{RESULT_OK}, 400, LOG_ERROR}, {{RESULT_OK}, 428, LOG_ERROR}, {{RESULT_OK}, 429, LOG_WARN},
                {{RESULT_OK}, 430, LOG_ERROR}, {{RESULT_OK}, 499, LOG_ERROR}, {{RESULT_OK}, 500, LOG_WARN},  {{RESULT_IO}, 404, LOG_WARN}};
    want_step(100000, 2000);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        run();
        assert_int_equal(fake_client.count, 1);
        fake_end(0, rows[i].outcome, rows[i].status, "");
        expect_logged(rows[i].level, "fund_call_failed");
        run();
        fake_now_us = funds_next_us(&funds);
    }
}

/* What Wallet refuses for good is told, with its reason, to the store and to who waits for it. */
static void test_a_definite_refusal(void **state) {
    (void)state;
    want_step(0, 100000);
    funds_wait(&funds, board_slot(board, 0), &requests[0].operation);
    run();
    fake_answer(0, 422, "{\"code\":\"currency_mismatch\",\"detail\":\"Another currency.\"}");
    expect_logged(LOG_ERROR, "fund_refused");
    assert_ptr_equal(fake_store_action(0), &fund_refused_action);
    const struct own_request *told = fake_store_request(0);
    assert_int_equal(told->fund_step_version, 3);
    assert_true(text_equal(told->fund_refusal, TEXT("currency_mismatch")));
    assert_true(text_equal(told->fund_refusal_detail, TEXT("Another currency.")));
    assert_ptr_equal(TAILQ_FIRST(&told->waiters), &requests[0].operation); /* its answer is made with it */
    memcpy(campaigns[0].fund_refusal, "no", 2);
    campaigns[0].fund_refusal_size = 2;
    show(0);
    end_in_store(result_ok());
    assert_true(is_returned(&requests[0]));
    assert_int_equal(claims_looks, 0);
    run();
    assert_int_equal(fake_client.count, 0); /* and not sent again */
    assert_int_equal(fake_store.count, 0);
    funds_wait(&funds, board_slot(board, 0), &requests[1].operation);
    assert_true(is_returned(&requests[1])); /* there is nothing to wait for */
    campaigns[0].fund_refusal_size = 0;
    show(0);
    funds_look(&funds);
    run();
    assert_int_equal(fake_client.count, 1);
}

static void test_a_refused_top_up(void **state) {
    (void)state;
    want_step(100000, 2000);
    run();
    fake_answer(0, 200, "{\"funded\":100000}");
    fake_end(0, result_error(RESULT_IO), 409, "{\"code\":\"x\"}"); /* it broke off */
    assert_int_equal(fake_store.count, 0);
    run();
    fake_now_us = funds_next_us(&funds);
    run();
    fake_answer(0, 200, "{\"funded\":100000}");
    fake_answer(0, 409, "{\"code\":\"x\"}");
    assert_ptr_equal(fake_store_action(0), &fund_refused_action);
    assert_true(text_equal(fake_store_request(0)->fund_refusal, TEXT("x")));
    assert_int_equal(fake_store_request(0)->fund_refusal_detail.size, 0);
    end_in_store(result_ok());
    want_step(100000, 1000);
    run();
    fake_answer(0, 200, "{\"funded\":101000}");
    assert_ptr_equal(fake_store_action(0), &fund_confirmed_action);
    assert_int_equal(fake_store_request(0)->fund_refusal.size, 0); /* nothing is left of it */
    end_in_store(result_ok());
}

/* Only what gives money can be refused for good: to look and to give back is tried again. */
static void test_a_look_or_a_release_is_not_refused(void **state) {
    (void)state;
    want_step(100000, 2000);
    campaigns[1].ended_at_us = fake_now_us;
    show(1);
    run();
    assert_int_equal(fake_client.count, 2);
    for (size_t i = 0; i < 2; i++) fake_answer(0, 409, "{\"code\":\"x\"}");
    assert_int_equal(fake_store.count, 0);
}

static void test_what_is_no_definite_refusal(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *name, *body; /* name: who answers */
    } rows[] = {{409, "", "{\"code\":\"currency_mismatch\"}"},
                {409, "ours", "nonsense"},
                {409, "ours", "{}"},
                {400, "ours", "{\"code\":\"x\"}"},
                {404, "ours", "{\"code\":\"x\"}"},
                {429, "ours", "{\"code\":\"x\"}"},
                {503, "ours", "{\"code\":\"x\"}"},
                {401, "ours", "{\"code\":\"x\"}"}};
    char name[HTTP_CALL_HEADER_BYTES];
    know_wallet(name);
    want_step(0, 100000);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (calls.token.text == NULL) calls.token.text = strdup("token");
        run();
        assert_int_equal(fake_client.count, 1);
        if (rows[i].name[0] != '\0') memcpy(fake_client.calls[0]->header, name, sizeof name);
        fake_answer(0, rows[i].status, rows[i].body);
        assert_int_equal(fake_store.count, 0);
        run();
        fake_now_us = funds_next_us(&funds);
    }
}

/* Nobody but the store is asked whether a campaign has ended: it ends, whatever Wallet does. */
static void test_an_end_waits_behind_nobody(void **state) {
    (void)state;
    want_step(0, 100000);
    run();
    assert_int_equal(fake_client.count, 1); /* and hangs */
    for (size_t i = FUND_LOCAL_JOBS; i < FUND_JOBS; i++) funds.jobs[i].is_busy = true;
    for (size_t i = 0; i < 2; i++) {
        campaigns[i].ends_at_us = fake_now_us + CLOCK_SECOND_US;
        show(i);
    }
    fake_now_us += CLOCK_SECOND_US;
    funds_look(&funds);
    run();
    assert_ptr_equal(fake_store_action(0), &expire_action);
    assert_ptr_equal(fake_store_action(1), &expire_action);
}

static void test_while_nobody_may_be_called_campaigns_end(void **state) {
    (void)state;
    want_step(0, 100000);
    campaigns[1].ends_at_us = fake_now_us;
    show(1);
    funds_run(&funds, fake_now_us, false);
    assert_int_equal(fake_client.count, 0);
    assert_ptr_equal(fake_store_action(0), &expire_action);
    funds_run(&funds, fake_now_us, false);
    assert_int_equal(funds_next_us(&funds), INT64_MAX);
    campaigns[0].ends_at_us = fake_now_us;
    show(0);
    funds_run(&funds, fake_now_us, false); /* nobody has asked to look */
    assert_int_equal(fake_store.count, 1);
    run();
    assert_int_equal(fake_client.count, 1);
}

static void test_while_all_jobs_are_taken_it_is_looked_at_again_soon(void **state) {
    (void)state;
    want_step(0, 100000);
    for (size_t i = 0; i < FUND_JOBS; i++) funds.jobs[i].is_busy = true;
    run();
    assert_int_equal(fake_client.count, 0);
    assert_true(funds_next_us(&funds) > fake_now_us && funds_next_us(&funds) <= fake_now_us + CLOCK_SECOND_US);
    funds.jobs[FUND_LOCAL_JOBS].is_busy = false;
    fake_now_us = funds_next_us(&funds);
    run();
    assert_int_equal(fake_client.count, 1);
    campaigns[1].fund_step_minor = 5000;
    show(1);
    funds.jobs[FUND_JOBS - 1].is_busy = false;
    funds_look(&funds);
    run();
    assert_int_equal(fake_client.count, 2);
    for (size_t i = 0; i < FUND_JOBS; i++) funds.jobs[i].is_busy = funds.jobs[i].call.done != NULL;
}

static void test_a_call_that_cannot_be_started_is_tried_later(void **state) {
    (void)state;
    want_step(0, 100000);
    fake_client.refuses = true;
    int64_t retries = atomic_load(&calls_metric_retries.value);
    run();
    assert_false(funds_are_busy(&funds));
    assert_int_equal(atomic_load(&calls_metric_retries.value), retries + 1);
    fake_client.refuses = false;
    run(); /* not at once */
    assert_int_equal(fake_client.count, 0);
    fake_now_us = funds_next_us(&funds);
    run();
    assert_int_equal(fake_client.count, 1);
}

static void test_what_has_ended_ends_no_more(void **state) {
    (void)state;
    campaigns[0].ends_at_us = fake_now_us + 10 * CLOCK_SECOND_US;
    campaigns[0].ended_at_us = fake_now_us;
    campaigns[0].fund_is_released = true;
    show(0);
    run();
    assert_int_equal(funds_next_us(&funds), INT64_MAX);
}

static void test_the_nearest_end_counts(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        campaigns[i].ends_at_us = fake_now_us + (i == 0 ? 10 : 20) * CLOCK_SECOND_US;
        show(i);
    }
    run();
    assert_int_equal(funds_next_us(&funds), campaigns[0].ends_at_us);
}

static void test_expiry_at_its_time(void **state) {
    (void)state;
    campaigns[0].ends_at_us = fake_now_us + 10 * CLOCK_SECOND_US;
    show(0);
    run();
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(funds_next_us(&funds), campaigns[0].ends_at_us);
    fake_now_us = campaigns[0].ends_at_us - 1;
    funds_look(&funds);
    run();
    assert_int_equal(fake_store.count, 0);
    fake_now_us++;
    run();
    assert_ptr_equal(fake_store_action(0), &expire_action);
    assert_true(funds_are_busy(&funds));
    funds_look(&funds);
    run(); /* it is on its way */
    assert_int_equal(fake_store.count, 1);
    end_in_store(result_error(RESULT_IO));
    run(); /* not at once */
    assert_int_equal(fake_store.count, 0);
    assert_in_range(funds_next_us(&funds), fake_now_us + 1, fake_now_us + BACKOFF_FIRST_US);
    fake_now_us = funds_next_us(&funds) - 1;
    funds_look(&funds);
    run();
    assert_int_equal(fake_store.count, 0);
    fake_now_us++;
    run();
    assert_ptr_equal(fake_store_action(0), &expire_action);
    campaigns[0].ended_at_us = fake_now_us;
    campaigns[0].fund_is_released = true;
    show(0);
    end_in_store(result_ok());
    run();
    assert_int_equal(fake_store.count, 0);
    assert_int_equal(fake_client.started, 0);
}

/* The clock that says when a campaign ends may be set: it is looked at now and then. */
static void test_a_clock_that_is_set_forward_is_noticed(void **state) {
    (void)state;
    campaigns[0].ends_at_us = fake_now_us + 24 * 3600 * CLOCK_SECOND_US;
    show(0);
    run();
    assert_true(funds_next_us(&funds) <= fake_now_us + 60 * CLOCK_SECOND_US);
}

static void test_release_after_the_last_claim(void **state) {
    (void)state;
    campaigns[0].ended_at_us = fake_now_us;
    campaigns[0].redeemed = 3;
    campaigns[0].credited = 1;
    campaigns[0].failed = 1;
    show(0);
    run();
    assert_int_equal(fake_client.started, 0);
    assert_int_equal(atomic_load(&funds_metric_unsettled.value), 1);
    campaigns[0].credited = 2;
    show(0);
    funds_look(&funds);
    run();
    expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
    fake_answer(0, 200, "{\"funded\":100000,\"credited\":2000}");
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/release", "");
    assert_int_equal(atomic_load(&funds_metric_unsettled.value), 0);
    fake_answer(0, 200, "{\"funded\":100000,\"state\":\"released\"}");
    assert_ptr_equal(fake_store_action(0), &fund_released_action);
    campaigns[0].fund_is_released = true;
    show(0);
    end_in_store(result_ok());
    run();
    assert_int_equal(fake_client.started, 2);
}

/* A step that was begun before the end is confirmed before the rest goes back. */
/* A campaign with something under way, or to be done, is not archived. */
static void test_done_are_those_that_nothing_is_under_way_for(void **state) {
    (void)state;
    assert_true(funds_are_done(&funds, 1));
    want_step(0, 100000);
    funds_wait(&funds, board_slot(board, 0), &requests[0].operation);
    assert_false(funds_are_done(&funds, 1)); /* somebody waits */
    assert_true(funds_are_done(&funds, 2));
    run();
    fake_answer(0, 201, "{}");
    confirm();
    assert_true(is_returned(&requests[0]) && funds_are_done(&funds, 1));
    want_step(100000, 2000);
    run();
    assert_false(funds_are_done(&funds, 1)); /* it is looked at */
    fake_answer(0, 200, "{\"funded\":102000}");
    confirm();
    assert_true(funds_are_done(&funds, 1));
    funds_hold(&funds, 1, true);
    assert_false(funds_are_done(&funds, 1));
    funds_hold(&funds, 1, false);
    assert_true(funds_are_done(&funds, 1));
    const struct fund_said said = {.funded_minor = 102000};
    funds_adopt(&funds, 1, &said);
    assert_false(funds_are_done(&funds, 1));
    run();
    end_in_store(result_ok());
    assert_true(funds_are_done(&funds, 1));
    campaigns[0].ends_at_us = fake_now_us;
    show(0);
    funds_look(&funds);
    run();
    assert_ptr_equal(fake_store_action(0), &expire_action);
    assert_false(funds_are_done(&funds, 1));
    campaigns[0].ended_at_us = fake_now_us;
    show(0);
    end_in_store(result_ok());
    assert_true(funds_are_done(&funds, 1));
}

static void test_a_step_comes_before_the_release(void **state) {
    (void)state;
    campaigns[0].ended_at_us = fake_now_us;
    want_step(100000, 2000);
    run();
    expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
}

static void test_a_step_that_the_store_did_not_take_is_told_again(void **state) {
    (void)state;
    want_step(0, 100000);
    funds_wait(&funds, board_slot(board, 0), &requests[0].operation);
    run();
    fake_answer(0, 201, "{}");
    funds_wait(&funds, board_slot(board, 0), &requests[1].operation);
    end_in_store(result_error(RESULT_IO));
    assert_true(is_returned(&requests[0])); /* as it stands: no fund yet */
    assert_true(is_untold(&requests[1]));   /* goes on waiting */
    assert_int_equal(claims_looks, 0);      /* nothing is confirmed */
    assert_false(funds_are_busy(&funds));
    run();
    assert_int_equal(fake_client.count, 0);
    fake_now_us = funds_next_us(&funds);
    fake_store.is_stopping = true;
    run();
    fake_answer(0, 200, "{}");
    assert_false(funds_are_busy(&funds));
    assert_int_equal(messages.in_store, 0);
}

static void test_who_waits_for_the_fund(void **state) {
    (void)state;
    want_step(0, 100000);
    funds_wait(&funds, board_slot(board, 0), &requests[0].operation);
    assert_true(is_untold(&requests[0]));
    run();
    fake_answer(0, 201, "{}");
    assert_ptr_equal(TAILQ_FIRST(&fake_store_request(0)->waiters), &requests[0].operation);
    funds_wait(&funds, board_slot(board, 0), &requests[1].operation); /* while it is in the store */
    assert_true(is_untold(&requests[1]));
    confirm();
    assert_true(is_returned(&requests[0]) && is_returned(&requests[1]));
}

static void test_nobody_waits_for_a_fund_that_is_open(void **state) {
    (void)state;
    run();
    funds_wait(&funds, board_slot(board, 0), &requests[0].operation);
    assert_true(is_returned(&requests[0]));
    assert_int_equal(funds_next_us(&funds), 0); /* what it changed may make something due */
}

static void test_whoever_waits_goes_on_waiting_after_a_failure(void **state) {
    (void)state;
    want_step(0, 100000);
    funds_wait(&funds, board_slot(board, 0), &requests[0].operation);
    run();
    fake_answer(0, 500, "");
    assert_true(is_untold(&requests[0]));
    waiters_end(&waiters, fake_now_us + CLOCK_SECOND_US, false);
    assert_true(is_returned(&requests[0]));
}

#define LONG_AMOUNT  INT64_C(1000000000000000)
#define LONG_VERSION INT64_C(1000000000000000000)

/* However little room is left for an answer and the step behind it, the step is sent whole or not at all. */
static void test_a_step_is_sent_whole_or_not_at_all(void **state) {
    (void)state;
    want_step(LONG_AMOUNT, 2000);
    campaigns[0].fund_step_version = LONG_VERSION; /* its key is longer than its address */
    show(0);
    bool is_sent = false;
    for (size_t room = 0; !is_sent; room += 8) {
        run();
        expect_call("GET", "http://wallet/v1/funds/" FIRST_ID, "");
        struct fund_job *job = fake_client.calls[0]->context;
        job->arena.limit_bytes = job->arena.used_bytes + room;
        fake_answer(0, 200, "{\"funded\":1000000000000000}");
        is_sent = fake_client.count > 0;
        assert_int_equal(fake_store.count, 0);
        run();
        fake_now_us = is_sent ? fake_now_us : funds_next_us(&funds);
    }
    expect_call("POST", "http://wallet/v1/funds/" FIRST_ID "/topup", "{\"amount\":2000,\"currency\":\"IRT\"}");
    assert_string_equal(fake_client.calls[0]->idempotency_key, FIRST_ID ":1000000000000000000:1000000000000000");
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_opening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fund_is_described_by_its_campaigns_name_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_topping_up_looks_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_applied_is_not_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fund_that_does_not_say_is_not_added_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_says_it_twice_or_broke_off_or_is_a_strangers_says_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_how_loud_a_failed_call_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_definite_refusal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_top_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_look_or_a_release_is_not_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_definite_refusal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_end_waits_behind_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_nobody_may_be_called_campaigns_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_while_all_jobs_are_taken_it_is_looked_at_again_soon, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_that_cannot_be_started_is_tried_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_has_ended_ends_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_nearest_end_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry_at_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_forward_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_release_after_the_last_claim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_done_are_those_that_nothing_is_under_way_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_step_comes_before_the_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_step_that_the_store_did_not_take_is_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_the_fund, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_waits_for_a_fund_that_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whoever_waits_goes_on_waiting_after_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_step_is_sent_whole_or_not_at_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
