/* Sessions and their refresh tokens (RFC 9700, section 4.14.2): each token is good once. Two tabs, or a client whose answer was lost, may use the same one
 * again within a moment, and get another successor each; later a second use ends the session. */
#pragma once

#include "base/identity.h"
#include "wallet/core/ledger.h"
#include "wallet/core/outcome.h"

struct session {
    enum row_state state;
    struct id id;
    struct id user_id;
    int64_t generation; /* of its newest refresh token */
    int64_t created_at_us, expires_at_us;
    int64_t client;      /* where it began: a keyed hash; 0: not known. Written once, and read by ask_login only */
    int64_t ended_at_us; /* 0: it lives, as far as it knows; see session_is_cut_off */
};

struct refresh_token {
    enum row_state state;
    struct id session_id;
    struct hash hash;
    int64_t generation; /* 1, 2, 3 and so on, per session */
    int64_t expires_at_us;
    bool is_used;
    int64_t reusable_until_us; /* used: until then it is good all the same */
};

struct session_command {
    struct id user_id;
    const char *password_hash;      /* the one that matched: a password changed since then refuses */
    const char *next_password_hash; /* the password from now on, and all other sessions end; NULL: it stays */
    struct hash token_hash;         /* of the refresh token's secret */
    int64_t refresh_lifetime_us;
    int64_t client; /* where it begins, as a session keeps it */
};
enum ledger_outcome ledger_start_session(struct ledger *ledger, const struct session_command *command, int64_t now_us,
                                         struct session **ret_session);

struct refresh_command {
    struct id session_id;
    struct hash token_hash, next_token_hash;
    bool is_ours; /* it was issued by this service once, be it known still or not */
    int64_t refresh_lifetime_us, reuse_interval_us;
};
/* How many tokens of one session are known at a time: those that were not used, and those that were used a moment ago. The oldest are forgotten first. */
#define SESSION_TOKENS_MAX 16

enum ledger_outcome ledger_refresh_session(struct ledger *ledger, const struct refresh_command *command, int64_t now_us,
                                           struct session **ret_session);

/* An unknown or ended session is no error: it is over either way. */
enum ledger_outcome ledger_end_session(struct ledger *ledger, struct id session_id, int64_t now_us);
