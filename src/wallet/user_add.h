/* A user who is registered at the command line, while the service is stopped. */
#pragma once

#include <stdio.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"

struct user_to_add {
    const char *data, *store_url; /* as of every command */
    const char *name, *phone;     /* as typed; phone may be NULL */
    const char *region;           /* of the phone number */
    bool is_admin;
};
/* The password is the first line of `password`. RESULT_INVALID: a value breaks its rule; RESULT_CONFLICT: name or phone is somebody's, or the folder is in
 * use; or what the store says. Says why on standard error. */
struct result user_add(const struct user_to_add *user, FILE *password, struct id *ret_id) MUST_CHECK;
/* By the same rules as over HTTP; the name is in `folded`. RESULT_INVALID: it breaks them (said on standard error). */
struct result user_add_read_name(const char *typed, char folded[LIMIT_USERNAME_BYTES], struct text *ret_name) MUST_CHECK;
