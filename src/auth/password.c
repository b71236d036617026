#include "auth/password.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"

#define THREADS_MAX 64u
#define NICENESS    10 /* hashing yields to the loops and to the store when processors are few */

struct password_pool {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    /* Under the mutex. A list of its own and not base/queue.h, whose one taker would have to hand each job on. */
    struct queue_link *oldest, *newest;
    uint32_t waiting_count;
    bool is_stopping;

    /* Constant while the threads run. */
    uint32_t queue_limit;
    enum crypto_cost cost;
    char nobody[CRYPTO_PASSWORD_HASH_BYTES]; /* of a password that nobody knows: what unknown users are compared with */
    size_t thread_count;
    pthread_t threads[THREADS_MAX];
};

static void run_job(struct password_pool *pool, struct password_job *job) {
    switch (job->kind) {
    case PASSWORD_HASH:
        if (!result_is_ok(crypto_password_hash(job->password, pool->cost, job->hash))) job->hash[0] = '\0';
        break;
    case PASSWORD_MATCH: {
        bool is_known = job->hash[0] != '\0';
        bool matches = crypto_password_matches(job->password, is_known ? job->hash : pool->nobody);
        job->matches = matches && is_known;
        break;
    }
    }
    job->done(job);
}

static struct queue_link *take(struct password_pool *pool) {
    CHECK(pthread_mutex_lock(&pool->mutex) == 0);
    while (pool->oldest == NULL && !pool->is_stopping) CHECK(pthread_cond_wait(&pool->not_empty, &pool->mutex) == 0);
    struct queue_link *link = pool->oldest;
    if (link != NULL) {
        pool->oldest = link->next;
        if (pool->oldest == NULL) pool->newest = NULL;
        pool->waiting_count--;
    }
    CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
    return link;
}

static void *work(void *argument) {
    struct password_pool *pool = argument;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* this thread only; without it everything works, less smoothly */
    struct queue_link *link;
    while ((link = take(pool)) != NULL) run_job(pool, CONTAINER_OF(link, struct password_job, link));
    return NULL;
}

static struct result make_nobody(struct password_pool *pool) {
    char password[32];
    crypto_random(password, sizeof password);
    struct result hashed = crypto_password_hash((struct text){password, sizeof password}, pool->cost, pool->nobody);
    crypto_wipe(password, sizeof password);
    return hashed;
}

struct result password_pool_create(size_t thread_count, enum crypto_cost cost, uint32_t queue_limit, struct password_pool **ret_pool) {
    CHECK(thread_count >= 1 && thread_count <= THREADS_MAX && queue_limit >= 1);
    struct password_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return result_error(RESULT_FULL);
    pool->cost = cost;
    pool->queue_limit = queue_limit;
    CHECK(pthread_mutex_init(&pool->mutex, NULL) == 0 && pthread_cond_init(&pool->not_empty, NULL) == 0);
    struct result made = make_nobody(pool);
    while (result_is_ok(made) && pool->thread_count < thread_count) {
        if (pthread_create(&pool->threads[pool->thread_count], NULL, work, pool) != 0) {
            made = result_error(RESULT_FULL);
        } else {
            pthread_setname_np(pool->threads[pool->thread_count], "password");
            pool->thread_count++;
        }
    }
    if (!result_is_ok(made)) {
        password_pool_free(pool);
        return made;
    }
    *ret_pool = pool;
    return result_ok();
}

void password_pool_free(struct password_pool *pool) {
    if (pool == NULL) return;
    CHECK(pthread_mutex_lock(&pool->mutex) == 0);
    pool->is_stopping = true;
    CHECK(pthread_cond_broadcast(&pool->not_empty) == 0);
    CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
    for (size_t i = 0; i < pool->thread_count; i++) CHECK(pthread_join(pool->threads[i], NULL) == 0);
    CHECK(pool->oldest == NULL);
    CHECK(pthread_cond_destroy(&pool->not_empty) == 0 && pthread_mutex_destroy(&pool->mutex) == 0);
    crypto_wipe(pool->nobody, sizeof pool->nobody);
    free(pool);
}

struct result password_pool_submit(struct password_pool *pool, struct password_job *job) {
    CHECK(job->done != NULL);
    job->link.next = NULL;
    CHECK(pthread_mutex_lock(&pool->mutex) == 0);
    bool is_refused = pool->is_stopping || pool->waiting_count == pool->queue_limit;
    if (!is_refused) {
        if (pool->newest == NULL) {
            pool->oldest = &job->link;
        } else {
            pool->newest->next = &job->link;
        }
        pool->newest = &job->link;
        pool->waiting_count++;
        CHECK(pthread_cond_signal(&pool->not_empty) == 0);
    }
    CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
    return is_refused ? result_error(RESULT_FULL) : result_ok();
}
