/* Damage to a desk's database, past the seam and with the guards of the schema taken away. */
#pragma once

#include "desk.h"
#include "store/sqlite/database.h"
#include "wallet_schema.h"

/* A writing connection in the place of the desk's own. */
static inline struct database *open_raw(struct desk *desk) {
    struct database *raw = NULL;
    store_free(desk->store);
    books_free(desk->books);
    batch_close(desk->writer);
    assert_true(result_is_ok(database_open(desk->data.database, DATABASE_WRITE, &wallet_schema, &raw)));
    return raw;
}

static inline void close_raw(struct desk *desk, struct database *raw) {
    database_close(raw);
    batch_end_round(desk->reader); /* nobody counted these commits */
    struct books_options options = {.currency = CURRENCY_IRT, .ids = &desk->ids};
    assert_true(result_is_ok(data_open(desk->folder, &desk->data, BATCH_WRITE, &desk->writer)));
    assert_true(result_is_ok(books_create(&options, desk->writer, &desk->clock, &desk->books)));
    desk_open_store(desk);
}

static inline void run_sql(struct database *raw, const char *sql) {
    struct statement statement;
    bool row = false;
    assert_true(result_is_ok(statement_prepare(raw, sql, &statement)));
    assert_true(result_is_ok(statement_step(&statement, &row)));
    statement_reset(&statement);
}

static inline void take_guards_away(struct database *raw) {
    run_sql(raw, "PRAGMA ignore_check_constraints = ON");
    run_sql(raw, "DROP TRIGGER IF EXISTS transfers_are_immutable");
    run_sql(raw, "DROP TRIGGER IF EXISTS transfers_are_kept");
    run_sql(raw, "DROP TRIGGER IF EXISTS entries_are_immutable");
    run_sql(raw, "DROP TRIGGER IF EXISTS entries_are_kept");
}
