/* Limits: what an administrator allows an account to have and to let go of. Asked by posting_outcome, in the one place where a movement is decided.
 *
 * | limit           | is on                                               | obeyed by                                                        |
 * | floor           | what is left when it is given, what is held is gone | all that leaves, but what an administrator lets overdraw         |
 * | ceiling         | the balance, what is held of it included            | all that comes                                                   |
 * | per_transaction | one amount                                          | what is spent: transfers, payments, holds, adjustments that take |
 * | daily, monthly  | the sum of what is spent, and not given back        | the same                                                         |
 *
 * A hold is spent when it is made, and its capture is not spent again. What is released of it, what expires, and what is reversed is given back to the day
 * and the month in which it was spent: nothing is gained for today by what was spent yesterday. What others take back (a reversal of what somebody had
 * got) is not spent. Days and months are those of the calendar, in the service's time zone, which the calendar is told. */
#pragma once

#include "wallet/core/transfers.h"

/* Whether an account has any but its floor; only such ones pay for them. */
bool limits_any(const struct limits *limits);
bool limits_equal(const struct limits *a, const struct limits *b);

/* May this be? The account's own ceiling and what may be spent of it: LEDGER_APPLIED, or a limit, and then ledger->reached says more. */
enum ledger_outcome limits_outcome(struct ledger *ledger, const struct posting *posting, int64_t now_us);
/* It may not: the floor stands in the way of more than what is there would allow. */
void limits_reach_floor(struct ledger *ledger, const struct account *account);
/* It was: counts what was spent, and what comes back of it. */
void limits_count(struct ledger *ledger, const struct posting *posting, int64_t now_us);

/* What was spent in the day and in the month of this moment. */
struct spent limits_spent(struct ledger *ledger, const struct account *account, int64_t now_us);

/* All of them anew, with the floor. `spent`: what the journal says of the day and of the month of now; it counts from here on, when there is a daily or a
 * monthly limit. *ret_is_changed: they were others. LEDGER_ACCOUNT_OF_BOOKS, LEDGER_ACCOUNT_CLOSED. */
enum ledger_outcome account_set_limits(struct account *account, const struct limits *limits, int64_t floor_minor, const struct spent *spent,
                                       int64_t now_us, bool *ret_is_changed);
