/* Users: who has a wallet, by which name and phone number, and what their password is compared with. */
#pragma once

#include "wallet/core/ledger.h"
#include "wallet/core/outcome.h"

struct user {
    enum row_state state;
    struct id id;
    uint8_t name_size;
    char name[LIMIT_USERNAME_BYTES]; /* lower case */
    struct phone phone;
    bool is_phone_verified; /* somebody has proven that it is this user's */
    bool has_left_phone;    /* in this batch: the number that the database has is this user's no more */
    char password_hash[CRYPTO_PASSWORD_HASH_BYTES];
    bool is_admin;
    bool is_disabled;           /* does not log in */
    bool is_password_temporary; /* somebody else made it: the next login changes it */
    int64_t created_at_us;
    /* A change of password ends every session that was made before it but one. */
    struct id sessions_cutoff; /* sessions with smaller ids are over; zero: none are */
    struct id kept_session;
    int64_t sessions_ended_at_us;
};
static inline struct text user_name(const struct user *user) { return (struct text){user->name, user->name_size}; }

struct register_command {
    struct text name; /* folded to lower case */
    struct phone phone;
    const char *password_hash; /* terminated */
    bool is_admin;
};
/* The user and an empty wallet. */
enum ledger_outcome ledger_register_user(struct ledger *ledger, const struct register_command *command, int64_t now_us,
                                         struct user **ret_user);

struct password_command {
    struct id user_id;
    struct id session_id; /* this one goes on */
    const char *password_hash, *next_password_hash;
};
enum ledger_outcome ledger_change_password(struct ledger *ledger, const struct password_command *command, int64_t now_us);

/* ---- what the operator does to a user ---- */

/* Whoever knew the password before has no session left. */
void ledger_set_password(struct ledger *ledger, struct user *user, const char *password_hash, bool is_temporary, int64_t now_us);
/* These two: false: it is so already, and nothing changed. Tokens that say admin end with the right; all of a disabled user end. */
bool ledger_set_admin(struct ledger *ledger, struct user *user, bool is_admin, int64_t now_us);
bool ledger_set_disabled(struct ledger *ledger, struct user *user, bool is_disabled, int64_t now_us);
void ledger_end_sessions(struct ledger *ledger, struct user *user, struct id kept_session,
                         int64_t now_us); /* all but that one; zero: all */

/* Whether this is the hash that the password of a request has matched: it was read before, and the password may have been changed since. */
bool user_has_password(const struct user *user, const char *password_hash);
