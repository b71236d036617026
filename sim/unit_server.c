/* http/server.h for a program inside of the world: its loops are fibers, and requests come from the link instead of sockets.
 *
 * It stands for accept.c, loop.c, round.c, connection.c and answer.c; from a complete request on it is the shipped code: request.c,
 * route.c, the handlers, and the way back by exchange_finish and exchange_continue. Built into each program. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/map.h"
#include "http/request.h"
#include "http/server.h"
#include "http/stream.h"
#include "sim/link.h"
#include "sim/world.h"
#include "store/store.h"

struct arrived {
    struct exchange exchange;
    struct link_request *request;
    struct server *server;
    struct arrived *next;
};

struct unit_loop {
    struct server *server;
    size_t index;
    struct fiber *fiber;
    struct arrived *inbox, **inbox_end;
    struct arrived *returned, **returned_end;
    struct id_source ids;
};

struct server {
    struct unit_server base;
    const struct http_service *service;
    struct process *process;
    size_t loop_count;
    struct unit_loop loops[LIMIT_LOOPS];
};

static void append(struct arrived ***end, struct arrived *arrived) {
    arrived->next = NULL;
    **end = arrived;
    *end = &arrived->next;
}

static struct arrived *take(struct arrived **first, struct arrived ***end) {
    struct arrived *arrived = *first;
    if (arrived == NULL) return NULL;
    *first = arrived->next;
    if (*first == NULL) *end = first;
    return arrived;
}

/* Any fiber of the program. */
static void deliver(struct exchange *exchange) {
    struct arrived *arrived = CONTAINER_OF(exchange, struct arrived, exchange);
    struct unit_loop *loop = &arrived->server->loops[exchange->loop_index];
    append(&loop->returned_end, arrived);
    if (loop->fiber != NULL) fiber_unpark(loop->fiber);
}

static void add_header(struct request_head *head, const char *name, struct text value) {
    if (value.size > 0) request_add_header(head, text_of(name), value);
}

static void add_headers(struct request_head *head, struct arrived *arrived) {
    const struct link_request *request = arrived->request;
    struct arena *arena = &arrived->exchange.arena;
    const struct link_headers *headers = &request->headers;
    request_add_header(head, TEXT("Host"), TEXT("localhost"));
    if (headers->bearer.size > 0) {
        add_header(head, "Authorization", arena_print(arena, "Bearer %.*s", (int)headers->bearer.size, headers->bearer.data));
    }
    add_header(head, "Idempotency-Key", headers->idempotency_key);
    add_header(head, "If-Match", headers->if_match);
    add_header(head, "Accept", headers->accept);
    add_header(head, "X-Request-Id", headers->request_id);
    add_header(head, "traceparent", headers->traceparent);
    if (request->body.size == 0) return;
    add_header(head, "Content-Type", TEXT("application/json"));
    add_header(head, "Content-Length", arena_print(arena, "%zu", request->body.size));
}

static void begin(struct unit_loop *loop, struct arrived *arrived) {
    struct exchange *exchange = &arrived->exchange;
    const struct clock *clock = loop->server->service->clock;
    exchange_init(exchange, loop->server->service);
    exchange->deliver = deliver;
    exchange->owner = loop;
    exchange->loop_index = loop->index;
    exchange->peer = address_of_v4((const uint8_t[4]){10, 0, 0, (uint8_t)(arrived->request->sender % 250 + 1)});
    struct request_head head;
    request_begin(&head, exchange, arrived->request->method, arrived->request->target);
    add_headers(&head, arrived);
    exchange->received_monotonic_us = clock_monotonic_us(clock);
    if (request_end(&head, true, &loop->ids, clock_now_us(clock))) {
        route_admit_again(exchange);
    } else {
        exchange_finish(exchange);
    }
}

static struct text header_of(const struct exchange *exchange, const char *name) {
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        if (strcmp(exchange->reply_headers[i].name, name) == 0) return exchange->reply_headers[i].value;
    }
    return (struct text){"", 0};
}

/* What a connection would send piece by piece. */
static struct text read_stream(struct exchange *exchange) {
    struct buffer buffer;
    enum stream_word word = STREAM_MORE;
    buffer_init(&buffer, &exchange->arena, STREAM_PIECE_BYTES);
    while (word == STREAM_MORE) {
        size_t size = 0;
        char *bytes = buffer_reserve(&buffer, STREAM_PIECE_BYTES);
        CHECK(bytes != NULL);
        word = stream_pull(exchange, bytes, STREAM_PIECE_BYTES, &size);
        buffer_end_at(&buffer, bytes + size);
    }
    CHECK(word == STREAM_END && stream_close(exchange)); /* none that sleeps is asked for here */
    return buffer_text(&buffer);
}

static void answer(struct arrived *arrived) {
    struct exchange *exchange = &arrived->exchange;
    if (exchange->stream != NULL) exchange->reply_body = read_stream(exchange);
    struct link_answer answer = {.outcome = result_ok(),
                                 .status = exchange->status,
                                 .body = exchange->reply_body,
                                 .content_type = text_of(exchange->reply_content_type),
                                 .etag = header_of(exchange, "ETag"),
                                 .location = header_of(exchange, "Location"),
                                 .retry_after = header_of(exchange, "Retry-After"),
                                 .wallet_instance = header_of(exchange, "Wallet-Instance"),
                                 .is_replayed = text_equal(header_of(exchange, "Idempotent-Replayed"), TEXT("true"))};
    link_answer(arrived->request, &answer);
    exchange_clear(exchange);
    free(arrived);
}

/* What came back: as round.c and connection.c treat it. */
static void go_on(struct unit_loop *loop, struct arrived *arrived) {
    struct exchange *exchange = &arrived->exchange;
    if (exchange_is_returned(exchange)) {
        exchange_resume(exchange);
    } else if (exchange->state == EXCHANGE_BODY) {
        const struct clock *clock = loop->server->service->clock;
        const struct text body = arrived->request->body;
        exchange->body = body.size > 0 ? arena_copy(&exchange->arena, body) : TEXT("");
        exchange->arrived_us = clock_now_us(clock);
        exchange->received_monotonic_us = clock_monotonic_us(clock);
        route_dispatch(exchange);
    } else {
        CHECK(exchange->state == EXCHANGE_FINISHED);
        answer(arrived);
    }
}

static void *run_loop(void *context) {
    struct unit_loop *loop = context;
    const struct http_service *service = loop->server->service;
    if (service->loop_started != NULL) service->loop_started(service->self, loop->index);
    for (;;) {
        struct arrived *arrived = take(&loop->returned, &loop->returned_end);
        if (arrived != NULL) {
            go_on(loop, arrived);
        } else if ((arrived = take(&loop->inbox, &loop->inbox_end)) != NULL) {
            begin(loop, arrived);
        } else {
            /* On a busy machine others get far in a round's time, and clients come again: some rounds last. */
            bool ends = service->round_ended != NULL && random_below(&world.random, world.leaning == LEANS_TO_CAMPAIGNS ? 8 : 2) == 0;
            if (ends) service->round_ended(service->self, loop->index);
            (void)fiber_park(FIBER_FOR_EVER);
        }
        process_turn();
    }
    return NULL;
}

static void take_request(struct unit_server *base, struct link_request *request) {
    struct server *server = CONTAINER_OF(base, struct server, base);
    struct arrived *arrived = calloc(1, sizeof *arrived);
    CHECK(arrived != NULL);
    arrived->request = request;
    arrived->server = server;
    struct unit_loop *loop = &server->loops[random_below(&world.random, server->loop_count)];
    append(&loop->inbox_end, arrived);
    fiber_unpark(loop->fiber);
}

struct result server_start(const struct http_service *service, const struct server_options *options, struct server **ret_server) {
    struct server *server = calloc(1, sizeof *server);
    CHECK(server != NULL && options->loop_count <= LIMIT_LOOPS);
    server->base.take = take_request;
    server->service = service;
    server->process = fiber_process(fiber_current());
    server->loop_count = options->loop_count;
    for (size_t i = 0; i < server->loop_count; i++) {
        struct unit_loop *loop = &server->loops[i];
        *loop = (struct unit_loop){.server = server, .index = i, .inbox_end = &loop->inbox, .returned_end = &loop->returned};
        id_source_init_system(&loop->ids);
        loop->fiber = fiber_spawn(server->process, "loop", run_loop, loop);
    }
    server->process->server = &server->base;
    server->process->state = PROCESS_UP;
    world_note("%s: serves", server->process->name);
    *ret_server = server;
    return result_ok();
}

/* In some worlds the store's queue is short. */
struct database;

struct result __real_store_create(const struct store_engine *engine, const struct store_options *options, struct store **ret_store);
struct result __wrap_store_create(const struct store_engine *engine, const struct store_options *options, struct store **ret_store);
struct result __wrap_store_create(const struct store_engine *engine, const struct store_options *options, struct store **ret_store) {
    struct store_options shorter = *options;
    if (fiber_current() != NULL && world_fault(FAULT_QUEUE_FULL)) shorter.queue_limit = (uint32_t)random_between(&world.random, 1, 4);
    return __real_store_create(engine, &shorter, ret_store);
}

/* A world's commits fill no megabytes: of so much some stay within what was made ready, and some come to its end. */
#define WAL_READY_BYTES ((int64_t)192 * 1024)
void __real_connection_lengthen_wal(struct database *database, int64_t bytes);
void __wrap_connection_lengthen_wal(struct database *database, int64_t bytes);
void __wrap_connection_lengthen_wal(struct database *database, int64_t bytes) {
    __real_connection_lengthen_wal(database, fiber_current() == NULL ? bytes : WAL_READY_BYTES);
}

/* A world has few rows of each kind. In the large tables of a service each of them would be on a page of its own, which the kernel has to find. */
#define MAP_MOST 512
struct result __real_map_init(struct map *map, size_t capacity);
struct result __wrap_map_init(struct map *map, size_t capacity);
struct result __wrap_map_init(struct map *map, size_t capacity) {
    return __real_map_init(map, capacity < MAP_MOST ? capacity : MAP_MOST);
}

uint16_t server_port(const struct server *server) {
    (void)server;
    return 1;
}

struct result server_drain(struct server *server, int64_t deadline_ms) {
    (void)server;
    (void)deadline_ms;
    return result_ok();
}

void server_free(struct server *server) { free(server); }
