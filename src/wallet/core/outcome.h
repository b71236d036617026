/* What a command came to. Everything but APPLIED and REPLAYED is a refusal, and a refused command has changed nothing. */
#pragma once

#include <stdbool.h>

enum ledger_outcome {
    LEDGER_APPLIED = 0,
    LEDGER_REPLAYED, /* done before: the first answer again */
    LEDGER_USERNAME_TAKEN,
    LEDGER_PHONE_TAKEN,
    LEDGER_INVALID_CREDENTIALS,
    LEDGER_TOKEN_INVALID, /* the next three are about refresh tokens */
    LEDGER_TOKEN_EXPIRED,
    LEDGER_TOKEN_REVOKED, /* the session is over; a used token ends it */
    LEDGER_USER_NOT_FOUND,
    LEDGER_USER_DISABLED,
    LEDGER_PASSWORD_TEMPORARY, /* it must be changed first */
    LEDGER_ACCOUNT_NOT_FOUND,
    LEDGER_ACCOUNT_FROZEN,
    LEDGER_ACCOUNT_CLOSED,
    LEDGER_FLOOR_REACHED, /* this and the next four: struct limit_reached says more */
    LEDGER_CEILING_REACHED,
    LEDGER_LIMIT_PER_TRANSACTION,
    LEDGER_LIMIT_DAILY,
    LEDGER_LIMIT_MONTHLY,
    LEDGER_ACCOUNT_NOT_EMPTY, /* it can't be closed */
    LEDGER_ACCOUNT_OF_BOOKS,  /* of a fund or issuance: what moves there belongs to funds and credits */
    LEDGER_CURRENCY_MISMATCH,
    LEDGER_BALANCE_TOO_LARGE, /* a sum would leave the range of money */
    LEDGER_INSUFFICIENT_FUNDS,
    LEDGER_RECIPIENT_NOT_FOUND,
    LEDGER_SAME_ACCOUNT,
    LEDGER_REFERENCE_CONFLICT,
    LEDGER_FUND_NOT_FOUND,
    LEDGER_FUND_EXHAUSTED,
    LEDGER_FUND_RELEASED,
    LEDGER_FUND_REFERENCE_CONFLICT,
    LEDGER_PAYER_NOT_FOUND, /* the user whose money it would be */
    LEDGER_MERCHANT_NOT_FOUND,
    LEDGER_HOLD_NOT_FOUND,            /* the caller has none of this id */
    LEDGER_HOLD_CLOSED,               /* captured, released or expired */
    LEDGER_HOLD_EXCEEDED,             /* less remains */
    LEDGER_MERCHANT_REQUIRED,         /* neither the hold nor its capture names one */
    LEDGER_MERCHANT_DIFFERS,          /* the hold is for another one */
    LEDGER_TRANSACTION_NOT_FOUND,     /* or not the caller's */
    LEDGER_NOT_REVERSIBLE,            /* a transfer of a kind that is not taken back */
    LEDGER_REVERSAL_EXCEEDS_ORIGINAL, /* less is left of it */
    LEDGER_CREDIT_NOT_FOUND,          /* the caller gave none by this reference */
};
static inline bool outcome_is_limit(enum ledger_outcome outcome) {
    return outcome >= LEDGER_FLOOR_REACHED && outcome <= LEDGER_LIMIT_MONTHLY;
}
const char *ledger_outcome_code(enum ledger_outcome outcome); /* "insufficient_funds"; the problem code and the credit item's code */
