/* An HTTP client that calls nobody, in the place of http/client.c: it keeps what was started until the test answers it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "discount/settle/calls.h"

#include "../../base/fake_log.h"

#define FAKE_CALLS_MAX 16u

struct http_client {
    struct http_call *calls[FAKE_CALLS_MAX]; /* under way, oldest first */
    size_t count;
    size_t started, cleared; /* ever */
    bool refuses;            /* the next ones can't be started */
    int64_t waited_ms;       /* at most, the last time */
    struct waker *waker;     /* what else ends the wait */
    void (*on_run)(void);    /* while it waits; NULL: nothing happens */
};
static struct http_client fake_client;

struct result http_client_create(size_t connections_max, struct http_client **ret_client) {
    assert_true(connections_max > 0);
    *ret_client = &fake_client;
    return result_ok();
}

struct result http_client_start(struct http_client *client, struct http_call *call) {
    assert_non_null(client);
    assert_non_null(call->done);
    assert_true(call->timeout_ms > 0);
    if (client->refuses) return result_error(RESULT_FULL);
    assert_true(client->count < FAKE_CALLS_MAX);
    client->calls[client->count++] = call;
    call->header[0] = '\0';
    client->started++;
    return result_ok();
}

/* The call ends like this. */
static inline void fake_end(size_t index, struct result outcome, int status, const char *body) {
    assert_true(index < fake_client.count);
    struct http_call *call = fake_client.calls[index];
    fake_client.count--;
    memmove(&fake_client.calls[index], &fake_client.calls[index + 1], (fake_client.count - index) * sizeof call);
    call->outcome = outcome;
    call->status = status;
    call->reply = text_of(body);
    call->done(call);
}

static inline void fake_answer(size_t index, int status, const char *body) { fake_end(index, result_ok(), status, body); }

struct result http_client_run(struct http_client *client, struct waker *waker, int64_t timeout_ms) {
    client->waker = waker;
    client->waited_ms = timeout_ms;
    if (client->on_run != NULL) client->on_run();
    return result_ok();
}

void http_client_free(struct http_client *client) {
    while (client != NULL && client->count > 0) fake_end(0, result_error(RESULT_IO), 0, "");
}

void http_call_clear(struct http_call *call) {
    call->reply = (struct text){NULL, 0};
    fake_client.cleared++;
}

/* ---- what /readyz is told ---- */

static struct readiness fake_readiness;
static const char *fake_said[CONCERN_COUNT]; /* NULL: nothing yet */
static bool fake_says_news;                  /* what is said is another state than before, if it is */

bool readiness_say(struct readiness *told, enum concern concern, const char *state) {
    assert_ptr_equal(told, &fake_readiness);
    assert_true(concern == CONCERN_WALLET_INSTANCE || concern == CONCERN_WALLET_REACH);
    const char *before = fake_said[concern];
    fake_said[concern] = state;
    return fake_says_news && (before == NULL || strcmp(before, state) != 0);
}

/* ---- a clock that stands until it is moved ---- */

static int64_t fake_now_us;
static inline int64_t fake_clock_now(void *context) {
    (void)context;
    return fake_now_us;
}
static const struct clock fake_clock = {.now_us = fake_clock_now, .monotonic_us = fake_clock_now};

/* Calls with a token that is good for ever, unless it is dropped. */
static inline void fake_calls_init(struct calls *calls) {
    fake_client = (struct http_client){0};
    fake_log_event[0] = '\0';
    memset(fake_said, 0, sizeof fake_said);
    fake_says_news = false;
    fake_now_us = INT64_C(1700000000) * CLOCK_SECOND_US;
    assert_true(result_is_ok(calls_init(calls, "http://wallet", NULL, &fake_clock, 4)));
    calls->token.text = strdup("token");
    calls->token.renew_at_us = calls->token.expires_at_us = INT64_MAX;
}
