/* Who asks, as proven by a verified token. A value: it is copied into the request, nothing in it is owned elsewhere. */
#pragma once

#include <stdint.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/phone.h"

/* One bit each. A route names exactly one; the zero value grants nothing, so that a forgotten scope denies. */
enum scope {
    SCOPE_NONE = 0,
    SCOPE_PUBLIC = 1 << 0, /* no token needed: the route says so explicitly */
    SCOPE_USER = 1 << 1,
    SCOPE_ADMIN = 1 << 2,
    SCOPE_CREDITS_WRITE = 1 << 3,
    SCOPE_FUNDS_WRITE = 1 << 4,
    SCOPE_HOLDS_WRITE = 1 << 6,
    SCOPE_PAYMENTS_WRITE = 1 << 7,
    SCOPE_REVERSALS_WRITE = 1 << 8,
    SCOPE_USERS_WRITE = 1 << 9,
    SCOPE_SERVICE = 1 << 10,      /* any service, whatever it is granted: a route's property, and in no token */
    SCOPE_ANY = 1 << 11,          /* whoever has a token of anybody who is trusted: the same */
    SCOPE_CREDITS_ISSUE = 1 << 5, /* credits without a fund: no route's, but asked for by POST /v1/credits */
};

enum identity_kind { IDENTITY_NOBODY = 0, IDENTITY_USER, IDENTITY_SERVICE };

struct identity {
    enum identity_kind kind;
    uint32_t scopes;      /* of enum scope */
    struct id user_id;    /* users: `sub` */
    struct id session_id; /* users: `sid` */
    uint8_t name_size;
    char name[LIMIT_USERNAME_BYTES]; /* users: `preferred_username`; services: `iss` */
    struct phone phone;              /* users: `phone_number`, size 0 when the account has none */
    bool is_phone_verified;          /* users: `phone_number_verified` */
    int64_t expires_at_us;
};

const char *scope_name(enum scope scope);  /* "credits:write" */
uint32_t scopes_parse(struct text scopes); /* space-separated (RFC 6749, section 3.3); unknown ones are ignored */

/* Whether a session is over because all of its user's were ended at once, by a new password: it is older than that, and not the one that it was asked in. */
bool session_is_cut_off(struct id session_id, struct id cutoff, struct id kept);
