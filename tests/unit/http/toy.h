/* A service with one route of each kind, on a real server, and a client that writes and reads bytes. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

#include "base/log.h"

#define TOY_AWAY_MAX  4096
#define TOY_BIG_BYTES (8u * 1024 * 1024) /* more than both sockets' buffers take */

struct toy {
    struct http_service service;
    struct server *server;
    struct router *router;
    pthread_t worker; /* the other thread: finishes what it is given once `open` */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct exchange *away[TOY_AWAY_MAX];
    size_t away_count;
    bool is_open, is_over;
    atomic_int started, stopped, asked, rounds;
    sem_t blocked, unblock;
};

static inline struct toy *toy_of(struct exchange *exchange) { return exchange->self; }

static inline void toy_reply(struct exchange *exchange) {
    reply_json(exchange, 200, TEXT("{\"ok\":true}"));
    exchange_finish(exchange);
}

static inline char toy_big_byte(size_t at) { return (char)('a' + at % 23); }

static inline void toy_big(struct exchange *exchange) {
    char *bytes = arena_take(&exchange->arena, TOY_BIG_BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < TOY_BIG_BYTES; i++) bytes[i] = toy_big_byte(i);
    reply_set(exchange, 200, "text/plain", (struct text){bytes, TOY_BIG_BYTES});
    exchange_finish(exchange);
}

static inline void toy_echo(struct exchange *exchange) {
    reply_json(exchange, 201, exchange->body);
    reply_header(exchange, "Location", TEXT("/v1/echo/1"));
    exchange_finish(exchange);
}

static inline void toy_fail(struct exchange *exchange) {
    problem_reply(exchange, &problem_internal, NULL);
    exchange_finish(exchange);
}

static inline void toy_hand_away(struct exchange *exchange) {
    struct toy *toy = toy_of(exchange);
    pthread_mutex_lock(&toy->mutex);
    assert_true(toy->away_count < TOY_AWAY_MAX);
    exchange_give(exchange, EXCHANGE_OF_STORE);
    toy->away[toy->away_count++] = exchange;
    pthread_cond_broadcast(&toy->changed);
    pthread_mutex_unlock(&toy->mutex);
}

static inline void toy_back_on_loop(struct exchange *exchange) {
    reply_json(exchange, 200, TEXT("\"continued\""));
    exchange_finish(exchange);
}

/* Comes back to the loop before the handler has returned. */
static inline void toy_later(struct exchange *exchange) { exchange_continue(exchange, toy_back_on_loop); }

static inline struct exchange *toy_take(struct toy *toy) {
    struct exchange *exchange = toy->away[--toy->away_count];
    exchange_take(exchange, EXCHANGE_OF_STORE);
    return exchange;
}

/* Finishes, on the loop's own thread, other requests than the one that is being handled. */
static inline void toy_release(struct exchange *exchange) {
    struct toy *toy = toy_of(exchange);
    pthread_mutex_lock(&toy->mutex);
    while (toy->away_count > 0) toy_reply(toy_take(toy));
    pthread_mutex_unlock(&toy->mutex);
    toy_reply(exchange);
}

/* Holds up the whole loop, as no handler of a service may. */
static inline void toy_block(struct exchange *exchange) {
    sem_post(&toy_of(exchange)->blocked);
    sem_wait(&toy_of(exchange)->unblock);
    toy_reply(exchange);
}

/* The first time the keys are missing: the request waits for them elsewhere, and is then asked again. */
static inline enum route_admission toy_authorize(struct exchange *exchange) {
    struct toy *toy = toy_of(exchange);
    if (exchange->authorization.size == 0) {
        problem_reply(exchange, &problem_token_missing, NULL);
        return ROUTE_REFUSED;
    }
    if (exchange->operation != NULL) {
        if (!text_equal(exchange->authorization, TEXT("bad"))) return ROUTE_ADMITTED;
        problem_reply(exchange, &problem_token_invalid, NULL);
        return ROUTE_REFUSED;
    }
    exchange->operation = toy;
    atomic_fetch_add(&toy->asked, 1);
    toy_hand_away(exchange);
    return ROUTE_PENDING;
}

static const struct route toy_routes[] = {
    {.method = "GET", .path = "/fast", .scope = SCOPE_PUBLIC, .handle = toy_reply},
    {.method = "GET",
     .path = "/big",
     .scope = SCOPE_PUBLIC,
     .produces = "*/*",
     .arena_limit_bytes = TOY_BIG_BYTES + 65536,
     .handle = toy_big},
    {.method = "GET", .path = "/away", .scope = SCOPE_PUBLIC, .flags = ROUTE_QUERY_IGNORED, .handle = toy_hand_away},
    {.method = "POST", .path = "/echo", .scope = SCOPE_PUBLIC, .flags = ROUTE_BODY_JSON, .handle = toy_echo},
    {.method = "POST", .path = "/owned", .scope = SCOPE_USER, .flags = ROUTE_BODY_JSON, .handle = toy_echo},
    {.method = "GET", .path = "/later", .scope = SCOPE_PUBLIC, .handle = toy_later},
    {.method = "GET", .path = "/release", .scope = SCOPE_PUBLIC, .handle = toy_release},
    {.method = "GET", .path = "/block", .scope = SCOPE_PUBLIC, .handle = toy_block},
    {.method = "GET", .path = "/fail", .scope = SCOPE_PUBLIC, .handle = toy_fail},
};

static inline void *toy_work(void *context) {
    struct toy *toy = context;
    pthread_mutex_lock(&toy->mutex);
    while (!toy->is_over || toy->away_count > 0) {
        if (!toy->is_open || toy->away_count == 0) {
            pthread_cond_wait(&toy->changed, &toy->mutex);
            continue;
        }
        struct exchange *exchange = toy_take(toy);
        pthread_mutex_unlock(&toy->mutex);
        if (exchange->route->scope == SCOPE_USER) {
            exchange_continue(exchange, route_admit_again);
        } else if (exchange->query_count > 0) {
            exchange_continue(exchange, toy_back_on_loop);
        } else {
            toy_reply(exchange);
        }
        pthread_mutex_lock(&toy->mutex);
    }
    pthread_mutex_unlock(&toy->mutex);
    return NULL;
}

static inline void toy_loop_started(void *self, size_t index) { atomic_fetch_add(&((struct toy *)self)->started, 1 + 0 * (int)index); }
static inline void toy_loop_stopped(void *self, size_t index) { atomic_fetch_add(&((struct toy *)self)->stopped, 1 + 0 * (int)index); }
static inline void toy_round_ended(void *self, size_t index) { atomic_fetch_add(&((struct toy *)self)->rounds, 1 + 0 * (int)index); }

static inline struct toy *toy_start_with(const struct route *routes, size_t count, const struct server_options *options) {
    struct toy *toy = calloc(1, sizeof(*toy));
    assert_non_null(toy);
    assert_int_equal(router_create(routes, count, &toy->router).code, RESULT_OK);
    pthread_mutex_init(&toy->mutex, NULL);
    pthread_cond_init(&toy->changed, NULL);
    sem_init(&toy->blocked, 0, 0);
    sem_init(&toy->unblock, 0, 0);
    toy->is_open = true;
    toy->service = (struct http_service){.name = "toy",
                                         .self = toy,
                                         .routes = routes,
                                         .route_count = count,
                                         .router = toy->router,
                                         .clock = &clock_system,
                                         .authorize = toy_authorize,
                                         .loop_started = toy_loop_started,
                                         .loop_stopped = toy_loop_stopped,
                                         .round_ended = toy_round_ended};
    assert_int_equal(pthread_create(&toy->worker, NULL, toy_work, toy), 0);
    assert_int_equal(server_start(&toy->service, options, &toy->server).code, RESULT_OK);
    return toy;
}

static inline struct toy *toy_start(const struct server_options *options) {
    return toy_start_with(toy_routes, ARRAY_COUNT(toy_routes), options);
}

static inline void toy_set_open(struct toy *toy, bool is_open) {
    pthread_mutex_lock(&toy->mutex);
    toy->is_open = is_open;
    pthread_cond_broadcast(&toy->changed);
    pthread_mutex_unlock(&toy->mutex);
}

static inline void toy_await_away(struct toy *toy, size_t count) {
    pthread_mutex_lock(&toy->mutex);
    while (toy->away_count < count) pthread_cond_wait(&toy->changed, &toy->mutex);
    pthread_mutex_unlock(&toy->mutex);
}

static inline void toy_free(struct toy *toy) {
    server_free(toy->server);
    pthread_mutex_lock(&toy->mutex);
    toy->is_over = toy->is_open = true;
    pthread_cond_broadcast(&toy->changed);
    pthread_mutex_unlock(&toy->mutex);
    pthread_join(toy->worker, NULL);
    pthread_cond_destroy(&toy->changed);
    pthread_mutex_destroy(&toy->mutex);
    router_free(toy->router);
    free(toy);
}

static inline void toy_stop(struct toy *toy) {
    toy_set_open(toy, true);
    assert_int_equal(server_drain(toy->server, 10000).code, RESULT_OK);
    toy_free(toy);
}

/* ---- the client ---- */

static inline int toy_connect(const struct toy *toy) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server_port(toy->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline void toy_send(int fd, const char *bytes) {
    size_t left = strlen(bytes);
    while (left > 0) {
        ssize_t sent = send(fd, bytes, left, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        left -= (size_t)sent;
    }
}

/* Like toy_send for a peer that may have closed: false then. */
static inline bool toy_try_send(int fd, const char *bytes, size_t size) { return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size; }

struct toy_answer {
    int status; /* 0: the connection ended without one */
    bool closes;
    char text[16384]; /* head and body, terminated */
    size_t head_size; /* the body follows; no pointer into ourselves, for an answer is copied when it is returned */
    size_t body_size;
};

static inline const char *toy_body(const struct toy_answer *answer) { return answer->text + answer->head_size; }

/* Reads one answer, 100 Continue included, byte by byte so that nothing of the next one is taken. */
static inline struct toy_answer toy_receive_for(int fd, bool is_head) {
    struct toy_answer answer = {0};
    size_t size = 0;
    char *end = NULL;
    while (end == NULL) {
        assert_true(size + 1 < sizeof(answer.text));
        if (recv(fd, answer.text + size, 1, 0) != 1) {
            answer.status = 0;
            return answer;
        }
        size++;
        end = strstr(answer.text, "\r\n\r\n");
    }
    assert_int_equal(sscanf(answer.text, "HTTP/1.1 %d", &answer.status), 1);
    answer.closes = strcasestr(answer.text, "\r\nConnection: close") != NULL;
    const char *length = strcasestr(answer.text, "\r\nContent-Length:");
    if (length != NULL) answer.body_size = (size_t)strtoul(length + 17, NULL, 10);
    answer.head_size = size;
    assert_true(size + answer.body_size < sizeof(answer.text));
    for (size_t got = 0; !is_head && got < answer.body_size; got++) assert_int_equal(recv(fd, answer.text + size + got, 1, 0), 1);
    return answer;
}

static inline struct toy_answer toy_receive(int fd) { return toy_receive_for(fd, false); }

/* Waits for the end; a reset counts, patience running out does not. */
static inline bool toy_is_closed(int fd) {
    char byte;
    ssize_t size = recv(fd, &byte, 1, 0);
    return size == 0 || (size < 0 && errno != EAGAIN);
}

/* After the end was read: a reset in answer to the first piece, which could have destroyed the answer, would fail the second. */
static inline bool toy_still_listens(int fd) {
    static const char more[1024];
    return toy_try_send(fd, more, sizeof(more)) && toy_try_send(fd, more, sizeof(more));
}

static inline struct server_options toy_options(void) { return (struct server_options){.listen = {.host = "127.0.0.1"}, .loop_count = 1}; }

static inline void toy_expect(int fd, const char *request, int status) {
    toy_send(fd, request);
    struct toy_answer answer = toy_receive(fd);
    assert_int_equal(answer.status, status);
    assert_non_null(strcasestr(answer.text, "\r\nX-Request-Id: "));
    assert_non_null(strcasestr(answer.text, "\r\nX-Content-Type-Options: nosniff"));
    assert_non_null(strcasestr(answer.text, "\r\nCache-Control: no-store"));
}

#define TOY_JSON_HEAD "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
