/* A wallet's books for tests: an engine over rows in memory or in SQLite, a clock that stands, and ids that come the same each time. */
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
#include "wallet/data.h"
#include "wallet/engine.h"

#define BOOKS_START_US INT64_C(1795366116000000)
#define BOOKS_HASH     "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"

struct books {
    uint64_t seed;
    int64_t now_us;
    struct clock clock;
    struct id_source ids;
    struct rows_memory *memory;
    char folder[64];
    struct database *database;
    struct rows_sqlite *sqlite;
    struct rows rows;
    struct engine *engine;
    struct store *store;
    struct arena arena;
    struct wallet_operation *last;
    struct result last_outcome;
    size_t done_count;
};

/* xorshift64: the same numbers on each run. */
static inline uint64_t books_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline void books_random_bytes(void *context, void *buffer, uint64_t size) {
    for (uint64_t i = 0; i < size; i++) ((uint8_t *)buffer)[i] = (uint8_t)books_random(context);
}

static inline int64_t books_now(void *context) { return ((struct books *)context)->now_us; }

static inline void books_assemble(struct books *books) {
    struct store_engine engine;
    books->now_us = BOOKS_START_US;
    books->seed = 88172645463325252u;
    books->clock = (struct clock){books_now, books_now, books};
    id_source_init(&books->ids, books_random_bytes, &books->seed);
    arena_init(&books->arena, SIZE_MAX);
    struct engine_options options = {.currency = CURRENCY_IRT, .rows = &books->rows, .ids = &books->ids, .clock = &books->clock};
    struct store_options store_options = {.name = "test", .clock = &books->clock};
    assert_true(result_is_ok(engine_create(&options, &books->engine)));
    engine_bind(books->engine, &engine);
    assert_true(result_is_ok(store_create(&engine, &store_options, &books->store)));
}

static inline struct books *books_open_memory(void) {
    struct books *books = calloc(1, sizeof *books);
    struct id_source ids;
    assert_non_null(books);
    id_source_init_system(&ids);
    assert_true(result_is_ok(rows_memory_create(CURRENCY_IRT, &ids, BOOKS_START_US, &books->memory)));
    rows_memory_bind(books->memory, &books->rows);
    books_assemble(books);
    return books;
}

static inline struct books *books_open_sqlite(void) {
    struct books *books = calloc(1, sizeof *books);
    char place[] = "/tmp/wallet-books-XXXXXX";
    assert_non_null(books);
    assert_non_null(mkdtemp(place));
    assert_int_equal(snprintf(books->folder, sizeof books->folder, "%s/data", place), (int)strlen(place) + 5);
    assert_true(result_is_ok(data_create(books->folder, CURRENCY_IRT, KEY_ES256, BOOKS_START_US)));
    assert_true(result_is_ok(data_open(books->folder, DATABASE_WRITE, &books->database)));
    assert_true(result_is_ok(rows_sqlite_create(books->database, &books->sqlite)));
    rows_sqlite_bind(books->sqlite, &books->rows);
    books_assemble(books);
    return books;
}

static inline void books_close(struct books *books) {
    store_free(books->store);
    engine_free(books->engine);
    rows_memory_free(books->memory);
    rows_sqlite_free(books->sqlite);
    if (books->database != NULL) {
        database_close(books->database);
        *strrchr(books->folder, '/') = '\0';
        assert_true(folder_remove(books->folder));
    }
    arena_release(&books->arena);
    free(books);
}

/* ---- commands ---- */

static inline struct wallet_operation *books_begin(struct books *books, enum wallet_command kind) {
    struct wallet_operation *operation = ARENA_NEW(&books->arena, struct wallet_operation);
    assert_non_null(operation);
    operation->store.kind = kind;
    operation->store.weight = 4;
    operation->arena = &books->arena;
    return operation;
}

/* done() has no room for the books: one test runs at a time. */
static struct result books_outcome;
static inline void books_done(struct store_operation *operation, struct result outcome) {
    (void)operation;
    books_outcome = outcome;
}

static inline void books_submit(struct books *books, struct wallet_operation *operation) {
    operation->store.done = books_done;
    assert_true(result_is_ok(store_submit(books->store, &operation->store)));
}

static inline void books_run(struct books *books) {
    books->now_us += 1000;
    while (store_run_batch(books->store)) continue;
}

/* Submits one command and runs it. */
static inline struct wallet_operation *books_decide(struct books *books, struct wallet_operation *operation) {
    books_submit(books, operation);
    books_run(books);
    assert_true(result_is_ok(books_outcome));
    return operation;
}

static inline struct wallet_operation *books_make_registration(struct books *books, const char *name, const char *phone) {
    struct wallet_operation *operation = books_begin(books, COMMAND_REGISTER);
    operation->command.register_user.name = text_of(name);
    operation->command.register_user.password_hash = BOOKS_HASH;
    if (phone != NULL) assert_true(result_is_ok(phone_parse(text_of(phone), "IR", &operation->command.register_user.phone)));
    return operation;
}

static inline struct id books_register(struct books *books, const char *name) {
    struct wallet_operation *operation = books_decide(books, books_make_registration(books, name, NULL));
    assert_int_equal(operation->outcome, LEDGER_APPLIED);
    return operation->user.id;
}

static inline struct wallet_operation *books_make_credit(struct books *books, const char *reference, struct id user_id, int64_t amount,
                                                         const char *fund) {
    struct wallet_operation *operation = books_begin(books, COMMAND_CREDIT);
    struct credit_item *item = ARENA_NEW(&books->arena, struct credit_item);
    *item = (struct credit_item){.reference = text_of(reference),
                                 .user_id = user_id,
                                 .amount = {amount, CURRENCY_IRT},
                                 .fund = text_of(fund),
                                 .description = TEXT("a gift"),
                                 .metadata = TEXT("{\"a\":1}")};
    operation->command.credit = (struct credit_batch){.caller = TEXT("discount"),
                                                      .items = item,
                                                      .outcomes = ARENA_NEW(&books->arena, struct credit_outcome),
                                                      .count = 1};
    return operation;
}

static inline struct credit_outcome books_credit(struct books *books, const char *reference, struct id user_id, int64_t amount,
                                                 const char *fund) {
    return books_decide(books, books_make_credit(books, reference, user_id, amount, fund))->command.credit.outcomes[0];
}

static inline struct wallet_operation *books_make_fund(struct books *books, enum wallet_command kind, const char *reference,
                                                       int64_t amount) {
    struct wallet_operation *operation = books_begin(books, kind);
    operation->command.fund =
        (struct fund_command){.caller = TEXT("discount"), .reference = text_of(reference), .amount = {amount, CURRENCY_IRT}};
    return operation;
}

static inline struct wallet_operation *books_fund(struct books *books, enum wallet_command kind, const char *reference, int64_t amount) {
    return books_decide(books, books_make_fund(books, kind, reference, amount));
}

static inline struct wallet_operation *books_make_transfer(struct books *books, struct id from, const char *to, int64_t amount) {
    struct wallet_operation *operation = books_begin(books, COMMAND_TRANSFER);
    operation->command.transfer = (struct transfer_command){.user_id = from,
                                                            .recipient = RECIPIENT_USERNAME,
                                                            .recipient_name = text_of(to),
                                                            .amount = {amount, CURRENCY_IRT}};
    return operation;
}

static inline enum ledger_outcome books_transfer(struct books *books, struct id from, const char *to, int64_t amount) {
    return books_decide(books, books_make_transfer(books, from, to, amount))->outcome;
}

/* Gives the command an Idempotency-Key; `body` stands for what is asked. */
static inline void books_set_key(struct wallet_operation *operation, const char *key, const char *body) {
    operation->idempotency = (struct idempotency_request){.caller = TEXT("test"),
                                                          .key = text_of(key),
                                                          .fingerprint = text_of(body),
                                                          .lookup = crypto_hash(text_of(key))};
}

static inline int64_t books_balance(struct books *books, struct id user_id) {
    struct account account;
    bool found = false;
    assert_true(result_is_ok(books->rows.read_account_of_user(books->rows.self, user_id, &account, &found)));
    assert_true(found);
    return account_balance(&account).amount_minor;
}

static inline struct account books_issuance(struct books *books) {
    struct account account;
    bool found = false;
    assert_true(result_is_ok(books->rows.read_issuance(books->rows.self, CURRENCY_IRT, &account, &found)));
    assert_true(found);
    return account;
}

static inline int64_t books_sequence(struct books *books) {
    struct ledger_head head;
    int64_t last = 0;
    assert_true(result_is_ok(books->rows.read_head(books->rows.self, &head, &last)));
    return head.sequence;
}
