#include "discount/limiter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"

#define ROWS        4096u /* of each table; a power of two */
#define ROW_ENTRIES 8u
#define MINUTE_US   (60 * CLOCK_SECOND_US)

/* A bucket as the time at which it will be full again: one number instead of a level and a time (the "generic cell rate algorithm"). */
struct bucket {
    _Atomic uint64_t key; /* hash; 0: unused. Written under the table's lock */
    int64_t full_at_us;
};

struct limiter_table {
    pthread_mutex_t lock;
    int64_t interval_us; /* to regain one token */
    int64_t burst;
    struct bucket rows[ROWS][ROW_ENTRIES];
};

struct limiter {
    struct limiter_table users, addresses, subnets;
    uint8_t secret[16];
};

static void init_table(struct limiter_table *table, int64_t burst, int64_t per_minute) {
    CHECK(pthread_mutex_init(&table->lock, NULL) == 0);
    table->burst = burst;
    table->interval_us = MINUTE_US / per_minute;
}

struct result limiter_create(struct limiter **ret_limiter) {
    struct limiter *limiter = calloc(1, sizeof *limiter);
    if (limiter == NULL) return result_error(RESULT_FULL);
    init_table(&limiter->users, LIMITER_USER_BURST, LIMITER_USER_PER_MINUTE);
    init_table(&limiter->addresses, LIMITER_ADDRESS_BURST, LIMITER_ADDRESS_PER_MINUTE);
    init_table(&limiter->subnets, LIMITER_SUBNET_BURST, LIMITER_SUBNET_PER_MINUTE);
    crypto_random(limiter->secret, sizeof limiter->secret);
    *ret_limiter = limiter;
    return result_ok();
}

void limiter_free(struct limiter *limiter) {
    if (limiter == NULL) return;
    pthread_mutex_destroy(&limiter->users.lock);
    pthread_mutex_destroy(&limiter->addresses.lock);
    pthread_mutex_destroy(&limiter->subnets.lock);
    free(limiter);
}

/* The key's bucket; with `makes`, one that was unused or will be full again first is taken for it. */
static struct bucket *find_bucket(struct limiter_table *table, uint64_t key, bool makes) {
    struct bucket *row = table->rows[key % ROWS];
    struct bucket *least = &row[0];
    for (size_t i = 0; i < ROW_ENTRIES; i++) {
        if (atomic_load_explicit(&row[i].key, memory_order_relaxed) == key) return &row[i];
        if (row[i].full_at_us < least->full_at_us) least = &row[i];
    }
    if (!makes) return NULL;
    atomic_store_explicit(&least->key, key, memory_order_relaxed);
    least->full_at_us = 0;
    return least;
}

/* Without the lock: whether the key has a bucket. Nearly nobody has guessed lately, and those who did see their own guesses. */
static bool has_bucket(const struct limiter_table *table, uint64_t key) {
    const struct bucket *row = table->rows[key % ROWS];
    bool has = false;
    for (size_t i = 0; i < ROW_ENTRIES; i++) has |= atomic_load_explicit(&row[i].key, memory_order_relaxed) == key;
    return has;
}

/* Until there is a token again; 0 when there is one. */
static int64_t wait_us(const struct limiter_table *table, const struct bucket *bucket, int64_t now_us) {
    if (bucket == NULL) return 0;
    int64_t wait = bucket->full_at_us - now_us - (table->burst - 1) * table->interval_us;
    return wait > 0 ? wait : 0;
}

static int64_t take(struct limiter_table *table, uint64_t key, int64_t now_us) {
    CHECK(pthread_mutex_lock(&table->lock) == 0);
    struct bucket *bucket = find_bucket(table, key, true);
    int64_t wait = wait_us(table, bucket, now_us);
    if (wait == 0) bucket->full_at_us = (bucket->full_at_us > now_us ? bucket->full_at_us : now_us) + table->interval_us;
    CHECK(pthread_mutex_unlock(&table->lock) == 0);
    return wait;
}

static int64_t to_seconds(int64_t duration_us) { return (duration_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US; }

static uint64_t hash(const struct limiter *limiter, const void *data, size_t size) {
    uint64_t key = crypto_short_hash((struct text){data, size}, limiter->secret);
    return key == 0 ? 1 : key;
}

/* Of the address's first bits. */
static uint64_t address_key(const struct limiter *limiter, const struct address *client, uint8_t v4_bits, uint8_t v6_bits) {
    struct address first = address_prefix(client, v4_bits, v6_bits);
    return hash(limiter, first.bytes, sizeof first.bytes);
}

int64_t limiter_user_wait_s(struct limiter *limiter, struct id user_id, int64_t now_monotonic_us) {
    uint64_t key = hash(limiter, user_id.bytes, sizeof user_id.bytes);
    if (!has_bucket(&limiter->users, key)) return 0;
    CHECK(pthread_mutex_lock(&limiter->users.lock) == 0);
    struct bucket *bucket = find_bucket(&limiter->users, key, false);
    int64_t wait = wait_us(&limiter->users, bucket, now_monotonic_us);
    CHECK(pthread_mutex_unlock(&limiter->users.lock) == 0);
    return to_seconds(wait);
}

int64_t limiter_count_wrong(struct limiter *limiter, struct id user_id, struct address client, int64_t now_monotonic_us) {
    int64_t user_wait = take(&limiter->users, hash(limiter, user_id.bytes, sizeof user_id.bytes), now_monotonic_us);
    int64_t address_wait = take(&limiter->addresses, address_key(limiter, &client, 32, 64), now_monotonic_us);
    int64_t subnet_wait = take(&limiter->subnets, address_key(limiter, &client, 24, 48), now_monotonic_us);
    int64_t wait = user_wait > address_wait ? user_wait : address_wait;
    return to_seconds(wait > subnet_wait ? wait : subnet_wait);
}
