/* The root of discountd: what the handlers, the store's thread and the settler share. */
#pragma once

#include "base/zone.h"
#include "discount/board.h"
#include "discount/code_board.h"
#include "discount/limiter.h"
#include "discount/operation.h"
#include "service/revocations.h"
#include "service/service.h"

struct settler;
struct events;

struct discount {
    struct service service; /* first: the common routes find it here */
    struct board *board;
    struct code_board *codes;
    struct settler *settler;
    struct limiter *limiter;
    struct events *events;                    /* who listens to campaigns */
    struct revocations *revocations;          /* sessions that have ended in Wallet */
    struct id_source id_sources[LIMIT_LOOPS]; /* one per loop */
    const char *region;                       /* of phone numbers without a country */
    const struct zone *zone;                  /* of campaigns that name none */
    bool is_offered[CURRENCY_COUNT];          /* campaigns may be made in it: the main one, and those of --currency */
    enum currency currency;                   /* Wallet's main one */
};

static inline struct discount *discount_of(struct exchange *exchange) { return exchange->self; }

/* All routes of the service (routes.c). */
extern const struct route discount_routes[];
extern const size_t discount_route_count;

extern struct metric metric_claims, metric_waiting, metric_promoted, metric_answered_by_loop;
void discount_register_metrics(void);

/* The letters of the lists' cursors. */
#define LIST_CAMPAIGNS   'c'
#define LIST_REDEMPTIONS 'r'
#define LIST_WINNERS     'w'
#define LIST_BATCHES     'b'
#define LIST_PROMOTIONS  'p'
