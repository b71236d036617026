/* A store and loops that do nothing, in the place of store.c and service/operation.c: they keep what they are given until the test looks. */
#pragma once

#include "fake_client.h"

#include "discount/settle/messages.h"
#include "discount/settle/waiters.h"
#include "discount/tables.h"
#include "http/problem.h"
#include "http/server.h"

#define FAKE_OPERATIONS_MAX 16u

/* ---- what is in the database ---- */

static struct result read_outcome;
static bool campaign_is_missing;
static struct campaign campaigns[2];

/* Asked, and answered by the trip. */
static struct id asked_id;
static struct found_campaign *asked_campaign;

void ask_campaign(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    (void)batch;
    assert_ptr_equal(visit, campaign_found);
    asked_id = id;
    asked_campaign = context;
}

struct result campaign_found(void *found, const struct row *row) {
    (void)found;
    (void)row;
    fail();
    return result_ok();
}

struct result batch_run(struct batch *batch) {
    struct found_campaign *found = asked_campaign;
    (void)batch;
    asked_campaign = NULL;
    for (size_t i = 0; i < 2 && found != NULL && result_is_ok(read_outcome) && !campaign_is_missing; i++) {
        if (id_equal(asked_id, campaigns[i].id)) *found = (struct found_campaign){.is_found = true, .campaign = campaigns[i]};
    }
    return read_outcome;
}

/* ---- what is in the store ---- */

static struct {
    struct store_operation *operations[FAKE_OPERATIONS_MAX]; /* oldest first */
    size_t count;
    bool is_stopping;
} fake_store;

const struct action fund_refused_action = {.name = "refused"}, fund_adopted_action = {.name = "adopted"};
const struct action rebuild_action = {.name = "rebuild"}, promote_action = {.name = "promote"};
const struct action mark_action = {.name = "mark"}, taken_back_action = {.name = "taken back"}, expire_action = {.name = "expire"},
                    fund_confirmed_action = {.name = "confirmed"}, fund_released_action = {.name = "released"},
                    note_action = {.name = "note"}, instance_action = {.name = "instance"}, archive_action = {.name = "archive"},
                    recall_action = {.name = "recall"};

struct result store_submit_internal(struct store *store, struct store_operation *operation) {
    (void)store;
    if (fake_store.is_stopping) return result_error(RESULT_UNAVAILABLE);
    assert_true(fake_store.count < FAKE_OPERATIONS_MAX);
    fake_store.operations[fake_store.count++] = operation;
    return result_ok();
}

static inline const struct action *fake_store_action(size_t index) {
    assert_true(index < fake_store.count);
    return operation_of(fake_store.operations[index])->action;
}

static inline struct own_request *fake_store_request(size_t index) {
    assert_true(index < fake_store.count);
    return (struct own_request *)operation_of(fake_store.operations[index]);
}

static inline void fake_store_end(size_t index, struct result outcome) {
    assert_true(index < fake_store.count);
    struct store_operation *operation = fake_store.operations[index];
    fake_store.count--;
    memmove(&fake_store.operations[index], &fake_store.operations[index + 1], (fake_store.count - index) * sizeof operation);
    operation->done(operation, outcome);
}

static size_t fake_logged;
void discount_log_change(const struct discount_operation *operation) {
    (void)operation;
    fake_logged++;
}

/* ---- requests, and what they are told ---- */

struct test_request {
    struct exchange exchange;
    struct discount_operation operation;
    size_t returned; /* to its loop, to be answered as it stands */
    size_t finished; /* with a problem */
    struct campaign told;
};

void operation_return(struct operation *operation) {
    struct test_request *request = CONTAINER_OF(operation->exchange, struct test_request, exchange);
    assert_int_equal(request->exchange.state, EXCHANGE_TAKEN);
    request->exchange.state = EXCHANGE_RETURNED;
    request->returned++;
}

static inline void fake_deliver(struct exchange *exchange) { CONTAINER_OF(exchange, struct test_request, exchange)->finished++; }

/* A request whose claim of this campaign is committed, in the settler's hand; `key` NULL: it has no Idempotency-Key. */
static inline void request_init(struct test_request *request, uint32_t campaign_number, int64_t position, const char *key) {
    static const struct http_service service = {.name = "test", .clock = &fake_clock};
    memset(request, 0, sizeof *request);
    exchange_init(&request->exchange, &service);
    request->exchange.deliver = fake_deliver;
    request->exchange.request_id = TEXT("test");
    request->exchange.state = EXCHANGE_TAKEN;
    request->exchange.given_to = EXCHANGE_OF_SETTLER;
    struct operation *operation = &request->operation.operation;
    operation->exchange = &request->exchange;
    operation->arena = &request->exchange.arena;
    operation->fate = FATE_WAITING;
    request->operation.campaign = &request->told;
    if (key != NULL) operation->idempotency.key = text_of(key);
    struct redemption *redemption = &request->operation.redemption;
    redemption->id.bytes[0] = (uint8_t)campaign_number;
    redemption->id.bytes[1] = (uint8_t)position;
    redemption->id.bytes[15] = 1; /* no campaign's */
    redemption->campaign_number = campaign_number;
    redemption->position = position;
    redemption->status = REDEMPTION_CLAIMED;
    redemption->claimed_at_us = fake_now_us;
    operation->subject = redemption->id;
}

static inline void request_clear(struct test_request *request) { exchange_clear(&request->exchange); }

static inline bool is_untold(const struct test_request *request) { return request->returned == 0 && request->finished == 0; }
static inline bool is_returned(const struct test_request *request) { return request->returned == 1 && request->finished == 0; }

/* ---- campaigns on a board ---- */

static struct board *board;

static inline void show(size_t index) { board_publish(board, &campaigns[index], 0); }

static inline void board_begin(void) {
    assert_true(result_is_ok(board_create(4, &board)));
    for (uint32_t i = 0; i < 2; i++) {
        campaigns[i] = (struct campaign){.number = i + 1,
                                         .credit = {1000, CURRENCY_IRT},
                                         .max_redemptions = 100,
                                         .fund_confirmed_minor = 100000,
                                         .version = 1,
                                         .sequence = 1};
        campaigns[i].id.bytes[0] = (uint8_t)(i + 1);
        assert_true(result_is_ok(code_parse(i == 0 ? TEXT("FIRST") : TEXT("SECOND"), &campaigns[i].code)));
        board_reserve(board, &campaigns[i]);
        show(i);
    }
}
