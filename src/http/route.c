#include "http/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/media.h"
#include "http/problem.h"
#include "http/query.h"
#include "http/request.h"

#define SEGMENTS_MAX 16 /* of a path; a longer one matches nothing but {rest*} */
#define METHODS_MAX  6
#define ALLOW_BYTES  48

enum node_kind { NODE_LITERAL, NODE_PARAMETER, NODE_REST };

struct node {
    enum node_kind kind;
    struct text literal; /* in the table's path */
    struct node *first_child;
    struct node *next_sibling; /* literals before the parameter before the rest: the order in which they are tried */
    const struct route *routes[METHODS_MAX];
    size_t route_count;
    char allow[ALLOW_BYTES];
};

struct router {
    struct node root;
    struct node *nodes; /* all of them, bounded by the table's segments */
    size_t node_count, node_capacity;
};

static const char *const method_order[METHODS_MAX] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

/* Cuts the segment up to the next slash. `path` starts after a slash; false when the path is used up. */
static bool next_segment(struct text *path, struct text *ret_segment) {
    if (path->data == NULL) return false;
    const char *slash = path->size > 0 ? memchr(path->data, '/', path->size) : NULL;
    *ret_segment = (struct text){path->data, slash != NULL ? (size_t)(slash - path->data) : path->size};
    *path = slash != NULL ? (struct text){slash + 1, path->size - ret_segment->size - 1} : (struct text){NULL, 0};
    return true;
}

static bool segment_is_parameter(struct text segment) {
    return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

static enum node_kind segment_kind(struct text segment) {
    if (!segment_is_parameter(segment)) return NODE_LITERAL;
    return segment.data[segment.size - 2] == '*' ? NODE_REST : NODE_PARAMETER;
}

static struct node *child_for(struct router *router, struct node *parent, struct text segment) {
    enum node_kind kind = segment_kind(segment);
    struct node **place = &parent->first_child;
    for (; *place != NULL && (*place)->kind <= kind; place = &(*place)->next_sibling) {
        if ((*place)->kind == kind && (kind != NODE_LITERAL || text_equal((*place)->literal, segment))) return *place;
    }
    CHECK(router->node_count < router->node_capacity);
    struct node *node = &router->nodes[router->node_count++];
    *node = (struct node){.kind = kind, .literal = segment, .next_sibling = *place};
    *place = node;
    return node;
}

static const char *query_fault(const struct route *route) {
    const unsigned flags = route->flags & (ROUTE_QUERY | ROUTE_QUERY_IGNORED | ROUTE_DRY_RUN);
    if ((flags & (flags - 1)) != 0) return "more than one word about the query";
    if (flags != ROUTE_QUERY_IGNORED || (route->scope == SCOPE_PUBLIC && strcmp(route->method, "GET") == 0)) return NULL;
    return "a query that is ignored where not everybody reads";
}

static const char *route_fault(const struct route *route) {
    size_t segment_count = 0;
    size_t parameter_count = 0;
    bool rest_seen = false;
    if (route->method == NULL || route->path == NULL || route->path[0] != '/') return "the path does not start with a slash";
    if (route->scope == SCOPE_NONE || ((unsigned)route->scope & ((unsigned)route->scope - 1)) != 0) return "not exactly one scope";
    if (((unsigned)route->other_scope & ((unsigned)route->other_scope - 1)) != 0) return "more than one other scope";
    if (route->handle == NULL) return "no handler";
    if (query_fault(route) != NULL) return query_fault(route);
    struct text path = text_of(route->path + 1);
    struct text segment;
    while (next_segment(&path, &segment)) {
        if (rest_seen) return "something follows the rest";
        segment_count++;
        if (segment_kind(segment) != NODE_LITERAL) parameter_count++;
        rest_seen = segment_kind(segment) == NODE_REST;
        if (segment_kind(segment) == NODE_LITERAL && (memchr(segment.data, '{', segment.size) || memchr(segment.data, '}', segment.size)))
            return "a brace outside of a parameter";
    }
    if (segment_count > SEGMENTS_MAX) return "too many segments";
    if (parameter_count > EXCHANGE_PARAMETERS_MAX) return "too many parameters";
    for (size_t i = 0; i < METHODS_MAX; i++) {
        if (strcmp(method_order[i], route->method) == 0 && strcmp(route->method, "OPTIONS") != 0) return NULL;
    }
    return "a method that is not served";
}

static const char *add_route(struct router *router, const struct route *route) {
    const char *fault = route_fault(route);
    if (fault != NULL) return fault;
    struct node *node = &router->root;
    struct text path = text_of(route->path + 1);
    struct text segment;
    while (next_segment(&path, &segment)) node = child_for(router, node, segment);
    for (size_t i = 0; i < node->route_count; i++) {
        if (strcmp(node->routes[i]->method, route->method) == 0) return "two routes alike";
    }
    CHECK(node->route_count < METHODS_MAX);
    node->routes[node->route_count++] = route;
    return NULL;
}

static const struct route *route_for_method(const struct node *node, struct text method) {
    for (size_t i = 0; i < node->route_count; i++) {
        if (text_equal(text_of(node->routes[i]->method), method)) return node->routes[i];
    }
    return NULL;
}

static void append(char *text, size_t *size, const char *word) {
    size_t word_size = strlen(word);
    CHECK(*size + word_size < ALLOW_BYTES);
    memcpy(text + *size, word, word_size + 1);
    *size += word_size;
}

static void write_allow(struct node *node) {
    size_t size = 0;
    for (size_t i = 0; i < METHODS_MAX; i++) {
        if (route_for_method(node, text_of(method_order[i])) == NULL) continue;
        if (size > 0) append(node->allow, &size, ", ");
        append(node->allow, &size, method_order[i]);
        if (strcmp(method_order[i], "GET") == 0) append(node->allow, &size, ", HEAD");
    }
}

static bool belongs(const struct route *route, enum listener_kind listener) {
    switch (listener) {
    case LISTENER_ALL: return true;
    case LISTENER_WORLD: return (route->flags & ROUTE_OPERATORS) == 0;
    case LISTENER_OPERATORS: return (route->flags & (ROUTE_OPERATORS | ROUTE_EVERYWHERE)) != 0;
    }
    return false;
}

struct result router_create(const struct route *routes, size_t count, struct router **ret_router) {
    return router_create_for(routes, count, LISTENER_ALL, ret_router);
}

struct result router_create_for(const struct route *routes, size_t count, enum listener_kind listener, struct router **ret_router) {
    size_t capacity = count * SEGMENTS_MAX;
    struct router *router = calloc(1, sizeof(*router));
    struct node *nodes = calloc(capacity > 0 ? capacity : 1, sizeof(*nodes));
    if (router == NULL || nodes == NULL) {
        free(router);
        free(nodes);
        return result_error(RESULT_FULL);
    }
    router->nodes = nodes;
    router->node_capacity = capacity;
    for (size_t i = 0; i < count; i++) {
        const char *fault = belongs(&routes[i], listener) ? add_route(router, &routes[i]) : NULL;
        if (fault == NULL) continue;
        LOG(LOG_ERROR, "route_invalid", LOG_STRING("method", routes[i].method), LOG_STRING("path", routes[i].path),
            LOG_STRING("fault", fault));
        router_free(router);
        return result_error(RESULT_INVALID);
    }
    for (size_t i = 0; i < router->node_count; i++) write_allow(&router->nodes[i]);
    *ret_router = router;
    return result_ok();
}

void router_free(struct router *router) {
    if (router == NULL) return;
    free(router->nodes);
    free(router);
}

/* The way through literals alone, which goes before every other; NULL when it leads nowhere, or only once the path is decoded. */
static const struct node *find_literal(const struct router *router, struct text path) {
    const struct node *node = &router->root;
    struct text segment;
    while (node != NULL && next_segment(&path, &segment)) {
        node = node->first_child;
        while (node != NULL && (node->kind != NODE_LITERAL || !text_equal(node->literal, segment))) node = node->next_sibling;
    }
    return node != NULL && node->route_count > 0 ? node : NULL;
}

/* A place in the tree to go on from when the present way leads nowhere. */
struct step {
    const struct node *node; /* the sibling to be tried next */
    struct text path;        /* what was left before its segment */
    size_t parameter_count;
};

static bool decode_parameter(struct exchange *exchange, struct text raw, size_t *parameter_count) {
    CHECK(*parameter_count < EXCHANGE_PARAMETERS_MAX);
    return result_is_ok(request_decode(&exchange->arena, raw, false, &exchange->parameters[(*parameter_count)++]));
}

/* Whether this node takes the segment; a rest takes all that is left of the path. */
static bool node_takes(struct exchange *exchange, const struct node *node, struct text segment, struct text *path,
                       size_t *parameter_count) {
    struct text decoded;
    switch (node->kind) {
    case NODE_LITERAL:
        if (segment.size == 0 || memchr(segment.data, '%', segment.size) == NULL) return text_equal(node->literal, segment);
        return result_is_ok(request_decode(&exchange->arena, segment, false, &decoded)) && text_equal(node->literal, decoded);
    case NODE_PARAMETER: return segment.size > 0 && decode_parameter(exchange, segment, parameter_count);
    case NODE_REST: {
        struct text rest = {segment.data, segment.size + (path->data != NULL ? path->size + 1 : 0)};
        *path = (struct text){NULL, 0};
        return decode_parameter(exchange, rest, parameter_count);
    }
    }
    return false;
}

/* Depth first, literals before parameters, with the untried siblings kept on a stack that is as deep as the tree. */
static const struct node *find_node(const struct router *router, struct exchange *exchange) {
    struct step steps[SEGMENTS_MAX + 1];
    size_t depth = 0;
    if (exchange->path.size == 0 || exchange->path.data[0] != '/') return NULL;
    struct text path = {exchange->path.data + 1, exchange->path.size - 1};
    const struct node *literal = find_literal(router, path);
    if (literal != NULL) return literal;
    steps[depth++] = (struct step){router->root.first_child, path, 0};
    while (depth > 0) {
        struct step step = steps[--depth];
        if (step.node == NULL) continue;
        steps[depth++] = (struct step){step.node->next_sibling, step.path, step.parameter_count};
        struct text segment;
        CHECK(next_segment(&step.path, &segment));
        if (!node_takes(exchange, step.node, segment, &step.path, &step.parameter_count)) continue;
        if (step.path.data == NULL) {
            if (step.node->route_count > 0) return step.node;
            continue;
        }
        if (depth <= SEGMENTS_MAX) steps[depth++] = (struct step){step.node->first_child, step.path, step.parameter_count};
    }
    return NULL;
}

enum route_match router_match(const struct router *router, struct exchange *exchange, struct text *ret_allow) {
    exchange->route = NULL;
    const struct node *node = find_node(router, exchange);
    if (node == NULL) return ROUTE_UNKNOWN_PATH;
    struct text method = text_equal(exchange->method, TEXT("HEAD")) ? TEXT("GET") : exchange->method;
    exchange->route = route_for_method(node, method);
    if (exchange->route != NULL) return ROUTE_FOUND;
    *ret_allow = text_of(node->allow);
    return ROUTE_WRONG_METHOD;
}

static bool is_acceptable(const struct exchange *exchange) {
    const struct route *route = exchange->route;
    if (exchange->accept.size == 0) return true;
    struct text produces = route->produces != NULL ? text_of(route->produces) : TEXT("application/json");
    if (text_equal(produces, TEXT("*/*")) || media_quality(exchange->accept, produces) > 0) return true;
    if ((route->flags & ROUTE_CSV) != 0 && media_quality(exchange->accept, TEXT("text/csv")) > 0) return true;
    return media_quality(exchange->accept, TEXT("application/problem+json")) > 0;
}

/* Clients send `{}` from habit where POST and its like take nothing: that is read, and refused only for what is in it. */
static uint32_t body_limit(const struct route *route) {
    if ((route->flags & ROUTE_BODY_JSON) == 0 && strcmp(route->method, "GET") == 0) return 0;
    return route->body_limit_bytes != 0 ? route->body_limit_bytes : LIMIT_BODY_BYTES;
}

bool route_refuse_body(struct exchange *exchange, uint64_t size_bytes) {
    uint32_t limit = body_limit(exchange->route);
    if (size_bytes <= limit) return false;
    if (limit == 0) {
        problem_reply(exchange, &problem_body_too_large, "this route takes no body");
    } else {
        problem_reply(exchange, &problem_body_too_large, "the body is limited to %u bytes", limit);
    }
    return true;
}

/* The browser's question before a request from another origin, and everybody's question what a path can do (RFC 9110, section 9.3.7). */
static void reply_options(struct exchange *exchange, struct text allow) {
    reply_header(exchange, "Allow", allow);
    if (route_allows_origin(exchange)) {
        reply_header(exchange, "Access-Control-Allow-Methods", allow);
        reply_header(exchange, "Access-Control-Allow-Headers",
                     TEXT("Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, traceparent"));
        reply_header(exchange, "Access-Control-Max-Age", TEXT("600"));
    }
    reply_empty(exchange, 204);
}

bool route_allows_origin(const struct exchange *exchange) {
    const char *allowed = exchange->service->allowed_origins;
    if (allowed == NULL || exchange->origin.size == 0) return false;
    while (*allowed != '\0') {
        size_t size = strcspn(allowed, ",");
        struct text one = {allowed, size};
        while (one.size > 0 && one.data[0] == ' ') one = (struct text){one.data + 1, one.size - 1};
        while (one.size > 0 && one.data[one.size - 1] == ' ') one.size--;
        if (text_equal(one, exchange->origin)) return true;
        allowed += size;
        if (*allowed == ',') allowed++;
    }
    return false;
}

static bool refuse_route(struct exchange *exchange) {
    struct text allow = {NULL, 0};
    switch (router_match(exchange->service->router, exchange, &allow)) {
    case ROUTE_FOUND: return false;
    case ROUTE_UNKNOWN_PATH: problem_reply(exchange, &problem_route_not_found, NULL); return true;
    case ROUTE_WRONG_METHOD:
        if (text_equal(exchange->method, TEXT("OPTIONS"))) {
            reply_options(exchange, allow);
        } else {
            reply_header(exchange, "Allow", allow);
            problem_reply(exchange, &problem_method_not_allowed, "this path takes %s", allow.data);
        }
        return true;
    }
    return true;
}

static bool refuse_media_type(struct exchange *exchange) {
    bool takes_csv = (exchange->route->flags & ROUTE_BODY_CSV) != 0;
    if (media_is_json(exchange->content_type) || (takes_csv && media_is_csv(exchange->content_type))) return false;
    problem_reply(exchange, &problem_unsupported_media_type, "the body must be application/json%s in UTF-8",
                  takes_csv ? " or text/csv" : "");
    return true;
}

/* Whether the head alone says that there is a body to be judged by its type. Where none is due, a chunked one may still turn out to be empty. */
static bool has_typed_body(const struct exchange *exchange) {
    if ((exchange->route->flags & ROUTE_BODY_JSON) != 0) return exchange->content_length != 0 || exchange->content_type.data != NULL;
    return exchange->content_length > 0 && body_limit(exchange->route) > 0;
}

enum route_admission route_admit(struct exchange *exchange) {
    CHECK(exchange->state == EXCHANGE_HEAD);
    if (refuse_route(exchange)) return ROUTE_REFUSED;
    const struct route *route = exchange->route;
    exchange->arena.limit_bytes = route->arena_limit_bytes != 0 ? route->arena_limit_bytes : LIMIT_ARENA_BYTES;
    if (route->scope != SCOPE_PUBLIC) {
        CHECK(exchange->service->authorize != NULL);
        enum route_admission admission = exchange->service->authorize(exchange);
        if (admission != ROUTE_ADMITTED) return admission;
    }
    if (has_typed_body(exchange) && refuse_media_type(exchange)) return ROUTE_REFUSED;
    if (!is_acceptable(exchange)) {
        problem_reply(exchange, &problem_not_acceptable, "this route offers %s%s",
                      route->produces != NULL ? route->produces : "application/json",
                      (route->flags & ROUTE_CSV) != 0 ? " and text/csv" : "");
        return ROUTE_REFUSED;
    }
    if (exchange->content_length > 0 && route_refuse_body(exchange, (uint64_t)exchange->content_length)) return ROUTE_REFUSED;
    exchange->state = EXCHANGE_BODY;
    return ROUTE_ADMITTED;
}

void route_admit_again(struct exchange *exchange) {
    switch (route_admit(exchange)) {
    case ROUTE_ADMITTED: exchange->deliver(exchange); break;
    case ROUTE_REFUSED: exchange_finish(exchange); break;
    case ROUTE_PENDING: break; /* somebody else's again */
    }
}

void route_check_headers(const struct exchange *exchange, struct faults *faults) {
    struct text key = exchange->idempotency_key;
    if (key.data == NULL || (exchange->route->flags & ROUTE_IDEMPOTENT) == 0) return;
    if (key.size >= 1 && key.size <= LIMIT_IDEMPOTENCY_KEY_BYTES && text_is_printable_ascii(key)) return;
    faults_add(faults, "Idempotency-Key", "invalid_format", "1 to %u printable ASCII characters", LIMIT_IDEMPOTENCY_KEY_BYTES);
}

static void close_document(struct json_document **document) { json_close(*document); }

/* Where none is due: an object without members says as much as no body. True: an answer is set. */
static bool refuse_needless_body(struct exchange *exchange, struct faults *faults) {
    struct json_document *document __attribute__((cleanup(close_document))) = NULL;
    if (refuse_media_type(exchange)) return true;
    size_t offset;
    struct result opened = json_open_faulty(&exchange->arena, exchange->body, faults, &document, &offset);
    if (result_is_ok(opened)) {
        json_read(json_root(document), "", NULL, 0, faults);
        return false;
    }
    if (opened.code == RESULT_FULL)
        problem_reply(exchange, &problem_overloaded, NULL);
    else
        problem_reply_malformed(exchange, offset);
    return true;
}

/* What a handler that reads no body never looks at. */
static bool refuse_without_body(struct exchange *exchange) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    route_check_headers(exchange, &faults);
    if (exchange->body.size > 0 && refuse_needless_body(exchange, &faults)) return true;
    if (!faults_any(&faults)) return false;
    problem_reply_faults(exchange, &problem_validation_failed, &faults);
    return true;
}

/* Which form it should have had is what its type says. */
static void refuse_empty_body(struct exchange *exchange) {
    struct faults faults;
    if (!media_is_csv(exchange->content_type)) {
        problem_reply_malformed(exchange, 0);
        return;
    }
    faults_init(&faults, &exchange->arena);
    faults_add(&faults, "", "required", "the body must have at least one line of CSV");
    problem_reply_faults(exchange, &problem_validation_failed, &faults);
}

/* What no handler would look at: a word that was misspelt must not pass for none. True: an answer is set. */
static bool refuse_query(struct exchange *exchange) {
    const unsigned flags = exchange->route->flags;
    struct faults faults;
    struct text word;
    const struct query_member members[] = {{.name = "dry_run", .kind = QUERY_CHOICE, .target = &word, .choices = "true|false"}};
    if ((flags & (ROUTE_QUERY | ROUTE_QUERY_IGNORED)) != 0) return false;
    faults_init(&faults, &exchange->arena);
    query_read(exchange, members, (flags & ROUTE_DRY_RUN) != 0 ? ARRAY_COUNT(members) : 0, &faults);
    if (!faults_any(&faults)) return false;
    problem_reply_faults(exchange, &problem_validation_failed, &faults);
    return true;
}

void route_dispatch(struct exchange *exchange) {
    const struct route *route = exchange->route;
    CHECK(exchange->state == EXCHANGE_BODY);
    exchange->state = EXCHANGE_HANDLING;
    if (exchange->query_count > 0 && refuse_query(exchange)) {
        exchange_finish(exchange);
        return;
    }
    bool takes_json = (route->flags & ROUTE_BODY_JSON) != 0;
    bool body_is_due = takes_json && (route->flags & ROUTE_BODY_OPTIONAL) == 0;
    if (body_is_due && exchange->body.size == 0) {
        refuse_empty_body(exchange);
        exchange_finish(exchange);
    } else if (!takes_json && refuse_without_body(exchange)) {
        exchange_finish(exchange);
    } else {
        route->handle(exchange);
    }
}

bool route_wants_csv(const struct exchange *exchange) {
    if ((exchange->route->flags & ROUTE_CSV) == 0 || exchange->accept.size == 0) return false;
    return media_quality(exchange->accept, TEXT("text/csv")) > media_quality(exchange->accept, TEXT("application/json"));
}
