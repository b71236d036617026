/* What the engine asks of a storage: load and save, row by row. SQLite (rows_sqlite.c) and memory (rows_memory.c) give it; what is decided
 * and in which order is written once, in engine.c and decide.c. The store's thread only. */
#pragma once

#include "base/arena.h"
#include "discount/board.h"
#include "discount/core/redemption.h"
#include "service/idempotency.h"

struct rows {
    void *self;
    struct result (*begin)(void *self);
    struct result (*commit)(void *self);
    void (*rollback)(void *self);
    struct result (*probe)(void *self);
    void (*tidy)(void *self, bool is_busy); /* between transactions: checkpoint, unless operations wait and it can */
    void (*close)(void *self);

    /* Each campaign in the order of its number, and so on; a visitor's error ends it and is returned. */
    struct result (*each_campaign)(void *self, struct result (*visit)(void *context, const struct campaign *campaign), void *context);
    struct result (*each_redemption)(void *self, struct result (*visit)(void *context, const struct redemption *redemption), void *context);
    struct result (*each_second)(void *self, struct result (*visit)(void *context, uint32_t number, const struct second_counts *counts),
                                 void *context);
    struct result (*find_refusals)(void *self, uint32_t number, struct refusal_counts *ret_counts);
    struct result (*find_user)(void *self, uint32_t number, struct id user_id, struct redemption *ret_redemption, bool *ret_found);
    struct result (*find_phone)(void *self, uint32_t number, const struct phone *phone, struct redemption *ret_redemption, bool *ret_found);
    struct result (*find_id)(void *self, struct id id, struct redemption *ret_redemption, bool *ret_found);
    /* Texts in the arena; RESULT_FULL when they don't fit. */
    struct result (*find_record)(void *self, const struct hash *lookup, struct arena *arena, struct idempotency_record *ret_record,
                                 bool *ret_found);

    /* is_new tells insert from update. */
    struct result (*put_campaign)(void *self, const struct campaign *campaign);
    struct result (*put_redemption)(void *self, const struct redemption *redemption);
    struct result (*put_record)(void *self, const struct idempotency_record *record); /* inserts or replaces */
    struct result (*put_refusals)(void *self, uint32_t number, const struct refusal_counts *counts);
    /* Of a second, inserted when it is not there: what was claimed and credited in it, or what was rejected. */
    struct result (*put_second_settled)(void *self, uint32_t number, const struct second_counts *counts);
    struct result (*put_second_rejected)(void *self, uint32_t number, const struct second_counts *counts);
    /* Deletes records made before the time (some at a time), and the campaign's seconds before the newest BOARD_SECONDS. */
    struct result (*drop_records)(void *self, int64_t before_us);
    struct result (*drop_seconds)(void *self, uint32_t number);
};

struct database;
/* The database is open for writing and stays the caller's. */
struct result rows_sqlite_create(struct database *database, struct rows *ret_rows) MUST_CHECK;
/* For tests: nothing outlives close. */
struct result rows_memory_create(struct rows *ret_rows) MUST_CHECK;

/* ---- the columns, shared with the readers (rows_read.c) ---- */
#define CAMPAIGN_COLUMNS                                                                                                                \
    "number, id, code, name, amount, currency, max_redemptions, starts_at, ends_at, ended_at, is_paused, version, sequence, redeemed, " \
    "credited, failed, first_redeemed_at, last_redeemed_at, exhausted_at, created_at, updated_at, fund_confirmed, fund_step, "          \
    "fund_step_version, fund_is_released"
#define REDEMPTION_COLUMNS "key, id, user_id, phone, status, claimed_at, settled_at, transaction_id, failure"

static inline int64_t redemption_key(uint32_t campaign_number, int64_t position) { return (int64_t)campaign_number << 32 | position; }

struct statement;
/* RESULT_CORRUPT when a row breaks its own rules. */
struct result rows_read_campaign(const struct statement *statement, struct campaign *ret_campaign) MUST_CHECK;
struct result rows_read_redemption(const struct statement *statement, struct redemption *ret_redemption) MUST_CHECK;
