#include "discount/settle/reach.h"

#include "base/check.h"
#include "base/log.h"

#define ASK_US      (2 * CLOCK_SECOND_US)
#define TIMEOUT_MS  2000
#define ARENA_BYTES 4096u
#define PATH        "/.well-known/jwks.json"

void reach_init(struct reach *reach, struct calls *calls, struct readiness *readiness) {
    *reach = (struct reach){.calls = calls, .readiness = readiness};
    arena_init(&reach->arena, ARENA_BYTES);
    if (readiness != NULL) (void)readiness_say(readiness, CONCERN_WALLET_REACH, "unknown");
}

void reach_free(struct reach *reach) {
    CHECK(!reach->is_asking);
    arena_release(&reach->arena);
}

static void say(struct reach *reach, bool is_there) {
    const char *url = reach->calls->wallet_url;
    if (!readiness_say(reach->readiness, CONCERN_WALLET_REACH, is_there ? "ok" : "unreachable")) return;
    if (is_there)
        LOG(LOG_INFO, "wallet_reached", LOG_STRING("url", url));
    else
        LOG(LOG_WARN, "wallet_unreachable", LOG_STRING("url", url), LOG_INTEGER("status", reach->call.status),
            LOG_STRING("cause", reach->call.cause));
}

static void answered(struct http_call *call) {
    struct reach *reach = call->context;
    bool is_gateway = call->status == 502 || call->status == 503 || call->status == 504;
    reach->is_asking = false;
    reach->due_us = clock_monotonic_us(reach->calls->clock) + ASK_US;
    say(reach, result_is_ok(call->outcome) && !is_gateway);
    http_call_clear(call);
}

void reach_ask(struct reach *reach, int64_t now_us) {
    if (reach->readiness == NULL || reach->is_asking || now_us < reach->due_us || reach->calls->client == NULL) return;
    arena_release(&reach->arena);
    const char *url = arena_print(&reach->arena, "%s" PATH, reach->calls->wallet_url).data;
    reach->call = (struct http_call){.method = "GET", .url = url, .timeout_ms = TIMEOUT_MS, .done = answered, .context = reach};
    reach->due_us = now_us + ASK_US;
    reach->is_asking = url != NULL && result_is_ok(http_client_start(reach->calls->client, &reach->call));
}

int64_t reach_next_us(const struct reach *reach) { return reach->readiness == NULL || reach->is_asking ? INT64_MAX : reach->due_us; }
