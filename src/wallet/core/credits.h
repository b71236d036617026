/* Credits: money that a service gives to a user, out of one of its funds or of issuance; each exactly once by its reference. */
#pragma once

#include "wallet/core/transfers.h"

struct credit_item {
    struct text reference;
    struct id user_id;
    struct money amount;
    struct text fund; /* empty: out of issuance */
    struct text description, metadata;
};
struct credit_outcome {
    enum ledger_outcome outcome;
    struct id transaction_id; /* applied and replayed */
    int64_t balance_after;
    int64_t created_at_us;
    struct limit_reached reached; /* LEDGER_CEILING_REACHED */
};
struct credit_outcome ledger_credit(struct ledger *ledger, struct text caller, const struct credit_item *item, int64_t now_us);
