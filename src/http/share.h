/* How many connections each client has, so that a full house knows who takes up the most of it. One thread, a loop's. */
#pragma once

#include "base/address.h"
#include "base/map.h"

/* One client, as budgets count them: an IPv4 address, or a network of IPv6 (exchange_payer). */
struct holder {
    struct address address;
    size_t count;
    struct holder *previous, *next; /* of those with as many */
};

struct share {
    struct map holders;
    struct holder **by_count; /* the first of those with so many; capacity + 1 of them */
    size_t capacity, most;
};

/* `capacity`: of all connections together. RESULT_FULL: no memory. */
struct result share_init(struct share *share, size_t capacity) MUST_CHECK;
void share_free(struct share *share); /* all zero is fine */
/* One connection more of the peer's client. NULL: no memory. */
struct holder *share_take(struct share *share, const struct address *peer);
void share_give(struct share *share, struct holder *holder); /* one less; at its last the holder is gone */
size_t share_count(const struct share *share, const struct address *peer);
/* Who has as many as anybody; NULL: there is nobody. */
static inline const struct holder *share_most(const struct share *share) {
    return share->by_count == NULL ? NULL : share->by_count[share->most];
}
