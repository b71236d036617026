/* What the operator does to users at the command line: each is one operation of the store, in the running service (service/control.h) or, while it is
 * stopped, in the command's own process. In the audit log their actor is "command line". */
#pragma once

#include "base/id.h"
#include "service/control.h"
#include "service/operation.h"
#include "wallet/core/users.h"

enum user_act_kind { USER_ADD, USER_SET_PASSWORD, USER_MAKE_ADMIN, USER_REMOVE_ADMIN };

struct user_act {
    struct operation operation; /* first */
    enum user_act_kind kind;
    struct register_command command; /* its name is whom it is about; the rest as far as its kind needs it */

    enum ledger_outcome outcome;
    struct id user_id; /* applied */
};
/* Ready to be given to a store. The command's texts outlive it. */
void user_act_begin(struct user_act *act, enum user_act_kind kind, const struct register_command *command);
const char *user_act_refusal(const struct user_act *act); /* why it was refused, a sentence; NULL: it was applied */

/* ---- over the control socket ---- */

void user_act_write(const struct user_act *act, struct buffer *message);
/* The sentence of a refusal or a failure is copied into `room`; RESULT_OK: applied. RESULT_CONFLICT: refused; other errors: it failed. */
struct result user_act_read_reply(struct text reply, struct user_act *act, char *room, size_t room_bytes) MUST_CHECK;

/* The service's end of it. */
struct user_acts {
    struct store *store;
    struct waker done;
    _Atomic int outcome; /* of the act that the store has: a result_code; below 0: not known yet */
};
struct result user_acts_begin(struct user_acts *acts, struct store *store) MUST_CHECK;
void user_acts_end(struct user_acts *acts); /* after the store has stopped; one that was zeroed and never begun is fine */
control_handler user_acts_handle;           /* self: struct user_acts */
