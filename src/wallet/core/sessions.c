#include "wallet/core/sessions.h"

#include <stddef.h>

#include "base/check.h"
#include "wallet/core/users.h"

static bool is_over(const struct session *session, const struct user *user) {
    return session->ended_at_us != 0 || user->is_disabled || session_is_cut_off(session->id, user->sessions_cutoff, user->kept_session);
}

/* The refresh token that is good from now on. */
static void add_token(struct ledger *ledger, const struct session *session, const struct hash *hash) {
    struct refresh_token row = {.state = ROW_NEW,
                                .session_id = session->id,
                                .hash = *hash,
                                .generation = session->generation,
                                .expires_at_us = session->expires_at_us};
    struct result added = ledger_add_token(ledger, &row);
    CHECK(result_is_ok(added));
    const struct refresh_token *token = ledger_find_token(ledger, session->id, hash);
    CHECK(token != NULL && token->generation == session->generation); /* no two tokens of a session have one hash */
}

enum ledger_outcome ledger_start_session(struct ledger *ledger, const struct session_command *command, int64_t now_us,
                                         struct session **ret_session) {
    CHECK(command->refresh_lifetime_us > 0);
    struct user *user = ledger_find_user(ledger, command->user_id);
    if (user == NULL || !user_has_password(user, command->password_hash)) return LEDGER_INVALID_CREDENTIALS;
    if (user->is_disabled) return LEDGER_USER_DISABLED;
    if (user->is_password_temporary && command->next_password_hash == NULL) return LEDGER_PASSWORD_TEMPORARY;
    if (command->next_password_hash != NULL) ledger_set_password(ledger, user, command->next_password_hash, false, now_us);
    struct session row = {.state = ROW_NEW,
                          .id = id_make(ledger->ids, now_us),
                          .user_id = user->id,
                          .client = command->client,
                          .generation = 1,
                          .created_at_us = now_us,
                          .expires_at_us = now_us + command->refresh_lifetime_us};
    struct result added = ledger_add_session(ledger, &row);
    CHECK(result_is_ok(added));
    struct session *session = ledger_find_session(ledger, row.id);
    CHECK(!is_over(session, user));
    add_token(ledger, session, &command->token_hash);
    *ret_session = session;
    return LEDGER_APPLIED;
}

static void end_session(struct session *session, int64_t now_us) {
    if (session->ended_at_us != 0) return;
    session->ended_at_us = now_us;
    row_change(&session->state);
}

/* The first use counts: a second one within the interval does not make it longer. */
static void use_token(struct refresh_token *token, int64_t reusable_until_us) {
    if (token->is_used) return;
    token->is_used = true;
    token->reusable_until_us = reusable_until_us;
    row_change(&token->state);
}

enum ledger_outcome ledger_refresh_session(struct ledger *ledger, const struct refresh_command *command, int64_t now_us,
                                           struct session **ret_session) {
    CHECK(command->refresh_lifetime_us > 0);
    struct session *session = ledger_find_session(ledger, command->session_id);
    struct refresh_token *token = ledger_find_token(ledger, command->session_id, &command->token_hash);
    if (session == NULL || (token == NULL && !command->is_ours)) return LEDGER_TOKEN_INVALID;
    const struct user *user = ledger_find_user(ledger, session->user_id);
    if (user == NULL) return LEDGER_TOKEN_INVALID;
    if (is_over(session, user)) return LEDGER_TOKEN_REVOKED;
    if (token == NULL || (token->is_used && now_us >= token->reusable_until_us)) {
        /* Somebody holds a copy (RFC 9700, section 4.14.2): whoever it is, both lose the session. */
        end_session(session, now_us);
        CHECK(is_over(session, user));
        return LEDGER_TOKEN_REVOKED;
    }
    if (token->expires_at_us <= now_us) return LEDGER_TOKEN_EXPIRED;
    use_token(token, now_us + command->reuse_interval_us);
    session->generation++;
    session->expires_at_us = now_us + command->refresh_lifetime_us;
    row_change(&session->state);
    add_token(ledger, session, &command->next_token_hash);
    *ret_session = session;
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_end_session(struct ledger *ledger, struct id session_id, int64_t now_us) {
    struct session *session = ledger_find_session(ledger, session_id);
    if (session != NULL) end_session(session, now_us);
    return LEDGER_APPLIED;
}
