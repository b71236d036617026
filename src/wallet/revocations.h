/* Sessions that ended before their access tokens did: walletd refuses those tokens at once.
 *
 * Filled from the database at start and by the store's thread after each commit, asked by the loops at each request. An entry is dropped when
 * the last token it can concern has expired. While nothing is revoked, asking costs one relaxed load. */
#pragma once

#include "base/id.h"
#include "base/result.h"

#define REVOCATIONS_MAX 262144u /* beyond it ending a session is refused with 503 overloaded until older entries expire */

struct revocations;
/* `lifetime_us`: of an access token. RESULT_FULL: no memory. */
struct result revocations_create(int64_t lifetime_us, struct revocations **ret_revocations) MUST_CHECK;
void revocations_free(struct revocations *revocations);
/* The store's thread, or before the threads start. `ended_at_us` dates it. */
void revocations_add_session(struct revocations *revocations, struct id session_id, int64_t ended_at_us, int64_t now_us);
/* All sessions of the user with ids below `cutoff` but `kept`. */
void revocations_add_user(struct revocations *revocations, struct id user_id, struct id cutoff, struct id kept, int64_t ended_at_us,
                          int64_t now_us);
/* Any thread. */
bool revocations_contain(struct revocations *revocations, struct id user_id, struct id session_id);
/* Any thread: whether there is room for what waits in the store's queue as well. */
bool revocations_have_room(const struct revocations *revocations);
