/* Payments: a service moves a user's money to a merchant, each exactly once by its reference. */
#pragma once

#include "wallet/core/merchants.h"

struct payment_command {
    struct text caller, reference;
    struct id user_id;
    struct merchant_named merchant;
    struct money amount;
    struct text description, metadata;
};
struct payment_outcome {
    enum ledger_outcome outcome;
    struct id transaction_id; /* applied and replayed, like the next two */
    struct id merchant_id;
    int64_t created_at_us;
};
struct payment_outcome ledger_pay(struct ledger *ledger, const struct payment_command *command, int64_t now_us);
