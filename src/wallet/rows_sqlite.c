/* Rows in SQLite: one prepared statement for each question, all answered by a key. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/planted.h"
#include "wallet/rows.h"
#include "wallet/rows_read.h"

#define EXPIRE_ROWS          200 /* at a time, so that a waiting request waits little */
#define CHECKPOINT_PAGES_MIN 1000
/* So long an expired session is still known, so that its refresh token is answered as expired and not as unknown. */
#define SESSION_GRACE_US (INT64_C(7) * 24 * 3600 * 1000000)

enum query {
    SQL_HEAD,
    SQL_LAST_ACCOUNT,
    SQL_ISSUANCE,
    SQL_ACCOUNT,
    SQL_ACCOUNT_OF_USER,
    SQL_USER,
    SQL_USER_BY_NAME,
    SQL_USER_BY_PHONE,
    SQL_SESSION,
    SQL_TOKEN,
    SQL_FUND,
    SQL_CREDIT,
    SQL_TOPUP,
    SQL_KEPT,
    SQL_INSERT_ACCOUNT,
    SQL_UPDATE_ACCOUNT,
    SQL_INSERT_USER,
    SQL_UPDATE_USER,
    SQL_INSERT_SESSION,
    SQL_UPDATE_SESSION,
    SQL_INSERT_TOKEN,
    SQL_INSERT_FUND,
    SQL_UPDATE_FUND,
    SQL_INSERT_TRANSFER,
    SQL_INSERT_ENTRY,
    SQL_INSERT_KEPT,
    SQL_PROBE,
    SQL_HAS_EXPIRED_SESSION,
    SQL_HAS_EXPIRED_KEPT,
    SQL_EXPIRE_SESSIONS,
    SQL_EXPIRE_KEPT,
    SQL_COUNT
};

#define KNOWN_COLUMNS "t.debit_account, t.credit_account, t.amount, t.currency, t.id, e.balance_after, t.created_at"
#define KNOWN_TABLES  "transfer t JOIN entry e ON e.account = t.credit_account AND e.sequence = t.credit_sequence"

static const char *const sql[SQL_COUNT] = {
    [SQL_HEAD] = "SELECT sequence, hash, created_at FROM transfer ORDER BY sequence DESC LIMIT 1",
    [SQL_LAST_ACCOUNT] = "SELECT max(number) FROM account",
    [SQL_ISSUANCE] = "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.number = 1 AND a.kind = 3 AND a.currency = ?1",
    [SQL_ACCOUNT] = "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.id = ?1",
    [SQL_ACCOUNT_OF_USER] = "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.user_id = ?1",
    [SQL_USER] = "SELECT " USER_COLUMNS " FROM user u WHERE u.id = ?1",
    [SQL_USER_BY_NAME] = "SELECT " USER_COLUMNS " FROM user u WHERE u.name = ?1",
    [SQL_USER_BY_PHONE] = "SELECT " USER_COLUMNS " FROM user u WHERE u.phone = ?1",
    [SQL_SESSION] = "SELECT id, user_id, generation, created_at, expires_at, ended_at FROM session WHERE id = ?1",
    [SQL_TOKEN] = "SELECT generation, expires_at FROM refresh_token WHERE session_id = ?1 AND hash = ?2",
    [SQL_FUND] = "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
                 " FROM fund f JOIN account a ON a.number = f.account WHERE f.caller = ?1 AND f.reference = ?2",
    [SQL_CREDIT] = "SELECT " KNOWN_COLUMNS " FROM " KNOWN_TABLES " WHERE t.kind = 1 AND t.caller = ?1 AND t.reference = ?2",
    [SQL_TOPUP] = "SELECT " KNOWN_COLUMNS " FROM " KNOWN_TABLES
                  " WHERE t.kind = 4 AND t.reference <> '' AND t.credit_account = ?1 AND t.reference = ?2",
    [SQL_KEPT] = "SELECT fingerprint, status, content_type, location, body, created_at FROM idempotency WHERE lookup = ?1",
    [SQL_INSERT_ACCOUNT] = "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [SQL_UPDATE_ACCOUNT] = "UPDATE account SET debits_posted = ?2, credits_posted = ?3, debits_pending = ?4, credits_pending = ?5, "
                           "sequence = ?6, updated_at = ?7 WHERE number = ?1",
    [SQL_INSERT_USER] = "INSERT INTO user VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, NULL)",
    [SQL_UPDATE_USER] = "UPDATE user SET password_hash = ?2, sessions_cutoff = ?3, kept_session = ?4, sessions_ended_at = ?5 WHERE id = ?1",
    [SQL_INSERT_SESSION] = "INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_UPDATE_SESSION] = "UPDATE session SET generation = ?2, expires_at = ?3, ended_at = ?4 WHERE id = ?1",
    [SQL_INSERT_TOKEN] = "INSERT INTO refresh_token VALUES (?1, ?2, ?3, ?4)",
    [SQL_INSERT_FUND] = "INSERT INTO fund VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SQL_UPDATE_FUND] = "UPDATE fund SET funded = ?2, credited = ?3, released = ?4, is_released = ?5, updated_at = ?6 WHERE account = ?1",
    [SQL_INSERT_TRANSFER] = "INSERT INTO transfer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [SQL_INSERT_ENTRY] = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_INSERT_KEPT] = "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, created_at) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_PROBE] = "UPDATE meta SET created_at = created_at",
    [SQL_HAS_EXPIRED_SESSION] = "SELECT 1 FROM session WHERE expires_at < ?1 LIMIT 1",
    [SQL_HAS_EXPIRED_KEPT] = "SELECT 1 FROM (SELECT created_at FROM idempotency ORDER BY number LIMIT 1) WHERE created_at < ?1",
    [SQL_EXPIRE_SESSIONS] = "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < ?1 LIMIT ?2)",
    [SQL_EXPIRE_KEPT] =
        "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency ORDER BY number LIMIT ?2) AND created_at < ?1",
};

struct rows_sqlite {
    struct database *database;
    struct statement statements[SQL_COUNT];
    /* Texts of the row that was read last: a statement's own die with its reset. */
    struct arena texts;
};

static void reset(struct statement **statement) { statement_reset(*statement); }
#define RESET_AT_END __attribute__((cleanup(reset)))

static struct statement *take(struct rows_sqlite *sqlite, enum query query) { return &sqlite->statements[query]; }

static struct result keep_text(struct rows_sqlite *sqlite, struct text *text) {
    *text = arena_copy(&sqlite->texts, *text);
    return text->data == NULL ? result_error(RESULT_FULL) : result_ok();
}

/* ---- reading ---- */

static struct result read_head(void *self, struct ledger_head *ret_head, int64_t *ret_last_account_number) {
    struct rows_sqlite *sqlite = self;
    struct statement *head RESET_AT_END = take(sqlite, SQL_HEAD);
    struct statement *last RESET_AT_END = take(sqlite, SQL_LAST_ACCOUNT);
    bool found = false;
    *ret_head = (struct ledger_head){0};
    TRY(statement_step(head, &found));
    if (found) {
        ret_head->sequence = statement_integer(head, 0);
        rows_read_hash(head, 1, &ret_head->hash);
        ret_head->created_at_us = statement_integer(head, 2);
    }
    TRY(statement_step(last, &found));
    if (!found || statement_is_null(last, 0)) return result_error(RESULT_CORRUPT); /* the issuance account is made by init */
    *ret_last_account_number = statement_integer(last, 0);
    return result_ok();
}

static struct result step_account(struct statement *statement, struct account *ret_account, bool *ret_found) {
    TRY(statement_step(statement, ret_found));
    if (*ret_found) rows_read_account(statement, 0, ret_account);
    return result_ok();
}

static struct result read_issuance(void *self, enum currency currency, struct account *ret_account, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_ISSUANCE);
    statement_bind_text(statement, 1, text_of(currency_code(currency)));
    return step_account(statement, ret_account, ret_found);
}

static struct result read_account(void *self, struct id id, struct account *ret_account, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_ACCOUNT);
    statement_bind_id(statement, 1, id);
    return step_account(statement, ret_account, ret_found);
}

static struct result read_account_of_user(void *self, struct id user_id, struct account *ret_account, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_ACCOUNT_OF_USER);
    statement_bind_id(statement, 1, user_id);
    return step_account(statement, ret_account, ret_found);
}

static struct result step_user(struct statement *statement, struct user *ret_user, bool *ret_found) {
    TRY(statement_step(statement, ret_found));
    if (*ret_found) rows_read_user(statement, 0, ret_user);
    return result_ok();
}

static struct result read_user(void *self, struct id id, struct user *ret_user, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_USER);
    statement_bind_id(statement, 1, id);
    return step_user(statement, ret_user, ret_found);
}

static struct result read_user_by_name(void *self, struct text name, struct user *ret_user, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_USER_BY_NAME);
    statement_bind_text(statement, 1, name);
    return step_user(statement, ret_user, ret_found);
}

static struct result read_user_by_phone(void *self, const struct phone *phone, struct user *ret_user, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_USER_BY_PHONE);
    statement_bind_text(statement, 1, phone_text(phone));
    return step_user(statement, ret_user, ret_found);
}

static struct result read_session(void *self, struct id id, struct session *ret_session, bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_SESSION);
    statement_bind_id(statement, 1, id);
    TRY(statement_step(statement, ret_found));
    if (!*ret_found) return result_ok();
    *ret_session = (struct session){.id = statement_id(statement, 0),
                                    .user_id = statement_id(statement, 1),
                                    .generation = statement_integer(statement, 2),
                                    .created_at_us = statement_integer(statement, 3),
                                    .expires_at_us = statement_integer(statement, 4),
                                    .ended_at_us = statement_integer(statement, 5)};
    return result_ok();
}

static struct result read_token(void *self, struct id session_id, const struct hash *hash, struct refresh_token *ret_token,
                                bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_TOKEN);
    statement_bind_id(statement, 1, session_id);
    statement_bind_blob(statement, 2, hash->bytes, sizeof hash->bytes);
    TRY(statement_step(statement, ret_found));
    if (!*ret_found) return result_ok();
    *ret_token = (struct refresh_token){.session_id = session_id,
                                        .hash = *hash,
                                        .generation = statement_integer(statement, 0),
                                        .expires_at_us = statement_integer(statement, 1)};
    return result_ok();
}

static struct result read_fund(void *self, struct text caller, struct text reference, struct fund *ret_fund, struct account *ret_account,
                               bool *ret_found) {
    struct rows_sqlite *sqlite = self;
    struct statement *statement RESET_AT_END = take(sqlite, SQL_FUND);
    arena_release(&sqlite->texts);
    statement_bind_text(statement, 1, caller);
    statement_bind_text(statement, 2, reference);
    TRY(step_account(statement, ret_account, ret_found));
    if (!*ret_found) return result_ok();
    rows_read_fund(statement, ACCOUNT_COLUMN_COUNT, ret_fund);
    TRY(keep_text(sqlite, &ret_fund->caller));
    TRY(keep_text(sqlite, &ret_fund->reference));
    return keep_text(sqlite, &ret_fund->description);
}

static struct result step_known(struct statement *statement, struct known_reference *ret_known, bool *ret_found) {
    TRY(statement_step(statement, ret_found));
    if (!*ret_found) return result_ok();
    ret_known->debit_account = statement_integer(statement, 0);
    ret_known->credit_account = statement_integer(statement, 1);
    ret_known->amount = (struct money){statement_integer(statement, 2), rows_read_currency(statement, 3)};
    ret_known->transaction_id = statement_id(statement, 4);
    ret_known->balance_after = statement_integer(statement, 5);
    ret_known->created_at_us = statement_integer(statement, 6);
    return result_ok();
}

static struct result read_credit(void *self, struct text caller, struct text reference, struct known_reference *ret_known,
                                 bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_CREDIT);
    statement_bind_text(statement, 1, caller);
    statement_bind_text(statement, 2, reference);
    return step_known(statement, ret_known, ret_found);
}

static struct result read_topup(void *self, int64_t fund_account, struct text reference, struct known_reference *ret_known,
                                bool *ret_found) {
    struct statement *statement RESET_AT_END = take(self, SQL_TOPUP);
    statement_bind_integer(statement, 1, fund_account);
    statement_bind_text(statement, 2, reference);
    return step_known(statement, ret_known, ret_found);
}

static struct result read_kept(void *self, const struct hash *lookup, struct idempotency_record *ret_record, bool *ret_found) {
    struct rows_sqlite *sqlite = self;
    struct statement *statement RESET_AT_END = take(sqlite, SQL_KEPT);
    arena_release(&sqlite->texts);
    statement_bind_blob(statement, 1, lookup->bytes, sizeof lookup->bytes);
    TRY(statement_step(statement, ret_found));
    if (!*ret_found) return result_ok();
    *ret_record = (struct idempotency_record){.lookup = *lookup,
                                              .fingerprint = statement_text(statement, 0),
                                              .status = (int)statement_integer(statement, 1),
                                              .content_type = statement_text(statement, 2),
                                              .location = statement_text(statement, 3),
                                              .body = statement_blob(statement, 4),
                                              .created_at_us = statement_integer(statement, 5)};
    TRY(keep_text(sqlite, &ret_record->fingerprint));
    TRY(keep_text(sqlite, &ret_record->content_type));
    TRY(keep_text(sqlite, &ret_record->location));
    return keep_text(sqlite, &ret_record->body);
}

/* ---- writing ---- */

static struct text text_or_empty(struct text text) { return text.data == NULL ? TEXT("") : text; }

static void bind_id_or_null(struct statement *statement, int parameter, struct id id) {
    if (id_is_zero(id)) {
        statement_bind_null(statement, parameter);
    } else {
        statement_bind_id(statement, parameter, id);
    }
}

static struct result write_account(void *self, const struct account *account) {
    const int64_t sums[] = {account->debits_posted, account->credits_posted, account->debits_pending, account->credits_pending,
                            account->sequence};
    struct statement *statement = take(self, account->state == ROW_NEW ? SQL_INSERT_ACCOUNT : SQL_UPDATE_ACCOUNT);
    statement_bind_integer(statement, 1, account->number);
    int first_sum = 2;
    if (account->state == ROW_NEW) {
        statement_bind_id(statement, 2, account->id);
        statement_bind_integer(statement, 3, account->kind);
        bind_id_or_null(statement, 4, account->user_id);
        statement_bind_text(statement, 5, text_of(currency_code(account->currency)));
        first_sum = 6;
    }
    for (int i = 0; i < (int)ARRAY_COUNT(sums); i++) statement_bind_integer(statement, first_sum + i, sums[i]);
    if (account->state == ROW_NEW) {
        statement_bind_integer(statement, 11, account->floor_minor);
        statement_bind_integer(statement, 12, account->is_frozen);
        statement_bind_integer(statement, 13, account->created_at_us);
        statement_bind_integer(statement, 14, account->updated_at_us);
    } else {
        statement_bind_integer(statement, 7, account->updated_at_us);
    }
    return statement_run(statement);
}

static struct result write_user(void *self, const struct user *user) {
    struct statement *statement = take(self, user->state == ROW_NEW ? SQL_INSERT_USER : SQL_UPDATE_USER);
    statement_bind_id(statement, 1, user->id);
    if (user->state == ROW_NEW) {
        statement_bind_text(statement, 2, user_name(user));
        if (user->phone.size > 0) statement_bind_text(statement, 3, phone_text(&user->phone));
        statement_bind_text(statement, 4, text_of(user->password_hash));
        statement_bind_integer(statement, 5, user->is_admin);
        statement_bind_integer(statement, 6, user->created_at_us);
    } else {
        statement_bind_text(statement, 2, text_of(user->password_hash));
        bind_id_or_null(statement, 3, user->sessions_cutoff);
        bind_id_or_null(statement, 4, user->kept_session);
        statement_bind_integer(statement, 5, user->sessions_ended_at_us);
    }
    return statement_run(statement);
}

static struct result write_session(void *self, const struct session *session) {
    struct statement *statement = take(self, session->state == ROW_NEW ? SQL_INSERT_SESSION : SQL_UPDATE_SESSION);
    statement_bind_id(statement, 1, session->id);
    if (session->state == ROW_NEW) {
        statement_bind_id(statement, 2, session->user_id);
        statement_bind_integer(statement, 3, session->generation);
        statement_bind_integer(statement, 4, session->created_at_us);
        statement_bind_integer(statement, 5, session->expires_at_us);
        if (session->ended_at_us != 0) statement_bind_integer(statement, 6, session->ended_at_us);
    } else {
        statement_bind_integer(statement, 2, session->generation);
        statement_bind_integer(statement, 3, session->expires_at_us);
        if (session->ended_at_us != 0) statement_bind_integer(statement, 4, session->ended_at_us);
    }
    return statement_run(statement);
}

static struct result write_token(void *self, const struct refresh_token *token) {
    struct statement *statement = take(self, SQL_INSERT_TOKEN);
    statement_bind_id(statement, 1, token->session_id);
    statement_bind_blob(statement, 2, token->hash.bytes, sizeof token->hash.bytes);
    statement_bind_integer(statement, 3, token->generation);
    statement_bind_integer(statement, 4, token->expires_at_us);
    return statement_run(statement);
}

static struct result write_fund(void *self, const struct fund *fund) {
    struct statement *statement = take(self, fund->state == ROW_NEW ? SQL_INSERT_FUND : SQL_UPDATE_FUND);
    int next = 1;
    statement_bind_integer(statement, next++, fund->account->number);
    if (fund->state == ROW_NEW) {
        statement_bind_text(statement, next++, fund->caller);
        statement_bind_text(statement, next++, fund->reference);
        statement_bind_integer(statement, next++, fund->opened_minor);
    }
    statement_bind_integer(statement, next++, fund->funded_minor);
    statement_bind_integer(statement, next++, fund->credited_minor);
    statement_bind_integer(statement, next++, fund->released_minor);
    statement_bind_integer(statement, next++, fund->is_released);
    if (fund->state == ROW_NEW) {
        statement_bind_text(statement, next++, text_or_empty(fund->description));
        statement_bind_integer(statement, next++, fund->created_at_us);
    }
    statement_bind_integer(statement, next, fund->updated_at_us);
    return statement_run(statement);
}

static struct result write_entry(struct rows_sqlite *sqlite, int64_t account, int64_t sequence, int64_t transfer, int64_t amount,
                                 int64_t balance_after) {
    struct statement *statement = take(sqlite, SQL_INSERT_ENTRY);
    statement_bind_integer(statement, 1, account);
    statement_bind_integer(statement, 2, sequence);
    statement_bind_integer(statement, 3, transfer);
    statement_bind_integer(statement, 4, amount);
    statement_bind_integer(statement, 5, balance_after);
    return statement_run(statement);
}

static struct result write_transfer(void *self, const struct transfer *transfer) {
    struct rows_sqlite *sqlite = self;
    struct statement *statement = take(sqlite, SQL_INSERT_TRANSFER);
    statement_bind_integer(statement, 1, transfer->sequence);
    statement_bind_id(statement, 2, transfer->id);
    statement_bind_integer(statement, 3, transfer->kind);
    statement_bind_integer(statement, 4, transfer->debit_account);
    statement_bind_integer(statement, 5, transfer->debit_sequence);
    statement_bind_integer(statement, 6, transfer->credit_account);
    statement_bind_integer(statement, 7, transfer->credit_sequence);
    statement_bind_integer(statement, 8, transfer->amount.amount_minor);
    statement_bind_text(statement, 9, text_of(currency_code(transfer->amount.currency)));
    statement_bind_text(statement, 10, text_or_empty(transfer->caller));
    statement_bind_text(statement, 11, text_or_empty(transfer->reference));
    statement_bind_text(statement, 12, text_or_empty(transfer->description));
    statement_bind_text(statement, 13, text_or_empty(transfer->metadata));
    statement_bind_integer(statement, 14, transfer->created_at_us);
    statement_bind_blob(statement, 15, transfer->hash.bytes, sizeof transfer->hash.bytes);
    TRY(statement_run(statement));
    int64_t amount = transfer->amount.amount_minor;
    TRY(write_entry(sqlite, transfer->debit_account, transfer->debit_sequence, transfer->sequence, -amount, transfer->debit_balance_after));
    return write_entry(sqlite, transfer->credit_account, transfer->credit_sequence, transfer->sequence, amount,
                       transfer->credit_balance_after);
}

static struct result write_kept(void *self, const struct idempotency_record *record) {
    struct statement *statement = take(self, SQL_INSERT_KEPT);
    statement_bind_blob(statement, 1, record->lookup.bytes, sizeof record->lookup.bytes);
    statement_bind_text(statement, 2, text_or_empty(record->fingerprint));
    statement_bind_integer(statement, 3, record->status);
    statement_bind_text(statement, 4, text_or_empty(record->content_type));
    statement_bind_text(statement, 5, text_or_empty(record->location));
    statement_bind_blob(statement, 6, text_or_empty(record->body).data, record->body.size);
    statement_bind_integer(statement, 7, record->created_at_us);
    return statement_run(statement);
}

/* ---- transactions ---- */

static struct result begin(void *self) { return database_begin(((struct rows_sqlite *)self)->database); }
static struct result commit(void *self) { return database_commit(((struct rows_sqlite *)self)->database); }

static void rollback(void *self) {
    struct rows_sqlite *sqlite = self;
    for (size_t i = 0; i < SQL_COUNT; i++) statement_reset(&sqlite->statements[i]); /* one may have failed half-way */
    database_rollback(sqlite->database);
}

static struct result run_in_transaction(struct rows_sqlite *sqlite, struct statement *statement) {
    struct result outcome = database_begin(sqlite->database);
    if (result_is_ok(outcome)) outcome = statement_run(statement);
    if (result_is_ok(outcome)) outcome = database_commit(sqlite->database);
    if (!result_is_ok(outcome)) rollback(sqlite);
    return outcome;
}

static struct result probe(void *self) { return run_in_transaction(self, take(self, SQL_PROBE)); }

static void expire(struct rows_sqlite *sqlite, enum query question, enum query deletion, int64_t before_us) {
    struct statement *ask RESET_AT_END = take(sqlite, question);
    bool found = false;
    statement_bind_integer(ask, 1, before_us);
    if (!result_is_ok(statement_step(ask, &found)) || !found) return;
    statement_reset(ask); /* a read that is open would hold back the checkpoint */
    struct statement *statement = take(sqlite, deletion);
    statement_bind_integer(statement, 1, before_us);
    statement_bind_integer(statement, 2, EXPIRE_ROWS);
    struct result outcome = run_in_transaction(sqlite, statement);
    (void)outcome; /* logged where it failed; the next idle moment tries again */
}

static void idle(void *self, int64_t now_us, bool is_busy) {
    struct rows_sqlite *sqlite = self;
    expire(sqlite, SQL_HAS_EXPIRED_SESSION, SQL_EXPIRE_SESSIONS, now_us - SESSION_GRACE_US);
    expire(sqlite, SQL_HAS_EXPIRED_KEPT, SQL_EXPIRE_KEPT,
           now_us - (PLANTED(KEPT_ANSWER_DROPPED_EARLY) ? CLOCK_SECOND_US : IDEMPOTENCY_RETENTION_US));
    database_checkpoint(sqlite->database, is_busy ? DATABASE_CHECKPOINT_BUSY : CHECKPOINT_PAGES_MIN);
    if (!is_busy) database_make_room(sqlite->database);
}

struct result rows_sqlite_create(struct database *database, struct rows_sqlite **ret_sqlite) {
    struct rows_sqlite *sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL) return result_error(RESULT_FULL);
    sqlite->database = database;
    arena_init(&sqlite->texts, LEDGER_ARENA_BYTES);
    for (size_t i = 0; i < SQL_COUNT; i++) {
        struct result prepared = statement_prepare(database, sql[i], &sqlite->statements[i]);
        if (result_is_ok(prepared)) continue;
        rows_sqlite_free(sqlite);
        return prepared;
    }
    *ret_sqlite = sqlite;
    return result_ok();
}

void rows_sqlite_free(struct rows_sqlite *sqlite) {
    if (sqlite == NULL) return;
    arena_release(&sqlite->texts);
    free(sqlite);
}

void rows_sqlite_bind(struct rows_sqlite *sqlite, struct rows *ret_rows) {
    *ret_rows = (struct rows){.self = sqlite,
                              .begin = begin,
                              .commit = commit,
                              .rollback = rollback,
                              .probe = probe,
                              .idle = idle,
                              .read_head = read_head,
                              .read_issuance = read_issuance,
                              .read_account = read_account,
                              .read_account_of_user = read_account_of_user,
                              .read_user = read_user,
                              .read_user_by_name = read_user_by_name,
                              .read_user_by_phone = read_user_by_phone,
                              .read_session = read_session,
                              .read_token = read_token,
                              .read_fund = read_fund,
                              .read_credit = read_credit,
                              .read_topup = read_topup,
                              .read_kept = read_kept,
                              .write_account = write_account,
                              .write_user = write_user,
                              .write_session = write_session,
                              .write_token = write_token,
                              .write_fund = write_fund,
                              .write_transfer = write_transfer,
                              .write_kept = write_kept};
}
