/* The inside of the settler, shared by settle*.c: everything here belongs to its thread, except the queue, the waker and the flags. */
#pragma once

#include <pthread.h>

#include "base/json/json.h"
#include "discount/discount.h"
#include "http/client.h"

#define SETTLE_BATCHES     4u   /* calls with credits under way at once */
#define SETTLE_CROWDED     256u /* ready claims from which on a third and fourth call is worth it */
#define SETTLE_FUND_JOBS   8u
#define SETTLE_REFILL_ROWS 1000u
#define SETTLE_TIMEOUT_MS  10000
#define RETRY_FIRST_US     INT64_C(50000)
#define RETRY_MOST_US      INT64_C(5000000)

enum claim_state { CLAIM_FREE, CLAIM_READY, CLAIM_HELD, CLAIM_DELAYED, CLAIM_IN_FLIGHT, CLAIM_MARKING };

struct claim_list {
    struct settle_claim *first, *last;
    size_t count;
};

struct settle_claim {
    struct settle_claim *next, *previous;
    struct claim_list *list; /* where it is linked: free, ready, delayed, or its fund's held; NULL in a batch */
    enum claim_state state;
    struct id id, user_id;
    uint32_t campaign_number;
    uint32_t attempts;   /* refused for now so often */
    size_t batch_max;    /* sent with at most so many: halved each time Wallet refuses a batch as a whole */
    int64_t retry_at_us; /* DELAYED; monotonic */
    int64_t claimed_at_us;
    struct operation_list waiters;
};

enum batch_state { BATCH_FREE, BATCH_IN_FLIGHT, BATCH_MARKING };

struct settle_batch {
    struct settler *settler;
    enum batch_state state;
    struct arena arena; /* body and answer of one call */
    struct http_call call;
    struct settle_claim *claims[LIMIT_CREDIT_ITEMS];
    size_t claim_count;
    struct settlement settlements[LIMIT_CREDIT_ITEMS]; /* of claims[i], while marking */
    struct discount_operation mark;
};

enum fund_step { FUND_STEP_EXPIRE, FUND_STEP_OPEN, FUND_STEP_LOOK, FUND_STEP_TOP_UP, FUND_STEP_RELEASE };

struct settle_fund_job {
    struct settler *settler;
    bool is_busy;
    enum fund_step step;
    uint32_t campaign_number;
    int64_t amount_minor, confirmed_minor, step_version;
    struct arena arena;
    struct http_call call;
    struct discount_operation operation; /* what it tells the store */
};

/* Of one campaign. */
struct settle_fund {
    struct settle_fund_job *job; /* NULL: none runs */
    uint32_t attempts;
    int64_t retry_at_us; /* monotonic */
    struct operation_list waiters;
    struct claim_list held;
};

struct settler {
    struct settler_options options;
    struct board *board;
    struct store *store;
    struct reader *reader;
    struct http_client *client;
    struct service_token token;
    pthread_t thread;
    bool has_thread;

    struct queue queue;
    struct waker waker;
    atomic_bool is_stopping, is_poked;
    int64_t stop_deadline_us;

    struct settle_claim *claims; /* [claims_max] */
    struct claim_list free, ready, delayed;
    struct map by_id;
    bool must_refill;     /* there may be claims that are only in the database */
    bool is_refilling;    /* a walk over them is under way */
    int64_t refill_after; /* key of the last one that it has seen */

    struct discount_operation *deadline_first, *deadline_last;

    struct settle_batch batches[SETTLE_BATCHES];
    uint32_t attempts;   /* calls in a row that brought nothing */
    int64_t retry_at_us; /* monotonic: not before */

    struct settle_fund *funds; /* [LIMIT_CAMPAIGNS] */
    struct settle_fund_job jobs[SETTLE_FUND_JOBS];
    bool must_scan;
    int64_t scan_at_us; /* monotonic */
    size_t in_store;    /* own operations that have not come back */
};

int64_t settle_now_us(const struct settler *settler); /* monotonic */
/* Exponential with jitter: between half of and the whole 50 ms × 2^attempts, at most 5 s; Wallet's Retry-After if that is longer. */
int64_t settle_backoff_us(uint32_t attempts, int64_t retry_after_ms);
/* A call's address, headers and token; false: no token. */
bool settle_prepare_call(struct settler *settler, struct http_call *call, const char *method, struct text path, struct arena *arena);
/* Hands one of our own operations to the store; false: it is stopping. */
bool settle_to_store(struct settler *settler, struct discount_operation *operation, enum operation_kind kind);

/* ---- waiters (settle.c) ---- */
/* Links it to `list`, with its deadline. */
void settle_wait_in(struct settler *settler, struct operation_list *list, struct discount_operation *operation);
/* Answers as things stand; with an Idempotency-Key by way of the record. The operation is gone. */
void settle_answer_now(struct settler *settler, struct discount_operation *operation);
/* Moves waiters (at most max) whose answers one of our operations makes; they have no deadline from then on. */
void settle_freeze(struct settler *settler, struct operation_list *from, struct operation_list *to, size_t max);
/* The operation that they were frozen for was not committed, or never got into the store: answered as things stand. (After a commit the store's
 * thread has answered them.) */
void settle_thaw(struct settler *settler, struct operation_list *list);

/* ---- claims (settle_claims.c) ---- */
struct result settle_claims_init(struct settler *settler, size_t claims_max) MUST_CHECK;
void settle_claims_free(struct settler *settler);
/* Finds or adds; NULL: no room, or no such campaign. */
struct settle_claim *settle_claim_take(struct settler *settler, const struct redemption *redemption);
void settle_claim_free(struct settler *settler, struct settle_claim *claim); /* without waiters */
void settle_claim_move(struct settle_claim *claim, struct claim_list *to, enum claim_state state);
void settle_claim_delay(struct settler *settler, struct settle_claim *claim, int64_t delay_us);
void settle_claims_wake_delayed(struct settler *settler, int64_t now_us);
void settle_claims_unhold(struct settler *settler, struct settle_fund *fund);
bool settle_refill_is_due(const struct settler *settler);
void settle_refill(struct settler *settler);

/* ---- batches (settle_batch.c, settle_reply.c) ---- */
void settle_send_batches(struct settler *settler, int64_t now_us);
void settle_batch_marked(struct settle_batch *batch, struct result outcome);
/* What Wallet's answer says about each claim of the batch. RESULT_INVALID: it is no answer to this batch, nothing in it may be believed. */
enum credit_outcome { CREDIT_MISSING, CREDIT_DONE, CREDIT_FAILED, CREDIT_LATER };
struct credit_verdict {
    enum credit_outcome outcome;
    struct id transaction_id;
    int64_t created_at_us; /* 0: not said */
    struct text code;      /* FAILED, LATER; in the arena */
};
struct result settle_read_reply(struct settle_batch *batch, struct text reply, struct credit_verdict *verdicts) MUST_CHECK;

/* ---- funds (settle_funds.c) ---- */
void settle_scan_funds(struct settler *settler, int64_t now_us);
void settle_fund_told(struct settle_fund_job *job, struct result outcome);
bool settle_fund_is_behind(const struct settler *settler, uint32_t campaign_number);
static inline struct settle_fund *settle_fund_of(struct settler *settler, uint32_t campaign_number) {
    return &settler->funds[campaign_number - 1];
}

extern struct metric settle_metric_credited, settle_metric_failed, settle_metric_retries, settle_metric_wallet_errors,
    settle_metric_batch_size, settle_metric_lag, settle_metric_unsettled, settle_metric_refused, settle_metric_in_memory;
