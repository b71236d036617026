/* A wallet's books for tests: the engine over a database in a temporary folder, a clock that stands, and ids that come the same each time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../base/folder.h"
#include "base/check.h"
#include "wallet/books.h"
#include "wallet/credits.h"
#include "wallet/data.h"
#include "wallet/funds.h"
#include "wallet/sessions.h"
#include "wallet/tables.h"
#include "wallet/transfers.h"
#include "wallet/users.h"

#define DESK_START_US INT64_C(1795366116000000)
#define DESK_PASSWORD "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"

struct desk {
    uint64_t seed;
    int64_t now_us;
    struct clock clock;
    struct id_source ids;
    char folder[64];
    struct data data;
    struct batch_commits commits;
    struct batch *writer, *reader;
    struct books *books;
    struct store *store;
    struct arena arena;
};

/* xorshift64: the same numbers on each run. */
static inline uint64_t desk_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline void desk_random_bytes(void *context, void *buffer, uint64_t size) {
    for (uint64_t i = 0; i < size; i++) ((uint8_t *)buffer)[i] = (uint8_t)desk_random(context);
}

static inline int64_t desk_now(void *context) { return ((struct desk *)context)->now_us; }

static inline void desk_open_store(struct desk *desk) {
    struct store_engine engine;
    struct store_options options = {.name = "test", .clock = &desk->clock};
    books_bind(desk->books, &engine);
    assert_true(result_is_ok(store_create(&engine, &options, &desk->store)));
}

/* Over the database of a folder that is there. */
static inline void desk_sit_down(struct desk *desk) {
    desk->now_us = DESK_START_US;
    desk->seed = 88172645463325252u;
    desk->clock = (struct clock){desk_now, desk_now, desk};
    id_source_init(&desk->ids, desk_random_bytes, &desk->seed);
    arena_init(&desk->arena, SIZE_MAX);
    assert_true(result_is_ok(data_at(desk->folder, NULL, &desk->commits, &desk->data)));
    assert_true(result_is_ok(data_open(desk->folder, &desk->data, BATCH_WRITE, &desk->writer)));
    assert_true(result_is_ok(data_open(desk->folder, &desk->data, BATCH_READ, &desk->reader)));
    struct books_options options = {.currency = CURRENCY_IRT, .ids = &desk->ids};
    assert_true(result_is_ok(books_create(&options, desk->writer, &desk->clock, &desk->books)));
    desk_open_store(desk);
}

static inline struct desk *desk_open(void) {
    struct desk *desk = calloc(1, sizeof *desk);
    char place[FOLDER_BYTES];
    assert_non_null(desk);
    folder_create(place, "wallet-books");
    assert_int_equal(snprintf(desk->folder, sizeof desk->folder, "%s/data", place), (int)strlen(place) + 5);
    assert_true(result_is_ok(data_create(desk->folder, NULL, CURRENCY_IRT, KEY_ES256, DESK_START_US)));
    desk_sit_down(desk);
    return desk;
}

static inline void desk_close(struct desk *desk) {
    store_free(desk->store);
    books_free(desk->books);
    batch_close(desk->reader);
    batch_close(desk->writer);
    *strrchr(desk->folder, '/') = '\0';
    assert_true(folder_remove(desk->folder));
    arena_release(&desk->arena);
    free(desk);
}

/* ---- commands ---- */

static inline void *desk_begin(struct desk *desk, const struct action *action, size_t size) {
    struct operation *operation = arena_take_zeroed(&desk->arena, size);
    assert_non_null(operation);
    operation->action = action;
    operation->store.weight = 4;
    operation->arena = &desk->arena;
    return operation;
}

/* done() has no room for the desk: one test runs at a time. */
static struct result desk_outcome;
static inline void desk_done(struct store_operation *operation, struct result outcome) {
    (void)operation;
    desk_outcome = outcome;
}

static inline void desk_submit(struct desk *desk, struct operation *operation) {
    operation->store.done = desk_done;
    assert_true(result_is_ok(store_submit(desk->store, &operation->store)));
}

static inline void desk_run(struct desk *desk) {
    desk->now_us += 1000;
    while (store_run_batch(desk->store)) continue;
}

/* Submits one command and runs it. */
static inline void desk_decide(struct desk *desk, struct operation *operation) {
    desk_submit(desk, operation);
    desk_run(desk);
    assert_true(result_is_ok(desk_outcome));
}

static inline struct registration *desk_make_registration(struct desk *desk, const char *name, const char *phone) {
    struct registration *registration = desk_begin(desk, &register_action, sizeof *registration);
    registration->command.name = text_of(name);
    registration->command.password_hash = DESK_PASSWORD;
    if (phone != NULL) assert_true(result_is_ok(phone_parse(text_of(phone), "IR", &registration->command.phone)));
    return registration;
}

static inline struct id desk_register(struct desk *desk, const char *name) {
    struct registration *registration = desk_make_registration(desk, name, NULL);
    desk_decide(desk, &registration->operation);
    assert_int_equal(registration->outcome, LEDGER_APPLIED);
    return registration->user.id;
}

static inline struct credits *desk_make_credit(struct desk *desk, const char *reference, struct id user_id, int64_t amount,
                                               const char *fund) {
    struct credits *credits = desk_begin(desk, &credits_action, sizeof *credits);
    struct credit_item *item = ARENA_NEW(&desk->arena, struct credit_item);
    *item = (struct credit_item){.reference = text_of(reference),
                                 .user_id = user_id,
                                 .amount = {amount, CURRENCY_IRT},
                                 .fund = text_of(fund),
                                 .description = TEXT("a gift"),
                                 .metadata = TEXT("{\"a\":1}")};
    credits->caller = TEXT("discount");
    credits->items = item;
    credits->outcomes = ARENA_NEW(&desk->arena, struct credit_outcome);
    credits->count = 1;
    return credits;
}

static inline struct credit_outcome desk_credit(struct desk *desk, const char *reference, struct id user_id, int64_t amount,
                                                const char *fund) {
    struct credits *credits = desk_make_credit(desk, reference, user_id, amount, fund);
    desk_decide(desk, &credits->operation);
    return credits->outcomes[0];
}

static inline struct fund_change *desk_make_fund(struct desk *desk, const struct action *action, const char *reference, int64_t amount) {
    struct fund_change *change = desk_begin(desk, action, sizeof *change);
    change->command = (struct fund_command){.caller = TEXT("discount"), .reference = text_of(reference), .amount = {amount, CURRENCY_IRT}};
    return change;
}

static inline enum ledger_outcome desk_fund(struct desk *desk, const struct action *action, const char *reference, int64_t amount) {
    struct fund_change *change = desk_make_fund(desk, action, reference, amount);
    desk_decide(desk, &change->operation);
    return change->outcome;
}

static inline struct user_transfer *desk_make_transfer(struct desk *desk, struct id from, const char *to, int64_t amount) {
    struct user_transfer *transfer = desk_begin(desk, &transfer_action, sizeof *transfer);
    transfer->command = (struct transfer_command){.user_id = from,
                                                  .recipient = RECIPIENT_USERNAME,
                                                  .recipient_name = text_of(to),
                                                  .amount = {amount, CURRENCY_IRT}};
    return transfer;
}

static inline enum ledger_outcome desk_transfer(struct desk *desk, struct id from, const char *to, int64_t amount) {
    struct user_transfer *transfer = desk_make_transfer(desk, from, to, amount);
    desk_decide(desk, &transfer->operation);
    return transfer->outcome;
}

/* Gives the command an Idempotency-Key; `body` stands for what is asked. */
static inline void desk_set_key(struct operation *operation, const char *key, const char *body) {
    operation->idempotency =
        (struct idempotency_request){.key = text_of(key), .fingerprint = text_of(body), .lookup = crypto_hash(text_of(key))};
}

/* ---- what is in the database ---- */

static inline int64_t desk_balance(struct desk *desk, struct id user_id) {
    struct found_account found = {.is_found = false};
    ask_account_of_user(desk->reader, user_id, CURRENCY_IRT, account_found, &found);
    assert_true(result_is_ok(batch_run(desk->reader)));
    assert_true(found.is_found);
    return account_balance(&found.account).amount_minor;
}

static inline int64_t desk_issuance(struct desk *desk) {
    struct found_account found = {.is_found = false};
    ask_issuance(desk->reader, account_found, &found);
    assert_true(result_is_ok(batch_run(desk->reader)));
    assert_true(found.is_found);
    return account_balance(&found.account).amount_minor;
}

static inline struct result desk_see_integer(void *context, const struct row *row) {
    *(int64_t *)context = row_integer(row, 0);
    return result_ok();
}

static inline int64_t desk_sequence(struct desk *desk) {
    int64_t sequence = 0;
    ask_head(desk->reader, desk_see_integer, &sequence);
    assert_true(result_is_ok(batch_run(desk->reader)));
    return sequence;
}
