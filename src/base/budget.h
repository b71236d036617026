/* How often somebody may try: what both services count of passwords, registrations, codes and recipients.
 *
 * Each key (a user, an address, both) has so many tries at hand, and regains one at a time. Who uses up the last one waits, the first time a little,
 * each further time twice as long; then one more may be tried, or as many as were regained meanwhile. Whoever has regained all begins anew. A try is
 * taken before what it pays for is done, so that tries side by side are counted too; what turns out to be harmless is given back.
 *
 * A table of fixed size: when a row is full, the key that would have regained all first is forgotten. Keys are hashed with a secret (SipHash), so that
 * nobody outside can choose whom they push out. Any thread. Times are monotonic. */
#pragma once

#include "base/metrics.h"
#include "base/result.h"
#include "base/text.h"

struct budget_rule {
    int64_t burst;                          /* tries at hand, 1.. */
    int64_t regain_us;                      /* until one comes back */
    int64_t first_wait_us, longest_wait_us; /* when the last one is used up; longest is below half of the time that regains all */
    struct metric *refused;                 /* counts who must wait; NULL: nobody counts */
};

struct budget;
struct result budget_create(const struct budget_rule *rule, struct budget **ret_budget) MUST_CHECK; /* RESULT_FULL: no memory */
void budget_free(struct budget *budget);

/* How long the key must wait; 0: it need not. Takes nothing. Cheap for a key that has taken nothing lately. */
int64_t budget_wait_us(struct budget *budget, struct text key, int64_t now_us);
/* Takes one try: 0; or takes none, and returns how long to wait. `ret_is_last`, which may be NULL: this was the last one at hand. */
int64_t budget_take(struct budget *budget, struct text key, int64_t now_us, bool *ret_is_last);
/* The one that was taken was harmless. */
void budget_give_back(struct budget *budget, struct text key, int64_t now_us);
/* As if the key had never taken any. */
void budget_forget(struct budget *budget, struct text key);
/* Whether the key has taken one, or tried to, in so long a time. False of one that was pushed out. */
bool budget_is_used(struct budget *budget, struct text key, int64_t within_us, int64_t now_us);
/* The same for whoever asks about one key more than once: by what it is in this budget, and nowhere else. Never 0. */
uint64_t budget_key(const struct budget *budget, struct text key);
int64_t budget_wait_us_of(struct budget *budget, uint64_t key, int64_t now_us);
int64_t budget_take_of(struct budget *budget, uint64_t key, int64_t now_us, bool *ret_is_last);
bool budget_is_used_of(struct budget *budget, uint64_t key, int64_t within_us, int64_t now_us);
/* One was refused for want of tries: for the metric, where the refusal is answered. */
void budget_count_refused(const struct budget *budget);

/* Whole seconds, at least 1: what Retry-After says (RFC 9110, section 10.2.3). */
int64_t budget_wait_s(int64_t wait_us);
