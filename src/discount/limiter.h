/* Too many wrong codes: who guesses, waits. Token buckets per user, per address (IPv4 /32, IPv6 /64: one network behind one line, RFC 6177)
 * and per subnet (IPv4 /24, IPv6 /48: one site), in tables of fixed size.
 *
 * Only wrong codes take from a bucket. A user whose bucket is empty is refused whatever the code, or the refusal would tell right from wrong;
 * an address or a subnet whose bucket is empty is refused wrong codes only, because a crowd may stand behind it. When a table's row is full, the entry
 * that would be full again first is forgotten. Any thread. */
#pragma once

#include "base/address.h"
#include "base/id.h"

#define LIMITER_USER_BURST         10u
#define LIMITER_USER_PER_MINUTE    10u
#define LIMITER_ADDRESS_BURST      600u
#define LIMITER_ADDRESS_PER_MINUTE 600u
#define LIMITER_SUBNET_BURST       6000u
#define LIMITER_SUBNET_PER_MINUTE  6000u

struct limiter;
struct result limiter_create(struct limiter **ret_limiter) MUST_CHECK; /* RESULT_FULL */
void limiter_free(struct limiter *limiter);
/* How many seconds the user must wait; 0: none. */
int64_t limiter_user_wait_s(struct limiter *limiter, struct id user_id, int64_t now_monotonic_us);
/* A wrong code of that client (exchange_payer): takes one from each. Seconds to wait when this one is too many, 0 otherwise. */
int64_t limiter_count_wrong(struct limiter *limiter, struct id user_id, struct address client, int64_t now_monotonic_us);
