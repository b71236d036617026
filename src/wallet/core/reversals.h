/* Reversals: money goes back to where it came from, in whole or in parts that add up to the original at most. What goes back to a fund that is released
 * goes on to issuance. A reversal is not reversed: what was taken back wrongly is given again by a movement of its own, with a reason of its own. */
#pragma once

#include "wallet/core/transfers.h"

/* A transfer that moved money, and what was taken back of it. A row of the working set that is never saved: it follows from the journal. */
struct original {
    struct text key; /* caller and reference as one */
    int64_t sequence;
    struct id id;
    enum transfer_kind kind;
    struct text caller, reference;
    struct money amount;
    struct id debit_id, credit_id; /* accounts */
    struct text fund_reference;    /* of the fund that paid; empty: none did */
    int64_t spent_at_us;           /* when it was, or when what it captured was held */
    int64_t reversed_minor;
    struct id reversal_id; /* the newest; zero: none yet */
    int64_t reversal_balance_after, reversal_created_at_us;
};
/* NULL, or the rule that it breaks. */
const char *original_fault(const struct original *original);

struct reversal_command {
    struct text caller, reference; /* `reference` empty: none */
    struct id transaction_id;
    int64_t amount_minor; /* 0: all that is left */
    struct text reason;
    bool is_admin;     /* others take back what they have made themselves */
    bool may_overdraw; /* the account that it is taken from may go below its floor */
};
struct reversal_outcome {
    enum ledger_outcome outcome;
    struct id transaction_id; /* applied and replayed, like the next two */
    struct money amount;
    int64_t created_at_us;
};
struct reversal_outcome ledger_reverse(struct ledger *ledger, const struct reversal_command *command, int64_t now_us);

struct credit_reversal_item {
    struct text reference; /* of the credit */
    struct text reason;
};
struct credit_reversal_outcome {
    enum ledger_outcome outcome;
    struct id transaction_id; /* applied and replayed */
    int64_t balance_after;    /* of the wallet */
    int64_t created_at_us;
};
/* What is left of a credit that the caller gave goes back, once. */
struct credit_reversal_outcome ledger_reverse_credit(struct ledger *ledger, struct text caller, const struct credit_reversal_item *item,
                                                     int64_t now_us);
