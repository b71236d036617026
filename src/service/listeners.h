/* Where a service listens: for the world, and, when it is told to, for its operators alone on an address of their own (--operations-listen). Then what
 * is meant for them (ROUTE_OPERATORS: health, metrics, the API pages) is there and nowhere else, on a thread of its own, so that a crowd at the
 * door keeps nobody from looking. Without that, one listener has everything. */
#pragma once

#include "service/serve.h"

struct listeners;
/* Starts to serve. `service` is copied, and has no router yet. RESULT_INVALID, RESULT_IO, RESULT_FULL as router_create and server_start; what was
 * started is in *ret_listeners all the same, to be stopped. */
struct result listeners_start(const struct http_service *service, const struct serve_options *options,
                              struct listeners **ret_listeners) MUST_CHECK;
/* As server_drain: the world's, and then the operators', who can watch it. */
struct result listeners_drain(struct listeners *listeners, int64_t deadline_ms) MUST_CHECK;
void listeners_stop(struct listeners *listeners); /* NULL is fine, here and below */
/* Stopped; and nobody has an exchange of theirs in hand any more. */
void listeners_free(struct listeners *listeners);
