/* One request and its answer (ARCHITECTURE.md, "One way"). It is one object from the first header byte to the last answered one.
 *
 *            loop                              another thread                               loop
 *   HEAD ──▶ BODY ──▶ HANDLING ──give──▶ AWAY ──take──▶ TAKEN ──exchange_finish──────────▶ FINISHED ──▶ SENDING ──▶ back to the pool
 *    │ ▲       ▲         │  ▲              ▲              │ │                                 ▲
 *    │ └resume─│─────────│──┴──── RETURNED │ ◀─continue───┘ └─give─▶ AWAY, to the next owner  │
 *    │         └admitted─┤                 │                                                  │
 *    └───give, for a key─│─────────────────┘                                                  │
 *                        └─────────────────────── exchange_finish on the spot ────────────────┘
 *
 * Owner: exactly one thread at a time, which is the loop's in every state but AWAY and TAKEN. Whoever has it in hand (HEAD, HANDLING, TAKEN) gives
 * it away *before* it is put into the owner's queue, for it may be another's from then on; the owner takes it when its turn has come. Whose queue
 * it lies in is written down, and a thread that takes what was given to another, or finishes what it has not taken, ends the program. A queue that
 * refuses it has not had it: the giver takes it back in the owner's name. A client that leaves only unhooks its connection: the exchange finishes
 * alone. Everything the request is made of lives in `arena`. */
#pragma once

#include <stdatomic.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/identity.h"
#include "base/queue.h"

struct route;
struct http_service;
struct stream;

#define EXCHANGE_PARAMETERS_MAX 2  /* {id} and the like in one path */
#define EXCHANGE_QUERY_MAX      16 /* more: 422 */
#define EXCHANGE_HEADERS_MAX    12 /* of an answer */
#define EXCHANGE_LENGTH_UNKNOWN (-1)
#define REQUEST_ID_BYTES_MAX    128 /* printable ASCII; anything else is replaced by our own */

struct exchange_header {
    const char *name; /* constant */
    struct text value;
};

struct query_value {
    struct text name, value; /* percent-decoded */
};

enum exchange_state {
    EXCHANGE_HEAD,
    EXCHANGE_BODY,
    EXCHANGE_HANDLING,
    EXCHANGE_AWAY,     /* in the queue of `given_to` */
    EXCHANGE_TAKEN,    /* in the hand of a thread that is not its loop's */
    EXCHANGE_RETURNED, /* in its loop's queue, to be resumed */
    EXCHANGE_FINISHED,
    EXCHANGE_SENDING
};

/* Whose queue it lies in, or who has taken it out of there. */
enum exchange_owner {
    EXCHANGE_OF_LOOP,
    EXCHANGE_OF_STORE,
    EXCHANGE_OF_READERS,
    EXCHANGE_OF_PASSWORD_POOL,
    EXCHANGE_OF_KEY_FETCHER,
    EXCHANGE_OF_SETTLER
};

struct exchange {
    struct queue_link link; /* of whichever queue holds it now */
    uint32_t magic;
    enum exchange_state state;
    enum exchange_state resumed_state; /* HEAD or HANDLING: what it left the loop in */
    enum exchange_owner given_to;
    struct arena arena;
    const struct http_service *service;
    void *self; /* the service's own root object: struct wallet, struct discount */
    const struct route *route;

    /* the request; all in the arena, header values trimmed, empty when absent (data is NULL only when absent) */
    struct text method, path, body;
    struct text parameters[EXCHANGE_PARAMETERS_MAX]; /* percent-decoded, in the path's order */
    size_t query_count;
    size_t query_dropped;   /* beyond EXCHANGE_QUERY_MAX: a fault in query_read */
    int64_t content_length; /* declared: 0 no body, EXCHANGE_LENGTH_UNKNOWN when chunked */
    struct text authorization, content_type, accept, accept_encoding, idempotency_key, if_match, if_none_match, last_event_id, origin;
    struct text request_id;  /* the client's or ours; never empty */
    struct text traceparent; /* the client's if valid (W3C Trace Context, section 3.2); ours only when exchange_traceparent was asked */
    struct id trace_id;      /* ours */
    struct address peer;     /* at the other end of the connection */
    struct address client;   /* who asks: the peer, or whom a trusted proxy names (http/forwarded.h) */
    struct identity caller;
    int64_t arrived_us;            /* wall clock, when it was fully received */
    int64_t received_monotonic_us; /* for latency and deadlines */

    /* the answer */
    int status; /* 0 until set */
    const char *reply_content_type;
    struct text reply_body; /* in the arena, or static for as long as the process lives */
    struct stream *stream;  /* http/stream.h: makes the body instead; NULL */
    size_t reply_header_count;

    void *operation; /* the handler's own state, in the arena: struct wallet_operation, … */

    /* the loop's own */
    void (*deliver)(struct exchange *exchange); /* set by whoever made the exchange: brings it back to its owner; any thread */
    void (*resume)(struct exchange *exchange);  /* with exchange_continue: what to do on the loop */
    void *owner;                                /* struct loop, or a test's own */
    void *connection;                           /* the loop's; NULL once the client has left */
    size_t loop_index;
    int64_t head_us;         /* monotonic: when its first byte came */
    atomic_bool has_hung_up; /* exchange_has_hung_up */

    /* From here on not zeroed: what stands behind the counts is never looked at, and to wipe it would cost more than all the rest. */
    struct query_value query[EXCHANGE_QUERY_MAX];
    struct exchange_header reply_headers[EXCHANGE_HEADERS_MAX];
};

#define EXCHANGE_MAGIC 0x48584348u

/* ---- for whoever makes one: the loop, tests, fuzzers ---- */

/* Everything zero but the two arrays at the end, the service, its root object and an arena with LIMIT_ARENA_BYTES; `deliver` is the maker's to set. */
void exchange_init(struct exchange *exchange, const struct http_service *service);
/* Gives the arena back; the exchange itself belongs to its maker. */
void exchange_clear(struct exchange *exchange);

/* ---- for handlers ---- */

/* Never an invalid one; empty when the arena is full, or where no request was read. */
struct text exchange_traceparent(struct exchange *exchange);

/* Who it is in every budget by address: an IPv4 address, or the /64 of an IPv6 one, which is one line's (RFC 6177). */
struct address exchange_payer(const struct exchange *exchange);
/* What one site may have (RFC 6177): the /24 of an IPv4 address, the /48 of an IPv6 one. */
struct address exchange_subnet(const struct exchange *exchange);

/* Sets the answer; the body must live in the arena or for ever. Once per exchange. */
void reply_set(struct exchange *exchange, int status, const char *content_type, struct text body);
void reply_json(struct exchange *exchange, int status, struct text body);
void reply_empty(struct exchange *exchange, int status); /* 204 */
void reply_header(struct exchange *exchange, const char *name, struct text value);
/* Location: the public URL, and this path behind it. */
void reply_location(struct exchange *exchange, struct text path);

/* The client has closed its connection, or at least its half of it: work that is dear need not be done for it any more. Any thread. */
bool exchange_has_hung_up(const struct exchange *exchange);

/* Before it is put where `owner` finds it; the caller has it in hand, and no more from here on. */
void exchange_give(struct exchange *exchange, enum exchange_owner owner);
/* By `owner`, when its turn has come; or by the giver, when there was no room for it. */
void exchange_take(struct exchange *exchange, enum exchange_owner owner);
/* The answer is set: back to the loop and to the client. From any thread that has it in hand, which owns it no more. */
void exchange_finish(struct exchange *exchange);
/* Back to the loop without an answer yet: `resume` is called there, which ends in exchange_finish or gives it away again. */
void exchange_continue(struct exchange *exchange, void (*resume)(struct exchange *exchange));
/* For whoever made it, on the loop: whether exchange_continue brought it, and then does what that asked for. */
bool exchange_is_returned(const struct exchange *exchange);
void exchange_resume(struct exchange *exchange);
