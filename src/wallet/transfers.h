/* A transfer between users as an operation. */
#pragma once

#include "service/operation.h"
#include "wallet/core/transfers.h"
#include "wallet/core/users.h"

struct user_transfer {
    struct operation operation; /* first */
    struct transfer_command command;
    enum ledger_outcome outcome;
    struct limit_reached reached; /* of a refusal by a limit */
    int64_t wait_us;              /* not 0: refused for too many guesses, and nothing was looked at */
    struct transfer transfer;     /* applied; its texts are those of the command */
};
extern const struct action transfer_action;

/* ---- the routes ---- */

void transfers_create(struct exchange *exchange); /* POST /v1/wallet/transfers */
