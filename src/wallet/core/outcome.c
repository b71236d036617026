#include "wallet/core/outcome.h"

const char *ledger_outcome_code(enum ledger_outcome outcome) {
    switch (outcome) {
    case LEDGER_APPLIED: return "applied";
    case LEDGER_REPLAYED: return "replayed";
    case LEDGER_USERNAME_TAKEN: return "username_taken";
    case LEDGER_PHONE_TAKEN: return "phone_taken";
    case LEDGER_INVALID_CREDENTIALS: return "invalid_credentials";
    case LEDGER_TOKEN_INVALID: return "token_invalid";
    case LEDGER_TOKEN_EXPIRED: return "token_expired";
    case LEDGER_TOKEN_REVOKED: return "token_revoked";
    case LEDGER_USER_NOT_FOUND: return "user_not_found";
    case LEDGER_USER_DISABLED: return "user_disabled";
    case LEDGER_PASSWORD_TEMPORARY: return "password_change_required";
    case LEDGER_ACCOUNT_NOT_FOUND: return "account_not_found";
    case LEDGER_ACCOUNT_FROZEN: return "account_frozen";
    case LEDGER_ACCOUNT_CLOSED: return "account_closed";
    case LEDGER_FLOOR_REACHED: return "floor_reached";
    case LEDGER_CEILING_REACHED: return "ceiling_reached";
    case LEDGER_LIMIT_PER_TRANSACTION: return "limit_per_transaction";
    case LEDGER_LIMIT_DAILY: return "limit_daily";
    case LEDGER_LIMIT_MONTHLY: return "limit_monthly";
    case LEDGER_ACCOUNT_NOT_EMPTY: return "account_not_empty";
    case LEDGER_ACCOUNT_OF_BOOKS: return "account_of_books";
    case LEDGER_CURRENCY_MISMATCH: return "currency_mismatch";
    case LEDGER_BALANCE_TOO_LARGE: return "balance_too_large";
    case LEDGER_INSUFFICIENT_FUNDS: return "insufficient_funds";
    case LEDGER_RECIPIENT_NOT_FOUND: return "recipient_not_found";
    case LEDGER_SAME_ACCOUNT: return "same_account";
    case LEDGER_REFERENCE_CONFLICT: return "reference_conflict";
    case LEDGER_FUND_NOT_FOUND: return "fund_not_found";
    case LEDGER_FUND_EXHAUSTED: return "fund_exhausted";
    case LEDGER_FUND_RELEASED: return "fund_released";
    case LEDGER_FUND_REFERENCE_CONFLICT: return "fund_reference_conflict";
    case LEDGER_PAYER_NOT_FOUND: return "user_not_found";
    case LEDGER_MERCHANT_NOT_FOUND: return "merchant_not_found";
    case LEDGER_HOLD_NOT_FOUND: return "hold_not_found";
    case LEDGER_HOLD_CLOSED: return "hold_closed";
    case LEDGER_HOLD_EXCEEDED: return "hold_exceeded";
    case LEDGER_MERCHANT_REQUIRED: return "merchant_required";
    case LEDGER_MERCHANT_DIFFERS: return "merchant_differs";
    case LEDGER_TRANSACTION_NOT_FOUND: return "transaction_not_found";
    case LEDGER_NOT_REVERSIBLE: return "not_reversible";
    case LEDGER_REVERSAL_EXCEEDS_ORIGINAL: return "reversal_exceeds_original";
    case LEDGER_CREDIT_NOT_FOUND: return "credit_not_found";
    }
    return "unknown";
}
