/* The routes that every service has: is it alive, can it write, what does it count, what does it speak. */
#include <string.h>

#include "auth/keys.h"
#include "base/check.h"
#include "base/metrics.h"
#include "http/media.h"
#include "http/problem.h"
#include "http/stream.h"
#include "service/measures.h"
#include "service/request.h"

#define METRICS_FORMAT  "text/plain; version=0.0.4; charset=utf-8"
#define READINESS_BYTES 256u
#define METRIC_BYTES    8192u /* of one: a histogram's lines are some 3,000 */

void operations_healthz(struct exchange *exchange) {
    reply_json(exchange, 200, TEXT("{\"status\":\"ok\"}"));
    exchange_finish(exchange);
}

void operations_readyz(struct exchange *exchange) {
    const struct service *service = service_of(exchange);
    const char *reason = NULL;
    bool is_ready = store_is_writable(service->store, &reason);
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, READINESS_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    if (is_ready) {
        json_begin_object(&writer);
        json_text_member(&writer, "status", TEXT("ready"));
    }
    readiness_write(&service->readiness, service->store, &writer);
    if (is_ready) {
        json_end_object(&writer);
        reply_json(exchange, 200, buffer_text(&buffer));
    } else {
        problem_reply_members(exchange, &problem_storage_unavailable, buffer_text(&buffer), "%s", reason);
    }
    exchange_finish(exchange);
}

struct metrics_page {
    struct buffer one; /* metric: what is written and not yet taken stands behind `taken_bytes` */
    size_t taken_bytes;
    const struct metric *place;
    const struct service *service;
    uint64_t place_behind; /* of what the service shows behind the metrics */
};

static bool write_next(struct metrics_page *page) {
    if (metrics_write_next(&page->one, &page->place)) return true;
    return page->service->measure != NULL && page->service->measure(page->service, &page->one, &page->place_behind);
}

static enum stream_word pull_metrics(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    struct metrics_page *page = context;
    while (*ret_size < capacity) {
        if (page->taken_bytes == page->one.size) {
            page->one.size = page->taken_bytes = 0;
            if (!write_next(page)) return STREAM_END;
            if (page->one.failed) return STREAM_FAILED;
        }
        size_t left = page->one.size - page->taken_bytes, room = capacity - *ret_size;
        size_t size = left < room ? left : room;
        memcpy(bytes + *ret_size, page->one.data + page->taken_bytes, size);
        page->taken_bytes += size;
        *ret_size += size;
    }
    return STREAM_MORE;
}

void operations_metrics(struct exchange *exchange) {
    measures_take(service_of(exchange));
    struct metrics_page *page = ARENA_NEW(&exchange->arena, struct metrics_page);
    const struct stream_source source = {.pull = pull_metrics, .context = page};
    if (page != NULL) {
        page->service = service_of(exchange);
        buffer_init(&page->one, &exchange->arena, METRIC_BYTES);
    }
    if (page == NULL || !result_is_ok(reply_stream(exchange, 200, METRICS_FORMAT, &source)))
        problem_reply(exchange, &problem_overloaded, NULL);
    exchange_finish(exchange);
}

void operations_jwks(struct exchange *exchange) {
    reply_header(exchange, "Cache-Control", TEXT("public, max-age=10"));
    reply_json(exchange, 200, key_ring_jwks(service_of(exchange)->keys));
    exchange_finish(exchange);
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
    const struct asset *asset = documents_find(service_of(exchange)->documents, exchange->path);
    CHECK(asset != NULL);
    reply_asset(exchange, asset);
}

/* Nothing from elsewhere and no inline script. Swagger UI sets style attributes, which is why inline style is allowed. What is tried out goes to the
 * public URL, which may be another origin than the page's. */
static struct text docs_policy(struct exchange *exchange) {
    struct text url = text_of(exchange->service->public_url);
    size_t slashes = 0, size = 0;
    for (; size < url.size && slashes < 3; size++) slashes += url.data[size] == '/';
    struct text origin = {url.data, slashes == 3 ? size - 1 : size};
    return arena_print(
        &exchange->arena,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "connect-src 'self'%s%.*s; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        origin.size > 0 ? " " : "", (int)origin.size, origin.data);
}

void operations_docs(struct exchange *exchange) {
    const struct asset *asset = asset_find(swagger_ui_assets, exchange->path);
    if (asset != NULL) {
        reply_policy(exchange, docs_policy(exchange));
        reply_asset(exchange, asset);
        return;
    }
    if (text_equal(exchange->path, TEXT("/docs"))) {
        reply_location(exchange, TEXT("/docs/"));
        reply_empty(exchange, 308);
    } else {
        problem_reply(exchange, &problem_route_not_found, "The documentation has no such file.");
    }
    exchange_finish(exchange);
}
