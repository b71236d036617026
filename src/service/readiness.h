/* What /readyz says: each part of the service by name, with its state in a word or two.
 *
 * | part   | states, the worst first                                                                 | 503 |
 * | store  | "taken over", "full", "unavailable" (another program, or no server), "failing", "ok"    | all but "ok" |
 * | keys   | "unavailable" (of an issuer none are known), "stale" (the last ones serve), "ok"        | no  |
 * | wallet | "another instance", "unreachable", "unknown" (not asked yet), "ok"                      | no  |
 * | audit  | "diverged" (the audit log, or the books of walletd, are not as they were written), "ok" | no  |
 * | codes  | "key missing" (unique codes can't be told); else it is not shown                     | no  |
 *
 * Only a service that can't write is not ready: what hangs on another service's being there must not take this one out of its balancer. The store is asked
 * when somebody wants to know; of the others whoever learns something says so, from any thread. */
#pragma once

#include <stdatomic.h>

#include "base/json/json.h"
#include "store/store.h"

/* What may be wrong with a part. Of several concerns of one part the first that has a state is shown. */
enum concern {
    CONCERN_KEYS,
    CONCERN_WALLET_INSTANCE,
    CONCERN_WALLET_REACH,
    CONCERN_AUDIT,
    CONCERN_SELF_AUDIT,
    CONCERN_CODES,
    CONCERN_COUNT
};

/* Zero: every part of which nothing was said is not shown. */
struct readiness {
    _Atomic(const char *) states[CONCERN_COUNT];
};

/* Any thread. A constant; "ok": nothing is wrong. True when it was another one before. */
bool readiness_say(struct readiness *readiness, enum concern concern, const char *state);
/* The state of a part by its name; NULL: nothing was said of it. */
const char *readiness_state(const struct readiness *readiness, const struct store *store, const char *part);
/* As members of the object that is open. */
void readiness_write(const struct readiness *readiness, const struct store *store, struct json_writer *writer);
