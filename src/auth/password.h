/* Argon2id in a small pool of its own with a bounded queue: a storm of logins must not slow a redemption. */
#pragma once

#include "base/crypto.h"
#include "base/queue.h"

struct password_job {
    struct queue_link link;
    enum { PASSWORD_HASH, PASSWORD_MATCH } kind;
    struct text password; /* must live until done; the caller wipes it */
    char hash
        [CRYPTO_PASSWORD_HASH_BYTES]; /* HASH: result, empty = no memory; MATCH: what to compare with, empty = unknown user: the same time is spent */
    bool matches;
    void (*done)(struct password_job *job); /* on a pool thread */
};

struct password_pool;
struct result password_pool_create(size_t thread_count, enum crypto_cost cost, uint32_t queue_limit,
                                   struct password_pool **ret_pool) MUST_CHECK;
void password_pool_free(struct password_pool *pool);                                                 /* finishes what waits */
struct result password_pool_submit(struct password_pool *pool, struct password_job *job) MUST_CHECK; /* RESULT_FULL: 503 */
