/* Too many wrong codes: who guesses, waits, longer each time. Budgets (base/budget.h) per user, per address (an IPv6 one is its /64) and per subnet (/24,
 * /48: one site), from which wrong codes take, and nothing else.
 *
 * A user whose budget is used up is refused whatever the code, or the refusal would tell right from wrong. So is one whose address or subnet has used up
 * its own, if this user has typed a wrong code lately; never one who has not, because a crowd may stand behind one address. docs/budgets.md has the
 * figures. Any thread. */
#pragma once

#include "base/address.h"
#include "base/id.h"

/* Who asks: `payer` is exchange_payer. The rest is zero when it begins, and the limiter's own. */
#define GUESSER_KEYS 3 /* user, address, subnet */
struct guesser {
    struct id user_id;
    struct address payer;
    uint64_t keys[GUESSER_KEYS]; /* in its budgets; 0: not known yet */
};

struct limiter;
struct result limiter_create(struct limiter **ret_limiter) MUST_CHECK; /* RESULT_FULL */
void limiter_free(struct limiter *limiter);
void limiter_register_metrics(void); /* once per process */
/* For how long the user must wait, whatever the code is; 0: need not. */
int64_t limiter_wait_us(struct limiter *limiter, struct guesser *guesser, int64_t now_monotonic_us);
/* A wrong code of somebody who need not wait: takes one from each. */
void limiter_count_wrong(struct limiter *limiter, struct guesser *guesser, int64_t now_monotonic_us);
