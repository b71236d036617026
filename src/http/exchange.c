#include "http/exchange.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/service.h"

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

/* 00-<trace>-<parent>-00 (W3C Trace Context, section 3.2): the trace is our id, whose end is random, as section 3.2.2.3 asks; so is the parent,
 * which is that end. Most requests have no line in the log and ask nobody else: then it is never written. */
struct text exchange_traceparent(struct exchange *exchange) {
    if (exchange->traceparent.data != NULL || id_is_zero(exchange->trace_id)) return exchange->traceparent;
    char id[ID_TEXT_BYTES];
    id_format(exchange->trace_id, id);
    exchange->traceparent =
        arena_print(&exchange->arena, "00-%.8s%.4s%.4s%.4s%.12s-%.4s%.12s-00", id, id + 9, id + 14, id + 19, id + 24, id + 19, id + 24);
    return exchange->traceparent;
}

struct address exchange_payer(const struct exchange *exchange) {
    return address_prefix(&exchange->client, 32, 64);
}

struct address exchange_subnet(const struct exchange *exchange) {
    return address_prefix(&exchange->client, 24, 48);
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

bool exchange_has_hung_up(const struct exchange *exchange) { return atomic_load_explicit(&exchange->has_hung_up, memory_order_relaxed); }

void reply_location(struct exchange *exchange, struct text path) {
    struct text base = text_of(exchange->service->public_url);
    struct text location = arena_print(&exchange->arena, "%.*s%.*s", (int)base.size, base.data, (int)path.size, path.data);
    reply_header(exchange, "Location",
                 location.data != NULL ? location : path); /* which leads there as well, where nobody rewrites paths */
}

/* ---- from hand to hand ---- */

static bool is_in_hand(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_HEAD || exchange->state == EXCHANGE_HANDLING || exchange->state == EXCHANGE_TAKEN;
}

void exchange_give(struct exchange *exchange, enum exchange_owner owner) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(is_in_hand(exchange) && exchange->status == 0 && owner != EXCHANGE_OF_LOOP);
    if (exchange->state != EXCHANGE_TAKEN) exchange->resumed_state = exchange->state;
    exchange->state = EXCHANGE_AWAY;
    exchange->given_to = owner;
}

void exchange_take(struct exchange *exchange, enum exchange_owner owner) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(exchange->state == EXCHANGE_AWAY && exchange->given_to == owner);
    exchange->state = EXCHANGE_TAKEN;
}

void exchange_finish(struct exchange *exchange) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(is_in_hand(exchange) && exchange->status != 0);
    exchange->given_to = EXCHANGE_OF_LOOP;
    exchange->state = EXCHANGE_FINISHED;
    exchange->deliver(exchange);
}

void exchange_continue(struct exchange *exchange, void (*resume)(struct exchange *exchange)) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(is_in_hand(exchange) && exchange->status == 0 && resume != NULL);
    if (exchange->state != EXCHANGE_TAKEN) exchange->resumed_state = exchange->state;
    exchange->resume = resume;
    exchange->given_to = EXCHANGE_OF_LOOP;
    exchange->state = EXCHANGE_RETURNED;
    exchange->deliver(exchange);
}

bool exchange_is_returned(const struct exchange *exchange) { return exchange->state == EXCHANGE_RETURNED; }

void exchange_resume(struct exchange *exchange) {
    CHECK(exchange->magic == EXCHANGE_MAGIC);
    CHECK(exchange->state == EXCHANGE_RETURNED);
    void (*resume)(struct exchange *) = exchange->resume;
    exchange->resume = NULL;
    exchange->state = exchange->resumed_state;
    resume(exchange);
}
