/* A whole discountd without its HTTP server: store, board, settler and a scripted Wallet, for the tests of this folder. */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "discount/answer.h"
#include "discount/campaigns.h"
#include "discount/discount.h"
#include "discount/redeem.h"
#include "discount/settle/settler.h"
#include "discount/working_codes.h"
#include "discount_schema.h"
#include "store/open.h"

#include "../base/folder.h"

/* ---- an exchange that waits for its answer ---- */

struct test_exchange {
    struct exchange exchange;
    bool is_answered; /* under answers_lock */
    bool is_finished; /* the test's own */
};

/* One of each for all, so that none is destroyed while its last signaller is still inside it. */
static pthread_mutex_t answers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answers_changed = PTHREAD_COND_INITIALIZER;

static inline void test_deliver(struct exchange *exchange) {
    pthread_mutex_lock(&answers_lock);
    ((struct test_exchange *)exchange)->is_answered = true;
    pthread_cond_broadcast(&answers_changed);
    pthread_mutex_unlock(&answers_lock);
}

static inline struct test_exchange *exchange_new(struct discount *discount, struct id user_id) {
    struct test_exchange *test = calloc(1, sizeof *test);
    assert_non_null(test);
    struct exchange *exchange = &test->exchange;
    static struct http_service service; /* outlives the call, as the exchange does */
    service = (struct http_service){.name = "test", .self = discount, .clock = &clock_system};
    exchange_init(exchange, &service);
    exchange->deliver = test_deliver;
    exchange->request_id = TEXT("test");
    exchange->path = TEXT("/v1/redemptions");
    exchange->method = TEXT("POST");
    exchange->caller = (struct identity){.kind = IDENTITY_USER, .scopes = SCOPE_USER | SCOPE_ADMIN, .user_id = user_id};
    exchange->arrived_us = clock_now_us(&clock_system);
    exchange->received_monotonic_us = clock_monotonic_us(&clock_system);
    exchange->state = EXCHANGE_HANDLING;
    return test;
}

static inline void exchange_wait_once(struct test_exchange *test) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    int waited = 0;
    pthread_mutex_lock(&answers_lock);
    while (!test->is_answered && waited == 0) waited = pthread_cond_timedwait(&answers_changed, &answers_lock, &deadline);
    bool is_answered = test->is_answered;
    test->is_answered = false;
    pthread_mutex_unlock(&answers_lock);
    if (!is_answered) fail_msg("no answer within 20 s");
}

/* Waits for the answer, as its loop does, which is where it is made: a test that gets none fails instead of hanging. */
static inline int exchange_wait(struct test_exchange *test) {
    while (!test->is_finished) {
        exchange_wait_once(test); /* before it has come back it is somebody else's: nothing in it may be looked at */
        test->is_finished = !exchange_is_returned(&test->exchange);
        if (!test->is_finished) exchange_resume(&test->exchange);
    }
    return test->exchange.status;
}

static inline void exchange_delete(struct test_exchange *test) {
    exchange_clear(&test->exchange);
    free(test);
}

static inline bool body_has(const struct test_exchange *test, const char *piece) {
    return memmem(test->exchange.reply_body.data, test->exchange.reply_body.size, piece, strlen(piece)) != NULL;
}

/* ---- the service ---- */

struct world {
    struct discount discount;
    struct code_keys code_keys;
    struct batch *batch;
    struct working_set *set;
    struct engine *engine;
    struct key_ring *keys;
    char folder[64], database_path[128], keys_path[128], url[64];
    size_t claims_max;
    int64_t settle_wait_ms;
    struct id_source ids;
};

static inline void world_start(struct world *world) {
    struct discount *discount = &world->discount;
    *discount = (struct discount){.region = "IR"};
    discount->service.clock = &clock_system;
    discount->service.name = "discountd";
    const struct place place = {.file = world->database_path, .schema = &discount_schema, .commits = &discount->service.commits};
    assert_true(result_is_ok(batch_open(&place, BATCH_WRITE, &world->batch)));
    assert_true(result_is_ok(board_create(LIMIT_CAMPAIGNS_KEPT, &discount->board)));
    assert_true(result_is_ok(working_set_create(world->batch, discount->board, 0, &world->set)));
    assert_true(result_is_ok(code_board_create(&world->code_keys, &discount->codes)));
    assert_true(result_is_ok(working_codes_begin(world->set, discount->codes)));
    const struct engine_options engine_options = {
        .set = world->set, .hooks = &discount_hooks, .kept = &table_kept, .clock = &clock_system, .batch = world->batch};
    assert_true(result_is_ok(engine_create(&engine_options, &world->engine)));
    struct store_engine engine;
    engine_bind(world->engine, &engine);
    struct store_options options = {.name = "test", .clock = &clock_system};
    assert_true(result_is_ok(store_create(&engine, &options, &discount->service.store)));
    struct settler_options settler = {.board = discount->board,
                                      .clock = &clock_system,
                                      .keys = world->keys,
                                      .wallet_url = world->url,
                                      .place = &place,
                                      .settle_wait_ms = world->settle_wait_ms,
                                      .claims_max = world->claims_max};
    assert_true(result_is_ok(settler_create(&settler, &discount->settler)));
    assert_true(result_is_ok(store_start(discount->service.store)));
    assert_true(result_is_ok(settler_start(discount->settler, discount->service.store)));
}

static inline void world_stop(struct world *world) {
    struct discount *discount = &world->discount;
    settler_stop(discount->settler);
    store_stop(discount->service.store);
    assert_true(result_is_ok(working_set_flush(world->engine, clock_now_us(&clock_system))));
    settler_free(discount->settler);
    store_free(discount->service.store);
    engine_free(world->engine);
    working_set_free(world->set);
    code_board_free(discount->codes);
    board_free(discount->board);
    batch_close(world->batch);
}

static inline void world_create(struct world *world, uint16_t wallet_port) {
    folder_create(world->folder, "discount-test");
    snprintf(world->database_path, sizeof world->database_path, "%s/discount.db", world->folder);
    snprintf(world->keys_path, sizeof world->keys_path, "%s/keys", world->folder);
    snprintf(world->url, sizeof world->url, "http://127.0.0.1:%u", wallet_port);
    assert_int_equal(mkdir(world->keys_path, 0700), 0);
    assert_true(result_is_ok(key_generate(world->keys_path, KEY_ES256, clock_now_us(&clock_system))));
    assert_true(result_is_ok(key_ring_load(world->keys_path, &world->keys)));
    const struct place place = {.file = world->database_path, .schema = &discount_schema};
    struct batch *batch;
    assert_true(result_is_ok(batch_open(&place, BATCH_CREATE, &batch)));
    batch_close(batch);
    id_source_init_system(&world->ids);
}

static inline void world_delete(struct world *world) {
    key_ring_free(world->keys);
    assert_true(folder_remove(world->folder));
}

/* ---- requests ---- */

static inline struct code test_code(const char *text) {
    struct code code;
    assert_true(result_is_ok(code_parse(text_of(text), &code)));
    return code;
}

static inline struct id test_user(uint64_t number) {
    struct id id = {.bytes = {[6] = 0x70, [8] = 0x80}};
    memcpy(id.bytes, &number, 4);
    return id;
}

static inline void test_key(struct operation *operation, const char *key) {
    if (key == NULL) return;
    operation->idempotency = (struct idempotency_request){.key = text_of(key), .fingerprint = TEXT("same")};
    operation->idempotency.lookup = crypto_hash(text_of(key));
}

static inline struct test_exchange *world_create_campaign(struct world *world, const char *code, int64_t places, const char *key) {
    struct test_exchange *test = exchange_new(&world->discount, test_user(9999999));
    struct campaign_making *making = discount_begin(&test->exchange, &create_action, sizeof *making);
    making->base.id = id_make(&world->ids, clock_now_us(&clock_system));
    making->create = (struct campaign_create){
        .code = test_code(code), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Gift"), .max_redemptions = places, .phone_rule = PHONE_ANY};
    test_key(&making->base.operation, key);
    operation_submit(&making->base.operation);
    return test;
}

static inline struct test_exchange *world_redeem(struct world *world, const char *code, unsigned user, const char *key) {
    struct test_exchange *test = exchange_new(&world->discount, test_user(user));
    struct redemption_request *request = discount_begin(&test->exchange, &redeem_action, sizeof *request);
    char phone[24];
    snprintf(phone, sizeof phone, "+9891%08u", user);
    request->base.id = id_make(&world->ids, clock_now_us(&clock_system));
    request->redeem = (struct redeem_request){.code = test_code(code), .user_id = test_user(user)};
    assert_true(result_is_ok(phone_parse(text_of(phone), "IR", &request->redeem.phone)));
    test_key(&request->base.operation, key);
    operation_submit(&request->base.operation);
    return test;
}

static inline struct campaign_view world_view(struct world *world, const char *code) {
    struct code parsed = test_code(code);
    struct board_slot *slot = board_find_code(world->discount.board, &parsed);
    assert_non_null(slot);
    return board_view(slot);
}
