/* What a program gives to HTTP: its routes, its clock, and what is asked of it. */
#pragma once

#include "base/address.h"
#include "base/clock.h"

struct exchange;
struct route;
struct router;

/* Which routes a listener has (route.h). */
enum listener_kind { LISTENER_ALL, LISTENER_WORLD, LISTENER_OPERATORS };

enum route_admission { ROUTE_ADMITTED, ROUTE_REFUSED, ROUTE_PENDING /* away: comes back by exchange_continue */ };

struct http_service {
    const char *name; /* "walletd": prefix of metrics */
    void *self;
    const struct route *routes;
    size_t route_count;
    const struct router *router;
    enum listener_kind listener; /* whose routes the router has */
    const struct clock *clock;
    /* Fills exchange->caller or sets a 401/403/503. May hand the exchange away (ROUTE_PENDING) and exchange_continue it later. */
    enum route_admission (*authorize)(struct exchange *exchange);
    const struct address_set *trusted_proxies; /* whose word about their clients counts; NULL: nobody's */
    const char *public_url;                    /* how the world reaches the service, without a slash at its end; NULL: by its paths alone */
    const char *allowed_origins;               /* CORS: comma-separated origins, or NULL: off */
    void (*loop_started)(void *self, size_t loop_index); /* on the loop's thread, before its first request; may be NULL */
    void (*loop_stopped)(void *self, size_t loop_index);
    void (*answered)(struct exchange *exchange); /* on the loop's thread, when the answer is whole; it is only looked at; may be NULL */
    /* On the loop's thread, after all the work of a round and before it waits for events; may be NULL. */
    void (*round_ended)(void *self, size_t loop_index);
};
