/* The frame that both services stand in: the first member of struct wallet and struct discount, and what the common routes need. */
#pragma once

#include <stdio.h>

#include "base/clock.h"
#include "http/problem.h"
#include "http/server.h"
#include "service/access.h"
#include "service/audit.h"
#include "service/documents.h"
#include "service/readiness.h"
#include "service/under_way.h"
#include "store/sqlite/database.h"
#include "store/store.h"

struct key_ring;
struct kept_questions;
struct kept_final;
struct row;

struct service {
    const char *name;       /* "walletd" */
    const char *short_name; /* "wallet": its audience and issuer */
    const struct clock *clock;
    struct access *access;
    struct store *store;
    struct readers *readers;
    const struct kept_questions *kept; /* the table of kept answers */
    /* Whether what a kept answer waits for (inquiry.h) has become final, and then with what. From a reader's thread. NULL: nothing waits. */
    bool (*inquire)(struct exchange *exchange, const struct row *row, struct kept_final *ret_final);
    struct under_way under_way;                    /* requests with a key, while the store has them */
    uint8_t idempotency_secret[CRYPTO_HASH_BYTES]; /* keys the fingerprints of requests */
    struct batch_commits commits;                  /* counted by the store's connection, followed by the loops' readers */
    struct key_ring *keys;                         /* its own, which sign, and are published */
    const struct audit_questions *audit;           /* its audit log, in its tables' words */
    struct readiness readiness;                    /* of its parts but the store, for /readyz */
    struct documents *documents;                   /* OpenAPI */
    const char *database_path;                     /* SQLite's file, whose size is shown; NULL: the rows are elsewhere */
    /* Metrics whose labels come and go, behind all others: writes what is next; false when nothing is behind the place, which is 0 at first. Any loop.
     * NULL: there are none. */
    bool (*measure)(const struct service *service, struct buffer *buffer, uint64_t *place);
    /* The page of one of its own problems (http/problem.h); the problem may stand in `room`. */
    bool (*find_page)(struct text code, struct problem *ret_room, struct problem_page *ret_page);
};

static inline struct service *service_of(struct exchange *exchange) { return exchange->self; }

#define AUDIT_ROUTE                                                                                                                   \
    {                                                                                                                                 \
        .method = "GET", .path = "/v1/audit-log", .scope = SCOPE_ADMIN, .arena_limit_bytes = AUDIT_ARENA_BYTES, .flags = ROUTE_QUERY, \
        .handle = audit_list                                                                                                          \
    }
#define AUDIT_ARENA_BYTES (4u * 1024 * 1024)

/* ---- the routes that both have (the tag "Operations" of their OpenAPI documents); see operations.c ---- */
void operations_healthz(struct exchange *exchange);
void operations_readyz(struct exchange *exchange);
void operations_metrics(struct exchange *exchange);
void operations_openapi(struct exchange *exchange); /* /openapi.json and /openapi.yaml */
void operations_docs(struct exchange *exchange);    /* {file*} */
void operations_jwks(struct exchange *exchange);
void operations_root(struct exchange *exchange);    /* root.c */
void operations_problem(struct exchange *exchange); /* problems.c; {code} */

#define OPERATIONS_ROUTES                                                                                                                 \
    {.method = "GET",                                                                                                                     \
     .path = "/",                                                                                                                         \
     .flags = ROUTE_EVERYWHERE | ROUTE_QUERY_IGNORED,                                                                                     \
     .scope = SCOPE_PUBLIC,                                                                                                               \
     .produces = "*/*",                                                                                                                   \
     .handle = operations_root},                                                                                                          \
        {.method = "GET",                                                                                                                 \
         .path = "/problems/{code}",                                                                                                      \
         .flags = ROUTE_EVERYWHERE | ROUTE_QUERY_IGNORED,                                                                                 \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .produces = "*/*",                                                                                                               \
         .handle = operations_problem},                                                                                                   \
        {.method = "GET",                                                                                                                 \
         .path = "/healthz",                                                                                                              \
         .flags = ROUTE_OPERATORS | ROUTE_QUERY_IGNORED,                                                                                  \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .handle = operations_healthz},                                                                                                   \
        {.method = "GET",                                                                                                                 \
         .path = "/readyz",                                                                                                               \
         .flags = ROUTE_OPERATORS | ROUTE_QUERY_IGNORED,                                                                                  \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .handle = operations_readyz},                                                                                                    \
        {.method = "GET",                                                                                                                 \
         .path = "/metrics",                                                                                                              \
         .flags = ROUTE_OPERATORS | ROUTE_QUERY_IGNORED,                                                                                  \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .produces = "text/plain",                                                                                                        \
         .handle = operations_metrics},                                                                                                   \
        {.method = "GET",                                                                                                                 \
         .path = "/openapi.json",                                                                                                         \
         .flags = ROUTE_EVERYWHERE | ROUTE_QUERY_IGNORED,                                                                                 \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .handle = operations_openapi},                                                                                                   \
        {.method = "GET",                                                                                                                 \
         .path = "/openapi.yaml",                                                                                                         \
         .flags = ROUTE_EVERYWHERE | ROUTE_QUERY_IGNORED,                                                                                 \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .produces = "application/yaml",                                                                                                  \
         .handle = operations_openapi},                                                                                                   \
        {.method = "GET",                                                                                                                 \
         .path = "/docs",                                                                                                                 \
         .flags = ROUTE_OPERATORS | ROUTE_QUERY_IGNORED,                                                                                  \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .produces = "*/*",                                                                                                               \
         .handle = operations_docs},                                                                                                      \
        {.method = "GET",                                                                                                                 \
         .path = "/docs/{file*}",                                                                                                         \
         .flags = ROUTE_OPERATORS | ROUTE_QUERY_IGNORED,                                                                                  \
         .scope = SCOPE_PUBLIC,                                                                                                           \
         .produces = "*/*",                                                                                                               \
         .handle = operations_docs},                                                                                                      \
    {                                                                                                                                     \
        .method = "GET", .path = "/.well-known/jwks.json", .flags = ROUTE_QUERY_IGNORED, .scope = SCOPE_PUBLIC, .handle = operations_jwks \
    }

/* ---- lists: ?limit= and &cursor= (see page.c) ---- */
#define PAGE_CURSOR_WORDS 2
struct page {
    int64_t limit; /* 1..LIMIT_PAGE_ITEMS */
    bool has_cursor;
    int64_t cursor[PAGE_CURSOR_WORDS]; /* where the last page ended; meaning is the list's own */
};
/* The two members to append to a handler's query table; page_finish decodes the cursor and adds a fault when it is none of this list's.
 * `list` is a letter that no other list of the service has. */
struct page_query {
    struct page page;
    uint8_t list;
    struct text cursor_text;
};
#define PAGE_QUERY_MEMBERS(query)                                                                                  \
    {.name = "limit", .kind = QUERY_INTEGER, .target = &(query)->page.limit, .min = 1, .max = LIMIT_PAGE_ITEMS}, { \
        .name = "cursor", .kind = QUERY_TEXT, .target = &(query)->cursor_text, .min = 1, .max = 128                \
    }
void page_begin(struct page_query *query, char list);
void page_finish(struct page_query *query, struct faults *faults);
struct text page_cursor(struct arena *arena, char list, const int64_t words[PAGE_CURSOR_WORDS]); /* opaque, base64url */

/* ---- life (see lifecycle.c) ---- */

/* SIGTERM, SIGINT and SIGHUP blocked for all threads started later; call first in serve. SIGPIPE ignored. */
void service_block_signals(void);
/* Waits for SIGTERM or SIGINT. At each SIGHUP `hung_up` is called meanwhile, on this thread. */
void service_wait_for_stop(void (*hung_up)(void *context), void *context);
/* Waits until the descriptor can be read, the time is up, or such a signal has come (which service_wait_for_stop takes). */
void service_wait_for(int descriptor, int64_t most_ms);
/* For struct store_options: the process ends as by SIGTERM, with exit code 1 and a last line that says why. Any thread. */
void service_fenced(void *context);
/* `PROGRAM health`: asks /readyz of the service that listens there, or where its operators ask it (no host: nowhere else). Returns the exit code: 0 when it is ready, 1 when it is not, or does not answer
 * within 5 s; its answer goes to standard output, what is wrong to standard error. */
int service_health(const struct param_address *listen, const struct param_address *operations_listen);
/* The last line of the log, after everything is closed. Returns the exit code: 0 when serve started and drained, 1 otherwise. */
int service_end(struct result outcome);
/* Makes DIR (0700) whole or not at all: `fill` fills DIR.new, which then gets its name; what an init that was killed has left there goes first.
 * RESULT_CONFLICT: DIR exists, or another init is at work; RESULT_INVALID: the path is too long; RESULT_IO; or what `fill` said. Says why on
 * `errors`, but for `fill`. */
struct result service_create_folder(const char *directory, struct result (*fill)(const char *folder, void *context), void *context,
                                    FILE *errors) MUST_CHECK;
/* RESULT_NOT_FOUND when DIR was not initialised. */
struct result service_check_folder(const char *directory, FILE *errors) MUST_CHECK;

/* ---- what is wrong (see errors.c) ---- */
/* Where a command says it, one sentence a line: standard error, or of serve lines `start_refused` of the log. Any thread. */
FILE *service_errors(void);
/* Before other threads; after log_init. */
void service_errors_to_log(const char *program);

/* ---- the command line (see command.c) ---- */
struct command {
    const char *name;    /* "serve", "user add" */
    const char *summary; /* one line */
    const struct param *params;
    size_t param_count;
    size_t positional_max;
    const char *positional_names;                      /* "NAME" */
    int (*run)(const char **positional, size_t count); /* the exit code */
    bool errors_are_log;                               /* of serve: what is wrong is told as the log tells it */
};
/* Dispatches; --help and --version anywhere; `routes` prints the route table, `parameters` the Markdown of all parameters. Exit code 2 for a bad call. */
int command_main(const char *program, const char *summary, const struct command *commands, size_t count, const struct route *routes,
                 size_t route_count, int argc, char **argv);
