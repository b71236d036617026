/* An exchange without a loop: made of a request line and header fields as they would come from the wire. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/route.h"
#include "http/server.h"

struct fixture {
    struct exchange exchange;
    struct id_source ids;
    struct http_service service;
    int delivered; /* times that the exchange came back */
};

static inline void fixture_deliver(struct exchange *exchange) { ((struct fixture *)exchange->owner)->delivered++; }

static inline void fixture_init(struct fixture *fixture, const struct router *router) {
    memset(fixture, 0, sizeof(*fixture));
    fixture->service = (struct http_service){.name = "toy", .router = router, .clock = &clock_system};
    id_source_init_system(&fixture->ids);
    exchange_init(&fixture->exchange, &fixture->service);
    fixture->exchange.owner = fixture;
    fixture->exchange.deliver = fixture_deliver;
}

static inline void fixture_clear(struct fixture *fixture) { exchange_clear(&fixture->exchange); }

/* `fields` is "Name: value\n" per header field; Host is added. True when the head is sound. */
static inline bool fixture_read(struct fixture *fixture, const char *method, const char *target, const char *fields) {
    struct request_head head;
    request_begin(&head, &fixture->exchange, text_of(method), text_of(target));
    request_add_header(&head, TEXT("Host"), TEXT("localhost"));
    for (const char *line = fields; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        size_t name_size = strcspn(line, ":");
        assert_true(name_size < size);
        request_add_header(&head, (struct text){line, name_size}, (struct text){line + name_size + 1, size - name_size - 1});
        line += size + (line[size] == '\n');
    }
    return request_end(&head, true, &fixture->ids, 1700000000000000);
}

#define assert_text(actual, expected)                              \
    do {                                                           \
        struct text actual_ = (actual);                            \
        assert_int_equal(actual_.size, strlen(expected));          \
        assert_memory_equal(actual_.data, expected, actual_.size); \
    } while (0)

static inline bool body_contains(const struct exchange *exchange, const char *piece) {
    return memmem(exchange->reply_body.data, exchange->reply_body.size, piece, strlen(piece)) != NULL;
}

#define assert_problem(exchange, expected_status, expected_code)                         \
    do {                                                                                 \
        assert_int_equal((exchange)->status, (expected_status));                         \
        assert_string_equal((exchange)->reply_content_type, "application/problem+json"); \
        assert_true(body_contains((exchange), "\"code\":\"" expected_code "\""));        \
    } while (0)

static inline struct text reply_header_named(const struct exchange *exchange, const char *name) {
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        if (strcmp(exchange->reply_headers[i].name, name) == 0) return exchange->reply_headers[i].value;
    }
    return (struct text){NULL, 0};
}
