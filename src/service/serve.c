#include "service/serve.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/phone.h"
#include "http/client.h"
#include "service/fetcher.h"
#include "service/measures.h"
#include "service/service.h"

static struct log_burst not_served = {.window_us = 60 * CLOCK_SECOND_US, .lines_max = 1};

static enum log_level level_of(const char *name) {
    if (strcmp(name, "debug") == 0) return LOG_DEBUG;
    if (strcmp(name, "warn") == 0) return LOG_WARN;
    return strcmp(name, "error") == 0 ? LOG_ERROR : LOG_INFO;
}

struct result serve_begin(const char *program, const struct serve_options *options) {
    if (!phone_region_is_known(options->region)) {
        fprintf(service_errors(), "%s: --default-region %s: no country that is known here\n", program, options->region);
        return result_error(RESULT_INVALID);
    }
    log_init(program, level_of(options->log_level));
    service_block_signals();
    measures_register(program);
    struct result started = log_start();
    if (!result_is_ok(started)) fprintf(service_errors(), "%s: there is no thread to be had\n", program);
    return started;
}

struct result serve_fetch_jwks(const char *url, struct arena *arena, struct text *ret_jwks, int64_t *ret_date_us) {
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = FETCHER_TIMEOUT_MS};
    struct result outcome = http_call_wait(&call);
    if (result_is_ok(outcome)) outcome = call.outcome;
    if (result_is_ok(outcome) && call.status != 200) {
        LOG_BURST(&not_served, LOG_WARN, "keys_not_served", LOG_STRING("url", url), LOG_INTEGER("status", call.status));
        outcome = result_error(RESULT_UNAVAILABLE);
    }
    if (result_is_ok(outcome)) {
        *ret_jwks = arena_copy(arena, call.reply);
        if (ret_jwks->data == NULL) outcome = result_error(RESULT_FULL);
    }
    *ret_date_us = call.date_us;
    http_call_clear(&call);
    return outcome;
}
