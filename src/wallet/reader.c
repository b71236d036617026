#include "wallet/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wallet/rows_read.h"
#include "wallet_schema.h"

enum query {
    READ_USER,
    READ_USER_BY_NAME,
    READ_ACCOUNT_OF_USER,
    READ_ENTRY_TIME,
    READ_ENTRY,
    READ_TRANSACTIONS,
    READ_TRANSACTION,
    READ_FUND,
    READ_FUND_TRANSACTIONS,
    READ_ACCOUNTS,
    READ_ACCOUNT,
    READ_ACCOUNT_BY_NAME,
    READ_ACCOUNT_BY_PHONE,
    READ_COUNT
};

#define ACCOUNT_ROW_COLUMNS ACCOUNT_COLUMNS ", u.name, u.phone, f.reference, f.is_released"
#define ACCOUNT_ROW_TABLES  "account a LEFT JOIN user u ON u.id = a.user_id LEFT JOIN fund f ON f.account = a.number"
#define USER_ACCOUNT_TABLES "user u JOIN account a ON a.user_id = u.id LEFT JOIN fund f ON f.account = a.number"

static const char *const sql[READ_COUNT] = {
    [READ_USER] = "SELECT " USER_COLUMNS " FROM user u WHERE u.id = ?1",
    [READ_USER_BY_NAME] = "SELECT " USER_COLUMNS " FROM user u WHERE u.name = ?1",
    [READ_ACCOUNT_OF_USER] = "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.user_id = ?1",
    [READ_ENTRY_TIME] =
        "SELECT t.created_at FROM entry e JOIN transfer t ON t.sequence = e.transfer WHERE e.account = ?1 AND e.sequence = ?2",
    [READ_ENTRY] = "SELECT e.balance_after, t.created_at FROM entry e JOIN transfer t ON t.sequence = e.transfer "
                   "WHERE e.account = ?1 AND e.sequence = ?2",
    [READ_TRANSACTIONS] =
        "SELECT e.sequence, e.amount, e.balance_after, t.id, t.kind, t.currency, t.reference, t.description, t.created_at, o.id, u.name "
        "FROM entry e JOIN transfer t ON t.sequence = e.transfer "
        /* Only a transfer between users (kind 2) has another user on its other side: for the rest there is nothing to look up. */
        "LEFT JOIN account o ON o.number = CASE WHEN t.kind = 2 THEN iif(e.amount < 0, t.credit_account, t.debit_account) END "
        "LEFT JOIN user u ON u.id = o.user_id WHERE e.account = ?1 AND e.sequence < ?2 ORDER BY e.sequence DESC LIMIT ?3",
    [READ_TRANSACTION] = "SELECT t.kind, t.amount, t.currency, t.reference, t.description, t.created_at, "
                         "d.id, d.user_id, du.name, de.balance_after, c.id, c.user_id, cu.name, ce.balance_after FROM transfer t "
                         "JOIN account d ON d.number = t.debit_account JOIN account c ON c.number = t.credit_account "
                         "JOIN entry de ON de.account = t.debit_account AND de.sequence = t.debit_sequence "
                         "JOIN entry ce ON ce.account = t.credit_account AND ce.sequence = t.credit_sequence "
                         "LEFT JOIN user du ON du.id = d.user_id LEFT JOIN user cu ON cu.id = c.user_id WHERE t.id = ?1",
    [READ_FUND] = "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
                  " FROM fund f JOIN account a ON a.number = f.account WHERE f.caller = ?1 AND f.reference = ?2",
    [READ_FUND_TRANSACTIONS] = "SELECT e.sequence, t.reference, c.user_id, t.id, t.amount, t.currency, t.created_at FROM entry e "
                               "JOIN transfer t ON t.sequence = e.transfer JOIN account c ON c.number = t.credit_account "
                               "WHERE e.account = ?1 AND e.sequence > ?2 AND t.kind = 1 ORDER BY e.sequence LIMIT ?3",
    [READ_ACCOUNTS] = "SELECT " ACCOUNT_ROW_COLUMNS " FROM " ACCOUNT_ROW_TABLES " WHERE a.number > ?1 ORDER BY a.number LIMIT ?2",
    [READ_ACCOUNT] = "SELECT " ACCOUNT_ROW_COLUMNS " FROM " ACCOUNT_ROW_TABLES " WHERE a.id = ?1",
    [READ_ACCOUNT_BY_NAME] = "SELECT " ACCOUNT_ROW_COLUMNS " FROM " USER_ACCOUNT_TABLES " WHERE u.name = ?1",
    [READ_ACCOUNT_BY_PHONE] = "SELECT " ACCOUNT_ROW_COLUMNS " FROM " USER_ACCOUNT_TABLES " WHERE u.phone = ?1",
};

struct reader {
    struct database *database;
    struct statement statements[READ_COUNT];
};

static void reset(struct statement **statement) { statement_reset(*statement); }
#define RESET_AT_END __attribute__((cleanup(reset)))

static struct statement *take(struct reader *reader, enum query query) { return &reader->statements[query]; }

struct result reader_open(const char *path, const struct batch_commits *commits, struct reader **ret_reader) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return result_error(RESULT_FULL);
    struct result opened = database_open(path, DATABASE_READ, &wallet_schema, &reader->database);
    for (size_t i = 0; result_is_ok(opened) && i < READ_COUNT; i++) {
        opened = statement_prepare(reader->database, sql[i], &reader->statements[i]);
    }
    if (!result_is_ok(opened)) {
        reader_close(reader);
        return opened;
    }
    database_follow(reader->database, commits);
    *ret_reader = reader;
    return result_ok();
}

void reader_close(struct reader *reader) {
    if (reader == NULL) return;
    if (reader->database != NULL) database_close(reader->database);
    free(reader);
}

void reader_end_round(struct reader *reader) {
    if (reader != NULL) database_end_round(reader->database);
}

static struct result copy(struct arena *arena, struct text *text) {
    *text = arena_copy(arena, *text);
    return text->data == NULL ? result_error(RESULT_FULL) : result_ok();
}

static struct result step_user(struct statement *statement, struct user *ret_user, bool *ret_found) {
    TRY(statement_step(statement, ret_found));
    if (*ret_found) rows_read_user(statement, 0, ret_user);
    return result_ok();
}

struct result reader_user(struct reader *reader, struct id id, struct user *ret_user, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_USER);
    statement_bind_id(statement, 1, id);
    return step_user(statement, ret_user, ret_found);
}

struct result reader_user_by_name(struct reader *reader, struct text name, struct user *ret_user, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_USER_BY_NAME);
    statement_bind_text(statement, 1, name);
    return step_user(statement, ret_user, ret_found);
}

struct result reader_account_of_user(struct reader *reader, struct id user_id, struct account *ret_account, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_ACCOUNT_OF_USER);
    statement_bind_id(statement, 1, user_id);
    TRY(statement_step(statement, ret_found));
    if (*ret_found) rows_read_account(statement, 0, ret_account);
    return result_ok();
}

static struct result read_entry_time(struct reader *reader, int64_t account, int64_t sequence, int64_t *ret_time_us) {
    struct statement *statement RESET_AT_END = take(reader, READ_ENTRY_TIME);
    bool found = false;
    statement_bind_integer(statement, 1, account);
    statement_bind_integer(statement, 2, sequence);
    TRY(statement_step(statement, &found));
    if (!found) return result_error(RESULT_CORRUPT);
    *ret_time_us = statement_integer(statement, 0);
    return result_ok();
}

/* How many entries of the account are from before the time: all, when it is after the newest; else a binary search, because time grows with
 * the sequence. */
static struct result count_entries_before(struct reader *reader, const struct account *account, int64_t time_us, int64_t *ret_count) {
    int64_t low = 0, high = account->sequence; /* low entries are before it, those behind high are not */
    if (time_us > account->updated_at_us) low = high;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2, entry_us = 0;
        TRY(read_entry_time(reader, account->number, middle, &entry_us));
        if (entry_us < time_us) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    *ret_count = low;
    return result_ok();
}

static struct result rewind_account(struct reader *reader, int64_t at_us, struct account *account) {
    int64_t count = 0;
    TRY(count_entries_before(reader, account, at_us + 1, &count));
    if (count == account->sequence) return result_ok();
    account->sequence = count;
    account->debits_posted = account->credits_posted = account->debits_pending = account->credits_pending = 0;
    account->updated_at_us = account->created_at_us;
    if (count == 0) return result_ok();
    struct statement *statement RESET_AT_END = take(reader, READ_ENTRY);
    bool found = false;
    statement_bind_integer(statement, 1, account->number);
    statement_bind_integer(statement, 2, count);
    TRY(statement_step(statement, &found));
    if (!found) return result_error(RESULT_CORRUPT);
    account->credits_posted = statement_integer(statement, 0);
    account->updated_at_us = statement_integer(statement, 1);
    return result_ok();
}

struct result reader_account_at(struct reader *reader, struct id user_id, int64_t at_us, struct account *ret_account, bool *ret_found) {
    TRY(reader_account_of_user(reader, user_id, ret_account, ret_found));
    return *ret_found ? rewind_account(reader, at_us, ret_account) : result_ok();
}

static struct result read_transaction_row(const struct statement *statement, struct arena *arena, struct transaction_row *ret_row) {
    int64_t amount = statement_integer(statement, 1);
    *ret_row = (struct transaction_row){
        .account_sequence = statement_integer(statement, 0),
        .view = {.id = statement_id(statement, 3),
                 .kind = (enum transfer_kind)statement_integer(statement, 4),
                 .is_credit = amount > 0,
                 .amount = {amount > 0 ? amount : -amount, rows_read_currency(statement, 5)},
                 .balance_after = statement_integer(statement, 2),
                 .reference = statement_text(statement, 6),
                 .description = statement_text(statement, 7),
                 .counterparty_account = statement_id(statement, 9),
                 .counterparty_name = statement_text(statement, 10),
                 .created_at_us = statement_integer(statement, 8)},
    };
    TRY(copy(arena, &ret_row->view.reference));
    TRY(copy(arena, &ret_row->view.description));
    return copy(arena, &ret_row->view.counterparty_name);
}

struct result reader_transactions(struct reader *reader, struct id user_id, const struct transaction_filter *filter, struct arena *arena,
                                  struct transaction_row *rows, size_t *ret_count, int64_t *ret_next) {
    struct account account;
    bool found = false;
    int64_t before = filter->before_sequence, count_before = 0;
    *ret_count = 0;
    *ret_next = 0;
    TRY(reader_account_of_user(reader, user_id, &account, &found));
    if (!found) return result_ok();
    TRY(count_entries_before(reader, &account, filter->to_us, &count_before));
    if (count_before < before - 1) before = count_before + 1;

    struct statement *statement RESET_AT_END = take(reader, READ_TRANSACTIONS);
    statement_bind_integer(statement, 1, account.number);
    statement_bind_integer(statement, 2, before);
    statement_bind_integer(statement, 3, READER_SCAN_MAX);
    int64_t scanned = 0, sequence = 0;
    for (; scanned < READER_SCAN_MAX; scanned++) {
        TRY(statement_step(statement, &found));
        if (!found || statement_integer(statement, 8) < filter->from_us) return result_ok();
        if (filter->kind == 0 || statement_integer(statement, 4) == (int64_t)filter->kind) {
            if (*ret_count == filter->limit) break; /* there is one more: this page ends before it */
            TRY(read_transaction_row(statement, arena, &rows[(*ret_count)++]));
        }
        sequence = statement_integer(statement, 0);
    }
    *ret_next = sequence > 1 ? sequence : 0;
    return result_ok();
}

/* From the side that the caller stands on; others, who are admins, see the side that received, or the fund that was emptied. */
static bool choose_side(const struct statement *statement, struct id user_id, bool is_admin, bool *ret_is_credit) {
    struct id debit_user = statement_id(statement, 7), credit_user = statement_id(statement, 11);
    bool is_release = statement_integer(statement, 0) == TRANSFER_RELEASE;
    *ret_is_credit = !id_equal(debit_user, user_id) && !is_release;
    return is_admin || id_equal(debit_user, user_id) || id_equal(credit_user, user_id);
}

struct result reader_transaction(struct reader *reader, struct id id, struct id user_id, bool is_admin, struct arena *arena,
                                 struct transaction_view *ret_view, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_TRANSACTION);
    statement_bind_id(statement, 1, id);
    TRY(statement_step(statement, ret_found));
    bool is_credit = false;
    if (!*ret_found || !choose_side(statement, user_id, is_admin, &is_credit)) {
        *ret_found = false;
        return result_ok();
    }
    int mine = is_credit ? 10 : 6, theirs = is_credit ? 6 : 10;
    *ret_view = (struct transaction_view){.id = id,
                                          .kind = (enum transfer_kind)statement_integer(statement, 0),
                                          .is_credit = is_credit,
                                          .amount = {statement_integer(statement, 1), rows_read_currency(statement, 2)},
                                          .balance_after = statement_integer(statement, mine + 3),
                                          .reference = statement_text(statement, 3),
                                          .description = statement_text(statement, 4),
                                          .counterparty_name = statement_text(statement, theirs + 2),
                                          .created_at_us = statement_integer(statement, 5)};
    if (!statement_is_null(statement, theirs + 1)) ret_view->counterparty_account = statement_id(statement, theirs);
    TRY(copy(arena, &ret_view->reference));
    TRY(copy(arena, &ret_view->description));
    return copy(arena, &ret_view->counterparty_name);
}

struct result reader_fund(struct reader *reader, struct text caller, struct text reference, struct arena *arena, struct fund *ret_fund,
                          struct account *ret_account, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_FUND);
    statement_bind_text(statement, 1, caller);
    statement_bind_text(statement, 2, reference);
    TRY(statement_step(statement, ret_found));
    if (!*ret_found) return result_ok();
    rows_read_account(statement, 0, ret_account);
    rows_read_fund(statement, ACCOUNT_COLUMN_COUNT, ret_fund);
    ret_fund->account = ret_account;
    TRY(copy(arena, &ret_fund->caller));
    TRY(copy(arena, &ret_fund->reference));
    return copy(arena, &ret_fund->description);
}

struct result reader_fund_transactions(struct reader *reader, int64_t fund_account, int64_t after_sequence, size_t limit,
                                       struct arena *arena, struct fund_transaction *rows, size_t *ret_count, int64_t *ret_next) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_FUND_TRANSACTIONS);
    statement_bind_integer(statement, 1, fund_account);
    statement_bind_integer(statement, 2, after_sequence);
    statement_bind_integer(statement, 3, (int64_t)limit + 1);
    *ret_count = 0;
    *ret_next = 0;
    for (;;) {
        bool found = false;
        TRY(statement_step(statement, &found));
        if (!found) return result_ok();
        if (*ret_count == limit) {
            *ret_next = rows[limit - 1].account_sequence;
            return result_ok();
        }
        struct fund_transaction *row = &rows[(*ret_count)++];
        *row = (struct fund_transaction){.account_sequence = statement_integer(statement, 0),
                                         .reference = statement_text(statement, 1),
                                         .user_id = statement_id(statement, 2),
                                         .transaction_id = statement_id(statement, 3),
                                         .amount = {statement_integer(statement, 4), rows_read_currency(statement, 5)},
                                         .created_at_us = statement_integer(statement, 6)};
        TRY(copy(arena, &row->reference));
    }
}

const char *account_state_name(const struct account_row *row) {
    return row->account.is_frozen ? "frozen" : row->is_released ? "released" : "open";
}

static struct result read_account_row(const struct statement *statement, struct arena *arena, struct account_row *ret_row) {
    *ret_row = (struct account_row){.username = statement_text(statement, ACCOUNT_COLUMN_COUNT),
                                    .fund_reference = statement_text(statement, ACCOUNT_COLUMN_COUNT + 2),
                                    .is_released = statement_integer(statement, ACCOUNT_COLUMN_COUNT + 3) != 0};
    rows_read_account(statement, 0, &ret_row->account);
    struct text phone = statement_text(statement, ACCOUNT_COLUMN_COUNT + 1);
    CHECK(phone.size <= sizeof ret_row->phone.e164);
    if (phone.size > 0) memcpy(ret_row->phone.e164, phone.data, phone.size);
    ret_row->phone.size = (uint8_t)phone.size;
    TRY(copy(arena, &ret_row->username));
    return copy(arena, &ret_row->fund_reference);
}

static bool account_matches(const struct account_filter *filter, const struct account_row *row) {
    if (filter->kind != 0 && row->account.kind != filter->kind) return false;
    if (filter->username.size > 0 && !text_equal(row->username, filter->username)) return false;
    if (filter->phone.size > 0 && !phone_equal(&row->phone, &filter->phone)) return false;
    return filter->state.size == 0 || text_equal(filter->state, text_of(account_state_name(row)));
}

/* A username or a phone number names one account at most. */
static struct result find_named_account(struct reader *reader, const struct account_filter *filter, struct arena *arena,
                                        struct account_row *rows, size_t *ret_count) {
    bool has_name = filter->username.size > 0, found = false;
    struct statement *statement RESET_AT_END = take(reader, has_name ? READ_ACCOUNT_BY_NAME : READ_ACCOUNT_BY_PHONE);
    statement_bind_text(statement, 1, has_name ? filter->username : phone_text(&filter->phone));
    TRY(statement_step(statement, &found));
    if (!found) return result_ok();
    TRY(read_account_row(statement, arena, &rows[0]));
    if (rows[0].account.number > filter->after_number && account_matches(filter, &rows[0])) *ret_count = 1;
    return result_ok();
}

struct result reader_accounts(struct reader *reader, const struct account_filter *filter, struct arena *arena, struct account_row *rows,
                              size_t *ret_count, int64_t *ret_next) {
    TRY(database_refresh(reader->database));
    *ret_count = 0;
    *ret_next = 0;
    if (filter->username.size > 0 || filter->phone.size > 0) return find_named_account(reader, filter, arena, rows, ret_count);
    struct statement *statement RESET_AT_END = take(reader, READ_ACCOUNTS);
    statement_bind_integer(statement, 1, filter->after_number);
    statement_bind_integer(statement, 2, READER_SCAN_MAX);
    int64_t last_number = filter->after_number;
    for (size_t scanned = 0; scanned < READER_SCAN_MAX; scanned++) {
        struct account_row row;
        bool found = false;
        TRY(statement_step(statement, &found));
        if (!found) return result_ok();
        TRY(read_account_row(statement, arena, &row));
        if (account_matches(filter, &row)) {
            if (*ret_count == filter->limit) break;
            rows[(*ret_count)++] = row;
        }
        last_number = row.account.number;
    }
    *ret_next = last_number;
    return result_ok();
}

struct result reader_account(struct reader *reader, struct id id, struct arena *arena, struct account_row *ret_row, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement RESET_AT_END = take(reader, READ_ACCOUNT);
    statement_bind_id(statement, 1, id);
    TRY(statement_step(statement, ret_found));
    return *ret_found ? read_account_row(statement, arena, ret_row) : result_ok();
}
