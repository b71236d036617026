/* One request (or one obligation of our own) on its way: loop → store → settler → store → loop.
 *
 *   REDEEM ──▶ decide ──▶ READY, REPLAY, KEY_REUSED ──▶ answered by the store's thread
 *                 └─────▶ WAITING (the claim is committed) ──▶ settler ──▶ with MARK or NOTE back through the store ──▶ READY or REPLAY
 *   CREATE ──▶ decide ──▶ WAITING (for its fund) ──▶ settler ──▶ with FUND_CONFIRMED or NOTE ──▶ READY or REPLAY
 *
 * One thread owns it at a time: the loop, then the store, then perhaps the settler, each until it gives it on. An operation with an exchange
 * lives in the exchange's arena; those without one (MARK, EXPIRE, FUND_*) are the settler's own memory. */
#pragma once

#include <stddef.h>

#include "base/check.h"
#include "discount/core/redeem.h"
#include "discount/core/settlement.h"
#include "http/exchange.h"
#include "service/idempotency.h"
#include "store/store.h"

#define MARK_ITEMS_MAX   LIMIT_CREDIT_ITEMS
#define MARK_WAITERS_MAX 2000u /* whose kept answers one MARK makes final; the others follow one by one */

enum operation_kind { /* struct store_operation.kind */
                      OPERATION_CREATE,
                      OPERATION_PATCH,
                      OPERATION_PAUSE,
                      OPERATION_RESUME,
                      OPERATION_END,
                      OPERATION_REDEEM,
                      OPERATION_NOTE, /* write the answer as it stands now into the idempotency record */
                      OPERATION_MARK, /* what Wallet said about a batch */
                      OPERATION_EXPIRE,
                      OPERATION_FUND_CONFIRMED,
                      OPERATION_FUND_RELEASED,
};

enum answer_kind {
    ANSWER_NONE,
    ANSWER_READY,      /* status, body and headers are set */
    ANSWER_REPLAY,     /* of `record` */
    ANSWER_KEY_REUSED, /* of `record` */
    ANSWER_WAITING,    /* for `subject` to be settled */
    ANSWER_NO_MEMORY,  /* the request's arena is full: 503 */
};

struct answer {
    enum answer_kind kind;
    int status;
    const char *content_type;
    struct text body, location, etag, retry_after; /* empty: no such header */
    struct idempotency_record record;              /* REPLAY, KEY_REUSED: copied into the request's arena */
    uint32_t campaign_number;                      /* 0: no campaign is meant */
    enum refusal refusal;                          /* to be counted */
    struct id subject;                             /* the redemption or campaign that was made or met */
    bool is_maker;                                 /* this request (or the first with its key) made the subject: 201 and 202, not 200 */
    struct redemption redemption;                  /* WAITING for a claim: as it was when decided */
    const char *event;                             /* for the log, once it is committed; NULL: none */
    int64_t sequence, version;                     /* of the campaign, with `event` */
};

struct discount;
struct discount_operation;

struct operation_list {
    struct discount_operation *first, *last;
};

struct discount_operation {
    struct store_operation store; /* its link is also the settler's queue's */
    struct discount *discount;
    struct exchange *exchange; /* NULL: the settler's own */
    struct idempotency_request idempotency;
    struct id id; /* for what it makes */
    union {
        struct campaign_create create;
        struct campaign_patch patch;
        struct redeem_request redeem;
        struct {
            struct settlement *items; /* [count] */
            size_t count;
        } mark;
        int64_t fund_step_version;
    };
    struct id campaign_id; /* of PATCH to END and EXPIRE to FUND_RELEASED */
    struct answer answer;
    struct operation_list waiters; /* MARK, FUND_CONFIRMED: requests that are answered in the same transaction */

    /* the settler's, while it waits there */
    struct discount_operation *next, *previous; /* among those who wait for the same */
    struct discount_operation *deadline_next, *deadline_previous;
    int64_t deadline_us;             /* monotonic */
    struct operation_list *waits_in; /* NULL: in none */
};

static inline struct discount_operation *operation_of(struct store_operation *operation) {
    return CONTAINER_OF(operation, struct discount_operation, store);
}

static inline void operation_list_append(struct operation_list *list, struct discount_operation *operation) {
    operation->next = NULL;
    operation->waits_in = list;
    operation->previous = list->last;
    if (list->last != NULL)
        list->last->next = operation;
    else
        list->first = operation;
    list->last = operation;
}

static inline void operation_list_remove(struct operation_list *list, struct discount_operation *operation) {
    if (operation->previous != NULL)
        operation->previous->next = operation->next;
    else
        list->first = operation->next;
    if (operation->next != NULL)
        operation->next->previous = operation->previous;
    else
        list->last = operation->previous;
    operation->next = operation->previous = NULL;
    operation->waits_in = NULL;
}
