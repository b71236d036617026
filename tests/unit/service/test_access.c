#include "../base/assertions.h"
#include "../base/folder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "http/problem.h"
#include "service/service.h"

#define NOW_US     (INT64_C(1795341600) * CLOCK_SECOND_US)
#define USER_ID    "0193a5b0-0000-7000-8000-000000000001"
#define SESSION_ID "0193a5b0-0000-7000-8000-000000000002"
#define JWKS_BYTES 8192
/* More than each kind of caller may use: the kind is asked for as well. */
#define ALL_SCOPES (SCOPE_USER | SCOPE_ADMIN | SCOPE_CREDITS_WRITE | SCOPE_FUNDS_WRITE)

static void handle(struct exchange *exchange) { (void)exchange; }

static const struct route routes[] = {
    {.method = "GET", .path = "/public", .scope = SCOPE_PUBLIC, .handle = handle},
    {.method = "GET", .path = "/user", .scope = SCOPE_USER, .handle = handle},
    {.method = "GET", .path = "/admin", .scope = SCOPE_ADMIN, .handle = handle},
    {.method = "GET", .path = "/credits", .scope = SCOPE_CREDITS_WRITE, .handle = handle},
    {.method = "GET", .path = "/funds", .scope = SCOPE_FUNDS_WRITE, .handle = handle},
};

/* The whole world of these tests; the fetcher thread reads what stands under the mutex. */
static struct {
    struct arena arena;
    struct key_ring *wallet, *discount[2];
    struct trust *trust;
    struct access *access;
    struct service service;
    struct router *router;
    struct http_service http;
    bool is_session_over;
    int64_t set_by_us; /* how far somebody has set the wall clock */
    _Atomic int64_t monotonic_us;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t fetch_count;
    size_t delivered_count;
    bool is_gate_closed;   /* fetches stand still */
    char jwks[JWKS_BYTES]; /* what a fetch brings; empty: it fails */
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int64_t now_us(void *context) {
    (void)context;
    return NOW_US + world.set_by_us;
}

static int64_t monotonic_us(void *context) {
    (void)context;
    return atomic_load(&world.monotonic_us);
}

static const struct clock frozen = {.now_us = now_us, .monotonic_us = monotonic_us};

static struct key_ring *make_ring(void) {
    char folder[FOLDER_BYTES];
    struct key_ring *ring;
    folder_create(folder, "access-test");
    assert_ok(key_generate(folder, KEY_ES256, NOW_US));
    assert_ok(key_ring_load(folder, &ring));
    assert_true(folder_remove(folder));
    return ring;
}

static struct result fetch(const char *url, struct arena *arena, struct text *ret_jwks, int64_t *ret_date_us) {
    *ret_date_us = 0;
    CHECK(strcmp(url, "http://127.0.0.1:1/jwks") == 0);
    pthread_mutex_lock(&world.mutex);
    world.fetch_count++;
    pthread_cond_broadcast(&world.changed);
    while (world.is_gate_closed) pthread_cond_wait(&world.changed, &world.mutex);
    *ret_jwks = arena_copy(arena, text_of(world.jwks));
    pthread_mutex_unlock(&world.mutex);
    return ret_jwks->size == 0 ? result_error(RESULT_IO) : result_ok();
}

static bool is_revoked(void *self, const struct identity *identity) {
    (void)self;
    CHECK(identity->kind == IDENTITY_USER);
    return world.is_session_over;
}

static void publish(const struct key_ring *ring) {
    struct text jwks = ring != NULL ? key_ring_jwks(ring) : TEXT("");
    pthread_mutex_lock(&world.mutex);
    memcpy(world.jwks, jwks.data, jwks.size);
    world.jwks[jwks.size] = '\0';
    pthread_mutex_unlock(&world.mutex);
}

static void close_gate(bool is_closed) {
    pthread_mutex_lock(&world.mutex);
    world.is_gate_closed = is_closed;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

static void await(const size_t *counter, size_t value) {
    pthread_mutex_lock(&world.mutex);
    while (*counter < value) pthread_cond_wait(&world.changed, &world.mutex);
    assert_int_equal(*counter, value);
    pthread_mutex_unlock(&world.mutex);
}

static void deliver(struct exchange *exchange) {
    (void)exchange;
    pthread_mutex_lock(&world.mutex);
    world.delivered_count++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

static void make_access(const char *source, bool can_fetch) {
    const struct trusted_issuer issuers[] = {
        {.name = "wallet", .kind = IDENTITY_USER, .scopes = ALL_SCOPES, .ring = world.wallet},
        {.name = "discount", .kind = IDENTITY_SERVICE, .scopes = ALL_SCOPES & ~(uint32_t)SCOPE_ADMIN, .source = source},
    };
    assert_ok(trust_create("wallet", issuers, ARRAY_COUNT(issuers), &world.trust));
    trust_load(world.trust);
    const struct access_options options = {.service_name = "walletd",
                                           .keys_max_age_us = 300 * CLOCK_SECOND_US,
                                           .keys_stale_max_us = 3600 * CLOCK_SECOND_US,
                                           .trust = world.trust,
                                           .clock = &frozen,
                                           .loop_count = 2,
                                           .is_revoked = is_revoked,
                                           .fetch = can_fetch ? fetch : NULL};
    assert_ok(access_create(&options, &world.access));
    assert_ok(access_start(world.access));
    world.service.access = world.access;
}

static int open_world(void **state) {
    (void)state;
    crypto_init();
    arena_init(&world.arena, 16u * 1024 * 1024);
    world.wallet = make_ring();
    for (size_t i = 0; i < 2; i++) world.discount[i] = make_ring();
    assert_ok(router_create(routes, ARRAY_COUNT(routes), &world.router));
    world.service = (struct service){.name = "walletd", .short_name = "wallet", .clock = &frozen};
    world.http = (struct http_service){.name = "walletd",
                                       .self = &world.service,
                                       .routes = routes,
                                       .route_count = ARRAY_COUNT(routes),
                                       .router = world.router,
                                       .clock = &frozen,
                                       .authorize = access_authorize};
    return 0;
}

static int close_world(void **state) {
    (void)state;
    router_free(world.router);
    key_ring_free(world.wallet);
    for (size_t i = 0; i < 2; i++) key_ring_free(world.discount[i]);
    arena_release(&world.arena);
    return 0;
}

static int close_access(void **state) {
    (void)state;
    close_gate(false);
    access_stop(world.access);
    access_free(world.access);
    trust_free(world.trust);
    return 0;
}

/* ---- requests ---- */

static void begin(struct exchange *exchange, const char *path, struct text authorization) {
    exchange_init(exchange, &world.http);
    exchange->deliver = deliver;
    exchange->method = TEXT("GET");
    exchange->path = text_of(path);
    exchange->authorization = authorization;
    exchange->request_id = TEXT("r");
    exchange->loop_index = 1;
}

static const struct exchange_header *find_header(const struct exchange *exchange, const char *name) {
    const struct exchange_header *found = NULL;
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        if (strcmp(exchange->reply_headers[i].name, name) != 0) continue;
        assert_null(found); /* once */
        found = &exchange->reply_headers[i];
    }
    return found;
}

/* What an exchange was told; ends it. `status` 0: admitted. */
static void expect(struct exchange *exchange, int status, const char *code, const char *challenge) {
    assert_int_equal(exchange->status, status);
    if (code != NULL) {
        const char *member = arena_print(&world.arena, "\"code\":\"%s\"", code).data;
        const char *body = arena_print(&world.arena, "%.*s", (int)exchange->reply_body.size, exchange->reply_body.data).data;
        if (strstr(body, member) == NULL) fail_msg("%s is not in %s", member, body);
        assert_int_equal(exchange->caller.kind, strcmp(code, "forbidden") == 0 ? (int)exchange->caller.kind : IDENTITY_NOBODY);
    }
    const struct exchange_header *header = find_header(exchange, "WWW-Authenticate");
    if (challenge == NULL) {
        assert_null(header);
    } else {
        assert_non_null(header);
        const char *value = arena_print(&world.arena, "%.*s", (int)header->value.size, header->value.data).data;
        if (strstr(value, challenge) == NULL) fail_msg("%s is not in %s", challenge, value);
        assert_ptr_equal(strstr(value, "Bearer realm=\"hamyan\""), value);
    }
    assert_null(exchange->operation);
    exchange_clear(exchange);
}

static void ask(const char *path, struct text authorization, int status, const char *code, const char *challenge) {
    struct exchange exchange;
    begin(&exchange, path, authorization);
    assert_int_equal(route_admit(&exchange), status == 0 ? ROUTE_ADMITTED : ROUTE_REFUSED);
    expect(&exchange, status, code, challenge);
}

static struct text sign(const struct key_ring *ring, struct token_claims claims) {
    struct text token;
    if (claims.audience_count == 0) claims.audiences[claims.audience_count++] = "wallet";
    if (claims.issued_at_us == 0) claims.issued_at_us = NOW_US;
    if (claims.expires_at_us == 0) claims.expires_at_us = NOW_US + 60 * CLOCK_SECOND_US;
    assert_ok(token_sign(ring, &claims, &world.arena, &token));
    return arena_print(&world.arena, "Bearer %.*s", (int)token.size, token.data);
}

static struct text user(const char *scope) {
    return sign(world.wallet, (struct token_claims){
                                  .issuer = "wallet", .subject = TEXT(USER_ID), .session_id = TEXT(SESSION_ID), .scope = text_of(scope)});
}

static struct text service(const struct key_ring *ring, const char *scope) {
    return sign(ring, (struct token_claims){.issuer = "discount", .subject = TEXT("discount"), .scope = text_of(scope)});
}

/* ---- tests ---- */

static void each_verdict_has_its_answer(void **state) {
    (void)state;
    const char *invalid = "error=\"invalid_token\"";
    ask("/user", (struct text){NULL, 0}, 401, "token_missing", "realm");
    ask("/user", TEXT("Basic c2FyYTpzZWNyZXQ="), 401, "token_missing", "realm");
    ask("/user", TEXT("Bearer"), 401, "token_invalid", invalid);
    ask("/user", TEXT("Bearer "), 401, "token_invalid", invalid);
    ask("/user", TEXT("Bearer a b"), 401, "token_invalid", invalid);
    ask("/user", TEXT("Bearer a, Bearer b"), 401, "token_invalid", invalid);
    ask("/user", TEXT("Bearer a\tb"), 401, "token_invalid", invalid);
    ask("/user", TEXT("Bearerx"), 401, "token_missing", "realm");
    ask("/user", TEXT("Bearer x.y.z"), 401, "token_invalid", invalid);
    struct token_claims claims = {.issuer = "wallet", .subject = TEXT(USER_ID), .session_id = TEXT(SESSION_ID), .scope = TEXT("user")};
    struct token_claims old = claims, early = claims, others = claims;
    old.issued_at_us = NOW_US - 10 * CLOCK_SECOND_US;
    old.expires_at_us = NOW_US;
    early.issued_at_us = NOW_US + CLOCK_SECOND_US;
    others.audiences[others.audience_count++] = "discount";
    ask("/user", sign(world.wallet, old), 401, "token_expired", "error_description=\"Its time is over: get a new one.\"");
    ask("/user", sign(world.wallet, early), 401, "token_invalid", invalid);
    ask("/user", sign(world.wallet, others), 401, "token_invalid", invalid);
    world.is_session_over = true;
    ask("/user", user("user"), 401, "token_revoked", invalid);
    ask("/admin", user("user"), 401, "token_revoked", invalid); /* before the scope */
    world.is_session_over = false;
    ask("/user", user("user"), 0, NULL, NULL);
}

static void a_services_token_without_an_end_is_told_so(void **state) {
    (void)state;
    assert_ok(trust_accept_jwks(world.trust, 1, (publish(world.discount[0]), text_of(world.jwks))));
    struct token_claims claims = {.issuer = "discount",
                                  .subject = TEXT("discount"),
                                  .scope = TEXT("credits:write"),
                                  .issued_at_us = NOW_US,
                                  .expires_at_us = NOW_US + 301 * CLOCK_SECOND_US};
    ask("/credits", sign(world.discount[0], claims), 401, "token_invalid", "must have iat and exp, at most 5 minutes apart");
    claims.expires_at_us -= CLOCK_SECOND_US;
    ask("/credits", sign(world.discount[0], claims), 0, NULL, NULL);
}

/* Tokens of before are judged by the time that went on, new ones by the clock as it is. */
static void a_clock_that_was_set_back_shuts_nobody_out(void **state) {
    (void)state;
    const int64_t hour_us = 3600 * CLOCK_SECOND_US;
    struct text before = user("user");
    ask("/user", before, 0, NULL, NULL);
    world.set_by_us = -hour_us;
    ask("/user", before, 0, NULL, NULL);
    struct token_claims claims = {.issuer = "wallet", .subject = TEXT(USER_ID), .session_id = TEXT(SESSION_ID), .scope = TEXT("user")};
    claims.issued_at_us = NOW_US - hour_us;
    claims.expires_at_us = NOW_US - hour_us + 60 * CLOCK_SECOND_US;
    ask("/user", sign(world.wallet, claims), 0, NULL, NULL);
    claims.issued_at_us = NOW_US + CLOCK_SECOND_US; /* the future by both */
    claims.expires_at_us = NOW_US + hour_us;
    ask("/user", sign(world.wallet, claims), 401, "token_invalid", "not valid yet: the clocks");
    atomic_store(&world.monotonic_us, 1 + 60 * CLOCK_SECOND_US);
    ask("/user", before, 401, "token_expired", "Its time is over");
}

static void a_missing_token_names_no_error(void **state) {
    (void)state;
    struct exchange exchange;
    begin(&exchange, "/user", (struct text){NULL, 0});
    assert_int_equal(route_admit(&exchange), ROUTE_REFUSED);
    assert_text(find_header(&exchange, "WWW-Authenticate")->value, "Bearer realm=\"hamyan\"");
    exchange_clear(&exchange);
}

static void the_scheme_is_read_in_any_case(void **state) {
    (void)state;
    struct text good = user("user");
    static const char *const schemes[] = {"bearer", "BEARER", "bEaReR", "Bearer ", "Bearer   "};
    for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
        ask("/user", arena_print(&world.arena, "%s%.*s", schemes[i], (int)good.size - 6, good.data + 6), 0, NULL, NULL);
    }
}

static void each_scope_opens_its_routes_only(void **state) {
    (void)state;
    assert_ok(trust_accept_jwks(world.trust, 1, (publish(world.discount[0]), text_of(world.jwks))));
    const struct {
        struct text authorization;
        bool opens[4]; /* user, admin, credits, funds */
    } cases[] = {
        {user(""), {false, false, false, false}},
        {user("user"), {true, false, false, false}},
        {user("user admin"), {true, true, false, false}},
        {user("admin"), {false, true, false, false}},
        {user("credits:write funds:write"), {false, false, false, false}},
        {service(world.discount[0], ""), {false, false, false, false}},
        {service(world.discount[0], "credits:write"), {false, false, true, false}},
        {service(world.discount[0], "funds:write"), {false, false, false, true}},
        {service(world.discount[0], "credits:write funds:write user admin public"), {false, false, true, true}},
    };
    static const char *const paths[] = {"/user", "/admin", "/credits", "/funds"};
    static const char *const scopes[] = {"user", "admin", "credits:write", "funds:write"};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t r = 0; r < ARRAY_COUNT(paths); r++) {
            const char *challenge = arena_print(&world.arena, "error=\"insufficient_scope\", scope=\"%s\"", scopes[r]).data;
            bool opens = cases[i].opens[r];
            ask(paths[r], cases[i].authorization, opens ? 0 : 403, opens ? NULL : "forbidden", opens ? NULL : challenge);
        }
    }
}

static void public_routes_never_look_at_the_token(void **state) {
    (void)state;
    ask("/public", (struct text){NULL, 0}, 0, NULL, NULL);
    ask("/public", TEXT("Bearer nonsense"), 0, NULL, NULL);
    ask("/public", service(world.discount[0], "credits:write"), 0, NULL, NULL);
    assert_int_equal(world.fetch_count, 0);
    struct exchange exchange;
    begin(&exchange, "/public", (struct text){NULL, 0});
    assert_int_equal(route_admit(&exchange), ROUTE_ADMITTED);
    assert_int_equal(access_authorize(&exchange), ROUTE_ADMITTED);
    exchange_clear(&exchange);
}

static void the_caller_is_told_to_the_handler(void **state) {
    (void)state;
    struct exchange exchange;
    begin(&exchange, "/user", user("user"));
    assert_int_equal(route_admit(&exchange), ROUTE_ADMITTED);
    char id[ID_TEXT_BYTES];
    id_format(exchange.caller.user_id, id);
    assert_text(((struct text){id, sizeof id}), USER_ID);
    assert_int_equal(exchange.caller.kind, IDENTITY_USER);
    exchange_clear(&exchange);
}

/* Sends it off to wait for keys. */
static void send_away(struct exchange *exchange, const char *path, struct text authorization) {
    begin(exchange, path, authorization);
    assert_int_equal(route_admit(exchange), ROUTE_PENDING);
}

/* On the loop again: what the loop does with an exchange that came back. */
static void resume(struct exchange *exchange) {
    assert_ptr_equal(exchange->resume, route_admit_again);
    exchange_resume(exchange);
}

/* That of the start: it is over, and the fetcher is idle, when somebody who waited for it is back. It brings nothing, and what is known then is
 * forgotten, so that each test begins as if nothing had been fetched yet. */
static void wait_for_the_first_fetch(void) {
    struct exchange exchange;
    send_away(&exchange, "/credits", service(world.discount[0], "credits:write"));
    close_gate(false);
    await(&world.delivered_count, 1);
    resume(&exchange);
    expect(&exchange, 503, "keys_unavailable", NULL); /* there are none */
    assert_int_equal(world.fetch_count, 1);
    atomic_store(&world.monotonic_us, 1); /* as just after the machine's start: "never" must not look like "just now" */
    world.set_by_us = 0;
    trust_forget_keys(world.trust, 1);
    world.fetch_count = world.delivered_count = 0;
    world.jwks[0] = '\0';
}

static int open_access(void **state) {
    (void)state;
    world.fetch_count = world.delivered_count = 0;
    world.is_session_over = false;
    world.is_gate_closed = true;
    world.set_by_us = 0;
    atomic_store(&world.monotonic_us, 1 - 5 * CLOCK_SECOND_US); /* what is fetched unasked is not due at the jump to 1 */
    world.set_by_us = -5 * CLOCK_SECOND_US;
    snprintf(world.jwks, sizeof world.jwks, "{\"keys\":[]}");
    make_access("http://127.0.0.1:1/jwks", true);
    wait_for_the_first_fetch();
    return 0;
}

static void unknown_keys_are_fetched_once_for_all_who_wait(void **state) {
    (void)state;
    enum { WAITING = 5 };
    struct exchange exchanges[WAITING];
    publish(world.discount[0]);
    close_gate(true);
    for (size_t i = 0; i < WAITING; i++)
        send_away(&exchanges[i], i == 0 ? "/funds" : "/credits", service(world.discount[0], "credits:write"));
    await(&world.fetch_count, 1);
    assert_int_equal(world.delivered_count, 0);
    close_gate(false);
    await(&world.delivered_count, WAITING);
    for (size_t i = 0; i < WAITING; i++) {
        resume(&exchanges[i]);
        expect(&exchanges[i], i == 0 ? 403 : 0, i == 0 ? "forbidden" : NULL, i == 0 ? "insufficient_scope" : NULL);
    }
    assert_int_equal(world.fetch_count, 1);
    ask("/credits", service(world.discount[0], "credits:write"), 0, NULL, NULL);
}

static void a_token_of_an_unknown_key_waits_for_the_next_fetch(void **state) {
    (void)state;
    struct exchange exchange;
    assert_ok(trust_accept_jwks(world.trust, 1, (publish(world.discount[0]), text_of(world.jwks))));
    struct text unknown = service(world.discount[1], "credits:write");
    send_away(&exchange, "/credits", unknown); /* nothing was fetched yet: at once */
    await(&world.delivered_count, 1);
    resume(&exchange);
    expect(&exchange, 401, "token_invalid", "invalid_token"); /* the fetch brought the same keys; it does not wait twice */
    await(&world.fetch_count, 1);
    publish(world.discount[1]);
    atomic_store(&world.monotonic_us, CLOCK_SECOND_US / 4);
    send_away(&exchange, "/credits", unknown);
    await(&world.fetch_count, 1);
    atomic_store(&world.monotonic_us, CLOCK_SECOND_US / 4 + 1);
    await(&world.delivered_count, 3); /* twice given back, once answered */
    resume(&exchange);
    expect(&exchange, 0, NULL, NULL);
    assert_int_equal(world.fetch_count, 2);
    send_away(&exchange, "/credits", service(world.discount[0], "credits:write"));
    atomic_store(&world.monotonic_us, CLOCK_SECOND_US);
    await(&world.delivered_count, 5);
    resume(&exchange);
    expect(&exchange, 401, "token_invalid", "invalid_token"); /* its key is gone */
}

static void what_is_being_fetched_may_be_too_old_for_who_comes_meanwhile(void **state) {
    (void)state;
    struct exchange first, second;
    struct text unknown = service(world.discount[1], "credits:write");
    assert_ok(trust_accept_jwks(world.trust, 1, (publish(world.discount[0]), text_of(world.jwks))));
    close_gate(true);
    send_away(&first, "/credits", unknown);
    await(&world.fetch_count, 1);
    send_away(&second, "/credits", unknown);
    close_gate(false);
    await(&world.delivered_count, 1);
    resume(&first);
    expect(&first, 401, "token_invalid", "invalid_token");
    await(&world.delivered_count, 2);
    publish(world.discount[1]);
    atomic_store(&world.monotonic_us, CLOCK_SECOND_US);
    await(&world.delivered_count, 3);
    resume(&second);
    expect(&second, 0, NULL, NULL);
    assert_int_equal(world.fetch_count, 2);
}

static void without_any_key_it_is_tried_each_second(void **state) {
    (void)state;
    struct exchange exchange;
    struct text token = service(world.discount[0], "credits:write");
    send_away(&exchange, "/credits", token);
    await(&world.delivered_count, 1);
    resume(&exchange);
    assert_non_null(find_header(&exchange, "Retry-After"));
    expect(&exchange, 503, "keys_unavailable", NULL);
    atomic_store(&world.monotonic_us, CLOCK_SECOND_US);
    ask("/credits", token, 503, "keys_unavailable", NULL);
    await(&world.fetch_count, 1);
    publish(world.discount[0]);
    atomic_store(&world.monotonic_us, CLOCK_SECOND_US + 1);
    send_away(&exchange, "/credits", token);
    await(&world.delivered_count, 3);
    resume(&exchange);
    expect(&exchange, 0, NULL, NULL);
    assert_int_equal(world.fetch_count, 2);
}

static void an_exchange_waits_once(void **state) {
    (void)state;
    struct exchange exchange;
    struct text token = service(world.discount[0], "credits:write");
    send_away(&exchange, "/credits", token);
    await(&world.delivered_count, 1);
    atomic_store(&world.monotonic_us, 60 * CLOCK_SECOND_US); /* a next fetch would be allowed by now */
    resume(&exchange);
    expect(&exchange, 503, "keys_unavailable", NULL);
    assert_int_equal(world.fetch_count, 1);
}

static void strangers_cause_no_fetch(void **state) {
    (void)state;
    struct token_claims claims = {.issuer = "mint", .subject = TEXT("mint"), .scope = TEXT("credits:write")};
    ask("/credits", sign(world.discount[0], claims), 401, "token_invalid", "invalid_token");
    claims.issuer = "wallet"; /* our own keys are all there are */
    ask("/credits", sign(world.discount[0], claims), 401, "token_invalid", "invalid_token");
    assert_int_equal(world.fetch_count, 0);
}

static void those_who_wait_are_answered_at_the_end(void **state) {
    (void)state;
    struct exchange exchanges[2];
    close_gate(true);
    for (size_t i = 0; i < 2; i++) send_away(&exchanges[i], "/credits", service(world.discount[0], "credits:write"));
    await(&world.fetch_count, 1);
    close_gate(false);
    access_stop(world.access);
    await(&world.delivered_count, 2);
    for (size_t i = 0; i < 2; i++) {
        resume(&exchanges[i]);
        expect(&exchanges[i], 503, "keys_unavailable", NULL);
    }
    ask("/credits", service(world.discount[0], "credits:write"), 503, "keys_unavailable", NULL);
    ask("/user", user("user"), 0, NULL, NULL);
}

static void those_who_wait_are_bounded(void **state) {
    (void)state;
    enum { MOST = 1024 };
    struct exchange *exchanges = calloc(MOST, sizeof *exchanges);
    assert_non_null(exchanges);
    for (size_t round = 0; round < 2; round++) { /* without any key, and with another one */
        struct text token = service(world.discount[round], "credits:write");
        world.delivered_count = 0;
        publish(world.discount[round]);
        close_gate(true);
        for (size_t i = 0; i < MOST; i++) send_away(&exchanges[i], "/credits", token);
        ask("/credits", token, 503, "keys_unavailable", NULL);
        atomic_store(&world.monotonic_us, (int64_t)(round + 1) * CLOCK_SECOND_US);
        close_gate(false);
        await(&world.delivered_count, MOST);
        for (size_t i = 0; i < MOST; i++) {
            resume(&exchanges[i]);
            expect(&exchanges[i], 0, NULL, NULL);
        }
    }
    free(exchanges);
}

static void a_file_is_read_again(void **state) {
    (void)close_access(state);
    char path[] = "/tmp/hamyan_access_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    world.delivered_count = 0;
    make_access(path, false);
    struct exchange exchange;
    struct text token = service(world.discount[0], "credits:write");
    begin(&exchange, "/credits", token);
    if (route_admit(&exchange) == ROUTE_PENDING) { /* otherwise the start's look at it is over */
        await(&world.delivered_count, 1);
        resume(&exchange);
    }
    expect(&exchange, 503, "keys_unavailable", NULL); /* nothing stands in it */
    world.delivered_count = 0;
    publish(world.discount[0]);
    assert_int_equal(write(fd, world.jwks, strlen(world.jwks)), strlen(world.jwks));
    close(fd);
    atomic_store(&world.monotonic_us, 2 * CLOCK_SECOND_US);
    begin(&exchange, "/credits", token);
    if (route_admit(&exchange) == ROUTE_PENDING) { /* unless it has been read unasked meanwhile */
        await(&world.delivered_count, 1);
        resume(&exchange);
    }
    expect(&exchange, 0, NULL, NULL);
    assert_int_equal(unlink(path), 0);
}

static void without_a_way_to_fetch_nobody_waits(void **state) {
    (void)close_access(state);
    make_access("http://127.0.0.1:1/jwks", false);
    ask("/credits", service(world.discount[0], "credits:write"), 503, "keys_unavailable", NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_access, close_access)
    const struct CMUnitTest tests[] = {
        TEST(each_verdict_has_its_answer),
        TEST(a_services_token_without_an_end_is_told_so),
        TEST(a_clock_that_was_set_back_shuts_nobody_out),
        TEST(a_missing_token_names_no_error),
        TEST(the_scheme_is_read_in_any_case),
        TEST(each_scope_opens_its_routes_only),
        TEST(public_routes_never_look_at_the_token),
        TEST(the_caller_is_told_to_the_handler),
        TEST(unknown_keys_are_fetched_once_for_all_who_wait),
        TEST(a_token_of_an_unknown_key_waits_for_the_next_fetch),
        TEST(what_is_being_fetched_may_be_too_old_for_who_comes_meanwhile),
        TEST(without_any_key_it_is_tried_each_second),
        TEST(an_exchange_waits_once),
        TEST(strangers_cause_no_fetch),
        TEST(those_who_wait_are_answered_at_the_end),
        TEST(those_who_wait_are_bounded),
        TEST(a_file_is_read_again),
        TEST(without_a_way_to_fetch_nobody_waits),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
