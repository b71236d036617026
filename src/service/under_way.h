/* Requests with an Idempotency-Key that the store has in hand: between its queue and its commit nothing of them is kept, and they would be found
 * nowhere (inquiry.h). From the commit on, what is kept speaks for itself.
 *
 * Links live inside the operations, so that a request allocates nothing for it; as many are there as the store's queue and one batch hold. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/crypto.h"

#define UNDER_WAY_BUCKETS 1024u

struct under_way_item {
    LIST_ENTRY(under_way_item) link;
    struct hash lookup;
    int64_t arrived_us;
};

/* Zeroed: nothing. */
struct under_way {
    LIST_HEAD(under_way_bucket, under_way_item) buckets[UNDER_WAY_BUCKETS];
};

/* `item` stays where it is until it is removed; its lookup and its time are set. */
void under_way_add(struct under_way *under_way, struct under_way_item *item);
void under_way_remove(struct under_way_item *item);
/* The oldest with this lookup. */
bool under_way_find(struct under_way *under_way, const struct hash *lookup, int64_t *ret_arrived_us);
