#include "discount/limiter.h"

#include <stdlib.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"

#define SECONDS    CLOCK_SECOND_US
#define MINUTES    (60 * CLOCK_SECOND_US)
#define SUSPECT_US (60 * MINUTES) /* so long a wrong code is held against its user, where others of the address have typed too many */

enum of { OF_USER, OF_ADDRESS, OF_SUBNET, KINDS };
_Static_assert(KINDS == GUESSER_KEYS, "a key for each");

static struct metric refused[KINDS], suspected[KINDS];
static const struct {
    const char *name, *refused_labels, *suspected_labels;
    struct budget_rule rule;
} kinds[KINDS] = {
    [OF_USER] = {"user", "budget=\"user\"", "of=\"user\"", {10, 6 * MINUTES, 5 * SECONDS, 15 * MINUTES, &refused[OF_USER]}},
    [OF_ADDRESS] = {"address", "budget=\"address\"", "of=\"address\"", {600, SECONDS / 10, 5 * SECONDS, 1 * MINUTES, &refused[OF_ADDRESS]}},
    [OF_SUBNET] = {"subnet", "budget=\"subnet\"", "of=\"subnet\"", {6000, SECONDS / 100, 5 * SECONDS, 1 * MINUTES, &refused[OF_SUBNET]}},
};

static struct log_burst suspicions = {.window_us = SECONDS, .lines_max = 10}; /* as many as there are users, and strangers make more */

struct limiter {
    struct budget *budgets[KINDS];
};

void limiter_register_metrics(void) {
    for (size_t i = 0; i < KINDS; i++) {
        refused[i] = (struct metric){.name = "discountd_throttled_total",
                                     .help = "Requests that were answered 429, by the budget of wrong codes that had nothing left.",
                                     .labels = kinds[i].refused_labels,
                                     .kind = METRIC_COUNTER};
        suspected[i] = (struct metric){.name = "discountd_enumeration_suspected_total",
                                       .help = "How often a budget of wrong codes was used up.",
                                       .labels = kinds[i].suspected_labels,
                                       .kind = METRIC_COUNTER};
        metrics_register(&refused[i]);
        metrics_register(&suspected[i]);
    }
}

struct result limiter_create(struct limiter **ret_limiter) {
    struct limiter *limiter = calloc(1, sizeof *limiter);
    if (limiter == NULL) return result_error(RESULT_FULL);
    for (size_t i = 0; i < KINDS; i++) {
        struct result created = budget_create(&kinds[i].rule, &limiter->budgets[i]);
        if (result_is_ok(created)) continue;
        limiter_free(limiter);
        return created;
    }
    *ret_limiter = limiter;
    return result_ok();
}

void limiter_free(struct limiter *limiter) {
    if (limiter == NULL) return;
    for (size_t i = 0; i < KINDS; i++) budget_free(limiter->budgets[i]);
    free(limiter);
}

static uint64_t find_key(const struct limiter *limiter, enum of of, const struct guesser *guesser) {
    if (of == OF_USER) {
        const struct text user = {(const char *)guesser->user_id.bytes, sizeof guesser->user_id.bytes};
        return budget_key(limiter->budgets[OF_USER], user);
    }
    struct address address = of == OF_ADDRESS ? guesser->payer : address_prefix(&guesser->payer, 24, 48);
    return budget_key(limiter->budgets[of], address_text(&address));
}

/* Each is hashed once for all that is asked of it. */
static uint64_t key_of(const struct limiter *limiter, enum of of, struct guesser *guesser) {
    if (guesser->keys[of] == 0) guesser->keys[of] = find_key(limiter, of, guesser);
    return guesser->keys[of];
}

int64_t limiter_wait_us(struct limiter *limiter, struct guesser *guesser, int64_t now_us) {
    if (!budget_is_used_of(limiter->budgets[OF_USER], key_of(limiter, OF_USER, guesser), SUSPECT_US, now_us)) return 0;
    int64_t longest_us = 0;
    enum of longest = OF_USER;
    for (enum of of = OF_USER; of < KINDS; of++) {
        int64_t wait_us = budget_wait_us_of(limiter->budgets[of], key_of(limiter, of, guesser), now_us);
        if (wait_us <= longest_us) continue;
        longest_us = wait_us;
        longest = of;
    }
    if (longest_us > 0) budget_count_refused(limiter->budgets[longest]);
    return longest_us;
}

static void suspect(enum of of, const struct guesser *guesser) {
    char client[ADDRESS_TEXT_BYTES];
    address_format(&guesser->payer, client);
    metric_add(&suspected[of], 1);
    LOG_BURST(&suspicions, LOG_WARN, "enumeration_suspected", LOG_STRING("of", kinds[of].name), LOG_STRING("client", client),
              LOG_ID("user_id", guesser->user_id));
}

void limiter_count_wrong(struct limiter *limiter, struct guesser *guesser, int64_t now_us) {
    for (enum of of = OF_USER; of < KINDS; of++) {
        bool is_last = false;
        /* With nothing left: who had never guessed. */
        (void)budget_take_of(limiter->budgets[of], key_of(limiter, of, guesser), now_us, &is_last);
        if (is_last) suspect(of, guesser);
    }
}
