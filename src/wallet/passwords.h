/* A password on its way through the pool, which hashes or compares it, beside the request that waits for it. */
#pragma once

#include "auth/password.h"
#include "http/exchange.h"

struct password_step {
    struct password_job job; /* first; `hash` is set before a comparison, and read after a hash was made: empty, there was no memory */
    struct exchange *exchange;
    /* On a thread of the pool, which has the exchange in hand; the password is wiped. */
    void (*done)(struct password_step *step);
};

/* Copies the password and wipes the body that it came in. False: 503 is set, and the handler finishes the exchange. */
bool password_step_prepare(struct password_step *step, struct exchange *exchange, struct text password);
/* Gives the exchange away; answers 503 overloaded when the pool's queue is full. */
void password_step_hash(struct password_step *step, void (*done)(struct password_step *step));
void password_step_match(struct password_step *step, void (*done)(struct password_step *step));
/* After password_step_hash: false: there was no memory, and the exchange is finished with 503. */
bool password_step_has_hash(struct password_step *step);

void password_wipe(struct text secret);                                              /* in the arena */
void password_check(struct text password, const char *field, struct faults *faults); /* of a new one: 8 to 128 characters */
