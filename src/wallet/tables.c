#include "wallet/tables.h"

#include <string.h>

#include "base/check.h"

#define EXPIRE_ROWS INT64_C(200) /* at a time, so that a waiting request waits little */

#define ACCOUNT_COLUMNS                                                                                                                   \
    "a.number, a.id, a.kind, a.user_id, a.currency, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.sequence, " \
    "a.floor, a.is_frozen, a.created_at, a.updated_at"
#define USER_COLUMNS                                                                                                             \
    "u.id, u.name, u.phone, u.password_hash, u.is_admin, u.created_at, u.sessions_cutoff, u.kept_session, u.sessions_ended_at, " \
    "u.is_phone_verified"
#define SESSION_COLUMNS "s.id, s.user_id, s.generation, s.created_at, s.expires_at, s.ended_at"
#define FUND_COLUMNS \
    "f.caller, f.reference, f.opened, f.funded, f.credited, f.released, f.is_released, f.description, f.created_at, f.updated_at"

/* ---- rows ---- */

enum currency row_currency(const struct row *row, int column) {
    enum currency currency = CURRENCY_NONE;
    if (!result_is_ok(currency_parse(row_text(row, column), &currency))) row_refuse(row, column, "no currency of ours");
    return currency;
}

enum transfer_kind row_transfer_kind(const struct row *row, int column) {
    return (enum transfer_kind)row_integer_between(row, column, TRANSFER_CREDIT, TRANSFER_RELEASE);
}

struct phone row_phone_or_empty(const struct row *row, int column) {
    struct phone phone = {0};
    struct text text = row_text_or_empty(row, column);
    if (text.size > sizeof phone.e164) {
        row_refuse(row, column, "too long for a phone number");
        return phone;
    }
    if (text.size > 0) memcpy(phone.e164, text.data, text.size);
    phone.size = (uint8_t)text.size;
    return phone;
}

struct result row_account(const struct row *row, int first, struct account *ret_account) {
    *ret_account = (struct account){
        .number = row_integer(row, first),
        .id = row_id(row, first + 1),
        .kind = (enum account_kind)row_integer_between(row, first + 2, ACCOUNT_USER, ACCOUNT_ISSUANCE),
        .user_id = row_id_or_zero(row, first + 3),
        .currency = row_currency(row, first + 4),
        .debits_posted = row_integer(row, first + 5),
        .credits_posted = row_integer(row, first + 6),
        .debits_pending = row_integer(row, first + 7),
        .credits_pending = row_integer(row, first + 8),
        .sequence = row_integer(row, first + 9),
        .floor_minor = row_integer(row, first + 10),
        .is_frozen = row_boolean(row, first + 11),
        .created_at_us = row_time(row, first + 12),
        .updated_at_us = row_time(row, first + 13),
    };
    const char *fault = account_fault(ret_account);
    if (fault != NULL) row_refuse(row, first, fault);
    return row_verdict(row);
}

struct result row_user(const struct row *row, int first, struct user *ret_user) {
    *ret_user = (struct user){
        .id = row_id(row, first),
        .phone = row_phone_or_empty(row, first + 2),
        .is_admin = row_boolean(row, first + 4),
        .created_at_us = row_time(row, first + 5),
        .sessions_cutoff = row_id_or_zero(row, first + 6),
        .kept_session = row_id_or_zero(row, first + 7),
        .sessions_ended_at_us = row_integer_or_zero(row, first + 8),
        .is_phone_verified = row_boolean(row, first + 9),
    };
    struct text name = row_text(row, first + 1), password_hash = row_text(row, first + 3);
    if (name.size == 0 || name.size > sizeof ret_user->name || password_hash.size >= sizeof ret_user->password_hash) {
        row_refuse(row, first + 1, "no name, or too long a name or hash");
        return row_verdict(row);
    }
    memcpy(ret_user->name, name.data, name.size);
    ret_user->name_size = (uint8_t)name.size;
    memcpy(ret_user->password_hash, password_hash.data, password_hash.size);
    return row_verdict(row);
}

struct result row_session(const struct row *row, int first, struct session *ret_session) {
    *ret_session = (struct session){.id = row_id(row, first),
                                    .user_id = row_id(row, first + 1),
                                    .generation = row_integer_between(row, first + 2, 1, INT64_MAX - 1),
                                    .created_at_us = row_time(row, first + 3),
                                    .expires_at_us = row_integer(row, first + 4),
                                    .ended_at_us = row_integer_or_zero(row, first + 5)};
    return row_verdict(row);
}

struct result row_fund(const struct row *row, int first, struct account *account, struct fund *ret_fund) {
    *ret_fund = (struct fund){
        .caller = row_text(row, first),
        .reference = row_text(row, first + 1),
        .account = account,
        .opened_minor = row_integer(row, first + 2),
        .funded_minor = row_integer(row, first + 3),
        .credited_minor = row_integer(row, first + 4),
        .released_minor = row_integer(row, first + 5),
        .is_released = row_boolean(row, first + 6),
        .description = row_text(row, first + 7),
        .created_at_us = row_time(row, first + 8),
        .updated_at_us = row_time(row, first + 9),
    };
    const char *fault = account_fault(account) == NULL ? fund_fault(ret_fund) : NULL;
    if (fault != NULL) row_refuse(row, first, fault);
    if (ret_fund->caller.size > LIMIT_REFERENCE_BYTES || ret_fund->reference.size > LIMIT_REFERENCE_BYTES)
        row_refuse(row, first, "too long a name");
    return row_verdict(row);
}

struct result row_reference(const struct row *row, struct known_reference *ret_reference) {
    *ret_reference = (struct known_reference){.debit_account = row_integer(row, 0),
                                              .credit_account = row_integer(row, 1),
                                              .amount = {row_integer(row, 2), row_currency(row, 3)},
                                              .transaction_id = row_id(row, 4),
                                              .balance_after = row_integer(row, 5),
                                              .created_at_us = row_time(row, 6)};
    return row_verdict(row);
}

struct result user_found(void *found, const struct row *row) {
    struct found_user *user = found;
    TRY(row_user(row, 0, &user->user));
    user->is_found = true;
    return result_ok();
}

struct result login_found(void *found, const struct row *row) {
    struct found_user *user = found;
    user->is_known_client = row_integer_or_zero(row, USER_COLUMN_COUNT) != 0;
    return user_found(found, row);
}

struct result account_found(void *found, const struct row *row) {
    struct found_account *account = found;
    TRY(row_account(row, 0, &account->account));
    account->is_found = true;
    return result_ok();
}

/* ---- asking ---- */

#define VALUES(...) \
    (const struct value[]) { __VA_ARGS__ }
#define QUESTION(variable, name_, sql_, ...) \
    static const struct question variable = {.name = (name_), .sql = sql_, .parameters = {__VA_ARGS__}}
#define ASK(question, ...) batch_ask(batch, &(question), VALUES(__VA_ARGS__), visit, context)

QUESTION(user_by_id, "a user", "SELECT " USER_COLUMNS " FROM users u WHERE u.id = $1 LIMIT 1", COLUMN_ID);
void ask_user(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(user_by_id, value_id(id)); }

QUESTION(user_by_name, "a user by name", "SELECT " USER_COLUMNS " FROM users u WHERE u.name = $1 LIMIT 1", COLUMN_TEXT);
void ask_user_by_name(struct batch *batch, struct text name, row_visitor *visit, void *context) { ASK(user_by_name, value_text(name)); }

static const struct question login = {.name = "who logs in",
                                      .sql = "SELECT " USER_COLUMNS
                                             ", (SELECT s.client FROM sessions s WHERE s.user_id = u.id AND s.client = $2 LIMIT 1)"
                                             " FROM users u WHERE u.name = $1 LIMIT 1",
                                      .parameters = {COLUMN_TEXT, COLUMN_INTEGER}};
void ask_login(struct batch *batch, struct text name, int64_t client, row_visitor *visit, void *context) {
    ASK(login, value_text(name), value_integer(client));
}

#define WALLET_QUESTION "SELECT " USER_COLUMNS ", " ACCOUNT_COLUMNS " FROM users u LEFT JOIN accounts a ON a.user_id = u.id WHERE "
QUESTION(wallet_by_name, "a wallet by its user's name", WALLET_QUESTION "u.name = $1 LIMIT 1", COLUMN_TEXT);
void ask_wallet_by_name(struct batch *batch, struct text name, row_visitor *visit, void *context) { ASK(wallet_by_name, value_text(name)); }

QUESTION(wallet_by_phone, "a wallet by its user's phone", WALLET_QUESTION "u.phone = $1 LIMIT 1", COLUMN_TEXT);
void ask_wallet_by_phone(struct batch *batch, const struct phone *phone, row_visitor *visit, void *context) {
    ASK(wallet_by_phone, value_text(phone_text(phone)));
}

QUESTION(wallet_by_account, "a wallet by its account",
         "SELECT " USER_COLUMNS ", " ACCOUNT_COLUMNS " FROM accounts a JOIN users u ON u.id = a.user_id WHERE a.id = $1 LIMIT 1",
         COLUMN_ID);
void ask_wallet_by_account(struct batch *batch, struct id account_id, row_visitor *visit, void *context) {
    ASK(wallet_by_account, value_id(account_id));
}

QUESTION(session_by_id, "a session",
         "SELECT " SESSION_COLUMNS ", " USER_COLUMNS " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 LIMIT 1",
         COLUMN_ID);
void ask_session(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(session_by_id, value_id(id)); }

static const struct question token_by_hash = {
    .name = "a refresh token",
    .sql =
        "SELECT session_id, hash, generation, expires_at, reusable_until FROM refresh_tokens WHERE session_id = $1 AND hash = $2 LIMIT 1",
    .parameters = {COLUMN_ID, COLUMN_BYTES}};
void ask_token(struct batch *batch, struct id session_id, const struct hash *hash, row_visitor *visit, void *context) {
    ASK(token_by_hash, value_id(session_id), value_bytes(hash->bytes, sizeof hash->bytes));
}

QUESTION(ended_sessions, "sessions that ended", "SELECT " SESSION_COLUMNS " FROM sessions s WHERE s.ended_at > $1 ORDER BY s.ended_at",
         COLUMN_INTEGER);
void ask_ended_sessions(struct batch *batch, int64_t since_us, row_visitor *visit, void *context) {
    ASK(ended_sessions, value_integer(since_us));
}

QUESTION(users_with_ended_sessions, "users whose sessions ended",
         "SELECT " USER_COLUMNS " FROM users u WHERE u.sessions_ended_at > $1 ORDER BY u.sessions_ended_at", COLUMN_INTEGER);
void ask_users_with_ended_sessions(struct batch *batch, int64_t since_us, row_visitor *visit, void *context) {
    ASK(users_with_ended_sessions, value_integer(since_us));
}

QUESTION(expired_session, "an expired session", "SELECT 1 FROM sessions WHERE expires_at < $1 LIMIT 1", COLUMN_INTEGER);
void ask_expired_session(struct batch *batch, int64_t before_us, row_visitor *visit, void *context) {
    ASK(expired_session, value_integer(before_us));
}

static const struct question head = {.name = "the newest transfer",
                                     .sql = "SELECT sequence, hash, created_at FROM transfers ORDER BY sequence DESC LIMIT 1"};
void ask_head(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &head, NULL, visit, context); }

static const struct question all_callers = {
    .name = "what callers have credited",
    .sql = "SELECT c.caller, c.credits, t.reference FROM (SELECT caller, count(*) AS credits, max(sequence) AS newest FROM transfers WHERE "
           "kind = 1 GROUP BY caller) AS c JOIN transfers AS t ON t.sequence = c.newest"};
void ask_callers(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_callers, NULL, visit, context); }

static const struct question last_account = {.name = "the newest account",
                                             .sql = "SELECT number FROM accounts ORDER BY number DESC LIMIT 1"};
void ask_last_account(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &last_account, NULL, visit, context); }

static const struct question issuance = {.name = "the issuance account",
                                         .sql = "SELECT " ACCOUNT_COLUMNS " FROM accounts a WHERE a.number = 1 AND a.kind = 3 LIMIT 1"};
void ask_issuance(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &issuance, NULL, visit, context); }

QUESTION(account_of_user, "the account of a user", "SELECT " ACCOUNT_COLUMNS " FROM accounts a WHERE a.user_id = $1 LIMIT 1", COLUMN_ID);
void ask_account_of_user(struct batch *batch, struct id user_id, row_visitor *visit, void *context) {
    ASK(account_of_user, value_id(user_id));
}

QUESTION(fund_by_reference, "a fund",
         "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
         " FROM funds f JOIN accounts a ON a.number = f.account WHERE f.caller = $1 AND f.reference = $2 LIMIT 1",
         COLUMN_TEXT, COLUMN_TEXT);
void ask_fund(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(fund_by_reference, value_text(caller), value_text(reference));
}

QUESTION(funds_of_caller, "the funds of a service",
         "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
         " FROM funds f JOIN accounts a ON a.number = f.account WHERE f.caller = $1 AND f.account > $2 ORDER BY f.account LIMIT $3",
         COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER);
void ask_funds(struct batch *batch, struct text caller, int64_t after_account, int64_t limit, row_visitor *visit, void *context) {
    ASK(funds_of_caller, value_text(caller), value_integer(after_account), value_integer(limit));
}

#define REFERENCE_COLUMNS \
    "t.debit_account, t.credit_account, t.amount, t.currency, t.id, e.balance_after, t.created_at, t.caller, t.reference"
#define REFERENCE_ENTRY "JOIN entries e ON e.account = t.credit_account AND e.sequence = t.credit_sequence "
QUESTION(credit_by_reference, "a credit",
         "SELECT " REFERENCE_COLUMNS " FROM transfers t " REFERENCE_ENTRY "WHERE t.kind = 1 AND t.caller = $1 AND t.reference = $2 LIMIT 1",
         COLUMN_TEXT, COLUMN_TEXT);
void ask_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(credit_by_reference, value_text(caller), value_text(reference));
}

static const struct question topup_by_reference = {
    .name = "a top-up",
    .sql = "SELECT " REFERENCE_COLUMNS " FROM funds f JOIN transfers t ON t.credit_account = f.account " REFERENCE_ENTRY
           "WHERE f.caller = $1 AND f.reference = $2 AND t.kind = 4 AND t.reference <> '' AND t.reference = $3 LIMIT 1",
    .parameters = {COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT}};
void ask_topup(struct batch *batch, struct text caller, struct text fund_reference, struct text reference, row_visitor *visit,
               void *context) {
    ASK(topup_by_reference, value_text(caller), value_text(fund_reference), value_text(reference));
}

/* ---- for answers ---- */

static const struct question entry_by_sequence = {
    .name = "an entry",
    .sql = "SELECT e.balance_after, t.created_at FROM entries e JOIN transfers t ON t.sequence = "
           "e.transfer WHERE e.account = $1 AND e.sequence = $2 LIMIT 1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_entry(struct batch *batch, int64_t account, int64_t sequence, row_visitor *visit, void *context) {
    ASK(entry_by_sequence, value_integer(account), value_integer(sequence));
}

static const struct question entries_of_account = {
    .name = "the entries of an account",
    .sql = "SELECT e.sequence, e.amount, e.balance_after, t.id, t.kind, t.currency, t.reference, t.description, t.created_at, o.id, "
           "u.name, t.metadata "
           "FROM entries e JOIN transfers t ON t.sequence = e.transfer "
           /* Only a transfer between users (kind 2) has another user on its other side: for the rest there is nothing to look up. */
           "LEFT JOIN accounts o ON o.number = CASE WHEN t.kind <> 2 THEN NULL WHEN e.amount < 0 THEN t.credit_account ELSE "
           "t.debit_account END "
           "LEFT JOIN users u ON u.id = o.user_id "
           "WHERE e.account = $1 AND e.sequence < $2 AND e.sequence > $3 AND ($4 = 0 OR t.kind = $4) ORDER BY e.sequence DESC LIMIT $5",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_entries(struct batch *batch, int64_t account, int64_t before_sequence, int64_t after_sequence, enum transfer_kind kind,
                 int64_t limit, row_visitor *visit, void *context) {
    ASK(entries_of_account, value_integer(account), value_integer(before_sequence), value_integer(after_sequence), value_integer(kind),
        value_integer(limit));
}

static const struct question transfer_by_id = {
    .name = "a transfer",
    .sql = "SELECT t.kind, t.amount, t.currency, t.reference, t.description, t.created_at, "
           "d.id, d.user_id, du.name, de.balance_after, c.id, c.user_id, cu.name, ce.balance_after, t.metadata FROM transfers t "
           "JOIN accounts d ON d.number = t.debit_account JOIN accounts c ON c.number = t.credit_account "
           "JOIN entries de ON de.account = t.debit_account AND de.sequence = t.debit_sequence "
           "JOIN entries ce ON ce.account = t.credit_account AND ce.sequence = t.credit_sequence "
           "LEFT JOIN users du ON du.id = d.user_id LEFT JOIN users cu ON cu.id = c.user_id WHERE t.id = $1 LIMIT 1",
    .parameters = {COLUMN_ID}};
void ask_transfer(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(transfer_by_id, value_id(id)); }

static const struct question credits_of_fund = {
    .name = "the credits of a fund",
    .sql = "SELECT e.sequence, t.reference, c.user_id, t.id, t.amount, t.currency, t.created_at, t.description, t.metadata FROM funds f "
           "JOIN entries e ON e.account = f.account JOIN transfers t ON t.sequence = e.transfer JOIN accounts c ON c.number = "
           "t.credit_account "
           "WHERE f.caller = $1 AND f.reference = $2 AND e.sequence > $3 AND t.kind = 1 ORDER BY e.sequence LIMIT $4",
    .parameters = {COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_credits_of_fund(struct batch *batch, struct text caller, struct text reference, int64_t after_sequence, int64_t limit,
                         row_visitor *visit, void *context) {
    ASK(credits_of_fund, value_text(caller), value_text(reference), value_integer(after_sequence), value_integer(limit));
}

#define SEEN_COLUMNS ACCOUNT_COLUMNS ", u.name, u.phone, f.reference, f.is_released"
#define SEEN_TABLES  "accounts a LEFT JOIN users u ON u.id = a.user_id LEFT JOIN funds f ON f.account = a.number"
static const struct question accounts_in_order = {
    .name = "accounts",
    .sql = "SELECT " SEEN_COLUMNS " FROM " SEEN_TABLES " WHERE a.number > $1 AND a.number <= $2 AND ($3 = 0 OR a.kind = $3) "
           "AND ($4 = 0 OR $4 = CASE WHEN a.is_frozen = 1 THEN 2 WHEN f.is_released = 1 THEN 3 ELSE 1 END) ORDER BY a.number LIMIT $5",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_accounts(struct batch *batch, int64_t after_number, int64_t last_number, enum account_kind kind, enum account_state state,
                  int64_t limit, row_visitor *visit, void *context) {
    ASK(accounts_in_order, value_integer(after_number), value_integer(last_number), value_integer(kind), value_integer(state),
        value_integer(limit));
}

QUESTION(account_by_id, "an account", "SELECT " SEEN_COLUMNS " FROM " SEEN_TABLES " WHERE a.id = $1 LIMIT 1", COLUMN_ID);
void ask_account(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(account_by_id, value_id(id)); }

#define SEEN_BY_USER "users u JOIN accounts a ON a.user_id = u.id LEFT JOIN funds f ON f.account = a.number"
QUESTION(account_by_name, "an account by its user's name", "SELECT " SEEN_COLUMNS " FROM " SEEN_BY_USER " WHERE u.name = $1 LIMIT 1",
         COLUMN_TEXT);
void ask_account_by_name(struct batch *batch, struct text name, row_visitor *visit, void *context) {
    ASK(account_by_name, value_text(name));
}

QUESTION(account_by_phone, "an account by its user's phone", "SELECT " SEEN_COLUMNS " FROM " SEEN_BY_USER " WHERE u.phone = $1 LIMIT 1",
         COLUMN_TEXT);
void ask_account_by_phone(struct batch *batch, const struct phone *phone, row_visitor *visit, void *context) {
    ASK(account_by_phone, value_text(phone_text(phone)));
}

/* ---- writing ---- */

#define DO(question, rows_due, ...) batch_do(batch, &(question), VALUES(__VA_ARGS__), (rows_due))

static struct text text_or_empty(struct text text) { return text.data == NULL ? TEXT("") : text; }
static struct value time_or_null(int64_t time_us) { return time_us == 0 ? value_null(COLUMN_INTEGER) : value_integer(time_us); }
static struct value text_or_null(struct text text) { return text.size == 0 ? value_null(COLUMN_TEXT) : value_text(text); }
static struct value currency_value(enum currency currency) { return value_text(text_of(currency_code(currency))); }

static const struct question insert_user = {
    .name = "a new user",
    .sql = "INSERT INTO users (id, name, phone, password_hash, is_admin, created_at, sessions_cutoff, kept_session, sessions_ended_at, "
           "is_phone_verified) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    .parameters = {COLUMN_ID, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_ID, COLUMN_INTEGER,
                   COLUMN_INTEGER}};
static const struct question change_user = {
    .name = "a changed user",
    .sql = "UPDATE users SET password_hash = $2, sessions_cutoff = $3, kept_session = $4, sessions_ended_at = $5, phone = $6, "
           "is_phone_verified = $7 WHERE id = $1",
    .parameters = {COLUMN_ID, COLUMN_TEXT, COLUMN_ID, COLUMN_ID, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER}};
QUESTION(leave_phone, "a phone that is given up", "UPDATE users SET phone = NULL, is_phone_verified = 0 WHERE id = $1", COLUMN_ID);
void save_left_phone(struct batch *batch, const struct user *user) {
    if (user->has_left_phone) DO(leave_phone, 1, value_id(user->id));
}
void save_user(struct batch *batch, const struct user *user) {
    if (user->state == ROW_NEW) {
        DO(insert_user, 1, value_id(user->id), value_text(user_name(user)), text_or_null(phone_text(&user->phone)),
           value_text(text_of(user->password_hash)), value_integer(user->is_admin), value_integer(user->created_at_us),
           value_id_or_null(user->sessions_cutoff), value_id_or_null(user->kept_session), time_or_null(user->sessions_ended_at_us),
           value_integer(user->is_phone_verified));
    }
    if (user->state == ROW_CHANGED) {
        DO(change_user, 1, value_id(user->id), value_text(text_of(user->password_hash)), value_id_or_null(user->sessions_cutoff),
           value_id_or_null(user->kept_session), time_or_null(user->sessions_ended_at_us), text_or_null(phone_text(&user->phone)),
           value_integer(user->is_phone_verified));
    }
}

static const struct question insert_session = {
    .name = "a new session",
    .sql = "INSERT INTO sessions (id, user_id, generation, created_at, expires_at, ended_at, client) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    .parameters = {COLUMN_ID, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question change_session = {.name = "a changed session",
                                               .sql = "UPDATE sessions SET generation = $2, expires_at = $3, ended_at = $4 WHERE id = $1",
                                               .parameters = {COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void save_session(struct batch *batch, const struct session *session) {
    if (session->state == ROW_NEW) {
        DO(insert_session, 1, value_id(session->id), value_id(session->user_id), value_integer(session->generation),
           value_integer(session->created_at_us), value_integer(session->expires_at_us), time_or_null(session->ended_at_us),
           session->client == 0 ? value_null(COLUMN_INTEGER) : value_integer(session->client));
    } else if (session->state == ROW_CHANGED) {
        DO(change_session, 1, value_id(session->id), value_integer(session->generation), value_integer(session->expires_at_us),
           time_or_null(session->ended_at_us));
    }
}

static const struct question insert_token = {
    .name = "a new refresh token",
    .sql = "INSERT INTO refresh_tokens (session_id, hash, generation, expires_at, reusable_until) VALUES ($1, $2, $3, $4, $5)",
    .parameters = {COLUMN_ID, COLUMN_BYTES, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question use_token = {.name = "a refresh token that was used",
                                          .sql = "UPDATE refresh_tokens SET reusable_until = $3 WHERE session_id = $1 AND hash = $2",
                                          .parameters = {COLUMN_ID, COLUMN_BYTES, COLUMN_INTEGER}};
void save_token(struct batch *batch, const struct refresh_token *token) {
    if (token->state == ROW_KEPT) return;
    struct value hash = value_bytes(token->hash.bytes, sizeof token->hash.bytes);
    struct value until = token->is_used ? value_integer(token->reusable_until_us) : value_null(COLUMN_INTEGER);
    if (token->state == ROW_CHANGED)
        DO(use_token, 1, value_id(token->session_id), hash, until);
    else
        DO(insert_token, 1, value_id(token->session_id), hash, value_integer(token->generation), value_integer(token->expires_at_us),
           until);
}

#define EXPIRED_SESSIONS "(SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2)"
static const struct question delete_tokens = {.name = "tokens of expired sessions",
                                              .sql = "DELETE FROM refresh_tokens WHERE session_id IN " EXPIRED_SESSIONS,
                                              .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question delete_sessions = {.name = "expired sessions",
                                                .sql = "DELETE FROM sessions WHERE id IN " EXPIRED_SESSIONS,
                                                .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
void drop_tokens_of_expired(struct batch *batch, int64_t before_us) {
    DO(delete_tokens, ROWS_ANY, value_integer(before_us), value_integer(EXPIRE_ROWS));
}
/* $3: how many of either kind stay. */
#define NEWEST_TOKENS(kind)                                                                                       \
    "(reusable_until IS " kind                                                                                    \
    " AND generation <= (SELECT generation FROM refresh_tokens WHERE session_id = $1 AND reusable_until IS " kind \
    " ORDER BY generation DESC LIMIT 1 OFFSET $3))"
static const struct question delete_old_tokens = {
    .name = "old refresh tokens of a session",
    .sql = "DELETE FROM refresh_tokens WHERE session_id = $1 AND (reusable_until <= $2 OR " NEWEST_TOKENS("NULL") " OR " NEWEST_TOKENS(
        "NOT NULL") ")",
    .parameters = {COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER}};
void drop_old_tokens(struct batch *batch, struct id session_id, int64_t now_us) {
    DO(delete_old_tokens, ROWS_ANY, value_id(session_id), value_integer(now_us), value_integer(SESSION_TOKENS_MAX));
}
void drop_expired_sessions(struct batch *batch, int64_t before_us) {
    DO(delete_sessions, ROWS_ANY, value_integer(before_us), value_integer(EXPIRE_ROWS));
}

static const struct question insert_account = {
    .name = "a new account",
    .sql = "INSERT INTO accounts (number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, "
           "sequence, "
           "floor, is_frozen, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
/* What was posted is written as a difference: several writers may do it. */
static const struct question post_to_account = {
    .name = "what was posted to an account",
    .sql = "UPDATE accounts SET debits_posted = debits_posted + $2, credits_posted = credits_posted + $3, sequence = sequence + $4, "
           "updated_at = $5 WHERE number = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void save_account(struct batch *batch, const struct account *account) {
    CHECK(account_fault(account) == NULL);
    if (account->state == ROW_NEW) {
        DO(insert_account, 1, value_integer(account->number), value_id(account->id), value_integer(account->kind),
           value_id_or_null(account->user_id), currency_value(account->currency), value_integer(account->debits_posted),
           value_integer(account->credits_posted), value_integer(account->debits_pending), value_integer(account->credits_pending),
           value_integer(account->sequence), value_integer(account->floor_minor), value_integer(account->is_frozen),
           value_integer(account->created_at_us), value_integer(account->updated_at_us));
    } else if (account->state == ROW_CHANGED) {
        const struct account_sums *loaded = &account->loaded;
        DO(post_to_account, 1, value_integer(account->number), value_integer(account->debits_posted - loaded->debits_posted),
           value_integer(account->credits_posted - loaded->credits_posted), value_integer(account->sequence - loaded->sequence),
           value_integer(account->updated_at_us));
    }
}

static const struct question insert_fund = {.name = "a new fund",
                                            .sql = "INSERT INTO funds (account, caller, reference, opened, funded, credited, released, "
                                                   "is_released, description, created_at, updated_at) "
                                                   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                                            .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER,
                                                           COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER,
                                                           COLUMN_INTEGER}};
static const struct question change_fund = {
    .name = "what came into a fund and left it",
    .sql = "UPDATE funds SET funded = funded + $2, credited = credited + $3, released = released + $4, is_released = $5, updated_at = $6 "
           "WHERE account = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void save_fund(struct batch *batch, const struct fund *fund) {
    CHECK(fund_fault(fund) == NULL);
    if (fund->state == ROW_NEW) {
        DO(insert_fund, 1, value_integer(fund->account->number), value_text(fund->caller), value_text(fund->reference),
           value_integer(fund->opened_minor), value_integer(fund->funded_minor), value_integer(fund->credited_minor),
           value_integer(fund->released_minor), value_integer(fund->is_released), value_text(text_or_empty(fund->description)),
           value_integer(fund->created_at_us), value_integer(fund->updated_at_us));
    } else if (fund->state == ROW_CHANGED) {
        const struct fund_sums *loaded = &fund->loaded;
        DO(change_fund, 1, value_integer(fund->account->number), value_integer(fund->funded_minor - loaded->funded_minor),
           value_integer(fund->credited_minor - loaded->credited_minor), value_integer(fund->released_minor - loaded->released_minor),
           value_integer(fund->is_released), value_integer(fund->updated_at_us));
    }
}

static const struct question insert_transfer = {
    .name = "a new transfer",
    .sql = "INSERT INTO transfers (sequence, id, kind, debit_account, debit_sequence, credit_account, credit_sequence, amount, currency, "
           "caller, "
           "reference, description, metadata, created_at, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_BYTES}};
static const struct question insert_entry = {
    .name = "a new entry",
    .sql = "INSERT INTO entries (account, sequence, transfer, amount, balance_after) VALUES ($1, $2, $3, $4, $5)",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void save_transfer(struct batch *batch, const struct transfer *transfer) {
    int64_t amount = transfer->amount.amount_minor;
    DO(insert_transfer, 1, value_integer(transfer->sequence), value_id(transfer->id), value_integer(transfer->kind),
       value_integer(transfer->debit_account), value_integer(transfer->debit_sequence), value_integer(transfer->credit_account),
       value_integer(transfer->credit_sequence), value_integer(amount), currency_value(transfer->amount.currency),
       value_text(text_or_empty(transfer->caller)), value_text(text_or_empty(transfer->reference)),
       value_text(text_or_empty(transfer->description)), value_text(text_or_empty(transfer->metadata)),
       value_integer(transfer->created_at_us), value_bytes(transfer->hash.bytes, sizeof transfer->hash.bytes));
    DO(insert_entry, 1, value_integer(transfer->debit_account), value_integer(transfer->debit_sequence), value_integer(transfer->sequence),
       value_integer(-amount), value_integer(transfer->debit_balance_after));
    DO(insert_entry, 1, value_integer(transfer->credit_account), value_integer(transfer->credit_sequence),
       value_integer(transfer->sequence), value_integer(amount), value_integer(transfer->credit_balance_after));
}

/* ---- kept answers, and what init made ---- */

static const struct question find_kept = {
    .name = "a kept answer",
    .sql = "SELECT fingerprint, status, content_type, location, body, subject, created_at FROM idempotency WHERE lookup = $1 LIMIT 1",
    .parameters = {COLUMN_BYTES}};
static const struct question put_kept = {
    .name = "an answer to keep",
    .sql = "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, subject, created_at) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (lookup) DO UPDATE SET status = excluded.status, content_type = "
           "excluded.content_type, location = excluded.location, body = excluded.body, subject = excluded.subject",
    .parameters = {COLUMN_BYTES, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_ID, COLUMN_INTEGER}};
static const struct question expired_kept = {
    .name = "an old kept answer",
    .sql = "SELECT 1 FROM (SELECT created_at FROM idempotency ORDER BY number LIMIT 1) AS oldest WHERE created_at < $1 LIMIT 1",
    .parameters = {COLUMN_INTEGER}};
static const struct question delete_kept = {
    .name = "old kept answers",
    .sql = "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency ORDER BY number LIMIT $2) AND created_at < $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
const struct kept_questions table_kept = {&find_kept, &put_kept, &expired_kept, &delete_kept};

static const struct question meta = {.name = "what init made",
                                     .sql = "SELECT instance_id, currency, idempotency_secret, created_at FROM meta LIMIT 1"};
void ask_meta(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &meta, NULL, visit, context); }

static const struct question insert_meta = {
    .name = "what init makes",
    .sql = "INSERT INTO meta (\"only\", instance_id, currency, idempotency_secret, created_at) VALUES (1, $1, $2, $3, $4)",
    .parameters = {COLUMN_ID, COLUMN_TEXT, COLUMN_BYTES, COLUMN_INTEGER}};
void save_meta(struct batch *batch, struct id instance_id, enum currency currency, struct text secret, int64_t now_us) {
    DO(insert_meta, 1, value_id(instance_id), currency_value(currency), value_bytes(secret.data, secret.size), value_integer(now_us));
}

/* ---- for verify ---- */

/* sequence, id, kind, debit account and sequence, credit account and sequence, amount, currency, caller, reference, description, metadata, created_at,
 * hash; of the debit's entry and of the credit's: amount, balance_after, transfer, or NULL. */
static const struct question all_transfers = {
    .name = "all transfers",
    .sql = "SELECT t.sequence, t.id, t.kind, t.debit_account, t.debit_sequence, t.credit_account, t.credit_sequence, t.amount, t.currency, "
           "t.caller, t.reference, t.description, t.metadata, t.created_at, t.hash, "
           "d.amount, d.balance_after, d.transfer, c.amount, c.balance_after, c.transfer FROM transfers t "
           "LEFT JOIN entries d ON d.account = t.debit_account AND d.sequence = t.debit_sequence "
           "LEFT JOIN entries c ON c.account = t.credit_account AND c.sequence = t.credit_sequence ORDER BY t.sequence"};
void ask_all_transfers(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_transfers, NULL, visit, context); }

/* An account's number, kind, debits and credits posted and pending, sequence, floor; its entry's sequence, amount, balance_after, or NULL. */
static const struct question all_entries = {
    .name = "all entries",
    .sql =
        "SELECT a.number, a.kind, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.sequence, a.floor, "
        "e.sequence, e.amount, e.balance_after FROM accounts a LEFT JOIN entries e ON e.account = a.number ORDER BY a.number, e.sequence"};
void ask_all_entries(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_entries, NULL, visit, context); }

/* account, funded, credited, released, is_released, balance; funded, credited and released by its transfers; opened; the first amount by its transfers */
static const struct question all_funds = {
    .name = "all funds",
    .sql = "SELECT f.account, f.funded, f.credited, f.released, f.is_released, a.credits_posted - a.debits_posted, "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind IN (3, 4)), 0) AS bigint), "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind = 1), 0) AS bigint), "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind = 5), 0) AS bigint), f.opened, "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind = 3), 0) AS bigint) "
           "FROM funds f JOIN accounts a ON a.number = f.account LEFT JOIN entries e ON e.account = f.account "
           "LEFT JOIN transfers t ON t.sequence = e.transfer GROUP BY f.account, a.number ORDER BY f.account"};
void ask_all_funds(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_funds, NULL, visit, context); }

/* One row: entries, their sum, issuance's balance, accounts of funds, users, wallets, users without a wallet, sessions without a user, refresh tokens
 * without a session. An index may be what is broken: wallets are counted without. */
#define TOTALS(unindexed)                                                                                      \
    "SELECT (SELECT count(*) FROM entries), (SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM entries), "  \
    "(SELECT CAST(coalesce(sum(credits_posted - debits_posted), 0) AS bigint) FROM accounts WHERE kind = 3), " \
    "(SELECT count(*) FROM accounts WHERE kind = 2), (SELECT count(*) FROM users), "                           \
    "(SELECT count(*) FROM accounts " unindexed "WHERE kind = 1), "                                            \
    "(SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.id)), "      \
    "(SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id)), "      \
    "(SELECT count(*) FROM refresh_tokens r WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = r.session_id))"
static const struct question totals = {.name = "sums over all", .sql = TOTALS("NOT INDEXED "), .postgres = TOTALS("")};
void ask_totals(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &totals, NULL, visit, context); }

/* What it is, and its number. */
static const struct question other_currency = {
    .name = "another currency",
    .sql = "SELECT 'account', number FROM accounts WHERE currency <> (SELECT currency FROM meta) UNION ALL "
           "SELECT 'transfer', sequence FROM transfers WHERE currency <> (SELECT currency FROM meta) LIMIT 1"};
void ask_other_currency(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &other_currency, NULL, visit, context); }

/* The number of a transfer whose reference was credited before. Without the index, which may be what is broken. */
#define CREDITED_TWICE(unindexed) \
    "SELECT max(sequence) FROM transfers " unindexed "WHERE kind = 1 GROUP BY caller, reference HAVING count(*) > 1 LIMIT 1"
static const struct question credited_twice = {.name = "credited twice",
                                               .sql = CREDITED_TWICE("NOT INDEXED "),
                                               .postgres = CREDITED_TWICE("")};
void ask_credited_twice(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &credited_twice, NULL, visit, context); }

/* ---- phones of before ---- */

const struct phone_questions table_phones = {
    .key = COLUMN_ID,
    .left = {"phones to be looked at",
             "SELECT o.id, u.phone FROM old_phones o JOIN users u ON u.id = o.id ORDER BY o.id LIMIT $1",
             NULL,
             {COLUMN_INTEGER}},
    .taken = {"whether another has a phone", "SELECT id FROM users WHERE phone = $2 AND id <> $1 LIMIT 1", NULL, {COLUMN_ID, COLUMN_TEXT}},
    .change = {"a phone in its form of now", "UPDATE users SET phone = $2 WHERE id = $1", NULL, {COLUMN_ID, COLUMN_TEXT}},
    .reviewed = {"a phone that was looked at", "DELETE FROM old_phones WHERE id = $1", NULL, {COLUMN_ID}},
};
