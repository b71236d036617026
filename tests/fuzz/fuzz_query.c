/* The request target and query_read: whatever comes, every parameter is either read or named in a fault, and texts are terminated UTF-8. */
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"
#include "http/query.h"
#include "http/request.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void deliver(struct exchange *exchange) { (void)exchange; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct http_service service = {.name = "fuzz", .clock = &clock_system};
    struct exchange exchange;
    struct request_head head;
    struct id_source ids;
    id_source_init_system(&ids);
    exchange_init(&exchange, &service);
    exchange.deliver = deliver;
    request_begin(&head, &exchange, TEXT("GET"), (struct text){(const char *)data, size});
    request_add_header(&head, TEXT("Host"), TEXT("localhost"));
    if (request_end(&head, true, &ids, 1700000000000000)) {
        struct text name = {0}, kind = {0};
        int64_t limit = 0, from_us = 0;
        struct id id = {0};
        bool has_limit = false, has_kind = false;
        const struct query_member members[] = {
            {.name = "name", .kind = QUERY_TEXT, .target = &name, .min = 1, .max = 8},
            {.name = "limit", .kind = QUERY_INTEGER, .target = &limit, .min = -5, .max = 200, .present = &has_limit},
            {.name = "from", .kind = QUERY_TIME, .target = &from_us},
            {.name = "id", .kind = QUERY_ID, .target = &id},
            {.name = "kind", .kind = QUERY_CHOICE, .target = &kind, .choices = "credit|debit", .present = &has_kind},
        };
        struct faults faults;
        faults_init(&faults, &exchange.arena);
        query_read(&exchange, members, ARRAY_COUNT(members), &faults);
        CHECK(exchange.query_count <= EXCHANGE_QUERY_MAX && name.size <= 8);
        CHECK(!has_limit || (limit >= -5 && limit <= 200));
        CHECK(!has_kind || text_equal(kind, TEXT("credit")) || text_equal(kind, TEXT("debit")));
        for (size_t i = 0; i < exchange.query_count; i++) {
            size_t character_count = 0;
            CHECK(strlen(exchange.query[i].value.data) == exchange.query[i].value.size);
            CHECK(result_is_ok(text_count_characters(exchange.query[i].value, &character_count)));
        }
    } else {
        CHECK(exchange.status == 400 || exchange.status == 414 || exchange.status == 431 || exchange.status == 503);
    }
    exchange_clear(&exchange);
    return 0;
}
