/* Words that the questions of tables.c and its neighbours share: columns, and how a question is said. Only they include this. */
#pragma once

#include "wallet/tables.h"

#define ACCOUNT_COLUMNS                                                                                                                   \
    "a.number, a.id, a.kind, a.user_id, a.currency, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.sequence, " \
    "a.floor, a.is_frozen, a.created_at, a.updated_at, a.is_overdrawn, a.is_closed, "                                                     \
    "a.ceiling, a.per_transaction, a.daily, a.monthly, a.day_from, a.day_spent, a.month_from, a.month_spent"
#define USER_COLUMNS                                                                                                             \
    "u.id, u.name, u.phone, u.password_hash, u.is_admin, u.created_at, u.sessions_cutoff, u.kept_session, u.sessions_ended_at, " \
    "u.is_phone_verified, u.is_disabled, u.is_password_temporary"
#define SESSION_COLUMNS "s.id, s.user_id, s.generation, s.created_at, s.expires_at, s.ended_at"
#define FUND_COLUMNS                                                                                                                \
    "f.caller, f.reference, f.opened, f.funded, f.credited, f.released, f.is_released, f.description, f.created_at, f.updated_at, " \
    "f.reversed"

/* Kinds of transfers (the table is in core/transfers.c), of an entry `e` and a transfer `t`. */
#define ENTRY_PAYS      "(e.kind = 6 OR e.kind = 8)"                /* a merchant: whom the payer is told by name alone */
#define ENTRY_SPENDS    "(e.kind = 2 OR e.kind = 6 OR e.kind = 13)" /* what is held, and then captured, stands in the holds */
#define WAS_SPENT       "(t.kind = 2 OR t.kind = 6 OR t.kind = 8)"  /* and may be taken back */
#define NAMES_OTHER     "(t.kind = 2 OR t.kind = 6 OR t.kind = 8)"
#define MAY_BE_REVERSED "(t.kind = 1 OR t.kind = 2 OR t.kind = 6 OR t.kind = 8)"

#define VALUES(...) \
    (const struct value[]) { __VA_ARGS__ }
#define QUESTION(variable, name_, sql_, ...) \
    static const struct question variable = {.name = (name_), .sql = sql_, .parameters = {__VA_ARGS__}}
#define ASK(question, ...)          batch_ask(batch, &(question), VALUES(__VA_ARGS__), visit, context)
#define DO(question, rows_due, ...) batch_do(batch, &(question), VALUES(__VA_ARGS__), (rows_due))

static inline struct text text_or_empty(struct text text) { return text.data == NULL ? TEXT("") : text; }
static inline struct value time_or_null(int64_t time_us) { return time_us == 0 ? value_null(COLUMN_INTEGER) : value_integer(time_us); }
static inline struct value text_or_null(struct text text) { return text.size == 0 ? value_null(COLUMN_TEXT) : value_text(text); }
static inline struct value currency_value(enum currency currency) { return value_text(text_of(currency_code(currency))); }
