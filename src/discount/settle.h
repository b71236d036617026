/* The settler: pays out what was promised, and answers those who wait for it.
 *
 * One thread, an event loop over HTTP calls to Wallet, its own queue and its deadlines; it never blocks for longer than the nearest of them.
 *
 *   claim:  READY ─▶ IN_FLIGHT (one POST /v1/credits with up to 1000) ─▶ MARKING (through the store) ─▶ gone
 *             ▲          │ refused for now                                  │ the store failed
 *             ├── HELD ◀─┼─ its campaign's fund is behind                   │
 *             └─ DELAYED ◀┴─────────────────────────────────────────────────┘
 *
 * Invariants: a claim is in at most one call; it leaves memory only when its mark is committed (or never entered: then it waits in the
 * database, and is read from there when there is room again); claims are sent only while their fund can pay for every place; whatever the
 * answer, a claim is credited, failed for a code that is final, or tried again. */
#pragma once

#include "auth/keys.h"
#include "discount/board.h"
#include "discount/operation.h"

struct settler;

struct settler_options {
    struct discount *discount; /* its board and store */
    const struct clock *clock;
    const struct key_ring *keys;
    const char *wallet_url;    /* without a slash at the end */
    const char *database_path; /* for its own reader */
    int64_t settle_wait_ms;    /* how long a request waits for Wallet */
    size_t claims_max;         /* 0: LIMIT_SETTLE_CLAIMS */
};

struct result settler_create(const struct settler_options *options, struct settler **ret_settler) MUST_CHECK;
struct result settler_start(struct settler *settler) MUST_CHECK;
/* After the HTTP server has drained, while the store runs: lets what is on its way come back (a few seconds), answers who still waits. */
void settler_stop(struct settler *settler);
void settler_free(struct settler *settler);

/* The store's thread: an operation with ANSWER_WAITING, or one of the settler's own that comes back. */
void settler_submit(struct settler *settler, struct discount_operation *operation);
/* Any thread: campaigns have changed, look at their funds. */
void settler_poke(struct settler *settler);

void settler_register_metrics(void);

/* ---- service tokens (settle_token.c), also for reconcile ---- */
#define SERVICE_TOKEN_LIFETIME_US (INT64_C(300) * 1000000) /* api/wallet.yaml: at most 5 minutes */
struct service_token {
    const struct key_ring *keys;
    char *text; /* NULL: none yet */
    int64_t expires_at_us;
};
/* The token to send now, renewed when less than a minute is left; NULL when it can't be signed (logged). */
const char *service_token_get(struct service_token *token, int64_t now_us);
void service_token_drop(struct service_token *token); /* Wallet does not take it: sign a new one */
