#include "auth/password.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "auth/opaque.h"
#include "base/check.h"

#define THREADS_MAX 64u
#define NICENESS    10    /* hashing yields to the loops and to the store when processors are few */
#define LANES       1024u /* of subnets, and of addresses; a power of two */

/* Those who take a turn together. Turns are counted, not timed: the lane with the lowest number is next. */
struct lane {
    uint64_t turn;        /* its next */
    uint64_t turn_within; /* of a subnet: the newest turn among its addresses */
    uint32_t waiting_count;
};

struct waiting {
    struct password_job *job;
    uint64_t number; /* of arrival */
    uint32_t subnet, address;
};

struct password_pool {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    /* Under the mutex. */
    struct waiting *waiting; /* [queue_limit], in no order: whoever is next is looked for, which costs less than a thousandth of a hash */
    uint32_t waiting_count;
    uint64_t arrival_count;
    uint64_t turn; /* the newest among subnets */
    struct lane subnets[LANES], addresses[LANES];
    bool is_stopping;

    /* Constant while the threads run. */
    uint32_t queue_limit;
    enum crypto_cost cost;
    char nobody[CRYPTO_PASSWORD_HASH_BYTES]; /* of a password that nobody knows: what unknown users are compared with */
    uint8_t secret[16];                      /* so that nobody can choose whose turn they share */
    size_t thread_count;
    pthread_t threads[THREADS_MAX];
};

/* ---- turns ---- */

static uint32_t lane_of(const struct password_pool *pool, struct text who) {
    return (uint32_t)(crypto_short_hash(who, pool->secret) % LANES);
}

/* Who comes back takes part from now on: what it did not use is lost. */
static void enter(struct password_pool *pool, const struct waiting *waiting) {
    struct lane *subnet = &pool->subnets[waiting->subnet], *address = &pool->addresses[waiting->address];
    if (subnet->waiting_count++ == 0 && subnet->turn < pool->turn) subnet->turn = pool->turn;
    if (address->waiting_count++ == 0 && address->turn < subnet->turn_within) address->turn = subnet->turn_within;
    pool->waiting[pool->waiting_count++] = *waiting;
}

static struct password_job *leave(struct password_pool *pool, uint32_t index) {
    struct waiting *waiting = &pool->waiting[index];
    struct password_job *job = waiting->job;
    pool->subnets[waiting->subnet].waiting_count--;
    pool->addresses[waiting->address].waiting_count--;
    *waiting = pool->waiting[--pool->waiting_count];
    return job;
}

static bool is_before(const struct password_pool *pool, const struct waiting *a, const struct waiting *b) {
    uint64_t subnet_a = pool->subnets[a->subnet].turn, subnet_b = pool->subnets[b->subnet].turn;
    if (subnet_a != subnet_b) return subnet_a < subnet_b;
    uint64_t address_a = pool->addresses[a->address].turn, address_b = pool->addresses[b->address].turn;
    return address_a != address_b ? address_a < address_b : a->number < b->number;
}

static struct password_job *take_next(struct password_pool *pool) {
    uint32_t next = 0;
    for (uint32_t i = 1; i < pool->waiting_count; i++) {
        if (is_before(pool, &pool->waiting[i], &pool->waiting[next])) next = i;
    }
    struct lane *subnet = &pool->subnets[pool->waiting[next].subnet], *address = &pool->addresses[pool->waiting[next].address];
    pool->turn = subnet->turn++;
    subnet->turn_within = address->turn++;
    return leave(pool, next);
}

/* Of the subnet with most in the queue, and there of the address with most: its newest. NULL: that is no more than the newcomer has. */
static struct password_job *take_excess(struct password_pool *pool, const struct waiting *newcomer) {
    uint32_t most = 0;
    for (uint32_t i = 1; i < pool->waiting_count; i++) {
        const struct waiting *a = &pool->waiting[i], *b = &pool->waiting[most];
        uint32_t subnet_a = pool->subnets[a->subnet].waiting_count, subnet_b = pool->subnets[b->subnet].waiting_count;
        uint32_t address_a = pool->addresses[a->address].waiting_count, address_b = pool->addresses[b->address].waiting_count;
        bool is_more = subnet_a != subnet_b ? subnet_a > subnet_b : address_a != address_b ? address_a > address_b : a->number > b->number;
        if (is_more) most = i;
    }
    const struct waiting *richest = &pool->waiting[most];
    bool is_of_subnet = richest->subnet == newcomer->subnet;
    uint32_t own = is_of_subnet ? pool->addresses[newcomer->address].waiting_count : pool->subnets[newcomer->subnet].waiting_count;
    uint32_t excess = is_of_subnet ? pool->addresses[richest->address].waiting_count : pool->subnets[richest->subnet].waiting_count;
    return excess > own + 1 ? leave(pool, most) : NULL;
}

/* ---- threads ---- */

static void end(struct password_job *job, enum password_end how) {
    job->end = how;
    job->done(job);
}

static void run_job(struct password_pool *pool, struct password_job *job) {
    if (job->begins != NULL && !job->begins(job)) {
        end(job, PASSWORD_NOT_BEGUN);
        return;
    }
    switch (job->kind) {
    case PASSWORD_HASH:
        if (!result_is_ok(opaque_hash(job->password, pool->cost, job->hash))) job->hash[0] = '\0';
        break;
    case PASSWORD_MATCH: {
        bool is_known = job->hash[0] != '\0';
        bool matches = opaque_matches(job->password, is_known ? job->hash : pool->nobody);
        job->matches = matches && is_known;
        break;
    }
    }
    end(job, PASSWORD_WORKED);
}

static struct password_job *take(struct password_pool *pool) {
    CHECK(pthread_mutex_lock(&pool->mutex) == 0);
    while (pool->waiting_count == 0 && !pool->is_stopping) CHECK(pthread_cond_wait(&pool->not_empty, &pool->mutex) == 0);
    struct password_job *job = pool->is_stopping ? NULL : take_next(pool);
    CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
    return job;
}

static void *work(void *argument) {
    struct password_pool *pool = argument;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* this thread only; without it everything works, less smoothly */
    struct password_job *job;
    while ((job = take(pool)) != NULL) run_job(pool, job);
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
    pool->waiting = calloc(queue_limit, sizeof *pool->waiting);
    if (pool->waiting == NULL) {
        free(pool);
        return result_error(RESULT_FULL);
    }
    pool->cost = cost;
    pool->queue_limit = queue_limit;
    CHECK(pthread_mutex_init(&pool->mutex, NULL) == 0 && pthread_cond_init(&pool->not_empty, NULL) == 0);
    crypto_random(pool->secret, sizeof pool->secret);
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
    while (pool->waiting_count > 0) end(leave(pool, 0), PASSWORD_DROPPED);
    CHECK(pthread_cond_destroy(&pool->not_empty) == 0 && pthread_mutex_destroy(&pool->mutex) == 0);
    crypto_wipe(pool->nobody, sizeof pool->nobody);
    free(pool->waiting);
    free(pool);
}

struct result password_pool_submit(struct password_pool *pool, struct password_job *job) {
    CHECK(job->done != NULL);
    struct waiting newcomer = {.job = job, .subnet = lane_of(pool, job->subnet), .address = lane_of(pool, job->address)};
    struct password_job *excess = NULL;
    CHECK(pthread_mutex_lock(&pool->mutex) == 0);
    if (!pool->is_stopping && pool->waiting_count == pool->queue_limit) excess = take_excess(pool, &newcomer);
    bool is_refused = pool->is_stopping || pool->waiting_count == pool->queue_limit;
    if (!is_refused) {
        newcomer.number = pool->arrival_count++;
        enter(pool, &newcomer);
        CHECK(pthread_cond_signal(&pool->not_empty) == 0);
    }
    CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
    if (excess != NULL) end(excess, PASSWORD_DROPPED);
    return is_refused ? result_error(RESULT_FULL) : result_ok();
}
