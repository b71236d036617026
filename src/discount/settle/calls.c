#include "discount/settle/calls.h"

#include "base/log.h"

#define TIMEOUT_MS 10000

struct metric calls_metric_retries = {.name = "discountd_settle_retries_total",
                                      .help = "Claims and fund steps sent again.",
                                      .labels = "",
                                      .kind = METRIC_COUNTER};
struct metric calls_metric_errors = {.name = "discountd_wallet_errors_total",
                                     .help = "Calls to Wallet without a usable answer.",
                                     .labels = "",
                                     .kind = METRIC_COUNTER};

struct result calls_init(struct calls *calls, const char *wallet_url, const struct key_ring *keys, const struct clock *clock,
                         size_t connections_max) {
    *calls = (struct calls){.wallet_url = wallet_url, .clock = clock, .token = {.keys = keys}};
    return http_client_create(connections_max, &calls->client);
}

void calls_free(struct calls *calls) {
    calls_give_up(calls);
    service_token_drop(&calls->token);
}

struct result calls_start(struct calls *calls, struct http_call *call, struct text path, struct arena *arena) {
    call->url = arena_print(arena, "%s%.*s", calls->wallet_url, (int)path.size, path.data).data;
    call->bearer = service_token_get(&calls->token, calls->clock);
    if (call->timeout_ms == 0) call->timeout_ms = TIMEOUT_MS;
    call->header_name = INSTANCE_HEADER;
    if (path.data == NULL || call->url == NULL) return result_error(RESULT_FULL);
    if (call->bearer == NULL) return result_error(RESULT_UNAVAILABLE);
    return http_client_start(calls->client, call);
}

bool calls_is_heard(const struct http_call *call) {
    return result_is_ok(call->outcome) && call->status != 502 && call->status != 503 && call->status != 504;
}

void calls_say_reach(const struct calls *calls, const struct http_call *away) {
    if (calls->readiness == NULL) return;
    if (!readiness_say(calls->readiness, CONCERN_WALLET_REACH, away == NULL ? "ok" : "unreachable")) return;
    if (away == NULL)
        LOG(LOG_INFO, "wallet_reached", LOG_STRING("url", calls->wallet_url));
    else
        LOG(LOG_WARN, "wallet_unreachable", LOG_STRING("url", calls->wallet_url), LOG_INTEGER("status", away->status),
            LOG_STRING("cause", away->cause));
}

void calls_say_instance(const struct calls *calls) {
    const char *state = instance_is_another(&calls->instance) ? "another instance" : "ok";
    if (calls->readiness != NULL) (void)readiness_say(calls->readiness, CONCERN_WALLET_INSTANCE, state);
}

void calls_judge(struct calls *calls, struct http_call *call) {
    if (calls_is_heard(call)) calls_say_reach(calls, NULL);
    if (!result_is_ok(call->outcome)) return;
    bool may_answer = instance_may_answer(&calls->instance, text_of(call->header), call->status);
    calls_say_instance(calls);
    if (!may_answer) call->outcome = result_error(RESULT_DENIED);
}

bool calls_is_named(const struct calls *calls, const struct http_call *call) {
    return call->header[0] != '\0' || id_is_zero(calls->instance.ours);
}

bool calls_is_not_found(const struct calls *calls, const struct http_call *call) {
    return result_is_ok(call->outcome) && call->status == 404 && calls_is_named(calls, call);
}

void calls_note_failure(struct calls *calls, const struct http_call *call) {
    metric_add(&calls_metric_errors, 1);
    if (!result_is_ok(call->outcome)) calls->must_compare = true;
    if (call->status == 401 || call->status == 403) service_token_drop(&calls->token);
}

void calls_run(struct calls *calls, struct waker *waker, int64_t wait_us) {
    if (calls->client == NULL) {
        waker_wait(waker, wait_us < 0 ? 0 : wait_us);
    } else {
        struct result outcome = http_client_run(calls->client, waker, wait_us <= 0 ? 0 : (wait_us + 999) / 1000);
        if (!result_is_ok(outcome)) LOG(LOG_ERROR, "client_failed", LOG_STRING("reason", result_name(outcome)));
    }
    waker_clear(waker);
}

void calls_give_up(struct calls *calls) {
    http_client_free(calls->client);
    calls->client = NULL;
}
