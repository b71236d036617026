/* The connections of a loop, over a socket pair: the same bytes at once and in pieces. Whatever comes, the loop comes to rest; there is one
 * answer for one request, in order, and none behind one that closes; what is refused is told in a problem document; and the pieces decide
 * nothing. The first two bytes choose the pieces, the rest is sent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/accept.h"
#include "http/problem.h"
#include "http/round.h"
#include "http/route.h"

#define SENT_BYTES_MAX   (128u * 1024)
#define GOT_BYTES_MAX    (4u * 1024 * 1024)
#define ANSWERS_MAX      (SENT_BYTES_MAX / 16)
#define ROUNDS_MAX       100000
#define SEND_BUFFER_SIZE 2048 /* small, so that answers wait for the peer */

#define STREAMED_BYTES_MAX 700u
#define PULLED_BYTES_MAX   150u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop loop;
static struct exchange *away[64];
static size_t away_count;
static size_t handled;
static char got[GOT_BYTES_MAX];

static void handle(struct exchange *exchange) {
    handled++;
    reply_json(exchange, 200, arena_print(&exchange->arena, "{\"size\":%zu}", exchange->body.size));
    exchange_finish(exchange);
}

static void hand_away(struct exchange *exchange) {
    handled++;
    CHECK(away_count < ARRAY_COUNT(away));
    exchange_give(exchange, EXCHANGE_OF_STORE);
    away[away_count++] = exchange;
}

/* Some bytes at a time, of as many as the path's number says; now and then it sleeps, and is woken by bring_back or has woken itself. */
struct pulled {
    struct exchange *exchange;
    struct pulled *next_asleep;
    size_t left_bytes;
    uint32_t pulls;
};

static struct pulled *asleep;
static size_t open_streams;

static enum stream_word pull(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    struct pulled *pulled = context;
    size_t size = pulled->left_bytes < PULLED_BYTES_MAX ? pulled->left_bytes : PULLED_BYTES_MAX;
    CHECK(size <= capacity);
    memset(bytes, 's', size);
    *ret_size = size;
    pulled->left_bytes -= size;
    if (pulled->left_bytes == 0) return STREAM_END;
    switch (pulled->pulls++ % 3) {
    case 0: return STREAM_MORE;
    case 1: stream_wake(pulled->exchange); return STREAM_LATER;
    default:
        pulled->next_asleep = asleep;
        asleep = pulled;
        return STREAM_LATER;
    }
}

static void close_stream(void *context) {
    struct pulled **link = &asleep;
    while (*link != NULL && *link != context) link = &(*link)->next_asleep;
    if (*link != NULL) *link = (*link)->next_asleep;
    CHECK(open_streams-- > 0);
}

static void handle_stream(struct exchange *exchange) {
    handled++;
    uint64_t size = 0;
    struct pulled *pulled = ARENA_NEW(&exchange->arena, struct pulled);
    CHECK(pulled != NULL);
    if (!result_is_ok(text_parse_unsigned(exchange->parameters[0], STREAMED_BYTES_MAX, &size))) size = 5;
    *pulled = (struct pulled){.exchange = exchange, .left_bytes = size};
    const struct stream_source source = {.pull = pull, .close = close_stream, .context = pulled};
    CHECK(result_is_ok(reply_stream(exchange, 200, "application/json", &source)));
    open_streams++;
    exchange_finish(exchange);
}

static const struct route routes[] = {
    {.method = "GET", .path = "/s/{n}", .scope = SCOPE_PUBLIC, .handle = handle_stream},
    {.method = "GET", .path = "/a", .scope = SCOPE_PUBLIC, .handle = handle},
    {.method = "POST", .path = "/a", .scope = SCOPE_PUBLIC, .flags = ROUTE_BODY_JSON, .handle = handle},
    {.method = "GET", .path = "/away", .scope = SCOPE_PUBLIC, .handle = hand_away},
};

static void start(void) {
    static struct http_service service = {.name = "fuzz", .routes = routes, .route_count = ARRAY_COUNT(routes), .clock = &clock_system};
    static struct router *router;
    CHECK(result_is_ok(router_create(routes, ARRAY_COUNT(routes), &router)));
    log_init("fuzz", LOG_ERROR);
    service.router = router;
    loop.service = &service;
    loop.traffic = traffic_for(&service);
    loop.connections_max = loop.exchanges_max = 16;
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) loop.phases[phase].timeout_us = 3600 * CLOCK_SECOND_US;
    CHECK(loop.traffic != NULL && result_is_ok(loop_init(&loop, -1)));
    loop.now_us = clock_monotonic_us(&clock_system);
    loop_set_thread(&loop);
}

static void bring_back(void) {
    while (asleep != NULL) {
        struct pulled *pulled = asleep;
        asleep = pulled->next_asleep;
        stream_wake(pulled->exchange);
    }
    while (away_count > 0) {
        struct exchange *exchange = away[--away_count];
        exchange_take(exchange, EXCHANGE_OF_STORE);
        reply_json(exchange, 200, TEXT("{\"away\":true}"));
        exchange_finish(exchange);
    }
}

static size_t next_piece(uint32_t *seed, size_t left) {
    if (*seed == 0) return left;
    *seed = *seed * 1103515245u + 12345u;
    size_t size = 1 + (*seed >> 16) % ((*seed & 1) != 0 ? 7 : 700);
    return size < left ? size : left;
}

/* Everything that the loop says to these bytes; `seed` 0 sends them at once. */
static size_t converse(const uint8_t *data, size_t size, uint32_t seed) {
    int fds[2], least = SEND_BUFFER_SIZE;
    size_t got_bytes = 0;
    bool is_sent = false, is_over = false;
    struct sockaddr address = {.sa_family = AF_UNSPEC};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
    CHECK(accept_socket(&loop, fds[1], &address) != NULL);
    for (size_t rounds = 0; !is_over || loop.connection_count > 0; rounds++) {
        CHECK(rounds < ROUNDS_MAX);
        if (size > 0) {
            ssize_t sent = send(fds[0], data, next_piece(&seed, size), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN) size = 0;
            if (sent > 0) data += sent;
            if (sent > 0) size -= (size_t)sent;
        } else if (!is_sent) {
            is_sent = true;
            shutdown(fds[0], SHUT_WR);
        }
        loop_round(&loop, 0);
        bring_back();
        ssize_t read = recv(fds[0], got + got_bytes, GOT_BYTES_MAX - 1 - got_bytes, 0);
        if (read > 0) got_bytes += (size_t)read;
        is_over = read == 0 || (read < 0 && errno != EAGAIN);
    }
    close(fds[0]);
    got[got_bytes] = '\0';
    CHECK(strlen(got) == got_bytes && loop.exchange_count == 0 && open_streams == 0 && loop.unread_pool.out_bytes == 0 &&
          loop.ended == NULL);
    return got_bytes;
}

/* Behind the last chunk (RFC 9112, section 7.1), or behind all of it when the connection's end is the end. */
static const char *read_stream(const char *body, bool is_chunked) {
    size_t total = 0, size = strspn(body, "s");
    for (; is_chunked; total += size) {
        char *end;
        size = strtoul(body, &end, 16);
        CHECK(end > body && strncmp(end, "\r\n", 2) == 0 && strspn(end + 2, "s") == size && strncmp(end + 2 + size, "\r\n", 2) == 0);
        body = end + 4 + size;
        if (size == 0) break;
    }
    total += is_chunked ? 0 : size;
    CHECK(total <= STREAMED_BYTES_MAX);
    return is_chunked ? body : body + size;
}

/* One answer: its status, and the place behind it. A body stands there unless HEAD was asked for, and starts like none of our answers. */
static const char *read_answer(const char *answer, int *ret_status, bool *ret_closes) {
    size_t length = 0;
    const char *end = strstr(answer, "\r\n\r\n");
    CHECK(sscanf(answer, "HTTP/1.1 %d ", ret_status) == 1 && end != NULL);
    const char *field = strstr(answer, "\r\nContent-Length: ");
    if (field != NULL && field < end) length = strtoul(field + 18, NULL, 10);
    const char *closes = strstr(answer, "\r\nConnection: close\r\n");
    *ret_closes = closes != NULL && closes < end + 2;
    const char *problem = strstr(answer, "\r\nContent-Type: application/problem+json\r\n");
    CHECK((*ret_status >= 400) == (problem != NULL && problem < end));
    const char *body = end + 4;
    if (*body == '\0' || strncmp(body, "HTTP/1.1 ", 9) == 0) return body;
    const char *coding = strstr(answer, "\r\nTransfer-Encoding: chunked\r\n");
    bool is_chunked = coding != NULL && coding < end;
    if (is_chunked || (*ret_status == 200 && (field == NULL || field > end))) return read_stream(body, is_chunked);
    CHECK(strnlen(body, length) == length && *body == '{' && body[length - 1] == '}');
    return body + length;
}

static size_t read_answers(int *statuses) {
    size_t count = 0;
    bool closes = false;
    for (const char *at = got; *at != '\0';) {
        int status = 0;
        CHECK(!closes);
        at = read_answer(at, &status, &closes);
        if (status == 100) continue; /* whether we say it depends on how soon the body comes */
        CHECK(count < ANSWERS_MAX);
        statuses[count++] = status;
    }
    return count;
}

static size_t count_ends(const uint8_t *data, size_t size) {
    size_t count = 0;
    for (size_t i = 3; i < size; i++) {
        if (memcmp(data + i - 3, "\r\n\r\n", 4) == 0) count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int statuses[2][ANSWERS_MAX];
    if (loop.service == NULL) start();
    if (size < 2 || size > SENT_BYTES_MAX) return 0;
    uint32_t seed = 1u + data[0] + 256u * data[1];
    size_t ends = count_ends(data + 2, size - 2);
    size_t counts[2], calls[2];
    for (size_t i = 0; i < 2; i++) {
        handled = 0;
        converse(data + 2, size - 2, i == 0 ? 0 : seed);
        counts[i] = read_answers(statuses[i]);
        calls[i] = handled;
        CHECK(calls[i] <= counts[i] && counts[i] <= ends + 1);
        for (size_t j = ends; j < counts[i]; j++) CHECK(statuses[i][j] >= 400);
    }
    CHECK(counts[0] == counts[1] && calls[0] == calls[1] && memcmp(statuses[0], statuses[1], counts[0] * sizeof(int)) == 0);
    return 0;
}
