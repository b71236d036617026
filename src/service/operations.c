/* The routes that every service has: is it alive, can it write, what does it count, what does it speak. */
#include <string.h>

#include "base/check.h"
#include "base/metrics.h"
#include "http/media.h"
#include "http/problem.h"
#include "service/service.h"

#define METRICS_FORMAT "text/plain; version=0.0.4; charset=utf-8"

void operations_healthz(struct exchange *exchange) {
    reply_json(exchange, 200, TEXT("{\"status\":\"ok\"}"));
    exchange_finish(exchange);
}

void operations_readyz(struct exchange *exchange) {
    const char *reason = NULL;
    if (store_is_writable(service_of(exchange)->store, &reason)) {
        reply_json(exchange, 200, TEXT("{\"status\":\"ready\"}"));
    } else {
        problem_reply(exchange, &problem_storage_unavailable, "%s", reason);
    }
    exchange_finish(exchange);
}

void operations_metrics(struct exchange *exchange) {
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, 64u * 1024);
    metrics_write(&buffer);
    if (buffer.failed) {
        problem_reply(exchange, &problem_overloaded, "the metrics do not fit into one answer");
    } else {
        reply_set(exchange, 200, METRICS_FORMAT, buffer_text(&buffer));
    }
    exchange_finish(exchange);
}

void operations_jwks(struct exchange *exchange) {
    reply_header(exchange, "Cache-Control", TEXT("public, max-age=10"));
    reply_json(exchange, 200, service_of(exchange)->jwks);
    exchange_finish(exchange);
}

static const struct asset *find_asset(const struct asset *assets, struct text path) {
    for (; assets->path != NULL; assets++) {
        if (text_equal(text_of(assets->path), path)) return assets;
    }
    return NULL;
}

/* Whether If-None-Match has this tag, or "*". Compared weakly (RFC 9110, section 13.1.2). */
static bool header_names_tag(struct text header, const char *tag) {
    struct text wanted = text_of(tag);
    for (size_t i = 0; i + wanted.size <= header.size; i++) {
        size_t start = i >= 2 && memcmp(header.data + i - 2, "W/", 2) == 0 ? i - 2 : i;
        bool starts = start == 0 || header.data[start - 1] == ',' || header.data[start - 1] == ' ';
        size_t end = i + wanted.size;
        bool ends = end == header.size || header.data[end] == ',' || header.data[end] == ' ' || header.data[end] == ';';
        if (starts && ends && memcmp(header.data + i, wanted.data, wanted.size) == 0) return true;
    }
    return header.size == 1 && header.data[0] == '*';
}

/* RFC 9110, section 12.5.3: gzip;q=0 is a no. */
static bool accepts_gzip(struct text accept_encoding) {
    return text_equal(accept_encoding, TEXT("*")) || (accept_encoding.size > 0 && media_quality(accept_encoding, TEXT("gzip")) > 0);
}

static void reply_asset(struct exchange *exchange, const struct asset *asset) {
    bool gzipped = asset->data_gzip != NULL && accepts_gzip(exchange->accept_encoding);
    struct text etag = text_of(gzipped ? asset->etag_gzip : asset->etag);
    reply_header(exchange, "ETag", etag);
    reply_header(exchange, "Cache-Control", TEXT("no-cache"));
    if (asset->data_gzip != NULL) reply_header(exchange, "Vary", TEXT("Accept-Encoding"));
    if (header_names_tag(exchange->if_none_match, etag.data)) {
        reply_empty(exchange, 304);
    } else if (gzipped) {
        reply_header(exchange, "Content-Encoding", TEXT("gzip"));
        reply_set(exchange, 200, asset->content_type, (struct text){(const char *)asset->data_gzip, asset->size_gzip});
    } else {
        reply_set(exchange, 200, asset->content_type, (struct text){(const char *)asset->data, asset->size});
    }
    exchange_finish(exchange);
}

void operations_openapi(struct exchange *exchange) {
    const struct asset *asset = find_asset(service_of(exchange)->documents, exchange->path);
    CHECK(asset != NULL);
    reply_asset(exchange, asset);
}

void operations_docs(struct exchange *exchange) {
    const struct asset *asset = find_asset(swagger_ui_assets, exchange->path);
    if (asset != NULL) {
        reply_asset(exchange, asset);
        return;
    }
    if (text_equal(exchange->path, TEXT("/docs"))) {
        reply_header(exchange, "Location", TEXT("/docs/"));
        reply_empty(exchange, 308);
    } else {
        problem_reply(exchange, &problem_route_not_found, "the documentation has no such file");
    }
    exchange_finish(exchange);
}
