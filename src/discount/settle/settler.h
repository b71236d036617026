/* The settler: pays out what was promised, and answers those who wait for it.
 *
 * One thread, an event loop over HTTP calls to Wallet, its own messages and its deadlines; it never blocks for longer than the nearest of them. Its
 * rooms, each of which owns its struct and includes only what stands below it:
 *
 *   settler    the thread: what it does in a round, how it stops
 *   credits    claims as POST /v1/credits, their marks        funds      opened, topped up, released
 *   reversals  what is owed as POST /v1/credits/reversals, their marks
 *   claims     the pool, and what is only in the database     reply      Wallet's answer to a batch
 *   delivery   batches, back-off, an outcome for each item, halving
 *   greeting   who answers at the address                     ended      sessions that ended before their tokens
 *   comparison whether our books and Wallet's agree           walk       each credit of a fund against its redemption
 *   verdict    what the counts say                            unknown    credits that we have lost, and who takes them
 *   calls      client and token        waiters    requests and their deadlines        messages   other threads, the store
 *   rebuild    redemptions made anew of what Wallet has paid    archive    who may leave memory
 *   instance   which Wallet may answer          reach      whether it is there          backoff, token
 *
 *   claim:  READY ─▶ IN_FLIGHT (one POST /v1/credits with up to 1000) ─▶ KEEPING (its mark, through the store) ─▶ gone
 *             ▲          │ refused for now                                  │ the store failed
 *             └─ DELAYED ◀┴─────────────────────────────────────────────────┘
 *
 * Invariants: a claim is in at most one call; it leaves memory only when its mark is committed (or never entered: then it waits in the
 * database, and is read from there when there is room again); claims are sent only once their fund is open and the books of their campaign agree; whatever the
 * answer, a claim is credited, failed for a code that is final, or tried again. */
#pragma once

#include "auth/keys.h"
#include "discount/board.h"
#include "discount/operation.h"
#include "service/readiness.h"

struct revocations;
struct settler;

struct settler_options {
    const struct board *board;
    const struct clock *clock;
    const struct key_ring *keys;
    const char *wallet_url;          /* without a slash at the end */
    struct id wallet_instance;       /* the one that has our funds; zero: none was met */
    const char *trust_path;          /* where the operator's word about another one would be; NULL: nowhere */
    const struct place *place;       /* for its own reader; read by settler_create alone */
    int64_t settle_wait_ms;          /* how long a request waits for Wallet */
    struct readiness *readiness;     /* is told whether Wallet is there; NULL: it is not asked */
    struct revocations *revocations; /* gets what Wallet says has ended; NULL: it is not asked */
    int64_t clock_leeway_us;         /* by which tokens are judged here */
    bool archives;                   /* campaigns that are over, */
    int64_t archive_after_us;        /* so long after their end */
    size_t claims_max;               /* 0: LIMIT_SETTLE_CLAIMS */
};

/* What the options point at is lent until settler_free. RESULT_FULL, or what the client and the reader say. */
struct result settler_create(const struct settler_options *options, struct settler **ret_settler) MUST_CHECK;
/* The store is lent until settler_stop. RESULT_FULL: no thread. */
struct result settler_start(struct settler *settler, struct store *store) MUST_CHECK;
/* A descriptor that can be read from the moment on that the books of all campaigns which the database held at the start have been compared with Wallet's
 * (comparison.h). Not before settler_start; never, when there was none. */
int settler_compared(const struct settler *settler);
/* After the HTTP server has drained, while the store runs: lets what is on its way come back (a few seconds), answers who still waits. */
void settler_stop(struct settler *settler);
void settler_free(struct settler *settler);

/* The store's thread: a request that waits (FATE_WAITING). It is the settler's from now on. */
void settler_submit(struct settler *settler, struct discount_operation *operation);
/* Any thread: so many claims are on their way to Wallet. */
int64_t settler_claims(void);
/* Any thread: campaigns have changed, look at their funds. */
void settler_poke(struct settler *settler);

void settler_register_metrics(void);
