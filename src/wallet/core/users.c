#include "wallet/core/users.h"

#include <string.h>

#include "base/check.h"
#include "wallet/core/accounts.h"

static void set_password_hash(struct user *user, const char *hash) {
    size_t size = strlen(hash);
    CHECK(size > 0 && size < sizeof user->password_hash);
    memset(user->password_hash, 0, sizeof user->password_hash);
    memcpy(user->password_hash, hash, size);
}

bool user_has_password(const struct user *user, const char *password_hash) {
    return password_hash[0] != '\0' && strcmp(user->password_hash, password_hash) == 0;
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
    CHECK(*ret_user != NULL && ledger_find_user_by_name(ledger, command->name) == *ret_user);
    CHECK(ledger_find_account_of_user(ledger, row.id) != NULL);
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_change_password(struct ledger *ledger, const struct password_command *command, int64_t now_us) {
    struct user *user = ledger_find_user(ledger, command->user_id);
    if (user == NULL || !user_has_password(user, command->password_hash)) return LEDGER_INVALID_CREDENTIALS;
    set_password_hash(user, command->next_password_hash);
    user->is_password_temporary = false;
    ledger_end_sessions(ledger, user, command->session_id, now_us);
    CHECK(user_has_password(user, command->next_password_hash));
    return LEDGER_APPLIED;
}

/* ---- what the operator does to a user ---- */

/* A session that begins later has a greater id. */
void ledger_end_sessions(struct ledger *ledger, struct user *user, struct id kept_session, int64_t now_us) {
    user->sessions_cutoff = id_make(ledger->ids, now_us);
    user->kept_session = kept_session;
    user->sessions_ended_at_us = now_us;
    row_change(&user->state);
}

void ledger_set_password(struct ledger *ledger, struct user *user, const char *password_hash, bool is_temporary, int64_t now_us) {
    set_password_hash(user, password_hash);
    user->is_password_temporary = is_temporary;
    ledger_end_sessions(ledger, user, (struct id){{0}}, now_us);
    CHECK(user_has_password(user, password_hash));
}

bool ledger_set_admin(struct ledger *ledger, struct user *user, bool is_admin, int64_t now_us) {
    if (user->is_admin == is_admin) return false;
    user->is_admin = is_admin;
    row_change(&user->state);
    if (!is_admin) ledger_end_sessions(ledger, user, (struct id){{0}}, now_us);
    return true;
}

bool ledger_set_disabled(struct ledger *ledger, struct user *user, bool is_disabled, int64_t now_us) {
    if (user->is_disabled == is_disabled) return false;
    user->is_disabled = is_disabled;
    row_change(&user->state);
    if (is_disabled) ledger_end_sessions(ledger, user, (struct id){{0}}, now_us);
    return true;
}
