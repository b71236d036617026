/* A password on its way through the pool, which hashes or compares it, beside the request that waits for it. */
#pragma once

#include "auth/password.h"
#include "http/exchange.h"

struct password_step {
    struct password_job job; /* first; `hash` is set before a comparison, and read after a hash was made: empty, there was no memory */
    struct exchange *exchange;
    /* Counts the try against its budget before anything is hashed; how long to wait when there is none: 429. On a thread of the pool; NULL: not counted. */
    int64_t (*count)(struct password_step *step);
    int64_t wait_us; /* what it said */
    /* On a thread of the pool, which has the exchange in hand; the password is wiped. */
    void (*done)(struct password_step *step);
};

/* Copies the password and wipes the body that it came in. False: 503 is set, and the handler finishes the exchange. */
bool password_step_prepare(struct password_step *step, struct exchange *exchange, struct text password);
/* Gives the exchange away. It waits for its address's turn, and is answered without having been hashed when its client has left, when `count` says so (429),
 * and when it gives way to others in a full queue or the service ends (503). */
void password_step_hash(struct password_step *step, void (*done)(struct password_step *step));
void password_step_match(struct password_step *step, void (*done)(struct password_step *step));
/* After password_step_hash: false: there was no memory, and the exchange is finished with 503. */
bool password_step_has_hash(struct password_step *step);

void password_wipe(struct text secret); /* in the arena */
void password_check(struct text password, const char *field,
                    struct faults *faults); /* of a new one: an OpaqueString of 8 to 128 characters */
/* Of one that password_check takes: 422 password_too_common is set when it is one of the most common ones: true. */
bool password_refuse_common(struct exchange *exchange, struct text password);
