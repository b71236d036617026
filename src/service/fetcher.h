/* The keys of others: one thread that fetches them, and those whose token has to wait for them.
 *
 * At the start every issuer's keys are fetched; from then on again when half of `max_age_us` has passed, and when a token names a key that is not
 * known, then not within a quarter of a second of the last time: until then its exchange waits. What a fetch brings is all that is trusted from then on: a key that its issuer publishes no more is
 * forgotten, also by those who remember tokens (auth/trust.h).
 *
 * An issuer that does not answer, or not with a set of keys, is out of reach: the last set serves on, or at the start the copy that was kept on disk,
 * until the moment it was fetched lies `stale_max_us` back. Then no key of its is known any more. */
#pragma once

#include "auth/token.h"
#include "base/clock.h"
#include "http/exchange.h"
#include "service/readiness.h"

/* How long one fetch may take, and so about how long an exchange waits for keys. It waits once. */
#define FETCHER_TIMEOUT_MS 3000

struct fetcher_options {
    const char *service_name; /* "walletd": what its metrics begin with */
    struct trust *trust;
    const struct clock *clock;
    int64_t max_age_us, stale_max_us;
    struct readiness *readiness; /* is told how it stands with the keys of all issuers; may be NULL */
    int64_t clock_leeway_us;     /* from which difference of clocks on there is a warning */
    /* Fetches a JWKS; blocking, for at most FETCHER_TIMEOUT_MS; text in the arena; what the issuer's clock said, 0 when it did not. NULL: no
     * fetching. An issuer whose source is a file is read again without it. */
    struct result (*fetch)(const char *url, struct arena *arena, struct text *ret_jwks, int64_t *ret_date_us);
};

struct fetcher;
struct result fetcher_create(const struct fetcher_options *options, struct fetcher **ret_fetcher) MUST_CHECK;
struct result fetcher_start(struct fetcher *fetcher) MUST_CHECK;
void fetcher_stop(struct fetcher *fetcher); /* gives back what waits */
void fetcher_free(struct fetcher *fetcher);
enum fetcher_word {
    FETCHER_WAITS,   /* the exchange is the fetcher's, which gives it back to route_admit_again after a fetch that has begun since */
    FETCHER_HAS_ALL, /* no fetch is possible: the keys are our own */
    FETCHER_BUSY,    /* too many wait, or no keys are known and were asked for a moment ago: whether there is such a key is not known */
};
/* A loop's thread, about a token whose key is not known. */
enum fetcher_word fetcher_wait(struct fetcher *fetcher, struct exchange *exchange, size_t issuer_index);
