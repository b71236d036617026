#include "wallet/problems.h"

#include <stddef.h>

#include "base/check.h"
#include "base/json/json.h"

#define LIMIT_MEMBERS_BYTES 160u

const struct problem problem_invalid_credentials = {401, "invalid_credentials", "Invalid credentials"};
const struct problem problem_user_disabled = {403, "user_disabled", "User disabled"};
const struct problem problem_password_change_required = {403, "password_change_required", "Password change required"};
const struct problem problem_session_not_found = {404, "session_not_found", "Session not found"};
const struct problem problem_recipient_not_found = {404, "recipient_not_found", "Recipient not found"};
const struct problem problem_credit_not_found = {404, "credit_not_found", "Credit not found"};
const struct problem problem_transaction_not_found = {404, "transaction_not_found", "Transaction not found"};
const struct problem problem_user_not_found = {404, "user_not_found", "User not found"};
const struct problem problem_fund_not_found = {404, "fund_not_found", "Fund not found"};
const struct problem problem_account_not_found = {404, "account_not_found", "Account not found"};
const struct problem problem_merchant_not_found = {404, "merchant_not_found", "Merchant not found"};
const struct problem problem_hold_not_found = {404, "hold_not_found", "Hold not found"};
const struct problem problem_hold_closed = {409, "hold_closed", "Hold closed"};
const struct problem problem_hold_exceeded = {409, "hold_exceeded", "Hold exceeded"};
const struct problem problem_merchant_required = {422, "merchant_required", "Merchant required"};
const struct problem problem_merchant_differs = {422, "merchant_differs", "Merchant differs"};
const struct problem problem_not_reversible = {409, "not_reversible", "Not reversible"};
const struct problem problem_reversal_exceeds_original = {409, "reversal_exceeds_original", "Reversal exceeds original"};
const struct problem problem_username_taken = {409, "username_taken", "Username taken"};
const struct problem problem_phone_taken = {409, "phone_taken", "Phone taken"};
const struct problem problem_insufficient_funds = {409, "insufficient_funds", "Insufficient funds"};
const struct problem problem_account_frozen = {409, "account_frozen", "Account frozen"};
const struct problem problem_account_closed = {409, "account_closed", "Account closed"};
const struct problem problem_account_not_empty = {409, "account_not_empty", "Account not empty"};
const struct problem problem_account_of_books = {409, "account_of_books", "Account of the books"};
const struct problem problem_floor_reached = {409, "floor_reached", "Floor reached"};
const struct problem problem_ceiling_reached = {409, "ceiling_reached", "Ceiling reached"};
const struct problem problem_limit_per_transaction = {409, "limit_per_transaction", "Limit per transaction"};
const struct problem problem_limit_daily = {409, "limit_daily", "Daily limit"};
const struct problem problem_limit_monthly = {409, "limit_monthly", "Monthly limit"};
const struct problem problem_balance_too_large = {409, "balance_too_large", "Balance too large"};
const struct problem problem_fund_reference_conflict = {409, "fund_reference_conflict", "Fund reference conflict"};
const struct problem problem_fund_released = {409, "fund_released", "Fund released"};
const struct problem problem_reference_conflict = {409, "reference_conflict", "Reference conflict"};
const struct problem problem_same_account = {422, "same_account", "Same account"};
const struct problem problem_password_too_common = {422, "password_too_common", "Password too common"};
const struct problem problem_currency_mismatch = {422, "currency_mismatch", "Currency mismatch"};

static const struct problem_page wallet_pages[] = {
    {&problem_invalid_credentials, "There is no user with this name and this password. Which of the two is wrong is told to nobody.",
     "Type both again. After too many failures there is a wait."},
    {&problem_user_disabled, "The operator has disabled this user: nobody logs in as them, and what their tokens were good for has ended.",
     "Ask the operator why."},
    {&problem_password_change_required, "This password was made by the operator, for one login that changes it. Nobody was logged in.",
     "Log in again with it, and with a password of your own as new_password."},
    {&problem_session_not_found, "You have no session with this id.", "Take the id out of the list of your sessions."},
    {&problem_recipient_not_found, "Nobody has this phone number or username. No money moved.", "Ask the recipient for the right one."},
    {&problem_transaction_not_found, "There is no such transaction, or it is not yours.",
     "Take the id out of the list of your transactions."},
    {&problem_credit_not_found, "You gave no credit by this reference. No money moved.",
     "Take the reference that the credit was given with: only its own service takes it back."},
    {&problem_user_not_found, "There is no user with this id.", "Take the id out of the user's access token, or of GET /v1/users/me."},
    {&problem_fund_not_found, "You have no fund with this reference. No money moved.",
     "Open the fund first, or correct the reference: it is compared to the letter."},
    {&problem_account_not_found, "There is no such account.", "Take the id out of the list of accounts."},
    {&problem_merchant_not_found, "There is no merchant of this id or name. No money moved.",
     "Take the id out of the list of merchants, or ask an administrator to make one."},
    {&problem_hold_not_found, "You have no hold with this id.", "Take the id out of the answer that made the hold."},
    {&problem_hold_closed, "The hold was captured, released, or has expired. No money moved.",
     "Look at its state; make a new hold if one is needed."},
    {&problem_hold_exceeded, "Less remains of the hold than was to be captured. No money moved.", "Capture what remains at most."},
    {&problem_merchant_required, "Neither the hold nor its capture names the merchant who is to be paid. No money moved.",
     "Name the merchant in the capture."},
    {&problem_merchant_differs, "The hold was made for another merchant than its capture names. No money moved.",
     "Leave the merchant out of the capture, or name the one of the hold."},
    {&problem_not_reversible,
     "A transaction of this kind is not taken back: only credits, transfers, payments and captures are. No money moved.",
     "Move the money by a transaction of its own."},
    {&problem_reversal_exceeds_original, "Less is left of the transaction than was to be taken back. No money moved.",
     "Take back what is left at most; without an amount it is all of that."},
    {&problem_username_taken, "Another user has this username.", "Choose another one."},
    {&problem_phone_taken, "Another user has this phone number.", "Log in to the account that has it, or use another number."},
    {&problem_insufficient_funds, "The account or the fund holds less than the amount. No money moved.",
     "Lower the amount, or bring the money first."},
    {&problem_account_frozen, "An account of this transfer is frozen. No money moved.", "Ask the operator why."},
    {&problem_account_closed, "An account of this transfer was closed, which is for good. No money moved.", "Use another account."},
    {&problem_account_not_empty, "Only an account that has nothing, and of which nothing is held, is closed.",
     "Bring its balance to zero and end its holds first."},
    {&problem_account_of_books, "This account is a fund's, or issuance: no administrator moves its money or closes it.",
     "Move the money of a fund by its own routes."},
    {&problem_floor_reached, "The account must keep more than this would leave, or has gone below its floor already. No money moved.",
     "Lower the amount: `remaining` says how much may go."},
    {&problem_ceiling_reached, "The account would hold more than it is allowed to; what is held of it counts. No money moved.",
     "Lower the amount: `remaining` says how much may come, to whoever may know it."},
    {&problem_limit_per_transaction, "The amount is more than the account may let go of at once. No money moved.",
     "Lower the amount to `limit` at most."},
    {&problem_limit_daily, "The account has spent, with what is held, nearly as much as it may in a day. No money moved.",
     "Lower the amount to `remaining`, or wait until `resets_at`."},
    {&problem_limit_monthly, "The account has spent, with what is held, nearly as much as it may in a month. No money moved.",
     "Lower the amount to `remaining`, or wait until `resets_at`."},
    {&problem_balance_too_large, "The balance would become more than 9007199254740991, which is as much as one may hold. No money moved.",
     "Lower the amount."},
    {&problem_fund_reference_conflict, "You have a fund with this reference and another amount or currency.",
     "Use a new reference, or top the fund up."},
    {&problem_fund_released, "The fund was released: what was left has gone back, and nothing is paid out of it any more.",
     "Open a new fund with a new reference."},
    {&problem_reference_conflict, "This reference was used before, with another amount, currency or user. No money moved again.",
     "Use a new reference for each new credit, and the same only to send the same credit again."},
    {&problem_same_account, "Sender and recipient are the same account.", "Choose another recipient."},
    {&problem_currency_mismatch,
     "The amount is in another currency than the account, or the user has no account in that currency. No money moved.",
     "Send the amount in the currency of the account; GET /v1/wallets lists which a user has."},
    {&problem_password_too_common, "So many people have this password that it is among the first that anybody tries.",
     "Choose another one: a few words that nobody says together will do."},
    {NULL, NULL, NULL},
};

bool wallet_find_page(struct text code, struct problem *ret_room, struct problem_page *ret_page) {
    const struct problem_page *page = problem_find_page(wallet_pages, code);
    (void)ret_room;
    if (page != NULL) *ret_page = *page;
    return page != NULL;
}

struct refusal {
    const struct problem *problem;
    const char *detail;
};

static struct refusal refusal_of(enum ledger_outcome outcome) {
    switch (outcome) {
    case LEDGER_APPLIED:
    case LEDGER_REPLAYED: break;
    case LEDGER_USERNAME_TAKEN: return (struct refusal){&problem_username_taken, "Another user has this username."};
    case LEDGER_PHONE_TAKEN: return (struct refusal){&problem_phone_taken, "Another user has this phone number."};
    case LEDGER_INVALID_CREDENTIALS: return (struct refusal){&problem_invalid_credentials, "The username or the password is wrong."};
    case LEDGER_TOKEN_INVALID: return (struct refusal){&problem_token_invalid, "The refresh token is unknown."};
    case LEDGER_TOKEN_EXPIRED: return (struct refusal){&problem_token_expired, "The refresh token has expired."};
    case LEDGER_TOKEN_REVOKED: return (struct refusal){&problem_token_revoked, "The session of this token has ended."};
    case LEDGER_USER_NOT_FOUND: return (struct refusal){&problem_token_invalid, "The user of this token does not exist."};
    case LEDGER_USER_DISABLED: return (struct refusal){&problem_user_disabled, "The operator has disabled this user."};
    case LEDGER_PASSWORD_TEMPORARY:
        return (struct refusal){&problem_password_change_required,
                                "This password is temporary: send it again, with another one as new_password."};
    case LEDGER_ACCOUNT_FROZEN: return (struct refusal){&problem_account_frozen, "An account of this transfer is frozen."};
    case LEDGER_ACCOUNT_NOT_FOUND: return (struct refusal){&problem_account_not_found, "There is no such account."};
    case LEDGER_ACCOUNT_CLOSED: return (struct refusal){&problem_account_closed, "An account of this transfer is closed."};
    case LEDGER_FLOOR_REACHED:
        return (struct refusal){&problem_floor_reached, "The account must keep so much that less than the amount may go."};
    case LEDGER_CEILING_REACHED: return (struct refusal){&problem_ceiling_reached, "The account may not hold so much."};
    case LEDGER_LIMIT_PER_TRANSACTION:
        return (struct refusal){&problem_limit_per_transaction, "The amount is more than the account may let go of at once."};
    case LEDGER_LIMIT_DAILY: return (struct refusal){&problem_limit_daily, "The account may not spend so much more today."};
    case LEDGER_LIMIT_MONTHLY: return (struct refusal){&problem_limit_monthly, "The account may not spend so much more this month."};
    case LEDGER_ACCOUNT_NOT_EMPTY:
        return (struct refusal){&problem_account_not_empty, "The account has money, or some of it is held: only an empty one is closed."};
    case LEDGER_ACCOUNT_OF_BOOKS: return (struct refusal){&problem_account_of_books, "This is the account of a fund, or issuance."};
    case LEDGER_CURRENCY_MISMATCH:
        return (struct refusal){&problem_currency_mismatch,
                                "The amount is in another currency than the account, or there is no account in it."};
    case LEDGER_BALANCE_TOO_LARGE: return (struct refusal){&problem_balance_too_large, "A balance can not be more than 9007199254740991."};
    case LEDGER_INSUFFICIENT_FUNDS: return (struct refusal){&problem_insufficient_funds, "The wallet holds less than the amount."};
    case LEDGER_RECIPIENT_NOT_FOUND: return (struct refusal){&problem_recipient_not_found, "There is no such recipient."};
    case LEDGER_SAME_ACCOUNT: return (struct refusal){&problem_same_account, "Sender and recipient are the same account."};
    case LEDGER_REFERENCE_CONFLICT:
        return (struct refusal){&problem_reference_conflict, "This reference was used before, for what differs from this request."};
    case LEDGER_FUND_NOT_FOUND: return (struct refusal){&problem_fund_not_found, "You have no fund with this reference."};
    case LEDGER_FUND_EXHAUSTED: return (struct refusal){&problem_insufficient_funds, "The fund holds less than the amount."};
    case LEDGER_FUND_RELEASED: return (struct refusal){&problem_fund_released, "The fund has been released."};
    case LEDGER_FUND_REFERENCE_CONFLICT:
        return (struct refusal){&problem_fund_reference_conflict, "A fund with this reference and another amount or currency exists."};
    case LEDGER_PAYER_NOT_FOUND: return (struct refusal){&problem_user_not_found, "There is no user with this id."};
    case LEDGER_MERCHANT_NOT_FOUND: return (struct refusal){&problem_merchant_not_found, "No merchant has this id or name."};
    case LEDGER_HOLD_NOT_FOUND: return (struct refusal){&problem_hold_not_found, "You have no hold with this id."};
    case LEDGER_HOLD_CLOSED: return (struct refusal){&problem_hold_closed, "The hold was captured, released, or has expired."};
    case LEDGER_HOLD_EXCEEDED: return (struct refusal){&problem_hold_exceeded, "Less remains of the hold than that."};
    case LEDGER_MERCHANT_REQUIRED:
        return (struct refusal){&problem_merchant_required, "Neither the hold nor its capture names a merchant."};
    case LEDGER_MERCHANT_DIFFERS: return (struct refusal){&problem_merchant_differs, "The hold is for another merchant."};
    case LEDGER_TRANSACTION_NOT_FOUND:
        return (struct refusal){&problem_transaction_not_found, "There is no such transaction, or it is not yours."};
    case LEDGER_NOT_REVERSIBLE:
        return (struct refusal){&problem_not_reversible, "Only credits, transfers, payments and captures are taken back."};
    case LEDGER_REVERSAL_EXCEEDS_ORIGINAL:
        return (struct refusal){&problem_reversal_exceeds_original, "Less than that is left of the transaction."};
    case LEDGER_CREDIT_NOT_FOUND: return (struct refusal){&problem_credit_not_found, "You gave no credit by this reference."};
    }
    return (struct refusal){NULL, NULL};
}

const struct problem *problem_of_outcome(enum ledger_outcome outcome) {
    const struct problem *problem = refusal_of(outcome).problem;
    CHECK(problem != NULL);
    return problem;
}

const char *problem_detail_of_outcome(enum ledger_outcome outcome) { return refusal_of(outcome).detail; }

void outcome_render(struct operation *operation, enum ledger_outcome outcome) {
    operation_answer_problem(operation, problem_of_outcome(outcome), (struct text){0}, NULL, problem_detail_of_outcome(outcome));
}

void outcome_write_limit(struct json_writer *writer, const struct limit_reached *reached) {
    json_integer_member(writer, "limit", reached->limit_minor);
    json_integer_member(writer, "remaining", reached->left_minor);
    if (reached->until_us != 0) json_time_member(writer, "resets_at", reached->until_us);
}

void outcome_render_limit(struct operation *operation, enum ledger_outcome outcome, const struct limit_reached *reached) {
    if (!outcome_is_limit(outcome)) {
        outcome_render(operation, outcome);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, LIMIT_MEMBERS_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    outcome_write_limit(&writer, reached);
    json_end_object(&writer);
    struct text object = buffer_text(&buffer);
    if (object.size <= 2) {
        operation_overflow(operation);
        return;
    }
    const struct text members = {object.data + 1, object.size - 2}; /* a problem has them among its own */
    operation_answer_problem(operation, problem_of_outcome(outcome), members, NULL, problem_detail_of_outcome(outcome));
}

void outcome_send(struct operation *operation, enum ledger_outcome outcome) {
    bool is_refused = operation->fate == FATE_DECIDED && outcome_is_refusal(outcome);
    if (is_refused && problem_of_outcome(outcome)->status == 401) { /* never kept */
        problem_reply(operation->exchange, problem_of_outcome(outcome), "%s", problem_detail_of_outcome(outcome));
        exchange_finish(operation->exchange);
    } else {
        operation_send(operation);
    }
}
