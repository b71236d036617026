/* The root of discountd: what the handlers, the store's thread and the settler share. */
#pragma once

#include "discount/board.h"
#include "discount/engine.h"
#include "discount/limiter.h"
#include "discount/reader.h"
#include "service/service.h"

struct settler;

struct discount {
    struct service service; /* first: the common routes find it here */
    struct board *board;
    struct settler *settler;
    struct limiter *limiter;
    struct id_source id_sources[LIMIT_LOOPS]; /* one per loop */
    const char *region;                       /* of phone numbers without a country */
    enum currency currency;                   /* of Wallet's accounts */
};

static inline struct discount *discount_of(struct exchange *exchange) { return exchange->self; }

/* All routes of the service (routes.c). */
extern const struct route discount_routes[];
extern const size_t discount_route_count;

/* Makes the operation of an exchange (in its arena); NULL when there is no memory: then 503 is answered already. */
struct discount_operation *operation_create(struct exchange *exchange, enum operation_kind kind);
/* Hands it to the store; what can't be queued is answered 503. */
void discount_submit(struct discount_operation *operation);
/* store_operation.done of every request: answers it or gives it on to the settler. */
void operation_done(struct store_operation *store_operation, struct result outcome);

extern struct metric metric_claims, metric_answered_by_loop;
void discount_register_metrics(void);
