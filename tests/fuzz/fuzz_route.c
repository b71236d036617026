/* A whole head, one line each: `METHOD target`, then `Name: value`. It ends in the handler or in one answer, never in both and never in none. */
#include <string.h>

#include "base/check.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int delivered;
static struct router *router;

static void deliver(struct exchange *exchange) {
    (void)exchange;
    delivered++;
}

static void handle(struct exchange *exchange) {
    for (size_t i = 0; i < EXCHANGE_PARAMETERS_MAX && exchange->parameters[i].data != NULL; i++)
        CHECK(strlen(exchange->parameters[i].data) == exchange->parameters[i].size);
    reply_json(exchange, 200, route_wants_csv(exchange) ? TEXT("csv") : TEXT("{}"));
    exchange_finish(exchange);
}

static enum route_admission authorize(struct exchange *exchange) {
    if (exchange->authorization.size > 0) return ROUTE_ADMITTED;
    problem_reply(exchange, &problem_token_missing, NULL);
    return ROUTE_REFUSED;
}

static const struct route routes[] = {
    {.method = "GET", .path = "/v1/things", .scope = SCOPE_PUBLIC, .flags = ROUTE_CSV, .handle = handle},
    {.method = "POST", .path = "/v1/things", .scope = SCOPE_USER, .flags = ROUTE_BODY_JSON | ROUTE_IDEMPOTENT, .handle = handle},
    {.method = "GET", .path = "/v1/things/{id}", .scope = SCOPE_USER, .handle = handle},
    {.method = "GET", .path = "/v1/things/own", .scope = SCOPE_PUBLIC, .handle = handle},
    {.method = "DELETE", .path = "/v1/things/{id}/parts/{part}", .scope = SCOPE_PUBLIC, .handle = handle},
    {.method = "GET", .path = "/docs/{rest*}", .scope = SCOPE_PUBLIC, .produces = "text/html", .handle = handle},
};

static struct text next_line(struct text *rest) {
    const char *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;
    struct text line = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    size_t step = end != NULL ? line.size + 1 : line.size;
    *rest = (struct text){rest->data + step, rest->size - step};
    return line;
}

/* The part before the separator; `line` keeps what follows it. */
static struct text cut(struct text *line, char separator) {
    const char *end = line->size > 0 ? memchr(line->data, separator, line->size) : NULL;
    struct text part = {line->data, end != NULL ? (size_t)(end - line->data) : line->size};
    size_t step = end != NULL ? part.size + 1 : part.size;
    *line = (struct text){line->data + step, line->size - step};
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (router == NULL) CHECK(result_is_ok(router_create(routes, ARRAY_COUNT(routes), &router)));
    const struct http_service service = {
        .name = "fuzz", .router = router, .clock = &clock_system, .authorize = authorize, .allowed_origins = "https://a.test"};
    struct exchange exchange;
    struct request_head head;
    struct id_source ids;
    struct text rest = {(const char *)data, size};
    struct text line = next_line(&rest);
    id_source_init_system(&ids);
    exchange_init(&exchange, &service);
    exchange.deliver = deliver;
    delivered = 0;
    struct text method = cut(&line, ' ');
    request_begin(&head, &exchange, method, line);
    while (rest.size > 0) {
        line = next_line(&rest);
        struct text name = cut(&line, ':');
        request_add_header(&head, name, line);
    }
    bool is_sound = request_end(&head, true, &ids, 1700000000000000);
    CHECK(is_sound == (exchange.status == 0));
    CHECK(exchange.request_id.size > 0);
    if (is_sound) {
        enum route_admission admission = route_admit(&exchange);
        CHECK(admission != ROUTE_PENDING && (admission == ROUTE_ADMITTED) == (exchange.status == 0));
        if (admission == ROUTE_ADMITTED) {
            exchange.body = TEXT("{}");
            route_dispatch(&exchange);
            CHECK(delivered == 1 && exchange.state == EXCHANGE_FINISHED);
        }
        CHECK(exchange.status != 0);
    }
    exchange_clear(&exchange);
    return 0;
}
