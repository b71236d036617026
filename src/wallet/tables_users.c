/* Users, sessions and their refresh tokens. */
#include <string.h>

#include "wallet/tables_words.h"

#define EXPIRE_ROWS INT64_C(200) /* at a time, so that a waiting request waits little */
/* ---- rows ---- */

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
        .is_disabled = row_boolean(row, first + 10),
        .is_password_temporary = row_boolean(row, first + 11),
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

/* ---- asking ---- */

QUESTION(user_by_id, "a user", "SELECT " USER_COLUMNS " FROM users u WHERE u.id = $1 LIMIT 1", COLUMN_ID);
void ask_user(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(user_by_id, value_id(id)); }

QUESTION(user_by_name, "a user by name", "SELECT " USER_COLUMNS " FROM users u WHERE u.name = $1 LIMIT 1", COLUMN_TEXT);
void ask_user_by_name(struct batch *batch, struct text name, row_visitor *visit, void *context) { ASK(user_by_name, value_text(name)); }

QUESTION(user_by_phone, "a user by phone", "SELECT " USER_COLUMNS " FROM users u WHERE u.phone = $1 LIMIT 1", COLUMN_TEXT);
void ask_user_by_phone(struct batch *batch, const struct phone *phone, row_visitor *visit, void *context) {
    ASK(user_by_phone, value_text(phone_text(phone)));
}

#define USERS_QUESTION(and_in_state) "SELECT " USER_COLUMNS " FROM users u WHERE u.id > $1 " and_in_state "ORDER BY u.id LIMIT $2"
QUESTION(users_in_order, "users", USERS_QUESTION(""), COLUMN_ID, COLUMN_INTEGER);
QUESTION(active_users, "active users", USERS_QUESTION("AND u.is_disabled = 0 "), COLUMN_ID, COLUMN_INTEGER);
QUESTION(disabled_users, "disabled users", USERS_QUESTION("AND u.is_disabled = 1 "), COLUMN_ID, COLUMN_INTEGER);
void ask_users(struct batch *batch, struct id after, enum user_state state, int64_t limit, row_visitor *visit, void *context) {
    const struct question *const questions[] = {
        [USERS_ANY] = &users_in_order, [USERS_ACTIVE] = &active_users, [USERS_DISABLED] = &disabled_users};
    ASK(*questions[state], value_id(after), value_integer(limit));
}

static const struct question sessions_of_user = {
    .name = "sessions of a user",
    .sql = "SELECT " SESSION_COLUMNS
           " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = $1 AND s.id < $2 AND s.ended_at IS NULL "
           "AND s.expires_at > $3 AND (u.sessions_cutoff IS NULL OR s.id >= u.sessions_cutoff OR s.id = u.kept_session) "
           "ORDER BY s.id DESC LIMIT $4",
    .parameters = {COLUMN_ID, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_sessions_of_user(struct batch *batch, struct id user_id, struct id before, int64_t now_us, int64_t limit, row_visitor *visit,
                          void *context) {
    ASK(sessions_of_user, value_id(user_id), value_id(before), value_integer(now_us), value_integer(limit));
}

static const struct question login = {.name = "who logs in",
                                      .sql = "SELECT " USER_COLUMNS
                                             ", (SELECT s.client FROM sessions s WHERE s.user_id = u.id AND s.client = $2 LIMIT 1)"
                                             " FROM users u WHERE u.name = $1 LIMIT 1",
                                      .parameters = {COLUMN_TEXT, COLUMN_INTEGER}};
void ask_login(struct batch *batch, struct text name, int64_t client, row_visitor *visit, void *context) {
    ASK(login, value_text(name), value_integer(client));
}

/* Two accounts at most: a batch counts on it. */
#define WALLET_QUESTION                                                                            \
    "SELECT " USER_COLUMNS ", " ACCOUNT_COLUMNS                                                    \
    " FROM users u LEFT JOIN accounts a ON a.user_id = u.id AND (a.currency = $2 OR a.currency = " \
    "(SELECT currency FROM meta)) WHERE "
QUESTION(wallet_by_name, "a wallet by its user's name", WALLET_QUESTION "u.name = $1 LIMIT 2", COLUMN_TEXT, COLUMN_TEXT);
void ask_wallet_by_name(struct batch *batch, struct text name, enum currency currency, row_visitor *visit, void *context) {
    ASK(wallet_by_name, value_text(name), currency_value(currency));
}

QUESTION(wallet_by_phone, "a wallet by its user's phone", WALLET_QUESTION "u.phone = $1 LIMIT 2", COLUMN_TEXT, COLUMN_TEXT);
void ask_wallet_by_phone(struct batch *batch, const struct phone *phone, enum currency currency, row_visitor *visit, void *context) {
    ASK(wallet_by_phone, value_text(phone_text(phone)), currency_value(currency));
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

/* ---- writing ---- */

static const struct question insert_user = {
    .name = "a new user",
    .sql = "INSERT INTO users (id, name, phone, password_hash, is_admin, created_at, sessions_cutoff, kept_session, sessions_ended_at, "
           "is_phone_verified, is_disabled, is_password_temporary) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    .parameters = {COLUMN_ID, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_ID, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question change_user = {
    .name = "a changed user",
    .sql = "UPDATE users SET password_hash = $2, sessions_cutoff = $3, kept_session = $4, sessions_ended_at = $5, phone = $6, "
           "is_phone_verified = $7, is_admin = $8, is_disabled = $9, is_password_temporary = $10 WHERE id = $1",
    .parameters = {COLUMN_ID, COLUMN_TEXT, COLUMN_ID, COLUMN_ID, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER}};
QUESTION(leave_phone, "a phone that is given up", "UPDATE users SET phone = NULL, is_phone_verified = 0 WHERE id = $1", COLUMN_ID);
void save_left_phone(struct batch *batch, const struct user *user) {
    if (user->has_left_phone) DO(leave_phone, 1, value_id(user->id));
}
void save_user(struct batch *batch, const struct user *user) {
    if (user->state == ROW_NEW) {
        DO(insert_user, 1, value_id(user->id), value_text(user_name(user)), text_or_null(phone_text(&user->phone)),
           value_text(text_of(user->password_hash)), value_integer(user->is_admin), value_integer(user->created_at_us),
           value_id_or_null(user->sessions_cutoff), value_id_or_null(user->kept_session), time_or_null(user->sessions_ended_at_us),
           value_integer(user->is_phone_verified), value_integer(user->is_disabled), value_integer(user->is_password_temporary));
    }
    if (user->state == ROW_CHANGED) {
        DO(change_user, 1, value_id(user->id), value_text(text_of(user->password_hash)), value_id_or_null(user->sessions_cutoff),
           value_id_or_null(user->kept_session), time_or_null(user->sessions_ended_at_us), text_or_null(phone_text(&user->phone)),
           value_integer(user->is_phone_verified), value_integer(user->is_admin), value_integer(user->is_disabled),
           value_integer(user->is_password_temporary));
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
