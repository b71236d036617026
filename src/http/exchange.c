#include "http/exchange.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/server.h"

void exchange_init(struct exchange *exchange, const struct http_service *service) {
    memset(exchange, 0, offsetof(struct exchange, query));
    exchange->magic = EXCHANGE_MAGIC;
    exchange->state = EXCHANGE_HEAD;
    exchange->service = service;
    exchange->self = service->self;
    arena_init(&exchange->arena, LIMIT_ARENA_BYTES);
}

void exchange_clear(struct exchange *exchange) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    arena_release(&exchange->arena);
    exchange->magic = 0;
}

void reply_set(struct exchange *exchange, int status, const char *content_type, struct text body) {
    CHECK(exchange->status == 0);
    CHECK(status >= 200 && status <= 599);
    CHECK(body.size == 0 || body.data != NULL);
    exchange->status = status;
    exchange->reply_content_type = content_type;
    exchange->reply_body = body;
}

void reply_json(struct exchange *exchange, int status, struct text body) { reply_set(exchange, status, "application/json", body); }

void reply_empty(struct exchange *exchange, int status) { reply_set(exchange, status, NULL, (struct text){"", 0}); }

void reply_header(struct exchange *exchange, const char *name, struct text value) {
    CHECK(exchange->reply_header_count < EXCHANGE_HEADERS_MAX);
    exchange->reply_headers[exchange->reply_header_count++] = (struct exchange_header){name, value};
}

void exchange_finish(struct exchange *exchange) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(exchange->status != 0);
    CHECK(exchange->state != EXCHANGE_FINISHED && exchange->state != EXCHANGE_SENDING);
    exchange->resume = NULL;
    exchange->state = EXCHANGE_FINISHED;
    exchange->deliver(exchange);
}

void exchange_continue(struct exchange *exchange, void (*resume)(struct exchange *exchange)) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(resume != NULL && exchange->status == 0);
    exchange->resume = resume;
    exchange->state = EXCHANGE_AWAY;
    exchange->deliver(exchange);
}
