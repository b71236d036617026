/* Users, their sessions and their refresh tokens. */
#include <string.h>

#include "base/check.h"
#include "wallet/ledger.h"

static void set_password_hash(struct user *user, const char *hash) {
    size_t size = strlen(hash);
    CHECK(size > 0 && size < sizeof user->password_hash);
    memset(user->password_hash, 0, sizeof user->password_hash);
    memcpy(user->password_hash, hash, size);
}

enum ledger_outcome ledger_register_user(struct ledger *ledger, const struct register_command *command, int64_t now_us,
                                         struct user **ret_user) {
    CHECK(command->name.size > 0 && command->name.size <= LIMIT_USERNAME_BYTES);
    if (ledger_find_user_by_name(ledger, command->name) != NULL) return LEDGER_USERNAME_TAKEN;
    if (command->phone.size > 0 && ledger_find_user_by_phone(ledger, &command->phone) != NULL) return LEDGER_PHONE_TAKEN;

    struct user row = {.state = ROW_NEW,
                       .id = id_make(ledger->ids, now_us),
                       .name_size = (uint8_t)command->name.size,
                       .phone = command->phone,
                       .is_admin = command->is_admin,
                       .created_at_us = now_us};
    memcpy(row.name, command->name.data, command->name.size);
    set_password_hash(&row, command->password_hash);
    struct result added = ledger_add_user(ledger, &row);
    CHECK(result_is_ok(added));
    ledger_open_account(ledger, ACCOUNT_USER, row.id, ledger->currency, now_us);
    *ret_user = ledger_find_user(ledger, row.id);
    return LEDGER_APPLIED;
}

bool session_is_cut_off(struct id session_id, struct id cutoff, struct id kept) {
    return id_compare(session_id, cutoff) < 0 && !id_equal(session_id, kept);
}

static bool session_is_over(const struct session *session, const struct user *user) {
    return session->ended_at_us != 0 || session_is_cut_off(session->id, user->sessions_cutoff, user->kept_session);
}

bool session_is_alive(const struct session *session, const struct user *user, int64_t now_us) {
    return !session_is_over(session, user) && session->expires_at_us > now_us;
}

static void add_token(struct ledger *ledger, const struct session *session, const struct hash *hash) {
    struct refresh_token row = {.state = ROW_NEW,
                                .session_id = session->id,
                                .hash = *hash,
                                .generation = session->generation,
                                .expires_at_us = session->expires_at_us};
    struct result added = ledger_add_token(ledger, &row);
    CHECK(result_is_ok(added));
}

enum ledger_outcome ledger_start_session(struct ledger *ledger, const struct session_command *command, int64_t now_us,
                                         struct session **ret_session) {
    const struct user *user = ledger_find_user(ledger, command->user_id);
    /* The hash that matched was read before: the password may have been changed in between. */
    if (user == NULL || strcmp(user->password_hash, command->password_hash) != 0) return LEDGER_INVALID_CREDENTIALS;
    struct session row = {.state = ROW_NEW,
                          .id = id_make(ledger->ids, now_us),
                          .user_id = user->id,
                          .generation = 1,
                          .created_at_us = now_us,
                          .expires_at_us = now_us + command->refresh_lifetime_us};
    struct result added = ledger_add_session(ledger, &row);
    CHECK(result_is_ok(added));
    struct session *session = ledger_find_session(ledger, row.id);
    add_token(ledger, session, &command->token_hash);
    *ret_session = session;
    return LEDGER_APPLIED;
}

static void change_session(struct session *session) {
    if (session->state == ROW_KEPT) session->state = ROW_CHANGED;
}

static void end_session(struct session *session, int64_t now_us) {
    if (session->ended_at_us != 0) return;
    session->ended_at_us = now_us;
    change_session(session);
}

enum ledger_outcome ledger_refresh_session(struct ledger *ledger, const struct refresh_command *command, int64_t now_us,
                                           struct session **ret_session) {
    struct session *session = ledger_find_session(ledger, command->session_id);
    const struct refresh_token *token = ledger_find_token(ledger, command->session_id, &command->token_hash);
    if (session == NULL || token == NULL) return LEDGER_TOKEN_INVALID;
    const struct user *user = ledger_find_user(ledger, session->user_id);
    if (user == NULL) return LEDGER_TOKEN_INVALID;
    if (session_is_over(session, user)) return LEDGER_TOKEN_REVOKED;
    if (token->generation != session->generation) {
        /* Somebody holds a copy (RFC 9700, section 4.14.2): whoever it is, both lose the session. */
        end_session(session, now_us);
        return LEDGER_TOKEN_REVOKED;
    }
    if (token->expires_at_us <= now_us) return LEDGER_TOKEN_EXPIRED;
    session->generation++;
    session->expires_at_us = now_us + command->refresh_lifetime_us;
    change_session(session);
    add_token(ledger, session, &command->next_token_hash);
    *ret_session = session;
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_end_session(struct ledger *ledger, struct id session_id, int64_t now_us) {
    struct session *session = ledger_find_session(ledger, session_id);
    if (session != NULL) end_session(session, now_us);
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_change_password(struct ledger *ledger, const struct password_command *command, int64_t now_us) {
    struct user *user = ledger_find_user(ledger, command->user_id);
    if (user == NULL || strcmp(user->password_hash, command->password_hash) != 0) return LEDGER_INVALID_CREDENTIALS;
    set_password_hash(user, command->next_password_hash);
    user->sessions_cutoff = id_make(ledger->ids, now_us);
    user->kept_session = command->session_id;
    user->sessions_ended_at_us = now_us;
    if (user->state == ROW_KEPT) user->state = ROW_CHANGED;
    return LEDGER_APPLIED;
}
