/* GET /: what this is and where its parts are, for somebody who knows only the address. */
#include "base/json/json.h"
#include "service/request.h"
#include "service/version.h"

#define ROOT_BYTES 640u

static void put_link(struct json_writer *writer, const struct exchange *exchange, const char *name, const char *path) {
    struct text base = text_of(exchange->service->public_url);
    json_text_member(writer, name, arena_print(writer->buffer->arena, "%.*s%s", (int)base.size, base.data, path));
}

void operations_root(struct exchange *exchange) {
    const struct service *service = service_of(exchange);
    struct buffer buffer;
    reply_header(exchange, "Vary", TEXT("Accept"));
    enum listener_kind listener = exchange->service->listener;
    if (listener != LISTENER_WORLD && request_prefers_html(exchange)) {
        reply_location(exchange, TEXT("/docs/"));
        reply_empty(exchange, 302);
        exchange_finish(exchange);
        return;
    }
    buffer_init(&buffer, &exchange->arena, ROOT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "service", text_of(service->name));
    json_text_member(&writer, "version", TEXT(SERVICE_VERSION));
    json_key(&writer, "links");
    json_begin_object(&writer);
    put_link(&writer, exchange, "self", "/");
    put_link(&writer, exchange, "openapi", "/openapi.json");
    if (listener != LISTENER_OPERATORS) put_link(&writer, exchange, "jwks", "/.well-known/jwks.json");
    if (listener != LISTENER_WORLD) {
        put_link(&writer, exchange, "docs", "/docs/");
        put_link(&writer, exchange, "health", "/healthz");
        put_link(&writer, exchange, "readiness", "/readyz");
        put_link(&writer, exchange, "metrics", "/metrics");
    }
    json_end_object(&writer);
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}
