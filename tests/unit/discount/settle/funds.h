/* Funds of one campaign, against calls and a store that the test answers. */
#pragma once

#include "fake_store.h"

#include "discount/settle/funds.h"

#define FIRST_ID "01000000-0000-0000-0000-000000000000"

static struct calls calls;
static struct messages messages;
static struct waiters waiters;
static struct claims lent_claims;
static uint32_t again[LIMIT_CAMPAIGNS_KEPT];
static struct funds funds;
static struct test_request requests[2];
static size_t claims_looks; /* how often claims may have become payable */

void claims_look(struct claims *claims) {
    (void)claims;
    claims_looks++;
}

static int set_up(void **state) {
    (void)state;
    fake_calls_init(&calls);
    memset(&fake_store, 0, sizeof fake_store);
    claims_looks = 0;
    board_begin();
    assert_true(result_is_ok(messages_init(&messages)));
    waiters_init(&waiters, board, &fake_clock, NULL, CLOCK_SECOND_US);
    again[0] = 0;
    lent_claims.again = again;
    funds = (struct funds){
        .board = board, .clock = &fake_clock, .calls = &calls, .claims = &lent_claims, .waiters = &waiters, .messages = &messages};
    assert_true(result_is_ok(funds_init(&funds)));
    for (unsigned i = 0; i < 2; i++) {
        request_init(&requests[i], 1, i + 1, NULL);
        requests[i].operation.operation.subject = campaigns[0].id;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    calls_free(&calls);
    messages_free(&messages);
    funds_free(&funds);
    board_free(board);
    for (unsigned i = 0; i < 2; i++) request_clear(&requests[i]);
    return 0;
}

static void nobody(void *context, struct discount_operation *request) {
    (void)context;
    (void)request;
    fail();
}

static void run(void) { funds_run(&funds, fake_now_us, true); }

/* The store ends what it was told, and the settler looks. */
static void end_in_store(struct result outcome) {
    fake_store_end(0, outcome);
    messages_take(&messages, nobody, NULL);
}

static inline void expect_call(const char *method, const char *url, const char *body) {
    assert_int_equal(fake_client.count, 1);
    const struct http_call *call = fake_client.calls[0];
    assert_string_equal(call->method, method);
    assert_string_equal(call->url, url);
    if (!text_equal(call->body, text_of(body))) fail_msg("sent %.*s", (int)call->body.size, call->body.data);
}

static void want_step(int64_t confirmed_minor, int64_t step_minor) {
    campaigns[0].fund_confirmed_minor = confirmed_minor;
    campaigns[0].fund_step_minor = step_minor;
    campaigns[0].fund_step_version = 3;
    show(0);
    funds_look(&funds);
}

/* From now on ours has a name: what it calls itself in its answers. */
static inline void know_wallet(char ret_name[HTTP_CALL_HEADER_BYTES]) {
    calls.instance.ours = (struct id){.bytes = {1, 2, 3}};
    memset(ret_name, 0, HTTP_CALL_HEADER_BYTES);
    id_format(calls.instance.ours, ret_name);
}

static inline void confirm(void) {
    campaigns[0].fund_confirmed_minor += campaigns[0].fund_step_minor;
    campaigns[0].fund_step_minor = 0;
    show(0);
    end_in_store(result_ok());
}
