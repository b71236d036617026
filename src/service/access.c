#include "service/access.h"

#include <stdlib.h>

#include "base/check.h"
#include "http/problem.h"
#include "service/fetcher.h"
#include "service/service.h"
#include "service/steady.h"

#define REALM    "hamyan"
#define UNPROVEN "It is malformed, made for another service, or not signed by anybody who is trusted here."

struct access {
    struct access_options options;
    struct token_verifier *verifiers[LIMIT_LOOPS];
    struct steady steady[LIMIT_LOOPS];
    struct fetcher *fetcher;
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

static enum route_admission refuse_unknown_key(struct exchange *exchange, bool is_known) {
    if (is_known) return refuse_token(exchange, &problem_token_invalid, UNPROVEN);
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
    case SCOPE_ANY: return caller->kind != IDENTITY_NOBODY;
    case SCOPE_SERVICE: return caller->kind == IDENTITY_SERVICE;
    case SCOPE_USER: return has_scope && caller->kind == IDENTITY_USER;
    case SCOPE_ADMIN: return has_scope;
    case SCOPE_CREDITS_WRITE:
    case SCOPE_CREDITS_ISSUE:
    case SCOPE_FUNDS_WRITE:
    case SCOPE_HOLDS_WRITE:
    case SCOPE_PAYMENTS_WRITE:
    case SCOPE_REVERSALS_WRITE:
    case SCOPE_USERS_WRITE: return has_scope && caller->kind == IDENTITY_SERVICE;
    }
    return false; /* more than one bit, which no route has */
}

/* It waits once. */
static enum fetcher_word wait_for_keys(struct access *access, struct exchange *exchange, size_t issuer_index) {
    if (exchange->operation == &has_waited) return FETCHER_HAS_ALL;
    exchange->operation = &has_waited; /* before it is given away; who keeps it clears that (access_authorize) */
    return fetcher_wait(access->fetcher, exchange, issuer_index);
}

static enum route_admission admit_caller(struct access *access, struct exchange *exchange, const struct identity *caller) {
    const struct access_options *options = &access->options;
    if (caller->kind == IDENTITY_USER && options->is_revoked != NULL && options->is_revoked(options->self, caller)) {
        return refuse_token(exchange, &problem_token_revoked, "The session of this access token has ended.");
    }
    exchange->caller = *caller;
    if (caller->kind == IDENTITY_SERVICE && options->instance.size > 0) reply_header(exchange, "Wallet-Instance", options->instance);
    const struct route *route = exchange->route;
    bool is_admitted = is_allowed(route->scope, caller) || (route->other_scope != SCOPE_NONE && is_allowed(route->other_scope, caller));
    return is_admitted ? ROUTE_ADMITTED : refuse_scope(exchange);
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
    case TOKEN_INVALID: return refuse_token(exchange, &problem_token_invalid, UNPROVEN);
    case TOKEN_EXPIRED: return refuse_token(exchange, &problem_token_expired, "Its time is over: get a new one.");
    case TOKEN_NOT_YET_VALID:
        return refuse_token(exchange, &problem_token_invalid, "It is not valid yet: the clocks of its issuer and of this service differ.");
    case TOKEN_WITHOUT_END:
        return refuse_token(exchange, &problem_token_invalid, "A service's token must have iat and exp, at most 5 minutes apart.");
    case TOKEN_UNKNOWN_KEY: {
        enum fetcher_word word = wait_for_keys(access, exchange, issuer_index);
        if (word == FETCHER_WAITS) return ROUTE_PENDING;
        return refuse_unknown_key(exchange, word == FETCHER_HAS_ALL && trust_has_keys(access->options.trust, issuer_index));
    }
    }
    return refuse_token(exchange, &problem_token_invalid, UNPROVEN);
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

/* ---- life ---- */

static struct result make_fetcher(struct access *access) {
    const struct access_options *options = &access->options;
    struct fetcher_options fetching = {.service_name = options->service_name,
                                       .trust = options->trust,
                                       .clock = options->clock,
                                       .max_age_us = options->keys_max_age_us,
                                       .stale_max_us = options->keys_stale_max_us,
                                       .readiness = options->readiness,
                                       .clock_leeway_us = options->clock_leeway_us,
                                       .fetch = options->fetch};
    return fetcher_create(&fetching, &access->fetcher);
}

struct result access_create(const struct access_options *options, struct access **ret_access) {
    CHECK(options->loop_count >= 1 && options->loop_count <= LIMIT_LOOPS);
    struct access *access = calloc(1, sizeof *access);
    if (access == NULL) return result_error(RESULT_FULL);
    access->options = *options;
    struct result created = make_fetcher(access);
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
    return fetcher_start(access->fetcher);
}

void access_stop(struct access *access) { fetcher_stop(access->fetcher); }

void access_free(struct access *access) {
    if (access == NULL) return;
    for (size_t i = 0; i < LIMIT_LOOPS; i++) token_verifier_free(access->verifiers[i]);
    fetcher_free(access->fetcher);
    free(access);
}
