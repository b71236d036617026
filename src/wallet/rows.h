/* Where the rows are kept: one row at a time, by key. Load and save are written once over this (engine.c); an engine is one of these.
 *
 * Readers fill the row and set *ret_found; texts in it are good until the next call. Writers look at the row's state: ROW_NEW inserts,
 * ROW_CHANGED updates. All between begin and commit or rollback, on the store's thread. */
#pragma once

#include "service/idempotency.h"
#include "wallet/core/funds.h"
#include "wallet/core/references.h"
#include "wallet/core/sessions.h"
#include "wallet/core/users.h"

struct rows {
    void *self;
    struct result (*begin)(void *self);
    struct result (*commit)(void *self);
    void (*rollback)(void *self);
    struct result (*probe)(void *self);                     /* a small durable write */
    void (*idle)(void *self, int64_t now_us, bool is_busy); /* deletes some of what has expired, checkpoints */

    struct result (*read_head)(void *self, struct ledger_head *ret_head, int64_t *ret_last_account_number);
    struct result (*read_issuance)(void *self, enum currency currency, struct account *ret_account, bool *ret_found);
    struct result (*read_account)(void *self, struct id id, struct account *ret_account, bool *ret_found);
    struct result (*read_account_of_user)(void *self, struct id user_id, struct account *ret_account, bool *ret_found);
    struct result (*read_user)(void *self, struct id id, struct user *ret_user, bool *ret_found);
    struct result (*read_user_by_name)(void *self, struct text name, struct user *ret_user, bool *ret_found);
    struct result (*read_user_by_phone)(void *self, const struct phone *phone, struct user *ret_user, bool *ret_found);
    struct result (*read_session)(void *self, struct id id, struct session *ret_session, bool *ret_found);
    struct result (*read_token)(void *self, struct id session_id, const struct hash *hash, struct refresh_token *ret_token,
                                bool *ret_found);
    /* The fund's account pointer is left alone; its account comes beside it. */
    struct result (*read_fund)(void *self, struct text caller, struct text reference, struct fund *ret_fund, struct account *ret_account,
                               bool *ret_found);
    /* The key is left alone. */
    struct result (*read_credit)(void *self, struct text caller, struct text reference, struct known_reference *ret_known, bool *ret_found);
    struct result (*read_topup)(void *self, int64_t fund_account, struct text reference, struct known_reference *ret_known,
                                bool *ret_found);
    struct result (*read_kept)(void *self, const struct hash *lookup, struct idempotency_record *ret_record, bool *ret_found);

    struct result (*write_account)(void *self, const struct account *account);
    struct result (*write_user)(void *self, const struct user *user);
    struct result (*write_session)(void *self, const struct session *session);
    struct result (*write_token)(void *self, const struct refresh_token *token);
    struct result (*write_fund)(void *self, const struct fund *fund);
    struct result (*write_transfer)(void *self, const struct transfer *transfer); /* and its two entries */
    struct result (*write_kept)(void *self, const struct idempotency_record *record);
};

/* In memory, for tests and the simulation: the same answers as a database, nothing on a disk. `now_us` dates the issuance account.
 * RESULT_FULL: no memory. */
struct rows_memory;
struct result rows_memory_create(enum currency currency, struct id_source *ids, int64_t now_us, struct rows_memory **ret_memory) MUST_CHECK;
void rows_memory_free(struct rows_memory *memory);
void rows_memory_bind(struct rows_memory *memory, struct rows *ret_rows);
/* Makes the next commit fail with this, once: RESULT_FULL, RESULT_IO. */
void rows_memory_fail_next_commit(struct rows_memory *memory, enum result_code code);

/* In SQLite, over the one writing connection. RESULT_INVALID: a statement does not fit the schema. */
struct database;
struct rows_sqlite;
struct result rows_sqlite_create(struct database *database, struct rows_sqlite **ret_sqlite) MUST_CHECK;
void rows_sqlite_free(struct rows_sqlite *sqlite); /* the database stays open */
void rows_sqlite_bind(struct rows_sqlite *sqlite, struct rows *ret_rows);
