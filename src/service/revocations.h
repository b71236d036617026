/* Sessions that ended before their access tokens did: both services refuse those tokens.
 *
 * walletd fills it from the database at start and by the store's thread after each commit, and publishes it (GET /v1/revocations); discountd fills it from
 * there by the settler's thread. Asked by the loops at each request. An entry is dropped when
 * the last token it can concern has expired. While nothing is revoked, asking costs one relaxed load. */
#pragma once

#include "base/id.h"
#include "base/result.h"

#define REVOCATIONS_MAX 262144u /* beyond it ending a session is refused with 503 overloaded until older entries expire */

struct revocation {
    struct id id;           /* of a session or of a user: both are UUIDv7, they never meet */
    struct id cutoff, kept; /* users: all sessions with ids below `cutoff` but `kept` */
    int64_t expires_at_us;
};

/* A place in the order in which they came: of this process only. */
struct revocation_mark {
    int64_t origin, number;
};

struct revocations;
/* `lifetime_us`: of an access token. RESULT_FULL: no memory. */
struct result revocations_create(int64_t lifetime_us, struct revocations **ret_revocations) MUST_CHECK;
void revocations_free(struct revocations *revocations);
/* The store's thread, or before the threads start. `ended_at_us` dates it. */
void revocations_add_session(struct revocations *revocations, struct id session_id, int64_t ended_at_us, int64_t now_us);
/* All sessions of the user with ids below `cutoff` but `kept`. */
void revocations_add_user(struct revocations *revocations, struct id user_id, struct id cutoff, struct id kept, int64_t ended_at_us,
                          int64_t now_us);
/* What is in already as it is is not added again. */
void revocations_add(struct revocations *revocations, const struct revocation *revocation, int64_t now_us);
/* Any thread: the oldest behind the mark, at most `max` of them, and the mark behind those. A mark of another process, or of none, is before them all. */
size_t revocations_read(struct revocations *revocations, struct revocation_mark after, struct revocation *ret_read, size_t max,
                        struct revocation_mark *ret_mark);
/* Any thread. */
bool revocations_contain(struct revocations *revocations, struct id user_id, struct id session_id);
/* Any thread: whether there is room for what waits in the store's queue as well. */
bool revocations_have_room(const struct revocations *revocations);
