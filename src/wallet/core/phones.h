/* Whose a phone number is: whoever types it first has it, until it is proven to be another one's. */
#pragma once

#include "wallet/core/users.h"

struct phone_command {
    struct id user_id;
    struct phone phone;
};
/* By the user: a number that was another one before is not verified. LEDGER_PHONE_TAKEN, LEDGER_USER_NOT_FOUND. */
enum ledger_outcome ledger_change_phone(struct ledger *ledger, const struct phone_command *command);
/* By who has proven it: also a number that another user has typed and not proven, who has none then (`ret_left`; NULL: nobody). LEDGER_PHONE_TAKEN: that
 * one has proven it as well. LEDGER_USER_NOT_FOUND. */
enum ledger_outcome ledger_verify_phone(struct ledger *ledger, const struct phone_command *command, const struct user **ret_left);
