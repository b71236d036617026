/* The wallet's own problems: one constant for each code (http/problem.h). */
#pragma once

#include "base/json/json.h"
#include "service/operation.h"
#include "wallet/core/ledger.h"
#include "wallet/core/outcome.h"

extern const struct problem problem_invalid_credentials; /* 401 */
extern const struct problem problem_user_disabled, problem_password_change_required, problem_session_not_found;
extern const struct problem problem_recipient_not_found;       /* 404 */
extern const struct problem problem_credit_not_found;          /* 404 */
extern const struct problem problem_transaction_not_found;     /* 404 */
extern const struct problem problem_user_not_found;            /* 404 */
extern const struct problem problem_fund_not_found;            /* 404 */
extern const struct problem problem_account_not_found;         /* 404 */
extern const struct problem problem_merchant_not_found;        /* 404 */
extern const struct problem problem_hold_not_found;            /* 404 */
extern const struct problem problem_hold_closed;               /* 409 */
extern const struct problem problem_hold_exceeded;             /* 409 */
extern const struct problem problem_merchant_required;         /* 422 */
extern const struct problem problem_merchant_differs;          /* 422 */
extern const struct problem problem_not_reversible;            /* 409 */
extern const struct problem problem_reversal_exceeds_original; /* 409 */
extern const struct problem problem_username_taken;            /* 409 */
extern const struct problem problem_phone_taken;               /* 409 */
extern const struct problem problem_insufficient_funds;        /* 409 */
extern const struct problem problem_account_frozen;            /* 409 */
extern const struct problem problem_account_closed;            /* 409 */
extern const struct problem problem_account_not_empty;         /* 409 */
extern const struct problem problem_account_of_books;          /* 409 */
extern const struct problem problem_floor_reached;             /* 409 */
extern const struct problem problem_ceiling_reached;           /* 409 */
extern const struct problem problem_limit_per_transaction;     /* 409 */
extern const struct problem problem_limit_daily;               /* 409 */
extern const struct problem problem_limit_monthly;             /* 409 */
extern const struct problem problem_balance_too_large;         /* 409 */
extern const struct problem problem_fund_reference_conflict;   /* 409 */
extern const struct problem problem_fund_released;             /* 409 */
extern const struct problem problem_reference_conflict;        /* 409 */
extern const struct problem problem_same_account;              /* 422 */
extern const struct problem problem_password_too_common;       /* 422 */
extern const struct problem problem_currency_mismatch;         /* 422 */

/* The problem that a refused command is answered with, and its sentence. Not for LEDGER_APPLIED and LEDGER_REPLAYED. */
const struct problem *problem_of_outcome(enum ledger_outcome outcome);
const char *problem_detail_of_outcome(enum ledger_outcome outcome);

/* For struct service. */
bool wallet_find_page(struct text code, struct problem *ret_room, struct problem_page *ret_page);

/* For an action: renders the problem of a refusal; and, on the loop, sends one whose answer may be 401, which carries its challenge. */
void outcome_render(struct operation *operation, enum ledger_outcome outcome);
/* The same of a movement: of a limit it says how much that is, what is left of it, and when it begins anew, as "limit", "remaining" and "resets_at". */
void outcome_render_limit(struct operation *operation, enum ledger_outcome outcome, const struct limit_reached *reached);
void outcome_write_limit(struct json_writer *writer, const struct limit_reached *reached);
void outcome_send(struct operation *operation, enum ledger_outcome outcome);
static inline bool outcome_is_refusal(enum ledger_outcome outcome) { return outcome != LEDGER_APPLIED && outcome != LEDGER_REPLAYED; }
