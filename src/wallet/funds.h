/* What a service does with a fund, as operations. */
#pragma once

#include "service/operation.h"
#include "wallet/core/funds.h"

struct fund_change {
    struct operation operation; /* first */
    struct fund_command command;
    enum ledger_outcome outcome;
    struct fund fund; /* applied and replayed: as it is now; its account is the next, its texts are in the arena */
    struct account account;
};
extern const struct action open_fund_action, topup_fund_action, release_fund_action;
