/* Access control: the bearer token of each request (RFC 6750) against the scope of its route.
 *
 * An unknown `kid` of a trusted issuer sends the exchange to the fetcher thread, at most one fetch per issuer in 10 s; in between the answer is
 * 401 (keys known) or 503 keys_unavailable (never fetched yet). The fetcher gives the exchange back with exchange_continue. */
#pragma once

#include "auth/token.h"
#include "base/clock.h"
#include "http/route.h"

struct access;

/* How long one fetch may take, and so about how long an exchange waits for keys. It waits once. */
#define ACCESS_FETCH_TIMEOUT_MS 3000

struct access_options {
    const char *service_name; /* "walletd": what its metrics begin with */
    struct trust *trust;
    const struct clock *clock;
    size_t loop_count;
    int64_t clock_leeway_us; /* by how much the clocks of issuers may differ from ours */
    /* Whether a user's session was ended before its tokens: NULL where it can't be known. Any loop thread. */
    bool (*is_revoked)(void *self, const struct identity *identity);
    void *self;
    /* Fetches a JWKS; blocking, on the fetcher thread, for at most ACCESS_FETCH_TIMEOUT_MS; text in the arena; what the issuer's clock said, 0 when
     * it did not. NULL: no fetching. An issuer whose source is a file is read again without it. */
    struct result (*fetch)(const char *url, struct arena *arena, struct text *ret_jwks, int64_t *ret_date_us);
};

struct result access_create(const struct access_options *options, struct access **ret_access) MUST_CHECK;
struct result access_start(struct access *access) MUST_CHECK; /* the fetcher thread */
void access_stop(struct access *access);                      /* gives back what waits */
void access_free(struct access *access);
/* For struct http_service: the exchange's service root starts with a struct service. */
enum route_admission access_authorize(struct exchange *exchange);
