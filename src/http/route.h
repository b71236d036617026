/* The route table: method, path, scope, body limit. Deny by default: a route without a scope does not start.
 *
 * Order of the checks, the same for every route: 404/405 → token 401 → scope 403 → media types 415/406 → body 413 → query 422 → handler.
 *
 * The query is denied by default as well: what no handler reads is refused (422), so that nothing is done in earnest because a word was misspelt. */
#pragma once

#include "http/exchange.h"
#include "http/service.h"

enum route_flag {
    ROUTE_BODY_NONE = 0,          /* GET: a body is refused, 413; others: only `{}` passes, which is as good as none */
    ROUTE_BODY_JSON = 1 << 0,     /* Content-Type must be application/json (415), a body is due (400 malformed_json when empty) */
    ROUTE_BODY_OPTIONAL = 1 << 1, /* with ROUTE_BODY_JSON: may be empty */
    ROUTE_CSV = 1 << 2,           /* also offers text/csv by Accept */
    ROUTE_IDEMPOTENT = 1 << 3,    /* takes Idempotency-Key; see route_check_headers */
    ROUTE_OPERATORS = 1 << 4,     /* on the operators' listener, and not on the world's, where there are two */
    ROUTE_EVERYWHERE = 1 << 5,    /* on both */
    ROUTE_DRY_RUN = 1 << 6,       /* takes dry_run=true or false, and no other query; see operation_begin */
    ROUTE_BODY_CSV = 1 << 8,      /* with ROUTE_BODY_JSON: or text/csv, which is due as well (422 when empty) */
    ROUTE_WATCHED = 1 << 7,       /* where a crowd comes: its metrics are there from the start, since a rate needs a value before */
    ROUTE_QUERY = 1 << 9,         /* its handler reads the whole query, with query_read */
    ROUTE_QUERY_IGNORED = 1 << 10 /* any query passes unread; of public GET routes alone */
};

struct route {
    const char *method; /* GET answers HEAD as well */
    const char *path;   /* "/v1/campaigns/{id}/report"; a last segment {rest*} takes all that follows */
    enum scope scope;
    enum scope other_scope;     /* that is enough as well; SCOPE_NONE: there is none */
    uint32_t body_limit_bytes;  /* 0: LIMIT_BODY_BYTES */
    uint32_t arena_limit_bytes; /* 0: LIMIT_ARENA_BYTES */
    unsigned flags;
    const char *produces; /* NULL: application/json; the type for 406; anything/anything as a whole (asterisks) is never refused */
    const char *act;      /* what the audit log calls it; NULL: by method and path */
    void (*handle)(struct exchange *exchange); /* on the loop thread; must not block */
};

enum route_match { ROUTE_FOUND, ROUTE_UNKNOWN_PATH, ROUTE_WRONG_METHOD };

/* A tree made of the table at start, so that matching costs the path's length, not the table's. */
struct router;
/* RESULT_INVALID: no scope, two routes alike, a bad path (logged). The table must outlive the router. */
struct result router_create(const struct route *routes, size_t count, struct router **ret_router) MUST_CHECK;
/* Of those that such a listener has. */
struct result router_create_for(const struct route *routes, size_t count, enum listener_kind listener,
                                struct router **ret_router) MUST_CHECK;
void router_free(struct router *router);
/* Fills exchange->route and ->parameters. With ROUTE_WRONG_METHOD `ret_allow` gets the methods for Allow, e.g. "GET, HEAD, POST". */
enum route_match router_match(const struct router *router, struct exchange *exchange, struct text *ret_allow);

/* The whole way from a complete head to the handler, without sockets: the loop and the fuzzers call these.
 * route_admit: everything that can be said before the body; false when an answer is set. route_dispatch: with the body, calls the handler. */
enum route_admission route_admit(struct exchange *exchange);
void route_dispatch(struct exchange *exchange);
/* Adds what is wrong with the headers of this route: the Idempotency-Key. With ROUTE_BODY_JSON whoever opens the body must ask this, so that the
 * faults of both come in one answer; without, route_dispatch has asked. */
void route_check_headers(const struct exchange *exchange, struct faults *faults);
/* For an `authorize` that returned ROUTE_PENDING: exchange_continue(exchange, route_admit_again) has the whole admission asked once more, on
 * the loop, now that what was missing (keys) is there. `authorize` is then called again and may answer, or wait once more. */
void route_admit_again(struct exchange *exchange);

/* Sets 413 and returns true when a body of this size is more than the route takes. For chunked bodies, while they are read. */
bool route_refuse_body(struct exchange *exchange, uint64_t size_bytes);
/* Whether the request's Origin is one of the service's allowed_origins (exact match). */
bool route_allows_origin(const struct exchange *exchange);
/* True when the client prefers text/csv for a ROUTE_CSV route (RFC 9110, section 12.5.1). */
bool route_wants_csv(const struct exchange *exchange);
