/* Access control: the bearer token of each request (RFC 6750) against the scope of its route.
 *
 * An unknown `kid` of a trusted issuer sends the exchange to the thread that fetches keys (service/fetcher.h), which gives it back with
 * exchange_continue. Where that is of no use the answer is 401 (the issuer has no such key) or 503 keys_unavailable (what it has is not known). */
#pragma once

#include "auth/token.h"
#include "base/clock.h"
#include "http/route.h"

struct access;

struct access_options {
    const char *service_name; /* "walletd": what its metrics begin with */
    struct trust *trust;
    const struct clock *clock;
    size_t loop_count;
    int64_t keys_max_age_us, keys_stale_max_us; /* of others: fetched again before they are so old; good for so long while that fails */
    struct readiness *readiness;                /* as in struct fetcher_options */
    int64_t clock_leeway_us;                    /* by how much the clocks of issuers may differ from ours */
    /* Whether a user's session was ended before its tokens: NULL where it can't be known. Any loop thread. */
    bool (*is_revoked)(void *self, const struct identity *identity);
    void *self;
    struct text instance; /* whose answers these are, for services that ask (Wallet-Instance); empty: not said */
    /* As in struct fetcher_options. */
    struct result (*fetch)(const char *url, struct arena *arena, struct text *ret_jwks, int64_t *ret_date_us);
};

struct result access_create(const struct access_options *options, struct access **ret_access) MUST_CHECK;
struct result access_start(struct access *access) MUST_CHECK; /* the thread that fetches keys */
void access_stop(struct access *access);                      /* gives back what waits */
void access_free(struct access *access);
/* For struct http_service: the exchange's service root starts with a struct service. */
enum route_admission access_authorize(struct exchange *exchange);
