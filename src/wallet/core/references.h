/* References: what a service named its credits, payments and top-ups by, so that the same request again is recognised and answered as the first time. */
#pragma once

#include "wallet/core/transfers.h"

/* Enough to tell the same request from another with its reference, and to answer it. */
struct known_reference {
    struct text key; /* see below */
    int64_t debit_account, credit_account;
    struct money amount;
    struct id transaction_id;
    int64_t balance_after; /* of the account that was credited */
    int64_t created_at_us;
    int64_t origin;
    struct text description, metadata; /* the three of what is named by its kind; of credits and top-ups empty */
};

#define LEDGER_KEY_BYTES (2u * LIMIT_REFERENCE_BYTES + 16u)
/* Holds the key for as long as it is used. */
struct ledger_key {
    size_t size;
    char bytes[LEDGER_KEY_BYTES];
};
static inline struct text ledger_key_text(const struct ledger_key *key) { return (struct text){key->bytes, key->size}; }
void ledger_credit_key(struct text caller, struct text reference, struct ledger_key *ret_key);
/* Of a payment, or whatever else a caller names by its kind. */
void ledger_named_key(enum transfer_kind kind, struct text caller, struct text reference, struct ledger_key *ret_key);
void ledger_topup_key(int64_t fund_account, struct text reference, struct ledger_key *ret_key);

/* From now on, within the batch too, this key stands for this transfer. It must not be known yet. */
void ledger_remember(struct ledger *ledger, const struct ledger_key *key, const struct transfer *transfer);
