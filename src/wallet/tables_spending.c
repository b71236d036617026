/* Money that is spent, held and taken back: merchants, holds, and what one transfer says about another. */
#include "wallet/tables_words.h"

#include "base/check.h"

/* ---- merchants, and what a caller named ---- */

/* A merchant's own account and its till in one currency, which may be that of a hold: two rows at most, a batch counts on it. */
#define MERCHANT_COLUMNS ACCOUNT_COLUMNS ", m.name, m.merchant, m.currency"
#define BY_ID            "SELECT " MERCHANT_COLUMNS " FROM accounts i JOIN merchants o ON o.account = i.number AND o.merchant = o.account "
#define BY_NAME          "SELECT " MERCHANT_COLUMNS " FROM merchants o "
#define TILL_IN(currency)                                                                                   \
    "JOIN merchants m ON m.merchant = o.account AND (m.account = m.merchant OR m.currency = " currency ") " \
    "JOIN accounts a ON a.number = m.account WHERE "
#define HOLD_CURRENCY "(SELECT t.currency FROM transfers t WHERE t.id = $2)"
#define THIS_ID       "i.id = $1 LIMIT 2"
#define THIS_NAME     "o.name = $1 AND o.account = o.merchant LIMIT 2"
QUESTION(merchant_by_id, "a merchant", BY_ID TILL_IN("$2") THIS_ID, COLUMN_ID, COLUMN_TEXT);
void ask_merchant(struct batch *batch, struct id id, enum currency currency, row_visitor *visit, void *context) {
    ASK(merchant_by_id, value_id(id), currency_value(currency));
}

QUESTION(merchant_by_name, "a merchant by name", BY_NAME TILL_IN("$2") THIS_NAME, COLUMN_TEXT, COLUMN_TEXT);
void ask_merchant_by_name(struct batch *batch, struct text name, enum currency currency, row_visitor *visit, void *context) {
    ASK(merchant_by_name, value_text(name), currency_value(currency));
}

QUESTION(payee_by_id, "who captures", BY_ID TILL_IN(HOLD_CURRENCY) THIS_ID, COLUMN_ID, COLUMN_ID);
void ask_payee(struct batch *batch, struct id id, struct id hold_id, row_visitor *visit, void *context) {
    ASK(payee_by_id, value_id(id), value_id(hold_id));
}

QUESTION(payee_by_name, "who captures, by name", BY_NAME TILL_IN(HOLD_CURRENCY) THIS_NAME, COLUMN_TEXT, COLUMN_ID);
void ask_payee_by_name(struct batch *batch, struct text name, struct id hold_id, row_visitor *visit, void *context) {
    ASK(payee_by_name, value_text(name), value_id(hold_id));
}

QUESTION(all_merchants, "the merchants",
         "SELECT " MERCHANT_COLUMNS
         " FROM merchants m JOIN accounts a ON a.number = m.account WHERE m.account > $1 AND m.account = m.merchant "
         "ORDER BY m.account LIMIT $2",
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_merchants(struct batch *batch, int64_t after_account, int64_t limit, row_visitor *visit, void *context) {
    ASK(all_merchants, value_integer(after_account), value_integer(limit));
}

QUESTION(tills, "the tills of merchants",
         "SELECT " MERCHANT_COLUMNS
         " FROM merchants m JOIN accounts a ON a.number = m.account WHERE m.merchant >= $1 AND m.merchant <= $2 AND "
         "m.account <> m.merchant ORDER BY m.merchant, m.account",
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_tills(struct batch *batch, int64_t first, int64_t last, row_visitor *visit, void *context) {
    ASK(tills, value_integer(first), value_integer(last));
}

QUESTION(insert_merchant, "a new merchant", "INSERT INTO merchants (account, name, merchant, currency) VALUES ($1, $2, $3, $4)",
         COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_TEXT);
void save_merchant(struct batch *batch, const struct merchant *merchant) {
    if (merchant->state == ROW_NEW)
        DO(insert_merchant, 1, value_integer(merchant->account->number), value_text(merchant->name), value_integer(merchant->number),
           currency_value(merchant->currency));
}

QUESTION(transfer_by_reference, "what a caller named",
         "SELECT t.debit_account, t.credit_account, t.amount, t.currency, t.id, e.balance_after, t.created_at, t.caller, t.reference, "
         "t.description, t.metadata, t.origin FROM transfers t JOIN entries e ON e.key = (t.credit_account << 32) + t.credit_sequence "
         "WHERE (t.kind = 6 OR t.kind = 7 OR t.kind = 11 OR t.kind = 13) AND t.reference <> '' AND t.caller = $1 AND t.kind = $2 AND "
         "t.reference = $3 LIMIT 1",
         COLUMN_TEXT, COLUMN_INTEGER, COLUMN_TEXT);
void ask_named(struct batch *batch, enum transfer_kind kind, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(transfer_by_reference, value_text(caller), value_integer(kind), value_text(reference));
}

/* ---- holds ---- */

#define HOLD_COLUMNS                                                                                                                      \
    "h.transfer, t.id, t.caller, t.reference, t.amount, t.currency, m.id, h.state, h.captured, h.remaining, t.created_at, h.expires_at, " \
    "h.updated_at"
/* Its till, and the merchant's own account: whom the hold names. */
#define HOLD_MERCHANT "LEFT JOIN merchants k ON k.account = t.credit_account LEFT JOIN accounts m ON m.number = k.merchant "
#define HOLD_QUESTION                                                                                        \
    "SELECT " ACCOUNT_COLUMNS ", " HOLD_COLUMNS " FROM holds h JOIN transfers t ON t.sequence = h.transfer " \
    "JOIN accounts a ON a.number = h.account " HOLD_MERCHANT "WHERE "
struct result row_hold(const struct row *row, int first, struct account *account, struct hold *ret_hold) {
    *ret_hold = (struct hold){.number = row_integer(row, first),
                              .id = row_id(row, first + 1),
                              .caller = row_text(row, first + 2),
                              .reference = row_text(row, first + 3),
                              .account = account,
                              .merchant_id = row_id_or_zero(row, first + 6),
                              .amount = {row_integer(row, first + 4), row_currency(row, first + 5)},
                              .state = (enum hold_state)row_integer_between(row, first + 7, HOLD_HELD, HOLD_EXPIRED),
                              .captured_minor = row_integer(row, first + 8),
                              .remaining_minor = row_integer(row, first + 9),
                              .created_at_us = row_time(row, first + 10),
                              .expires_at_us = row_time(row, first + 11),
                              .updated_at_us = row_time(row, first + 12)};
    const char *fault = hold_fault(ret_hold);
    if (fault != NULL) row_refuse(row, first, fault);
    if (ret_hold->caller.size > LIMIT_REFERENCE_BYTES || ret_hold->reference.size > LIMIT_REFERENCE_BYTES)
        row_refuse(row, first + 2, "too long a name");
    return row_verdict(row);
}

QUESTION(hold_by_id, "a hold",
         "SELECT " ACCOUNT_COLUMNS ", " HOLD_COLUMNS " FROM transfers t JOIN holds h ON h.transfer = t.sequence "
         "JOIN accounts a ON a.number = h.account " HOLD_MERCHANT "WHERE t.id = $1 LIMIT 1",
         COLUMN_ID);
void ask_hold(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(hold_by_id, value_id(id)); }

QUESTION(hold_by_reference, "a hold by reference",
         HOLD_QUESTION "(t.kind = 6 OR t.kind = 7 OR t.kind = 11 OR t.kind = 13) AND t.reference <> '' AND t.caller = $1 AND t.kind = 7 "
                       "AND t.reference = $2 LIMIT 1",
         COLUMN_TEXT, COLUMN_TEXT);
void ask_hold_by_reference(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(hold_by_reference, value_text(caller), value_text(reference));
}

QUESTION(merchant_of_hold, "the merchant of a hold",
         "SELECT " MERCHANT_COLUMNS
         " FROM transfers t JOIN merchants k ON k.account = t.credit_account JOIN merchants o ON o.account = k.merchant " TILL_IN(
             "t.currency") "t.id = $1 AND t.kind = 7 LIMIT 2",
         COLUMN_ID);
void ask_merchant_of_hold(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(merchant_of_hold, value_id(id)); }

QUESTION(due_holds, "holds whose time has come",
         HOLD_QUESTION "h.state = 1 AND h.expires_at <= $1 ORDER BY h.expires_at, h.transfer LIMIT $2", COLUMN_INTEGER, COLUMN_INTEGER);
void ask_due_holds(struct batch *batch, int64_t now_us, int64_t limit, row_visitor *visit, void *context) {
    ASK(due_holds, value_integer(now_us), value_integer(limit));
}

static const struct question next_expiry = {.name = "the next hold to expire",
                                            .sql = "SELECT expires_at FROM holds WHERE state = 1 ORDER BY expires_at LIMIT 1"};
void ask_next_expiry(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &next_expiry, NULL, visit, context); }

QUESTION(insert_hold, "a new hold",
         "INSERT INTO holds (transfer, account, state, captured, remaining, expires_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
         COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER);
QUESTION(change_hold, "a changed hold", "UPDATE holds SET state = $2, captured = $3, remaining = $4, updated_at = $5 WHERE transfer = $1",
         COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER);
void save_hold(struct batch *batch, const struct hold *hold) {
    CHECK(hold_fault(hold) == NULL);
    if (hold->row_state == ROW_NEW) {
        DO(insert_hold, 1, value_integer(hold->number), value_integer(hold->account->number), value_integer(hold->state),
           value_integer(hold->captured_minor), value_integer(hold->remaining_minor), value_integer(hold->expires_at_us),
           value_integer(hold->updated_at_us));
    } else if (hold->row_state == ROW_CHANGED) {
        DO(change_hold, 1, value_integer(hold->number), value_integer(hold->state), value_integer(hold->captured_minor),
           value_integer(hold->remaining_minor), value_integer(hold->updated_at_us));
    }
}

/* ---- what was moved, to be taken back ---- */

#define ORIGINAL_COLUMNS                                                                                                   \
    "t.sequence, t.id, t.kind, t.caller, t.reference, t.amount, t.currency, d.id, c.id, f.reference, "                     \
    "CAST(coalesce((SELECT sum(r.amount) FROM transfers r WHERE r.origin = t.sequence AND r.origin <> 0), 0) AS bigint), " \
    "n.id, e.balance_after, n.created_at, CASE WHEN t.kind = 8 THEN h.created_at ELSE t.created_at END"
#define ORIGINAL_TABLES                                                                                                              \
    "JOIN accounts d ON d.number = t.debit_account JOIN accounts c ON c.number = t.credit_account "                                  \
    "LEFT JOIN funds f ON f.account = t.debit_account AND t.kind = 1 "                                                               \
    "LEFT JOIN transfers n ON n.sequence = (SELECT max(r.sequence) FROM transfers r WHERE r.origin = t.sequence AND r.origin <> 0) " \
    "LEFT JOIN transfers h ON h.sequence = t.origin AND t.kind = 8 "                                                                 \
    "LEFT JOIN entries e ON e.key = (n.debit_account << 32) + n.debit_sequence "
struct result row_original(const struct row *row, struct original *ret_original) {
    *ret_original = (struct original){.sequence = row_integer(row, 0),
                                      .id = row_id(row, 1),
                                      .kind = row_transfer_kind(row, 2),
                                      .caller = row_text(row, 3),
                                      .reference = row_text(row, 4),
                                      .amount = {row_integer(row, 5), row_currency(row, 6)},
                                      .debit_id = row_id(row, 7),
                                      .credit_id = row_id(row, 8),
                                      .fund_reference = row_text_or_empty(row, 9),
                                      .reversed_minor = row_integer(row, 10),
                                      .reversal_id = row_id_or_zero(row, 11),
                                      .reversal_balance_after = row_integer_or_zero(row, 12),
                                      .reversal_created_at_us = row_integer_or_zero(row, 13),
                                      .spent_at_us = row_integer_or_zero(row, 14)};
    const char *fault = original_fault(ret_original);
    if (fault != NULL) row_refuse(row, 0, fault);
    if (ret_original->caller.size > LIMIT_REFERENCE_BYTES || ret_original->reference.size > LIMIT_REFERENCE_BYTES)
        row_refuse(row, 3, "too long a name");
    return row_verdict(row);
}

#define THIS_CREDIT "WHERE t.kind = 1 AND t.caller = $1 AND t.reference = $2 LIMIT 1"
QUESTION(original_credit, "a credit to be taken back", "SELECT " ORIGINAL_COLUMNS " FROM transfers t " ORIGINAL_TABLES THIS_CREDIT,
         COLUMN_TEXT, COLUMN_TEXT);
void ask_original_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(original_credit, value_text(caller), value_text(reference));
}

QUESTION(wallet_of_credit, "the wallet of a credit",
         "SELECT " ACCOUNT_COLUMNS " FROM transfers t JOIN accounts a ON a.number = t.credit_account " THIS_CREDIT, COLUMN_TEXT,
         COLUMN_TEXT);
void ask_wallet_of_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(wallet_of_credit, value_text(caller), value_text(reference));
}

QUESTION(fund_of_credit, "the fund of a credit",
         "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
         " FROM transfers t JOIN funds f ON f.account = t.debit_account JOIN accounts a ON a.number = f.account " THIS_CREDIT,
         COLUMN_TEXT, COLUMN_TEXT);
void ask_fund_of_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(fund_of_credit, value_text(caller), value_text(reference));
}

QUESTION(original_by_id, "a transfer to be taken back",
         "SELECT " ORIGINAL_COLUMNS " FROM transfers t " ORIGINAL_TABLES "WHERE t.id = $1 LIMIT 1", COLUMN_ID);
void ask_original(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(original_by_id, value_id(id)); }

#define SIDE_QUESTION(side) "SELECT " ACCOUNT_COLUMNS " FROM transfers t JOIN accounts a ON a.number = t." side " WHERE t.id = $1 LIMIT 1"
QUESTION(giver, "the account that gave", SIDE_QUESTION("debit_account"), COLUMN_ID);
void ask_giver(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(giver, value_id(id)); }

QUESTION(taker, "the account that got", SIDE_QUESTION("credit_account"), COLUMN_ID);
void ask_taker(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(taker, value_id(id)); }

QUESTION(fund_of_transfer, "the fund that gave",
         "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
         " FROM transfers t JOIN funds f ON f.account = t.debit_account JOIN accounts a ON a.number = f.account WHERE t.id = $1 LIMIT 1",
         COLUMN_ID);
void ask_fund_of_transfer(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(fund_of_transfer, value_id(id)); }

/* ---- for verify ---- */

/* transfer, account, state, captured, remaining, expires_at, updated_at; of its row in the journal kind (or NULL), debit account, amount, expires_at,
 * created_at; of those about it: captured, released, expired, the time of the newest (or 0), releases that a final capture made. */
static const struct question all_holds = {
    .name = "all holds",
    .sql = "SELECT h.transfer, h.account, h.state, h.captured, h.remaining, h.expires_at, h.updated_at, t.kind, t.debit_account, t.amount, "
           "t.expires_at, t.created_at, CAST(coalesce(sum(e.amount) FILTER (WHERE e.kind = 8), 0) AS bigint), "
           "CAST(coalesce(sum(e.amount) FILTER (WHERE e.kind = 9), 0) AS bigint), "
           "CAST(coalesce(sum(e.amount) FILTER (WHERE e.kind = 10), 0) AS bigint), coalesce(max(e.created_at), 0), "
           "count(*) FILTER (WHERE e.kind = 9 AND e.metadata <> '') "
           "FROM holds h LEFT JOIN transfers t ON t.sequence = h.transfer LEFT JOIN transfers e ON e.origin = h.transfer AND e.origin <> 0 "
           "GROUP BY h.transfer, t.sequence ORDER BY h.transfer"};
void ask_all_holds(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_holds, NULL, visit, context); }

/* A merchant's account whose row says something else than the account, or than the merchant. */
static const struct question wrong_tills = {
    .name = "tills that are not",
    .sql = "SELECT m.account FROM merchants m LEFT JOIN merchants o ON o.account = m.merchant LEFT JOIN accounts a ON a.number = m.account "
           "WHERE "
           "o.account IS NULL OR o.merchant <> o.account OR o.name <> m.name OR a.currency <> m.currency OR "
           "(m.account = m.merchant) <> (m.currency = (SELECT currency FROM meta)) ORDER BY m.account LIMIT 1"};
void ask_wrong_tills(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &wrong_tills, NULL, visit, context); }

/* An account whose pending sums are not those of its holds. */
static const struct question other_pending = {
    .name = "pending, and not held",
    .sql = "SELECT a.number FROM accounts a LEFT JOIN (SELECT account, CAST(sum(remaining) AS bigint) AS held FROM holds GROUP BY account) "
           "AS h "
           "ON h.account = a.number WHERE a.debits_pending <> coalesce(h.held, 0) OR a.credits_pending <> 0 ORDER BY a.number LIMIT 1"};
void ask_other_pending(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &other_pending, NULL, visit, context); }

/* A transfer whose origin is none that it can be about, or whose origin was taken back by more than it moved. */
static const struct question wrong_origins = {
    .name = "transfers about others",
    .sql =
        "SELECT r.sequence FROM transfers r LEFT JOIN transfers t ON t.sequence = r.origin WHERE (r.kind BETWEEN 8 AND 12) <> (r.origin <> "
        "0) OR "
        "(r.kind IN (8, 9, 10) AND (t.kind IS NULL OR t.kind <> 7 OR t.debit_account <> r.debit_account OR t.currency <> r.currency)) OR "
        "(r.kind IN (11, 12) AND (t.kind IS NULL OR NOT " MAY_BE_REVERSED " OR t.debit_account <> r.credit_account OR "
        "t.credit_account <> r.debit_account OR t.currency <> r.currency OR "
        "t.amount < (SELECT sum(o.amount) FROM transfers o WHERE o.origin = r.origin AND o.origin <> 0 AND o.sequence <= r.sequence))) "
        "ORDER BY r.sequence LIMIT 1"};
void ask_wrong_origins(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &wrong_origins, NULL, visit, context); }
