/* Reading for answers that need no decision: one read-only connection per loop, its statements prepared once. One thread.
 *
 * Each function sees every commit that was published before its call, and one state of the database.
 * Texts in rows are copied into the arena that is handed in. RESULT_IO and the like: 503 storage_unavailable. */
#pragma once

#include "base/arena.h"
#include "store/sqlite/database.h"
#include "wallet/answer.h"
#include "wallet/core/funds.h"
#include "wallet/core/users.h"

/* Rows that one page may look at: a filter that matches little ends its page early and gives a cursor to go on. */
#define READER_SCAN_MAX 2000

struct reader;
/* `commits`: of the writer, to read in rounds; NULL: none. */
struct result reader_open(const char *path, const struct batch_commits *commits, struct reader **ret_reader) MUST_CHECK;
void reader_close(struct reader *reader);
void reader_end_round(struct reader *reader); /* before the loop waits; `reader` may be NULL */

struct result reader_user(struct reader *reader, struct id id, struct user *ret_user, bool *ret_found) MUST_CHECK;
struct result reader_user_by_name(struct reader *reader, struct text name, struct user *ret_user, bool *ret_found) MUST_CHECK;
struct result reader_account_of_user(struct reader *reader, struct id user_id, struct account *ret_account, bool *ret_found) MUST_CHECK;
/* The account as it was at a time: its balance, sequence and updated_at_us; before its first entry all zero but the times. */
struct result reader_account_at(struct reader *reader, struct id user_id, int64_t at_us, struct account *ret_account,
                                bool *ret_found) MUST_CHECK;

struct transaction_filter {
    int64_t before_sequence; /* the cursor; INT64_MAX: from the newest */
    int64_t from_us, to_us;  /* from <= time < to */
    enum transfer_kind kind; /* 0: any */
    size_t limit;
};
struct transaction_row {
    int64_t account_sequence;
    struct transaction_view view;
};
/* Newest first. `rows` has room for limit. *ret_next: the cursor of the next page, 0 on the last one. */
struct result reader_transactions(struct reader *reader, struct id user_id, const struct transaction_filter *filter, struct arena *arena,
                                  struct transaction_row *rows, size_t *ret_count, int64_t *ret_next) MUST_CHECK;
/* As `user_id` sees it; nobody's party and no admin: not found. */
struct result reader_transaction(struct reader *reader, struct id id, struct id user_id, bool is_admin, struct arena *arena,
                                 struct transaction_view *ret_view, bool *ret_found) MUST_CHECK;

/* `ret_account` is where the fund's account pointer points. */
struct result reader_fund(struct reader *reader, struct text caller, struct text reference, struct arena *arena, struct fund *ret_fund,
                          struct account *ret_account, bool *ret_found) MUST_CHECK;
struct fund_transaction {
    int64_t account_sequence;
    struct text reference;
    struct id user_id, transaction_id;
    struct money amount;
    int64_t created_at_us;
};
/* Credits out of the fund, oldest first. */
struct result reader_fund_transactions(struct reader *reader, int64_t fund_account, int64_t after_sequence, size_t limit,
                                       struct arena *arena, struct fund_transaction *rows, size_t *ret_count, int64_t *ret_next) MUST_CHECK;

struct account_filter {
    int64_t after_number;
    struct text username; /* folded; empty: any */
    struct phone phone;
    enum account_kind kind; /* 0: any */
    struct text state;      /* open, frozen, released; empty: any */
    size_t limit;
};
struct account_row {
    struct account account;
    struct text username, fund_reference; /* empty: none */
    struct phone phone;
    bool is_released;
};
struct result reader_accounts(struct reader *reader, const struct account_filter *filter, struct arena *arena, struct account_row *rows,
                              size_t *ret_count, int64_t *ret_next) MUST_CHECK;
struct result reader_account(struct reader *reader, struct id id, struct arena *arena, struct account_row *ret_row,
                             bool *ret_found) MUST_CHECK;

const char *account_state_name(const struct account_row *row);
