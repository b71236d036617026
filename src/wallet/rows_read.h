/* Columns to structs, for every statement over the wallet's tables: the store's (rows_sqlite.c), the readers' and verify's. */
#pragma once

#include "store/sqlite/database.h"
#include "wallet/core/funds.h"
#include "wallet/core/users.h"

/* In this order, so that `first` is the only thing to know. */
#define ACCOUNT_COLUMNS                                                                                                                   \
    "a.number, a.id, a.kind, a.user_id, a.currency, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.sequence, " \
    "a.floor, a.is_frozen, a.created_at, a.updated_at"
#define ACCOUNT_COLUMN_COUNT 14
void rows_read_account(const struct statement *statement, int first, struct account *ret_account);

#define USER_COLUMNS \
    "u.id, u.name, u.phone, u.password_hash, u.is_admin, u.created_at, u.sessions_cutoff, u.kept_session, u.sessions_ended_at"
#define USER_COLUMN_COUNT 9
void rows_read_user(const struct statement *statement, int first, struct user *ret_user);

#define FUND_COLUMNS \
    "f.caller, f.reference, f.opened, f.funded, f.credited, f.released, f.is_released, f.description, f.created_at, f.updated_at"
#define FUND_COLUMN_COUNT 10
/* Texts are good until the statement's next step. The account pointer is NULL. */
void rows_read_fund(const struct statement *statement, int first, struct fund *ret_fund);

enum currency rows_read_currency(const struct statement *statement, int column);
void rows_read_hash(const struct statement *statement, int column, struct hash *ret_hash);
