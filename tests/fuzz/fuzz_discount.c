/* Discount's requests (requests.h). After each input its campaigns must be sound. Wallet is never reached: a claim waits for ever, as in an outage. */
#include "tests/fuzz/requests.h"

#include "auth/token.h"
#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/events.h"
#include "discount/redemptions.h"
#include "discount/settle/settler.h"
#include "discount/settle/waiters.h"
#include "discount/tables.h"
#include "discount/verify.h"
#include "discount/working_codes.h"
#include "discount_answers.h"
#include "discount_schema.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/serve.h"
#include "store/open.h"

#define SECRET_BYTE 7

static struct discount discount;
static struct code_keys code_keys = {.count = 1};
static char database_path[96];
static struct arena arena; /* of tokens and keys */
static struct key_ring *wallet_keys, *own_keys;
static struct trust *trust;
static struct place read_place; /* of the readers */
static struct batch *batch;
static struct working_set *set;
static struct engine *engine;
static struct batch *reader; /* of the waiters */
static struct waiters waiters;
static FILE *nowhere;

/* ---- what every input finds ---- */

/* Answered at once, as when the time to wait for Wallet is over. */
void __wrap_settler_submit(struct settler *settler, struct discount_operation *operation);
void __wrap_settler_submit(struct settler *settler, struct discount_operation *operation) {
    (void)settler;
    operation->waits_in = NULL;
    exchange_take(operation->operation.exchange, EXCHANGE_OF_SETTLER);
    waiters_answer_now(&waiters, operation);
}

static void open_service(void) {
    const struct place place = {.file = database_path, .schema = &discount_schema, .commits = &discount.service.commits};
    CHECK(result_is_ok(batch_open(&place, BATCH_WRITE, &batch)));
    CHECK(result_is_ok(board_create(LIMIT_CAMPAIGNS_KEPT, &discount.board)));
    CHECK(result_is_ok(working_set_create(batch, discount.board, 0, &set)));
    CHECK(result_is_ok(code_board_create(&code_keys, &discount.codes)) && result_is_ok(working_codes_begin(set, discount.codes)));
    const struct engine_options engine_options = {
        .set = set, .hooks = &discount_hooks, .kept = &table_kept, .clock = &fixed_clock, .batch = batch};
    CHECK(result_is_ok(engine_create(&engine_options, &engine)));
    struct store_engine store_engine;
    engine_bind(engine, &store_engine);
    struct store_options store_options = {.name = "discountd", .clock = &fixed_clock};
    CHECK(result_is_ok(store_create(&store_engine, &store_options, &discount.service.store)));
    CHECK(result_is_ok(limiter_create(&discount.limiter)));
    read_place = (struct place){.file = database_path, .schema = &discount_schema, .commits = &discount.service.commits};
    /* Without its thread: who listens is told nothing, and has left before it could be. */
    const struct events_options events_options = {.board = discount.board, .clock = &fixed_clock, .place = &read_place};
    CHECK(result_is_ok(events_create(&events_options, &discount.events)));
    CHECK(result_is_ok(readers_create(&read_place, &fixed_clock, &discount.service.readers)));
    readers_open_loop(discount.service.readers, 0);
    struct settler_options options = {.board = discount.board,
                                      .clock = &fixed_clock,
                                      .keys = own_keys,
                                      .wallet_url = "http://127.0.0.1:1",
                                      .place = &read_place,
                                      .claims_max = 64};
    CHECK(result_is_ok(settler_create(&options, &discount.settler)));
    const struct place alone = {.file = database_path, .schema = &discount_schema};
    CHECK(result_is_ok(batch_open(&alone, BATCH_READ, &reader)));
    waiters_init(&waiters, discount.board, &fixed_clock, reader, 0);
    waiters.store = discount.service.store;
}

static void close_service(void) {
    readers_close_loop(discount.service.readers, 0);
    readers_free(discount.service.readers);
    batch_close(reader);
    settler_free(discount.settler);
    events_free(discount.events);
    limiter_free(discount.limiter);
    store_free(discount.service.store);
    CHECK(result_is_ok(working_set_flush(engine, the_now_us)));
    engine_free(engine);
    working_set_free(set);
    code_board_free(discount.codes);
    board_free(discount.board);
    batch_close(batch);
}

/* Counters are written now and then only: before they are compared they must be. */
static void check_campaigns(void) {
    CHECK(result_is_ok(working_set_flush(engine, the_now_us)));
    struct result verified = verify_database(&read_place, NULL, nowhere);
    if (!result_is_ok(verified)) (void)verify_database(&read_place, NULL, stderr);
    CHECK(result_is_ok(verified));
}

/* ---- the start ---- */

static void make_keys(const char *name, struct key_ring **ret_keys) {
    char keys_folder[96];
    snprintf(keys_folder, sizeof keys_folder, "%s/%s", folder, name);
    CHECK(mkdir(keys_folder, 0700) == 0 && result_is_ok(key_generate(keys_folder, KEY_ES256, the_now_us)));
    CHECK(result_is_ok(key_ring_load(keys_folder, ret_keys)));
}

static void make_discount(void) {
    make_folder();
    arena_init(&arena, (size_t)1024 * 1024);
    make_keys("wallet", &wallet_keys);
    make_keys("own", &own_keys);
    snprintf(database_path, sizeof database_path, "%s/discount.db", folder);
    const struct place place = {.file = database_path, .schema = &discount_schema};
    CHECK(result_is_ok(batch_open(&place, BATCH_CREATE, &batch)));
    batch_close(batch);
    discount.service.name = "discountd";
    discount.service.short_name = "discount";
    discount.service.clock = &fixed_clock;
    CHECK(result_is_ok(documents_create(discount_assets, NULL, &discount.service.documents)));
    discount.service.find_page = discount_find_page;
    discount.service.kept = &table_kept;
    discount.service.audit = &table_audit;
    discount.service.inquire = redemptions_inquire;
    discount.service.keys = own_keys;
    discount.region = "IR";
    discount.currency = CURRENCY_IRT;
    discount.is_offered[CURRENCY_IRT] = true;
    memset(discount.service.idempotency_secret, SECRET_BYTE, sizeof discount.service.idempotency_secret);
    discount_register_metrics();
    id_source_init_system(&ids);
    id_source_init_system(&discount.id_sources[0]);
    struct trusted_issuer wallet = {.name = "wallet", .kind = IDENTITY_USER, .scopes = SCOPE_USER | SCOPE_ADMIN, .ring = wallet_keys};
    CHECK(result_is_ok(trust_create("discount", &wallet, 1, &trust)));
    trust_load(trust);
    struct access_options options = {.service_name = "fuzz", .trust = trust, .clock = &fixed_clock, .loop_count = 1};
    CHECK(result_is_ok(access_create(&options, &discount.service.access)));
}

static struct text make_token(const char *audience, struct text phone, struct text scope, int64_t expires_at_us) {
    static char subjects[ASKERS_MAX][ID_TEXT_BYTES];
    static size_t count;
    struct text token = {NULL, 0}, subject = {subjects[count], ID_TEXT_BYTES};
    id_format(id_make(&ids, the_now_us), subjects[count++]);
    struct token_claims claims = {.issuer = "wallet",
                                  .audiences = {audience},
                                  .audience_count = 1,
                                  .subject = subject,
                                  .scope = scope,
                                  .preferred_username = TEXT("somebody"),
                                  .phone_number = phone,
                                  .session_id = subject,
                                  .token_id = id_make(&ids, the_now_us),
                                  .issued_at_us = the_now_us - CLOCK_SECOND_US,
                                  .expires_at_us = expires_at_us};
    CHECK(result_is_ok(token_sign(wallet_keys, &claims, &arena, &token)));
    return token;
}

static void make_callers(void) {
    int64_t in_time_us = the_now_us + 100000 * CLOCK_SECOND_US;
    callers[1] = make_token("discount", TEXT("+989121234567"), TEXT("user"), in_time_us);
    callers[2] = make_token("discount", TEXT(""), TEXT("user"), in_time_us);
    callers[3] = make_token("discount", TEXT(""), TEXT("user admin"), in_time_us);
    callers[4] = make_token("discount", TEXT(""), TEXT("user"), in_time_us);
    callers[5] = make_token("discount", TEXT(""), TEXT("user admin"), the_now_us);
    callers[6] = make_token("wallet", TEXT(""), TEXT("user admin"), in_time_us);
    callers[7] = TEXT("ey.no.token");
}

static void round_ended(void *self, size_t loop_index) {
    (void)self;
    readers_end_round(discount.service.readers, loop_index);
}

static char first_ids[KEPT_IDS][ID_TEXT_BYTES];
static size_t first_count;

static void begin(void) {
    static bool has_begun;
    if (has_begun) return;
    has_begun = true;
    crypto_init();
    log_init("fuzz", LOG_ERROR);
    nowhere = fopen("/dev/null", "w");
    CHECK(nowhere != NULL);
    answers = known_answers;
    answer_count = ARRAY_COUNT(known_answers);
    make_discount();
    make_callers();
    http = (struct http_service){.name = "discountd",
                                 .self = &discount,
                                 .routes = discount_routes,
                                 .route_count = discount_route_count,
                                 .clock = &fixed_clock,
                                 .authorize = access_authorize,
                                 .allowed_origins = "https://a.test",
                                 .round_ended = round_ended};
    static struct router *router;
    CHECK(result_is_ok(router_create(discount_routes, discount_route_count, &router)));
    http.router = router;
    open_service();
    run_request(TEXT("POST"), TEXT("/v1/campaigns"), 0, callers[3],
                TEXT("{\"name\":\"A\",\"kind\":\"wallet_credit\",\"code\":\"GIFT\",\"credit\":{\"amount\":1000,\"currency\":\"IRT\"},"
                     "\"max_redemptions\":2,\"max_per_user\":1}"));
    CHECK(kept_count == 1);
    check_campaigns();
    close_service();
    read_image(database_path);
    memcpy(first_ids, kept_ids, sizeof first_ids);
    first_count = kept_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    begin();
    write_image(database_path);
    memcpy(kept_ids, first_ids, sizeof kept_ids);
    kept_count = first_count;
    open_service();
    run_input(data, size);
    check_campaigns();
    close_service();
    return 0;
}
