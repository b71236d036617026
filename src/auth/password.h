/* Argon2id in a small pool of its own: a storm of logins must not slow a redemption, nor one client's logins another's.
 *
 * What waits takes turns: subnets among each other, and within a subnet its addresses, each the oldest first. So a login waits for the one that is being
 * hashed and for one of each other subnet, however many of them one has sent. A subnet and an address are known by a hash's last bits: two that share
 * them share a turn (stochastic fairness queuing, McKenney 1990). When the queue is full, who has most in it loses its newest. */
#pragma once

#include "base/crypto.h"

enum password_end {
    PASSWORD_WORKED,
    PASSWORD_NOT_BEGUN, /* `begins` said no */
    PASSWORD_DROPPED,   /* it gave way to others in a full queue, or the pool was stopped */
};

struct password_job {
    enum { PASSWORD_HASH, PASSWORD_MATCH } kind;
    struct text password; /* must live until done; the caller wipes it */
    /* HASH: result, empty = no memory; MATCH: what to compare with, empty = unknown user: the same time is spent */
    char hash[CRYPTO_PASSWORD_HASH_BYTES];
    bool matches;
    struct text subnet, address; /* whose turn it takes: any bytes, which live until it is submitted */
    /* When its turn has come, before the work: false, nobody wants it any more, or it may not be. On a pool thread; NULL: it is worked. */
    bool (*begins)(struct password_job *job);
    enum password_end end;
    void (*done)(struct password_job *job); /* on a pool thread; DROPPED: on whichever thread submits, or stops the pool */
};

struct password_pool;
struct result password_pool_create(size_t thread_count, enum crypto_cost cost, uint32_t queue_limit,
                                   struct password_pool **ret_pool) MUST_CHECK;
void password_pool_free(struct password_pool *pool); /* finishes what is being hashed, and drops what waits */
/* RESULT_FULL: nobody has more in the full queue than this one's address: 503 */
struct result password_pool_submit(struct password_pool *pool, struct password_job *job) MUST_CHECK;
