#include "service/access.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "http/problem.h"
#include "service/difference.h"
#include "service/service.h"
#include "service/steady.h"

#define FETCH_INTERVAL_US         (10 * CLOCK_SECOND_US) /* ARCHITECTURE.md, "Trust": at most once in 10 s */
#define FETCH_INTERVAL_NO_KEYS_US (1 * CLOCK_SECOND_US)  /* while none are known nobody can get in: either service may start first */
#define WAITING_MAX               1024u                  /* exchanges per issuer; beyond: as if no fetch were possible */
#define FETCH_ARENA_BYTES         (1024u * 1024)
#define REALM                     "hamyan"

enum fetch_state { FETCH_IDLE, FETCH_DUE, FETCH_RUNNING };

struct issuer_keys {
    enum fetch_state state;
    bool was_fetched;
    int64_t fetched_monotonic_us; /* when the last fetch was asked for */
    struct queue_link *waiting;
    uint32_t waiting_count;
    struct difference *difference; /* of its clock and ours; NULL: not measured */
};

struct access {
    struct access_options options;
    struct token_verifier *verifiers[LIMIT_LOOPS];
    struct steady steady[LIMIT_LOOPS];

    pthread_t fetcher;
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    /* Under the mutex. */
    bool is_running;
    bool is_stopping;
    size_t issuer_count; /* constant */
    struct issuer_keys *issuers;
};

/* What an exchange that has come back from waiting carries in `operation`, which is the handler's own only later: it waits once. */
static char has_waited;

/* ---- answers (RFC 6750, section 3) ---- */

static enum route_admission refuse_token(struct exchange *exchange, const struct problem *problem, const char *detail) {
    struct text challenge =
        arena_print(&exchange->arena, "Bearer realm=\"%s\", error=\"invalid_token\", error_description=\"%s\"", REALM, detail);
    reply_header(exchange, "WWW-Authenticate",
                 challenge.data == NULL ? TEXT("Bearer realm=\"" REALM "\", error=\"invalid_token\"") : challenge);
    problem_reply(exchange, problem, "%s", detail);
    return ROUTE_REFUSED;
}

/* No token at all: section 3.1 asks not to name an error then. */
static enum route_admission refuse_nobody(struct exchange *exchange) {
    reply_header(exchange, "WWW-Authenticate", TEXT("Bearer realm=\"" REALM "\""));
    problem_reply(exchange, &problem_token_missing, "This needs an access token: Authorization: Bearer TOKEN.");
    return ROUTE_REFUSED;
}

static enum route_admission refuse_scope(struct exchange *exchange) {
    const char *scope = scope_name(exchange->route->scope);
    struct text challenge = arena_print(&exchange->arena, "Bearer realm=\"%s\", error=\"insufficient_scope\", scope=\"%s\"", REALM, scope);
    if (challenge.data != NULL) reply_header(exchange, "WWW-Authenticate", challenge);
    problem_reply(exchange, &problem_forbidden, "This needs a token with the scope %s.", scope);
    return ROUTE_REFUSED;
}

static enum route_admission refuse_unknown_key(struct exchange *exchange, bool has_keys) {
    if (has_keys) return refuse_token(exchange, &problem_token_invalid, "The access token is not valid.");
    problem_reply(exchange, &problem_keys_unavailable, "The keys of the token's issuer are not known yet.");
    return ROUTE_REFUSED;
}

/* ---- the token's way ---- */

/* RFC 9110, section 11.4: the scheme in any case, then blanks, then the token. False for another scheme, which counts as no token. What is no
 * token at all (nothing, blanks inside, two headers folded into one by a comma) the verifier refuses. */
static bool read_bearer(struct text authorization, struct text *ret_token) {
    size_t scheme_size = 0;
    while (scheme_size < authorization.size && authorization.data[scheme_size] != ' ') scheme_size++;
    if (!text_equal_ignoring_case((struct text){authorization.data, scheme_size}, TEXT("Bearer"))) return false;
    size_t start = scheme_size;
    while (start < authorization.size && authorization.data[start] == ' ') start++;
    *ret_token = (struct text){authorization.data + start, authorization.size - start};
    return true;
}

static bool is_allowed(enum scope scope, const struct identity *caller) {
    bool has_scope = (caller->scopes & (uint32_t)scope) != 0;
    switch (scope) {
    case SCOPE_NONE: return false;
    case SCOPE_PUBLIC: return true;
    case SCOPE_USER: return has_scope && caller->kind == IDENTITY_USER;
    case SCOPE_ADMIN: return has_scope;
    case SCOPE_CREDITS_WRITE:
    case SCOPE_FUNDS_WRITE: return has_scope && caller->kind == IDENTITY_SERVICE;
    }
    return false; /* more than one bit, which no route has */
}

static bool can_fetch(const struct access *access, size_t issuer_index) {
    const struct trusted_issuer *issuer = trust_issuer(access->options.trust, issuer_index);
    if (issuer->source == NULL) return false; /* our own keys: what is not there does not exist */
    return !trust_source_is_url(issuer) || access->options.fetch != NULL;
}

/* Under the mutex: whether a fetch is under way, or may be asked for now and is. */
static bool want_fetch(struct access *access, struct issuer_keys *keys, bool has_keys) {
    if (keys->state != FETCH_IDLE) return true;
    int64_t now_us = clock_monotonic_us(access->options.clock);
    int64_t interval_us = has_keys ? FETCH_INTERVAL_US : FETCH_INTERVAL_NO_KEYS_US;
    if (keys->was_fetched && now_us - keys->fetched_monotonic_us < interval_us) return false;
    keys->state = FETCH_DUE;
    keys->was_fetched = true;
    keys->fetched_monotonic_us = now_us;
    CHECK(pthread_cond_signal(&access->has_work) == 0);
    return true;
}

/* True: the exchange is the fetcher's now. */
static bool wait_for_keys(struct access *access, struct exchange *exchange, size_t issuer_index, bool has_keys) {
    if (exchange->operation == &has_waited || !can_fetch(access, issuer_index)) return false;
    struct issuer_keys *keys = &access->issuers[issuer_index];
    CHECK(pthread_mutex_lock(&access->mutex) == 0);
    bool waits = access->is_running && !access->is_stopping && keys->waiting_count < WAITING_MAX && want_fetch(access, keys, has_keys);
    if (waits) {
        exchange->operation = &has_waited;
        exchange_give(exchange, EXCHANGE_OF_KEY_FETCHER);
        exchange->link.next = keys->waiting;
        keys->waiting = &exchange->link;
        keys->waiting_count++;
    }
    CHECK(pthread_mutex_unlock(&access->mutex) == 0);
    return waits;
}

static enum route_admission admit_caller(struct access *access, struct exchange *exchange, const struct identity *caller) {
    const struct access_options *options = &access->options;
    if (caller->kind == IDENTITY_USER && options->is_revoked != NULL && options->is_revoked(options->self, caller)) {
        return refuse_token(exchange, &problem_token_revoked, "The session of this access token has ended.");
    }
    exchange->caller = *caller;
    return is_allowed(exchange->route->scope, caller) ? ROUTE_ADMITTED : refuse_scope(exchange);
}

/* By the wall clock; and a token that it calls too early by what it would say if it had not been set back. */
static enum token_verdict verify(struct access *access, size_t loop_index, struct text token, struct identity *ret_caller,
                                 size_t *ret_issuer_index) {
    const struct clock *clock = access->options.clock;
    struct token_verifier *verifier = access->verifiers[loop_index];
    struct steady *steady = &access->steady[loop_index];
    int64_t now_us = clock_now_us(clock);
    steady_observe(steady, clock, now_us);
    enum token_verdict verdict = token_verify(verifier, token, now_us, ret_caller, ret_issuer_index);
    if (verdict != TOKEN_NOT_YET_VALID) return verdict;
    return token_verify(verifier, token, steady_now_us(steady, clock), ret_caller, ret_issuer_index);
}

static enum route_admission judge(struct access *access, struct exchange *exchange, struct text token) {
    struct identity caller;
    size_t issuer_index = 0;
    switch (verify(access, exchange->loop_index, token, &caller, &issuer_index)) {
    case TOKEN_VALID: return admit_caller(access, exchange, &caller);
    case TOKEN_INVALID: return refuse_token(exchange, &problem_token_invalid, "The access token is not valid.");
    case TOKEN_EXPIRED: return refuse_token(exchange, &problem_token_expired, "The access token has expired.");
    case TOKEN_NOT_YET_VALID: return refuse_token(exchange, &problem_token_invalid, "The access token is not valid yet.");
    case TOKEN_WITHOUT_END:
        return refuse_token(exchange, &problem_token_invalid, "A service's token must have iat and exp, at most 5 minutes apart.");
    case TOKEN_UNKNOWN_KEY: {
        bool has_keys = trust_has_keys(access->options.trust, issuer_index);
        if (wait_for_keys(access, exchange, issuer_index, has_keys)) return ROUTE_PENDING;
        return refuse_unknown_key(exchange, has_keys);
    }
    }
    return refuse_token(exchange, &problem_token_invalid, "The access token is not valid.");
}

static enum route_admission authorize(struct exchange *exchange) {
    struct access *access = service_of(exchange)->access;
    CHECK(exchange->loop_index < access->options.loop_count);
    struct text token;
    return read_bearer(exchange->authorization, &token) ? judge(access, exchange, token) : refuse_nobody(exchange);
}

enum route_admission access_authorize(struct exchange *exchange) {
    if (exchange->route->scope == SCOPE_PUBLIC) return ROUTE_ADMITTED;
    enum route_admission admission = authorize(exchange);
    if (admission == ROUTE_PENDING) return admission; /* not ours any more */
    exchange->operation = NULL;
    return admission;
}

/* ---- the fetcher ---- */

static void give_back(struct queue_link *link) {
    while (link != NULL) {
        struct queue_link *next = link->next;
        struct exchange *exchange = CONTAINER_OF(link, struct exchange, link);
        exchange_take(exchange, EXCHANGE_OF_KEY_FETCHER);
        exchange_continue(exchange, route_admit_again);
        link = next;
    }
}

/* Under the mutex: they came newest first, and go back in the order of their arrival. */
static struct queue_link *take_waiting(struct issuer_keys *keys) {
    struct queue_link *oldest = NULL;
    while (keys->waiting != NULL) {
        struct queue_link *link = keys->waiting;
        keys->waiting = link->next;
        link->next = oldest;
        oldest = link;
    }
    keys->waiting_count = 0;
    return oldest;
}

static struct result fetch_url(const struct access *access, size_t issuer_index, const char *url) {
    struct arena arena;
    struct text jwks;
    arena_init(&arena, FETCH_ARENA_BYTES);
    const struct clock *clock = access->options.clock;
    int64_t date_us = 0, before_us = clock_now_us(clock);
    struct result fetched = access->options.fetch(url, &arena, &jwks, &date_us);
    struct difference *difference = access->issuers[issuer_index].difference;
    if (date_us > 0 && difference != NULL) {
        difference_measure(difference, date_us, before_us, clock_now_us(clock), access->options.clock_leeway_us);
    }
    if (result_is_ok(fetched)) fetched = trust_accept_jwks(access->options.trust, issuer_index, jwks);
    arena_release(&arena);
    return fetched;
}

static void fetch_keys(const struct access *access, size_t issuer_index) {
    const struct trusted_issuer *issuer = trust_issuer(access->options.trust, issuer_index);
    struct result fetched = trust_source_is_url(issuer) ? fetch_url(access, issuer_index, issuer->source)
                                                        : trust_load_file(access->options.trust, issuer_index);
    if (result_is_ok(fetched)) return;
    LOG(LOG_WARN, "keys_fetch_failed", LOG_STRING("issuer", issuer->name), LOG_STRING("source", issuer->source),
        LOG_STRING("reason", result_name(fetched)));
}

/* Under the mutex; issuer_count when nothing is due. */
static size_t find_due(const struct access *access) {
    size_t index = 0;
    while (index < access->issuer_count && access->issuers[index].state != FETCH_DUE) index++;
    return index;
}

static void *run_fetcher(void *argument) {
    struct access *access = argument;
    CHECK(pthread_mutex_lock(&access->mutex) == 0);
    while (!access->is_stopping) {
        size_t index = find_due(access);
        if (index == access->issuer_count) {
            CHECK(pthread_cond_wait(&access->has_work, &access->mutex) == 0);
            continue;
        }
        struct issuer_keys *keys = &access->issuers[index];
        keys->state = FETCH_RUNNING;
        CHECK(pthread_mutex_unlock(&access->mutex) == 0);
        fetch_keys(access, index);
        CHECK(pthread_mutex_lock(&access->mutex) == 0);
        keys->state = FETCH_IDLE;
        struct queue_link *waited = take_waiting(keys);
        CHECK(pthread_mutex_unlock(&access->mutex) == 0);
        give_back(waited);
        CHECK(pthread_mutex_lock(&access->mutex) == 0);
    }
    CHECK(pthread_mutex_unlock(&access->mutex) == 0);
    return NULL;
}

/* ---- life ---- */

struct result access_create(const struct access_options *options, struct access **ret_access) {
    CHECK(options->loop_count >= 1 && options->loop_count <= LIMIT_LOOPS);
    struct access *access = calloc(1, sizeof *access);
    if (access == NULL) return result_error(RESULT_FULL);
    access->options = *options;
    access->issuer_count = trust_issuer_count(options->trust);
    CHECK(pthread_mutex_init(&access->mutex, NULL) == 0 && pthread_cond_init(&access->has_work, NULL) == 0);
    access->issuers = calloc(access->issuer_count + 1, sizeof *access->issuers);
    struct result created = access->issuers == NULL ? result_error(RESULT_FULL) : result_ok();
    for (size_t i = 0; i < access->issuer_count && result_is_ok(created); i++) {
        const struct trusted_issuer *issuer = trust_issuer(options->trust, i);
        if (trust_source_is_url(issuer)) access->issuers[i].difference = difference_of(options->service_name, issuer->name);
    }
    for (size_t i = 0; i < options->loop_count && result_is_ok(created); i++) {
        created = token_verifier_create(options->trust, LIMIT_TOKEN_CACHE, options->clock_leeway_us, &access->verifiers[i]);
        steady_init(&access->steady[i], options->clock);
    }
    if (!result_is_ok(created)) {
        access_free(access);
        return created;
    }
    *ret_access = access;
    return result_ok();
}

struct result access_start(struct access *access) {
    CHECK(!access->is_running && !access->is_stopping);
    access->is_running = true; /* before the thread is there, which reads it: nobody else does yet */
    if (pthread_create(&access->fetcher, NULL, run_fetcher, access) != 0) {
        access->is_running = false;
        return result_error(RESULT_FULL);
    }
    pthread_setname_np(access->fetcher, "keys");
    return result_ok();
}

void access_stop(struct access *access) {
    CHECK(pthread_mutex_lock(&access->mutex) == 0);
    bool was_running = access->is_running && !access->is_stopping;
    access->is_stopping = true;
    CHECK(pthread_cond_signal(&access->has_work) == 0);
    CHECK(pthread_mutex_unlock(&access->mutex) == 0);
    if (!was_running) return;
    CHECK(pthread_join(access->fetcher, NULL) == 0);
    for (size_t i = 0; i < access->issuer_count; i++) {
        CHECK(pthread_mutex_lock(&access->mutex) == 0);
        struct queue_link *waited = take_waiting(&access->issuers[i]);
        CHECK(pthread_mutex_unlock(&access->mutex) == 0);
        give_back(waited);
    }
}

void access_free(struct access *access) {
    if (access == NULL) return;
    for (size_t i = 0; access->issuers != NULL && i < access->issuer_count; i++) CHECK(access->issuers[i].waiting == NULL);
    for (size_t i = 0; i < LIMIT_LOOPS; i++) token_verifier_free(access->verifiers[i]);
    CHECK(pthread_cond_destroy(&access->has_work) == 0 && pthread_mutex_destroy(&access->mutex) == 0);
    free(access->issuers);
    free(access);
}
