/* Registration and the change of a password as operations, and how a user is named. */
#pragma once

#include "base/json/json.h"
#include "service/operation.h"
#include "wallet/core/users.h"
#include "wallet/passwords.h"

struct registration {
    struct operation operation; /* first */
    struct register_command command;
    struct password_step password; /* of a request */
    enum ledger_outcome outcome;
    struct user user; /* applied */
};
extern const struct action register_action;

struct password_change {
    struct operation operation; /* first */
    struct password_command command;
    struct password_step current, next; /* of a request */
    struct text next_password;
    enum ledger_outcome outcome;
};
extern const struct action change_password_action;

#define LIMIT_USERNAME_BYTES_MIN 3u
/* As it is typed to what it is: in normal form (base/unicode.h), and in lower case. */
enum username_verdict { USERNAME_GOOD, USERNAME_TOO_SHORT, USERNAME_TOO_LONG, USERNAME_ILL_FORMED };
enum username_verdict username_normalize(struct text typed, char folded[LIMIT_USERNAME_BYTES], size_t *ret_size);
/* Whether nobody may register as it; of a good one, with or without what parts its letters. The operator may, at the command line. */
bool username_is_reserved(struct text name);
/* 3 to 32 of a-z 0-9 . _ - in any case, folded to lower case into the arena; a fault for `field` otherwise. */
struct text username_read(struct arena *arena, struct text typed, const char *field, struct faults *faults);
/* Folds for a look-up: what is no username is empty. */
struct text username_fold(struct arena *arena, struct text typed);
/* As over HTTP and as at the command line; a fault for `field` otherwise. */
void phone_read(struct text typed, const char *region, struct phone *ret_phone, const char *field, struct faults *faults);
void user_write(struct json_writer *writer, const struct user *user);
/* "name": the text, or null when it is empty. */
void write_text_or_null(struct json_writer *writer, const char *name, struct text value);

#define USER_DOCUMENT_BYTES 512u

/* What tells whether somebody has an account has one budget by address, of registrations: 429 is set when it is used up. */
bool users_refuse_asking(struct exchange *exchange);
bool users_count_asking(struct exchange *exchange); /* false: it is used up now, and the 429 is set */

/* ---- the routes ---- */

void users_create(struct exchange *exchange);          /* POST /v1/users */
void users_get_me(struct exchange *exchange);          /* GET /v1/users/me */
void users_change_password(struct exchange *exchange); /* PUT /v1/users/me/password */
