/* A ring in the order of ending, which is the order of expiry, and a map from the id to its newest entry in the ring. */
#include "service/revocations.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/identity.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/pages.h"

struct revocations {
    int64_t lifetime_us;
    pthread_rwlock_t lock;
    atomic_size_t count; /* of the ring; 0 is the fast way out */
    size_t oldest;
    int64_t origin, added; /* this process's own number, and how many were ever added: the number of the newest */
    struct map by_id;
    struct revocation *ring;
};

struct result revocations_create(int64_t lifetime_us, struct revocations **ret_revocations) {
    struct revocations *revocations = calloc(1, sizeof *revocations);
    if (revocations == NULL) return result_error(RESULT_FULL);
    revocations->lifetime_us = lifetime_us;
    crypto_random(&revocations->origin, sizeof revocations->origin);
    revocations->ring = pages_take(REVOCATIONS_MAX, sizeof *revocations->ring);
    CHECK(pthread_rwlock_init(&revocations->lock, NULL) == 0);
    if (revocations->ring == NULL || !result_is_ok(map_init(&revocations->by_id, REVOCATIONS_MAX))) {
        revocations_free(revocations);
        return result_error(RESULT_FULL);
    }
    *ret_revocations = revocations;
    return result_ok();
}

void revocations_free(struct revocations *revocations) {
    if (revocations == NULL) return;
    CHECK(pthread_rwlock_destroy(&revocations->lock) == 0);
    map_free(&revocations->by_id);
    pages_free(revocations->ring, REVOCATIONS_MAX, sizeof *revocations->ring);
    free(revocations);
}

static struct text key_of(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

static void drop_oldest(struct revocations *revocations) {
    struct revocation *oldest = &revocations->ring[revocations->oldest];
    if (map_get(&revocations->by_id, key_of(&oldest->id)) == oldest) map_remove(&revocations->by_id, key_of(&oldest->id));
    revocations->oldest = (revocations->oldest + 1) % REVOCATIONS_MAX;
    atomic_fetch_sub(&revocations->count, 1);
}

static bool is_in(const struct revocations *revocations, const struct revocation *revocation) {
    const struct revocation *found = map_get(&revocations->by_id, key_of(&revocation->id));
    return found != NULL && id_equal(found->cutoff, revocation->cutoff) && id_equal(found->kept, revocation->kept) &&
           found->expires_at_us >= revocation->expires_at_us;
}

static void put(struct revocations *revocations, const struct revocation *revocation, int64_t now_us) {
    while (atomic_load(&revocations->count) > 0 && revocations->ring[revocations->oldest].expires_at_us <= now_us) drop_oldest(revocations);
    /* Only reached when the handlers' look at the room was not enough: the one that expires soonest goes. */
    if (atomic_load(&revocations->count) == REVOCATIONS_MAX) drop_oldest(revocations);
    struct revocation *slot = &revocations->ring[(revocations->oldest + atomic_load(&revocations->count)) % REVOCATIONS_MAX];
    *slot = *revocation;
    struct result put = map_put(&revocations->by_id, key_of(&slot->id), slot);
    CHECK(result_is_ok(put));
    revocations->added++;
    atomic_fetch_add(&revocations->count, 1);
}

void revocations_add(struct revocations *revocations, const struct revocation *revocation, int64_t now_us) {
    if (revocation->expires_at_us <= now_us) return;
    CHECK(pthread_rwlock_wrlock(&revocations->lock) == 0);
    if (!is_in(revocations, revocation)) put(revocations, revocation, now_us);
    CHECK(pthread_rwlock_unlock(&revocations->lock) == 0);
}

void revocations_add_session(struct revocations *revocations, struct id session_id, int64_t ended_at_us, int64_t now_us) {
    struct revocation revocation = {.id = session_id, .expires_at_us = ended_at_us + revocations->lifetime_us};
    revocations_add(revocations, &revocation, now_us);
}

void revocations_add_user(struct revocations *revocations, struct id user_id, struct id cutoff, struct id kept, int64_t ended_at_us,
                          int64_t now_us) {
    struct revocation revocation = {.id = user_id, .cutoff = cutoff, .kept = kept, .expires_at_us = ended_at_us + revocations->lifetime_us};
    revocations_add(revocations, &revocation, now_us);
}

size_t revocations_read(struct revocations *revocations, struct revocation_mark after, struct revocation *ret_read, size_t max,
                        struct revocation_mark *ret_mark) {
    CHECK(pthread_rwlock_rdlock(&revocations->lock) == 0);
    size_t count = atomic_load(&revocations->count), read = 0;
    int64_t before_oldest = revocations->added - (int64_t)count, at = after.number;
    if (after.origin != revocations->origin || at < before_oldest || at > revocations->added) at = before_oldest;
    for (; at < revocations->added && read < max; at++)
        ret_read[read++] = revocations->ring[(revocations->oldest + (size_t)(at - before_oldest)) % REVOCATIONS_MAX];
    *ret_mark = (struct revocation_mark){revocations->origin, at};
    CHECK(pthread_rwlock_unlock(&revocations->lock) == 0);
    return read;
}

bool revocations_contain(struct revocations *revocations, struct id user_id, struct id session_id) {
    if (atomic_load_explicit(&revocations->count, memory_order_acquire) == 0) return false;
    CHECK(pthread_rwlock_rdlock(&revocations->lock) == 0);
    bool is_revoked = map_get(&revocations->by_id, key_of(&session_id)) != NULL;
    const struct revocation *of_user = is_revoked ? NULL : map_get(&revocations->by_id, key_of(&user_id));
    if (of_user != NULL) is_revoked = session_is_cut_off(session_id, of_user->cutoff, of_user->kept);
    CHECK(pthread_rwlock_unlock(&revocations->lock) == 0);
    return is_revoked;
}

bool revocations_have_room(const struct revocations *revocations) {
    return atomic_load(&revocations->count) < REVOCATIONS_MAX - LIMIT_STORE_QUEUE;
}
