#include "wallet/attempts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crypto.h"

#define GROUP_SIZE 4u
#define GROUPS     (ATTEMPTS_MAX / GROUP_SIZE)
#define NAME_BYTES 64u /* longer names are no users: what follows is not looked at */

struct attempt {
    uint64_t key; /* SipHash of username and address; 0: free */
    int32_t failures;
    int64_t last_us, blocked_until_us;
};

struct attempts {
    pthread_mutex_t lock;
    uint8_t secret[16];
    struct attempt groups[GROUPS][GROUP_SIZE];
};

struct result attempts_create(struct attempts **ret_attempts) {
    struct attempts *attempts = calloc(1, sizeof *attempts);
    if (attempts == NULL) return result_error(RESULT_FULL);
    CHECK(pthread_mutex_init(&attempts->lock, NULL) == 0);
    crypto_random(attempts->secret, sizeof attempts->secret);
    *ret_attempts = attempts;
    return result_ok();
}

void attempts_free(struct attempts *attempts) {
    if (attempts == NULL) return;
    CHECK(pthread_mutex_destroy(&attempts->lock) == 0);
    free(attempts);
}

static uint64_t key_of(const struct attempts *attempts, struct text username, struct address address) {
    char joined[sizeof address.bytes + NAME_BYTES];
    struct text name = text_cut(username, NAME_BYTES);
    memcpy(joined, address.bytes, sizeof address.bytes);
    if (name.size > 0) memcpy(joined + sizeof address.bytes, name.data, name.size);
    uint64_t key = crypto_short_hash((struct text){joined, sizeof address.bytes + name.size}, attempts->secret);
    return key == 0 ? 1 : key;
}

static struct attempt *find(struct attempts *attempts, uint64_t key, int64_t now_us) {
    struct attempt *group = attempts->groups[key % GROUPS];
    for (size_t i = 0; i < GROUP_SIZE; i++) {
        if (group[i].key == key && now_us - group[i].last_us < ATTEMPTS_FORGET_US) return &group[i];
    }
    return NULL;
}

static struct attempt *make(struct attempts *attempts, uint64_t key) {
    struct attempt *group = attempts->groups[key % GROUPS];
    struct attempt *chosen = &group[0];
    for (size_t i = 0; i < GROUP_SIZE; i++) {
        if (group[i].key == key || group[i].key == 0) {
            chosen = &group[i];
            break;
        }
        if (group[i].last_us < chosen->last_us) chosen = &group[i];
    }
    *chosen = (struct attempt){.key = key};
    return chosen;
}

int64_t attempts_wait_us(struct attempts *attempts, struct text username, struct address address, int64_t now_us) {
    uint64_t key = key_of(attempts, username, address);
    CHECK(pthread_mutex_lock(&attempts->lock) == 0);
    const struct attempt *attempt = find(attempts, key, now_us);
    int64_t wait_us = attempt == NULL || attempt->blocked_until_us <= now_us ? 0 : attempt->blocked_until_us - now_us;
    CHECK(pthread_mutex_unlock(&attempts->lock) == 0);
    return wait_us;
}

void attempts_failed(struct attempts *attempts, struct text username, struct address address, int64_t now_us) {
    uint64_t key = key_of(attempts, username, address);
    CHECK(pthread_mutex_lock(&attempts->lock) == 0);
    struct attempt *attempt = find(attempts, key, now_us);
    if (attempt == NULL) attempt = make(attempts, key);
    if (attempt->failures < INT32_MAX) attempt->failures++;
    attempt->last_us = now_us;
    if (attempt->failures >= ATTEMPTS_FREE) {
        int64_t wait_us = ATTEMPTS_FIRST_WAIT_US;
        for (int32_t i = ATTEMPTS_FREE; i < attempt->failures && wait_us < ATTEMPTS_LONGEST_WAIT_US; i++) wait_us *= 2;
        attempt->blocked_until_us = now_us + (wait_us < ATTEMPTS_LONGEST_WAIT_US ? wait_us : ATTEMPTS_LONGEST_WAIT_US);
    }
    CHECK(pthread_mutex_unlock(&attempts->lock) == 0);
}

void attempts_succeeded(struct attempts *attempts, struct text username, struct address address) {
    uint64_t key = key_of(attempts, username, address);
    CHECK(pthread_mutex_lock(&attempts->lock) == 0);
    struct attempt *group = attempts->groups[key % GROUPS];
    for (size_t i = 0; i < GROUP_SIZE; i++) {
        if (group[i].key == key) group[i] = (struct attempt){0};
    }
    CHECK(pthread_mutex_unlock(&attempts->lock) == 0);
}
