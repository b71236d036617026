#include "service/listeners.h"

#include <stdlib.h>

#define OPERATORS_CONNECTIONS_MAX 1024u
#define OPERATORS_DRAIN_MS        1000

struct listener {
    struct router *router;
    struct http_service service;
    struct server *server;
};

struct listeners {
    struct listener world, operators;
};

static struct result start(struct listener *listener, const struct server_options *options) {
    struct http_service *service = &listener->service;
    TRY(router_create_for(service->routes, service->route_count, service->listener, &listener->router));
    service->router = listener->router;
    return server_start(service, options, &listener->server);
}

static struct server_options world_options(const struct serve_options *options) {
    return (struct server_options){.listen = options->listen,
                                   .loop_count = (size_t)options->loop_count,
                                   .head_timeout_ms = options->head_timeout_ms,
                                   .body_timeout_ms = options->body_timeout_ms,
                                   .idle_timeout_ms = options->idle_timeout_ms,
                                   .connections_max = (size_t)options->connections_max};
}

/* Its routes ask nothing of what a loop has (readers, verifiers), and the world has no part in it: no CORS, and paths instead of the public URL. */
static struct result start_operators(struct listeners *listeners, const struct http_service *service, const struct serve_options *options) {
    struct server_options server_options = world_options(options);
    server_options.listen = options->operations_listen;
    server_options.loop_count = 1;
    server_options.connections_max = OPERATORS_CONNECTIONS_MAX;
    listeners->operators.service = *service;
    listeners->operators.service.listener = LISTENER_OPERATORS;
    listeners->operators.service.public_url = NULL;
    listeners->operators.service.allowed_origins = NULL;
    listeners->operators.service.loop_started = listeners->operators.service.loop_stopped = NULL;
    listeners->operators.service.round_ended = NULL;
    return start(&listeners->operators, &server_options);
}

struct result listeners_start(const struct http_service *service, const struct serve_options *options, struct listeners **ret_listeners) {
    struct listeners *listeners = calloc(1, sizeof *listeners);
    if (listeners == NULL) return result_error(RESULT_FULL);
    *ret_listeners = listeners;
    bool has_operators = options->operations_listen.host[0] != '\0';
    struct server_options server_options = world_options(options);
    listeners->world.service = *service;
    listeners->world.service.listener = has_operators ? LISTENER_WORLD : LISTENER_ALL;
    TRY(start(&listeners->world, &server_options)); /* first: who is told that the service is ready can ask it */
    return has_operators ? start_operators(listeners, service, options) : result_ok();
}

static struct result drain(struct listener *listener, int64_t deadline_ms) {
    return listener->server == NULL ? result_ok() : server_drain(listener->server, deadline_ms);
}

struct result listeners_drain(struct listeners *listeners, int64_t deadline_ms) {
    struct result world = drain(&listeners->world, deadline_ms);
    struct result operators = drain(&listeners->operators, OPERATORS_DRAIN_MS);
    return result_is_ok(world) ? operators : world;
}

void listeners_stop(struct listeners *listeners) {
    if (listeners == NULL) return;
    if (listeners->world.server != NULL) server_free(listeners->world.server);
    if (listeners->operators.server != NULL) server_free(listeners->operators.server);
    listeners->world.server = listeners->operators.server = NULL;
}

void listeners_free(struct listeners *listeners) {
    if (listeners == NULL) return;
    router_free(listeners->world.router);
    router_free(listeners->operators.router);
    free(listeners);
}
