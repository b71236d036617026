/* HTTP client for service-to-service calls, on libcurl's multi interface: many requests in flight, one thread, keep-alive.
 * Plain http and https; no redirects, no proxies from the environment, answers bounded by LIMIT_REPLY_BYTES. */
#pragma once

#include "base/arena.h"
#include "base/queue.h"

struct http_client;

#define HTTP_CALL_HEADER_BYTES 64u
#define HTTP_CALL_CAUSE_BYTES  256u

/* Of all calls of this process to https:// addresses; the files' paths, which must live as long as it. They are read anew with new connections. */
struct http_tls {
    const char *ca;          /* PEM: whom to believe instead of the system's authorities; NULL: those */
    const char *certificate; /* PEM: the client's own and what leads to its authority; NULL: none */
    const char *key;         /* PEM, of the certificate */
};
void http_client_use_tls(const struct http_tls *tls); /* before the first client, and before threads */

struct http_call {
    const char *method;          /* "GET", "POST" */
    const char *url;             /* terminated */
    struct text body;            /* must live until done */
    const char *bearer;          /* token or NULL */
    const char *idempotency_key; /* or NULL */
    const char *traceparent;     /* or NULL */
    const char *request_id;      /* or NULL */
    const char *content_type;    /* of the body; NULL: application/json; so is */
    const char *accept;          /* what is wanted */
    const char *header_name;     /* one of the answer's that is wanted, or NULL */
    /* Takes the body of a 200 as it comes, of any length, in place of `reply`; false ends the call, as RESULT_IO. On the thread that runs the client. NULL: nobody. */
    bool (*take)(struct http_call *call, struct text piece);
    void *taker; /* its own */
    int64_t timeout_ms;
    void (*done)(struct http_call *call); /* on the thread that runs the client */
    void *context;

    /* the answer; body is owned by the call's memory until http_call_clear */
    struct result outcome; /* OK: an answer came, whatever its status; IO: refused or broken; TIMEOUT; FULL: the answer is too large */
    int status;
    struct text reply;
    int64_t retry_after_ms;              /* from Retry-After; 0 when absent */
    int64_t date_us;                     /* what the other side's clock said (Date: whole seconds); 0 when absent */
    char header[HTTP_CALL_HEADER_BYTES]; /* terminated; empty when it is absent, is there twice, or does not fit */
    char cause[HTTP_CALL_CAUSE_BYTES];   /* terminated; why no answer came, for people; empty when one did */
    void *internal;
};

/* Keeps at most connections_max connections open; calls beyond that wait in the client. Thousands of connections must cost no more than the
 * ready ones: curl_multi_socket_action on an epoll set of our own, not poll over all. */
struct result http_client_create(size_t connections_max, struct http_client **ret_client) MUST_CHECK;
void http_client_free(struct http_client *client); /* calls in flight end as RESULT_IO */
struct result http_client_start(struct http_client *client, struct http_call *call) MUST_CHECK;
/* Works on all calls, waits at most timeout_ms, or until `waker` (may be NULL) is woken, which it then clears; runs `done` of those that ended. */
struct result http_client_run(struct http_client *client, struct waker *waker, int64_t timeout_ms) MUST_CHECK;
void http_call_clear(struct http_call *call); /* frees the answer */
/* One call, waited for, on its own: for the command line. */
struct result http_call_wait(struct http_call *call) MUST_CHECK;
