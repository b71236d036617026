/* Funds: money that a service sets aside, out of which its credits are paid, so that no more can be credited than was meant. */
#pragma once

#include "wallet/core/transfers.h"

struct fund_sums {
    int64_t funded_minor, credited_minor, released_minor, reversed_minor;
};

struct fund {
    enum row_state state;
    struct fund_sums loaded;                              /* as they stood when it came in: save writes the difference */
    struct text caller, reference;                        /* one key: no two funds of a service have one reference */
    struct account *account;                              /* of the working set */
    int64_t opened_minor;                                 /* the first amount: what the same request again is compared with */
    int64_t funded_minor, credited_minor, released_minor; /* funded = credited + remaining + released */
    int64_t reversed_minor;                               /* of what was credited, taken back into the fund: no more in `credited` */
    bool is_released;
    struct text description;
    int64_t created_at_us, updated_at_us;
};

struct fund_command {
    struct text caller, reference;
    struct money amount;
    struct text description;     /* open */
    struct text topup_reference; /* top up; empty: none */
};
enum ledger_outcome ledger_open_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund);
enum ledger_outcome ledger_topup_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund);
/* What is left goes back to issuance, and nothing is paid out of the fund any more. */
enum ledger_outcome ledger_release_fund(struct ledger *ledger, const struct fund_command *command, int64_t now_us, struct fund **ret_fund);

/* After a credit was posted out of the fund's account. */
void fund_count_credit(struct fund *fund, const struct transfer *transfer);
/* After a credit, or a part of one, was posted back into the fund's account. Out of a fund that is released it goes on to issuance. */
void ledger_return_to_fund(struct ledger *ledger, struct fund *fund, const struct transfer *transfer);
/* NULL: all that must be true of a fund and its account at any moment is; else the rule that it breaks, as a constant phrase. */
const char *fund_fault(const struct fund *fund);
