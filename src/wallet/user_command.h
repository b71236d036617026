/* `walletd user …`: asked of the service that runs on the folder, or done by this process while none does. */
#pragma once

#include <stdio.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "wallet/user_acts.h"

struct user_command {
    const char *data, *store_url; /* as of every command */
    const char *name, *phone;     /* as typed; phone may be NULL */
    const char *region;           /* of the phone number */
    bool is_admin;                /* add: the user is one; list: those only */
};
/* The password is the first line of `password`, for the two acts that need one; NULL for the others. RESULT_INVALID: a value breaks its rule; RESULT_CONFLICT:
 * refused, or another process has the database and is not to be asked; RESULT_IO: the outcome may not be known; or what the store says. Says why on standard
 * error. */
struct result user_command_run(const struct user_command *command, enum user_act_kind kind, FILE *password, struct id *ret_id) MUST_CHECK;
struct result
user_command_list(const struct user_command *command) MUST_CHECK; /* to standard output, a line each, in the order of their coming */
/* By the same rules as over HTTP; the name is in `folded`. RESULT_INVALID: it breaks them (said on standard error). */
struct result user_command_read_name(const char *typed, char folded[LIMIT_USERNAME_BYTES], struct text *ret_name) MUST_CHECK;
