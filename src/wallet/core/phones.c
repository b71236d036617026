#include "wallet/core/phones.h"

#include "base/check.h"

enum ledger_outcome ledger_change_phone(struct ledger *ledger, const struct phone_command *command) {
    CHECK(command->phone.size > 0);
    struct user *user = ledger_find_user(ledger, command->user_id);
    const struct user *holder = ledger_find_user_by_phone(ledger, &command->phone);
    if (user == NULL) return LEDGER_USER_NOT_FOUND;
    if (holder == user) return LEDGER_APPLIED; /* verified or not, it is what it was */
    if (holder != NULL) return LEDGER_PHONE_TAKEN;
    ledger_set_user_phone(ledger, user, &command->phone, false);
    CHECK(ledger_find_user_by_phone(ledger, &command->phone) == user && !user->is_phone_verified);
    return LEDGER_APPLIED;
}

enum ledger_outcome ledger_verify_phone(struct ledger *ledger, const struct phone_command *command, const struct user **ret_left) {
    static const struct phone none = {0};
    CHECK(command->phone.size > 0);
    struct user *user = ledger_find_user(ledger, command->user_id);
    struct user *holder = ledger_find_user_by_phone(ledger, &command->phone);
    *ret_left = NULL;
    if (user == NULL) return LEDGER_USER_NOT_FOUND;
    if (holder != NULL && holder != user) {
        if (holder->is_phone_verified) return LEDGER_PHONE_TAKEN;
        ledger_set_user_phone(ledger, holder, &none, false);
        *ret_left = holder;
    }
    if (holder != user || !user->is_phone_verified) ledger_set_user_phone(ledger, user, &command->phone, true);
    CHECK(ledger_find_user_by_phone(ledger, &command->phone) == user && user->is_phone_verified);
    return LEDGER_APPLIED;
}
