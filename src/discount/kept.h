/* Under which Idempotency-Keys an answer may be kept: what the loops ask before they answer a request with a key by themselves.
 *
 * Two filters take turns. The present one takes what is kept; the other one has what was kept before. When the present one is as old as an answer gets,
 * everything in the other has been dropped from the database: it is emptied and becomes the present one. So it never fills up for good, and beyond
 * some million keys it only gets less sharp. One thread adds, any thread asks. */
#pragma once

#include "base/crypto.h"
#include "base/result.h"
#include "discount/filter.h"

#define KEPT_FILTER_BYTES (4u * 1024 * 1024) /* of each: two million keys */

struct kept_keys {
    struct filter filters[2];
    _Atomic uint32_t present;
    int64_t since_us; /* of the present one's first key; 0: it has none */
};

struct result kept_keys_init(struct kept_keys *keys) MUST_CHECK; /* RESULT_FULL */
void kept_keys_clear(struct kept_keys *keys);                    /* also what was only zeroed */
void kept_keys_add(struct kept_keys *keys, const struct hash *lookup, int64_t now_us);
bool kept_keys_may_hold(const struct kept_keys *keys, const struct hash *lookup);
