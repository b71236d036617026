/* Adjustments: an administrator gives a wallet or a merchant money out of issuance, or takes it back into it, and says why. They obey whatever the others
 * obey, and are not reversed: the opposite one, with a reason of its own, is what takes one back. */
#pragma once

#include "wallet/core/transfers.h"

struct adjustment_command {
    struct text caller, reference; /* `reference` empty: none */
    struct id account_id;
    bool is_credit; /* to the account; else from it */
    struct money amount;
    struct text reason;
};
struct adjustment_outcome {
    enum ledger_outcome outcome;
    struct id transaction_id; /* applied and replayed, like the next */
    int64_t created_at_us;
};
/* LEDGER_ACCOUNT_OF_BOOKS: a fund's account or issuance. */
struct adjustment_outcome ledger_adjust(struct ledger *ledger, const struct adjustment_command *command, int64_t now_us);
