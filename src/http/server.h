/* HTTP/1.1 (RFC 9112) over epoll: one thread and one listening socket (SO_REUSEPORT) per loop, nothing shared between loops; loop.h says how.
 *
 * Everything is answered with a document of ours, also what can't be read as a request: 400 and Connection: close.
 * SIGTERM: server_drain stops listening, answers every accepted request, refuses later ones on open connections with 503 shutting_down and
 * Connection: close, and returns when all is answered or the deadline passed. Timeouts: head (10 s from its first byte), body (20 s), idle
 * keep-alive (75 s); a connection that breaks one is closed. Exchanges that wait elsewhere have no timeout here: their owner answers. */
#pragma once

#include "base/param.h"
#include "http/route.h"

struct server_options {
    struct param_address listen; /* port 0: the system picks one */
    size_t loop_count;           /* 1..LIMIT_LOOPS */
    int64_t head_timeout_ms, body_timeout_ms, idle_timeout_ms;
    size_t connections_max; /* per loop; 0: LIMIT_CONNECTIONS */
    size_t exchanges_max;   /* per loop, requests in progress before 503 overloaded; 0: LIMIT_EXCHANGES */
};

struct server;
/* Binds and starts the loops. RESULT_IO: the address can't be bound (logged). */
struct result server_start(const struct http_service *service, const struct server_options *options, struct server **ret_server) MUST_CHECK;
uint16_t server_port(const struct server *server);
/* Returns when every accepted request is answered; RESULT_TIMEOUT after `deadline_ms`. */
struct result server_drain(struct server *server, int64_t deadline_ms) MUST_CHECK;
void server_free(struct server *server); /* after drain */
