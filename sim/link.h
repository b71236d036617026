/* The network between clients and services, and between the services: whole requests and whole answers, which may be lost, late, repeated, or
 * come in another order.
 *
 *   link_send ──▶ [delay] ──▶ arrives: a loop of the service takes it ──▶ answered ──▶ [delay] ──▶ on_answer, once
 *      └ refused, lost                  └ comes twice                        └ the answer is lost
 *
 * A lost request or answer either breaks the connection, which the sender sees, or nothing ever comes: senders have time-outs of their own. */
#pragma once

#include "base/text.h"
#include "sim/process.h"

struct link_headers {
    struct text bearer, idempotency_key, if_match, accept, request_id, traceparent; /* empty: none */
};

struct link_answer {
    struct result outcome; /* OK: an answer came; IO: the connection broke */
    int status;
    struct text body, content_type, etag, location, retry_after, wallet_instance;
    bool is_replayed; /* Idempotent-Replayed: true */
};

struct link_request {
    struct process *to;
    struct text method, target, body;
    struct link_headers headers;
    uint32_t sender; /* makes the address that it comes from */
    bool is_of_service;
    void (*on_answer)(struct link_request *request, const struct link_answer *answer);
    void *context;

    /* the link's own */
    bool is_answered;
    uint64_t number;
};

/* Copies the request; the copy lives as long as the world. The answer's texts do too. */
struct link_request *link_send(const struct link_request *request);
/* The service has done it. */
void link_answer(struct link_request *request, const struct link_answer *answer);
void link_break(const struct process *process); /* it crashed: what it was working on breaks */
void link_begin_world(void);

/* Memory of the world: never given back one by one. */
void *link_take(size_t size);
struct text link_copy(struct text text);

/* The server inside of a program (unit_server.c), as the link sees it. */
struct unit_server {
    void (*take)(struct unit_server *server, struct link_request *request); /* a request has arrived; on the scheduler */
};
