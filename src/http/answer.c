#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/log.h"
#include "http/loop.h"

/* W3C Trace Context, section 3.2.2.5: the last bit of the flags. The caller records this trace, so do we; one that we made has none set. */
static bool is_sampled(struct text traceparent) { return traceparent.size >= 55 && strchr("13579bdf", traceparent.data[54]) != NULL; }

/* One line per answer at debug level; of a sampled trace always, and failures of ours and faults of the protocol always. */
static void record(const struct connection *connection) {
    const struct exchange *exchange = connection->exchange;
    struct loop *loop = connection->loop;
    int64_t latency_us = clock_monotonic_us(loop->service->clock) - connection->head_us;
    traffic_count(loop->traffic, exchange->route, exchange->status, latency_us);
    bool is_fault = exchange->status == 400 || exchange->status == 413 || exchange->status == 414 || exchange->status == 431;
    enum log_level level = exchange->status >= 500 ? LOG_WARN : is_fault || is_sampled(exchange->traceparent) ? LOG_INFO : LOG_DEBUG;
    LOG(level,
        exchange->status >= 500 ? "request_failed"
        : is_fault              ? "request_faulty"
                                : "request",
        LOG_TEXT("request_id", exchange->request_id), LOG_TEXT("traceparent", exchange->traceparent), LOG_TEXT("method", exchange->method),
        LOG_TEXT("path", exchange->path), LOG_INTEGER("status", exchange->status), LOG_INTEGER("latency_us", latency_us));
}

static void add(struct MHD_Response *response, const char *name, struct text value) {
    if (value.size == 0 || MHD_add_response_header(response, name, value.data) == MHD_YES) return;
    LOG(LOG_ERROR, "reply_header_refused", LOG_STRING("name", name));
}

/* Header values are terminated: they come from the arena or are constants. */
static void add_headers(struct MHD_Response *response, const struct connection *connection) {
    const struct exchange *exchange = connection->exchange;
    bool has_cache_control = false;
    if (exchange->reply_content_type != NULL) add(response, "Content-Type", text_of(exchange->reply_content_type));
    add(response, "X-Request-Id", exchange->request_id);
    add(response, "X-Content-Type-Options", TEXT("nosniff"));
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        const struct exchange_header *header = &exchange->reply_headers[i];
        add(response, header->name, header->value);
        if (text_equal_ignoring_case(text_of(header->name), TEXT("Cache-Control"))) has_cache_control = true;
    }
    if (!has_cache_control) add(response, "Cache-Control", TEXT("no-store"));
    if (connection->loop->draining) add(response, "Connection", TEXT("close"));
    if (exchange->service->allowed_origins == NULL) return;
    add(response, "Vary", TEXT("Origin"));
    if (!route_allows_origin(exchange)) return;
    add(response, "Access-Control-Allow-Origin", exchange->origin);
    add(response, "Access-Control-Expose-Headers", TEXT("ETag, Idempotent-Replayed, Location, Retry-After, X-Request-Id"));
}

enum MHD_Result answer_queue(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    CHECK(exchange->state == EXCHANGE_FINISHED && exchange->status != 0);
    struct text body = exchange->reply_body;
    /* Persistent: the body lives in the exchange's arena, which is given back only when libmicrohttpd has done with the request. */
    struct MHD_Response *response = MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) return MHD_NO;
    add_headers(response, connection);
    exchange->state = EXCHANGE_SENDING;
    loop_enter_phase(connection, PHASE_SENDING);
    record(connection);
    enum MHD_Result outcome = MHD_queue_response(connection->mhd, (unsigned)exchange->status, response);
    MHD_destroy_response(response);
    return outcome;
}

void answer_send_raw(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    CHECK(exchange->state == EXCHANGE_FINISHED && exchange->status != 0);
    char head[512];
    int size = snprintf(head, sizeof(head),
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nX-Request-Id: %.*s\r\nX-Content-Type-Options: nosniff\r\n"
                        "Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                        exchange->status, MHD_get_reason_phrase_for((unsigned)exchange->status), exchange->reply_content_type,
                        (int)exchange->request_id.size, exchange->request_id.data, exchange->reply_body.size);
    CHECK(size > 0 && (size_t)size < sizeof(head));
    exchange->state = EXCHANGE_SENDING;
    connection->linger = true;
    record(connection);
    /* Nothing else is on its way to this client, so that both pieces fit into the socket's buffer; if not, the close says enough. */
    if (send(connection->fd, head, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE) != size) return;
    if (send(connection->fd, exchange->reply_body.data, exchange->reply_body.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}
