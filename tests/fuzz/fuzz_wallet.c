/* Wallet's requests (requests.h). After each input its books must be sound. */
#include "tests/fuzz/requests.h"

#include "auth/token.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/serve.h"
#include "store/open.h"
#include "wallet/books.h"
#include "wallet/data.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/verify.h"
#include "wallet/wallet.h"
#include "wallet_answers.h"

#define LIFETIME_US INT64_C(900000000)
#define ALL_SCOPES  "credits:write credits:issue funds:write holds:write payments:write reversals:write users:write"

static struct wallet wallet;
static char data_folder[80];
static struct data stored;
static struct arena arena; /* of tokens and keys */
static struct trust *trust;
static struct key_ring *service_keys;

/* ---- what every input finds ---- */

static struct batch *writer;
static struct books *books;

static void session_ended(void *context, const struct session *session) {
    (void)context;
    revocations_add_session(wallet.revocations, session->id, session->ended_at_us, the_now_us);
}

static void user_sessions_ended(void *context, const struct user *user) {
    (void)context;
    revocations_add_user(wallet.revocations, user->id, user->sessions_cutoff, user->kept_session, user->sessions_ended_at_us, the_now_us);
}

static bool is_revoked(void *self, const struct identity *identity) {
    (void)self;
    return revocations_contain(wallet.revocations, identity->user_id, identity->session_id);
}

static void open_service(void) {
    struct store_engine store_engine;
    CHECK(result_is_ok(data_open(data_folder, &stored, BATCH_WRITE, &writer)));
    struct books_options options = {.currency = wallet.currency,
                                    .ids = &ids,
                                    .session_ended = session_ended,
                                    .user_sessions_ended = user_sessions_ended};
    CHECK(result_is_ok(books_create(&options, writer, &fixed_clock, &books)));
    books_bind(books, &store_engine);
    struct store_options store_options = {.name = "walletd", .clock = &fixed_clock};
    CHECK(result_is_ok(store_create(&store_engine, &store_options, &wallet.service.store)));
    CHECK(result_is_ok(revocations_create(LIFETIME_US, &wallet.revocations)) && result_is_ok(attempts_create(false, &wallet.attempts)));
    CHECK(result_is_ok(callers_create(&wallet.callers)));
    CHECK(result_is_ok(readers_create(&stored.place, &fixed_clock, &wallet.service.readers)));
    readers_open_loop(wallet.service.readers, 0);
}

static void close_service(void) {
    readers_close_loop(wallet.service.readers, 0);
    readers_free(wallet.service.readers);
    callers_free(wallet.callers);
    store_free(wallet.service.store);
    books_free(books);
    batch_close(writer);
    revocations_free(wallet.revocations);
    attempts_free(wallet.attempts);
}

static void check_books(void) {
    struct verify_report report;
    struct batch_commits commits = {0};
    struct batch *reader = NULL;
    struct place place = stored.place;
    place.commits = &commits;
    CHECK(result_is_ok(batch_open(&place, BATCH_READ, &reader)) && result_is_ok(verify_books(reader, NULL, &report)));
    batch_close(reader);
    if (!report.is_sound) fprintf(stderr, "%s\n", report.finding);
    CHECK(report.is_sound);
}

/* ---- the start ---- */

static void make_trust(void) {
    static char keys_folder[96];
    snprintf(keys_folder, sizeof keys_folder, "%s/service", folder);
    CHECK(mkdir(keys_folder, 0700) == 0 && result_is_ok(key_generate(keys_folder, KEY_ES256, the_now_us)));
    CHECK(result_is_ok(key_ring_load(keys_folder, &service_keys)));
    struct trusted_issuer issuers[] = {
        {.name = "wallet", .kind = IDENTITY_USER, .scopes = SCOPE_USER | SCOPE_ADMIN, .ring = wallet.service.keys},
        {.name = "discount",
         .kind = IDENTITY_SERVICE,
         .scopes = SCOPE_CREDITS_WRITE | SCOPE_CREDITS_ISSUE | SCOPE_FUNDS_WRITE | SCOPE_HOLDS_WRITE | SCOPE_PAYMENTS_WRITE |
                   SCOPE_REVERSALS_WRITE | SCOPE_USERS_WRITE,
         .ring = service_keys}};
    CHECK(result_is_ok(trust_create("wallet", issuers, ARRAY_COUNT(issuers), &trust)));
    trust_load(trust);
    struct access_options options = {
        .service_name = "fuzz", .trust = trust, .clock = &fixed_clock, .loop_count = 1, .is_revoked = is_revoked};
    CHECK(result_is_ok(access_create(&options, &wallet.service.access)));
}

static void make_wallet(void) {
    struct data_meta meta;
    make_folder();
    snprintf(data_folder, sizeof data_folder, "%s/data", folder);
    CHECK(result_is_ok(data_create(data_folder, NULL, CURRENCY_IRT, KEY_ES256, the_now_us)) &&
          result_is_ok(data_at(data_folder, NULL, &wallet.service.commits, &stored)));
    CHECK(result_is_ok(data_open(data_folder, &stored, BATCH_WRITE, &writer)) && result_is_ok(data_read_meta(writer, &meta)));
    batch_close(writer);
    arena_init(&arena, (size_t)1024 * 1024);
    wallet.service.name = "walletd";
    wallet.service.short_name = "wallet";
    wallet.service.clock = &fixed_clock;
    CHECK(result_is_ok(documents_create(wallet_assets, NULL, &wallet.service.documents)));
    wallet.service.find_page = wallet_find_page;
    wallet.service.kept = &table_kept;
    wallet.service.audit = &table_audit;
    wallet.currency = meta.currency;
    wallet.instance_id = meta.instance_id;
    wallet.created_at_us = meta.created_at_us;
    wallet.region = "IR";
    CHECK(result_is_ok(zone_find(TEXT("UTC"), &wallet.zone)));
    wallet.access_lifetime_us = LIFETIME_US;
    wallet.refresh_lifetime_us = 10 * LIFETIME_US;
    memcpy(wallet.service.idempotency_secret, meta.idempotency_secret, sizeof wallet.service.idempotency_secret);
    wallet_register_metrics(&wallet.metrics);
    CHECK(result_is_ok(key_ring_load(stored.keys, &wallet.service.keys)));
    CHECK(result_is_ok(password_pool_create(1, CRYPTO_COST_LOW, LIMIT_PASSWORD_QUEUE, &wallet.passwords)));
    id_source_init_system(&ids);
    id_source_init_system(&wallet.loops[0].ids);
    make_trust();
}

static struct text make_token(const struct key_ring *ring, const char *issuer, struct text subject, struct text scope,
                              int64_t expires_at_us) {
    struct text token = {NULL, 0};
    struct token_claims claims = {.issuer = issuer,
                                  .audiences = {"wallet"},
                                  .audience_count = 1,
                                  .subject = subject,
                                  .scope = scope,
                                  .preferred_username = TEXT("somebody"),
                                  .session_id = subject,
                                  .token_id = id_make(&ids, the_now_us),
                                  .issued_at_us = the_now_us - CLOCK_SECOND_US,
                                  .expires_at_us = expires_at_us};
    if (strcmp(issuer, "wallet") != 0) claims.preferred_username = claims.session_id = (struct text){NULL, 0};
    CHECK(result_is_ok(token_sign(ring, &claims, &arena, &token)));
    return token;
}

static void make_callers(void) {
    const struct text users[] = {{kept_ids[0], ID_TEXT_BYTES}, {kept_ids[1], ID_TEXT_BYTES}};
    int64_t in_time_us = the_now_us + 100 * LIFETIME_US, soon_us = the_now_us + TOKEN_SERVICE_LIFETIME_US - CLOCK_SECOND_US;
    callers[1] = make_token(wallet.service.keys, "wallet", users[0], TEXT("user"), in_time_us);
    callers[2] = make_token(wallet.service.keys, "wallet", users[1], TEXT("user"), in_time_us);
    callers[3] = make_token(wallet.service.keys, "wallet", users[0], TEXT("user admin"), in_time_us);
    callers[4] = make_token(service_keys, "discount", TEXT("discount"), TEXT(ALL_SCOPES), soon_us);
    callers[5] = make_token(wallet.service.keys, "wallet", users[0], TEXT("user"), the_now_us);
    callers[6] = make_token(service_keys, "discount", TEXT("discount"), TEXT("funds:write"), soon_us);
    callers[7] = TEXT("ey.no.token");
}

static void post(const char *target, struct text token, const char *body) {
    static char text[1024];
    run_request(TEXT("POST"), text_of(target), 0, token, fill_in(text_of(body), text));
}

static void round_ended(void *self, size_t loop_index) {
    (void)self;
    readers_end_round(wallet.service.readers, loop_index);
}

static char first_ids[KEPT_IDS][ID_TEXT_BYTES];
static size_t first_count;

static void begin(void) {
    static bool has_begun;
    if (has_begun) return;
    has_begun = true;
    crypto_init();
    log_init("fuzz", LOG_ERROR);
    answers = known_answers;
    answer_count = ARRAY_COUNT(known_answers);
    make_wallet();
    http = (struct http_service){.name = "walletd",
                                 .self = &wallet,
                                 .routes = wallet_routes,
                                 .route_count = wallet_route_count,
                                 .clock = &fixed_clock,
                                 .authorize = access_authorize,
                                 .allowed_origins = "https://a.test",
                                 .round_ended = round_ended};
    static struct router *router;
    CHECK(result_is_ok(router_create(wallet_routes, wallet_route_count, &router)));
    http.router = router;
    open_service();
    post("/v1/users", callers[0], "{\"username\":\"first\",\"password\":\"a password\"}");
    post("/v1/users", callers[0], "{\"username\":\"second\",\"password\":\"a password\"}");
    CHECK(kept_count == 2);
    make_callers();
    post("/v1/funds", callers[4], "{\"reference\":\"fund\",\"amount\":5000,\"currency\":\"IRT\"}");
    post("/v1/credits", callers[4],
         "{\"items\":[{\"reference\":\"one\",\"user_id\":\"@0\",\"amount\":1000,\"currency\":\"IRT\",\"fund\":\"fund\"}]}");
    check_books();
    close_service();
    read_image(stored.database);
    memcpy(first_ids, kept_ids, sizeof first_ids);
    first_count = kept_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    begin();
    write_image(stored.database);
    memcpy(kept_ids, first_ids, sizeof kept_ids);
    kept_count = first_count;
    open_service();
    run_input(data, size);
    check_books();
    close_service();
    return 0;
}
