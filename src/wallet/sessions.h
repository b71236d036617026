/* Logging in, new tokens and logging out as operations, and what limits them. */
#pragma once

#include "service/operation.h"
#include "wallet/attempts.h"
#include "wallet/core/sessions.h"
#include "wallet/core/users.h"
#include "wallet/passwords.h"
#include "wallet/tables.h"

#define REFRESH_SECRET_BYTES 32 /* random ones, and a digest of them with a key of this service */
#define REFRESH_RANDOM_BYTES 16
struct refresh_secret {
    uint8_t bytes[REFRESH_SECRET_BYTES]; /* wiped with the answer */
};

/* What both ways to a session come to. */
struct session_grant {
    enum ledger_outcome outcome;
    struct session session;
    struct user user;
};

struct login {
    struct operation operation; /* first */
    struct session_command command;
    struct password_step password, next; /* the rest is of a request; next: of a password that is changed by it */
    struct text next_password;           /* empty: it is not */
    struct attempt attempt;
    struct found_user claimed; /* whose password is typed */
    struct refresh_secret secret;
    struct session_grant grant;
};
extern const struct action login_action;

struct refresh {
    struct operation operation; /* first */
    struct refresh_command command;
    struct refresh_secret secret; /* of the next token */
    struct session_grant grant;
};
extern const struct action refresh_action;

struct logout {
    struct operation operation; /* first */
    struct id session_id;
};
extern const struct action logout_action;

/* 429 when this attempt must wait: true. */
bool sessions_refuse_attempt(struct exchange *exchange, const struct attempt *attempt);
/* 503 when more sessions have just ended than can be remembered: true. */
bool sessions_refuse_ends(struct exchange *exchange);

/* ---- the routes ---- */

void sessions_create(struct exchange *exchange);         /* POST /v1/sessions */
void sessions_refresh(struct exchange *exchange);        /* POST /v1/sessions/refresh */
void sessions_delete_current(struct exchange *exchange); /* DELETE /v1/sessions/current */
