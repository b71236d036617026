#include "base/check.h"
#include "wallet/core/limits.h"
#include "wallet/tables_words.h"

/* ---- rows ---- */

enum currency row_currency(const struct row *row, int column) {
    enum currency currency = CURRENCY_NONE;
    if (!result_is_ok(currency_parse(row_text(row, column), &currency))) row_refuse(row, column, "no currency of ours");
    return currency;
}

enum transfer_kind row_transfer_kind(const struct row *row, int column) {
    return (enum transfer_kind)row_integer_between(row, column, TRANSFER_CREDIT, TRANSFER_KIND_LAST);
}

static int64_t row_limit(const struct row *row, int column) {
    return row_is_null(row, column) ? LIMIT_NONE : row_integer_between(row, column, 0, MONEY_AMOUNT_MAX);
}

/* Nearly no account has any: then nothing more is read of them. */
static void read_limits(const struct row *row, int first, struct account *account) {
    account->limits =
        (struct limits){row_limit(row, first), row_limit(row, first + 1), row_limit(row, first + 2), row_limit(row, first + 3)};
    account->is_limited = limits_any(&account->limits);
    if (!account->is_limited) return;
    account->spent = (struct spent){.day_from_us = row_integer(row, first + 4),
                                    .day_minor = row_integer(row, first + 5),
                                    .month_from_us = row_integer(row, first + 6),
                                    .month_minor = row_integer(row, first + 7)};
}

struct result row_account(const struct row *row, int first, struct account *ret_account) {
    *ret_account = (struct account){
        .number = row_integer_between(row, first, 1, ENTRY_ACCOUNT_MAX),
        .id = row_id(row, first + 1),
        .kind = (enum account_kind)row_integer_between(row, first + 2, ACCOUNT_USER, ACCOUNT_MERCHANT),
        .user_id = row_id_or_zero(row, first + 3),
        .currency = row_currency(row, first + 4),
        .debits_posted = row_integer(row, first + 5),
        .credits_posted = row_integer(row, first + 6),
        .debits_pending = row_integer(row, first + 7),
        .credits_pending = row_integer(row, first + 8),
        .sequence = row_integer_between(row, first + 9, 0, ENTRY_SEQUENCE_MAX - 1),
        .floor_minor = row_integer(row, first + 10),
        .is_frozen = row_boolean(row, first + 11),
        .created_at_us = row_time(row, first + 12),
        .updated_at_us = row_time(row, first + 13),
        .is_overdrawn = row_boolean(row, first + 14),
        .is_closed = row_boolean(row, first + 15),
    };
    read_limits(row, first + 16, ret_account);
    const char *fault = account_fault(ret_account);
    if (fault != NULL) row_refuse(row, first, fault);
    return row_verdict(row);
}

struct result row_fund(const struct row *row, int first, struct account *account, struct fund *ret_fund) {
    *ret_fund = (struct fund){
        .caller = row_text(row, first),
        .reference = row_text(row, first + 1),
        .account = account,
        .opened_minor = row_integer(row, first + 2),
        .funded_minor = row_integer(row, first + 3),
        .credited_minor = row_integer(row, first + 4),
        .released_minor = row_integer(row, first + 5),
        .is_released = row_boolean(row, first + 6),
        .description = row_text(row, first + 7),
        .created_at_us = row_time(row, first + 8),
        .updated_at_us = row_time(row, first + 9),
        .reversed_minor = row_integer(row, first + 10),
    };
    const char *fault = account_fault(account) == NULL ? fund_fault(ret_fund) : NULL;
    if (fault != NULL) row_refuse(row, first, fault);
    if (ret_fund->caller.size > LIMIT_REFERENCE_BYTES || ret_fund->reference.size > LIMIT_REFERENCE_BYTES)
        row_refuse(row, first, "too long a name");
    return row_verdict(row);
}

struct result row_reference(const struct row *row, struct known_reference *ret_reference) {
    *ret_reference = (struct known_reference){.debit_account = row_integer(row, 0),
                                              .credit_account = row_integer(row, 1),
                                              .amount = {row_integer(row, 2), row_currency(row, 3)},
                                              .transaction_id = row_id(row, 4),
                                              .balance_after = row_integer(row, 5),
                                              .created_at_us = row_time(row, 6)};
    return row_verdict(row);
}

struct result account_found(void *found, const struct row *row) {
    struct found_account *account = found;
    TRY(row_account(row, 0, &account->account));
    account->is_found = true;
    return result_ok();
}

/* ---- asking ---- */

static const struct question head = {.name = "the newest transfer",
                                     .sql = "SELECT sequence, hash, created_at FROM transfers ORDER BY sequence DESC LIMIT 1"};
void ask_head(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &head, NULL, visit, context); }

static const struct question all_callers = {
    .name = "what callers have credited",
    .sql = "SELECT c.caller, c.credits, t.reference FROM (SELECT caller, count(*) AS credits, max(sequence) AS newest FROM transfers WHERE "
           "kind = 1 GROUP BY caller) AS c JOIN transfers AS t ON t.sequence = c.newest"};
void ask_callers(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_callers, NULL, visit, context); }

static const struct question last_account = {.name = "the newest account",
                                             .sql = "SELECT number FROM accounts ORDER BY number DESC LIMIT 1"};
void ask_last_account(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &last_account, NULL, visit, context); }

static const struct question issuance = {.name = "the issuance account",
                                         .sql = "SELECT " ACCOUNT_COLUMNS " FROM accounts a WHERE a.number = 1 AND a.kind = 3 LIMIT 1"};
void ask_issuance(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &issuance, NULL, visit, context); }

static const struct question other_issuances = {.name = "the other issuance accounts",
                                                .sql = "SELECT " ACCOUNT_COLUMNS
                                                       " FROM accounts a WHERE a.kind = 3 AND a.number <> 1 ORDER BY a.number LIMIT 64"};
void ask_other_issuances(struct batch *batch, row_visitor *visit, void *context) {
    batch_ask(batch, &other_issuances, NULL, visit, context);
}

QUESTION(account_of_user, "the account of a user",
         "SELECT " ACCOUNT_COLUMNS " FROM accounts a WHERE a.user_id = $1 AND a.currency = $2 LIMIT 1", COLUMN_ID, COLUMN_TEXT);
void ask_account_of_user(struct batch *batch, struct id user_id, enum currency currency, row_visitor *visit, void *context) {
    ASK(account_of_user, value_id(user_id), currency_value(currency));
}

QUESTION(accounts_of_user, "the accounts of a user",
         "SELECT " ACCOUNT_COLUMNS " FROM accounts a WHERE a.user_id = $1 AND a.number > $2 ORDER BY a.number LIMIT $3", COLUMN_ID,
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_accounts_of_user(struct batch *batch, struct id user_id, int64_t after_number, int64_t limit, row_visitor *visit, void *context) {
    ASK(accounts_of_user, value_id(user_id), value_integer(after_number), value_integer(limit));
}

QUESTION(fund_by_reference, "a fund",
         "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
         " FROM funds f JOIN accounts a ON a.number = f.account WHERE f.caller = $1 AND f.reference = $2 LIMIT 1",
         COLUMN_TEXT, COLUMN_TEXT);
void ask_fund(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(fund_by_reference, value_text(caller), value_text(reference));
}

QUESTION(funds_of_caller, "the funds of a service",
         "SELECT " ACCOUNT_COLUMNS ", " FUND_COLUMNS
         " FROM funds f JOIN accounts a ON a.number = f.account WHERE f.caller = $1 AND f.account > $2 ORDER BY f.account LIMIT $3",
         COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER);
void ask_funds(struct batch *batch, struct text caller, int64_t after_account, int64_t limit, row_visitor *visit, void *context) {
    ASK(funds_of_caller, value_text(caller), value_integer(after_account), value_integer(limit));
}

#define REFERENCE_COLUMNS \
    "t.debit_account, t.credit_account, t.amount, t.currency, t.id, e.balance_after, t.created_at, t.caller, t.reference"
#define REFERENCE_ENTRY "JOIN entries e ON e.key = (t.credit_account << 32) + t.credit_sequence "
QUESTION(credit_by_reference, "a credit",
         "SELECT " REFERENCE_COLUMNS " FROM transfers t " REFERENCE_ENTRY "WHERE t.kind = 1 AND t.caller = $1 AND t.reference = $2 LIMIT 1",
         COLUMN_TEXT, COLUMN_TEXT);
void ask_credit(struct batch *batch, struct text caller, struct text reference, row_visitor *visit, void *context) {
    ASK(credit_by_reference, value_text(caller), value_text(reference));
}

static const struct question topup_by_reference = {
    .name = "a top-up",
    .sql = "SELECT " REFERENCE_COLUMNS " FROM funds f JOIN transfers t ON t.credit_account = f.account " REFERENCE_ENTRY
           "WHERE f.caller = $1 AND f.reference = $2 AND t.kind = 4 AND t.reference <> '' AND t.reference = $3 LIMIT 1",
    .parameters = {COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT}};
void ask_topup(struct batch *batch, struct text caller, struct text fund_reference, struct text reference, row_visitor *visit,
               void *context) {
    ASK(topup_by_reference, value_text(caller), value_text(fund_reference), value_text(reference));
}

/* ---- writing ---- */

static const struct question insert_account = {
    .name = "a new account",
    .sql =
        "INSERT INTO accounts (number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, "
        "sequence, "
        "floor, is_frozen, created_at, updated_at, is_overdrawn) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
/* What was posted is written as a difference: several writers may do it. */
#define POSTED                                                                                                                 \
    "UPDATE accounts SET debits_posted = debits_posted + $2, credits_posted = credits_posted + $3, sequence = sequence + $4, " \
    "updated_at = $5, debits_pending = debits_pending + $6, is_overdrawn = $7"
QUESTION(post_to_account, "what was posted to an account", POSTED " WHERE number = $1", COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
         COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER);
QUESTION(change_account, "what has become of an account",
         POSTED ", is_frozen = $8, is_closed = $9, floor = $10, ceiling = $11, per_transaction = $12, daily = $13, monthly = $14, "
                "day_from = $15, day_spent = $16, month_from = $17, month_spent = $18 WHERE number = $1",
         COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
         COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
         COLUMN_INTEGER, COLUMN_INTEGER);

static struct value limit_value(int64_t minor) { return minor == LIMIT_NONE ? value_null(COLUMN_INTEGER) : value_integer(minor); }

#define POSTED_VALUES(account)                                                                                    \
    value_integer((account)->number), value_integer((account)->debits_posted - (account)->loaded.debits_posted),  \
        value_integer((account)->credits_posted - (account)->loaded.credits_posted),                              \
        value_integer((account)->sequence - (account)->loaded.sequence), value_integer((account)->updated_at_us), \
        value_integer((account)->debits_pending - (account)->loaded.debits_pending), value_integer((account)->is_overdrawn)
/* Only what was done to the account itself, or what has limits, pays for writing them. */
static void save_change(struct batch *batch, const struct account *account) {
    const struct limits *limits = &account->limits;
    const struct spent *spent = &account->spent;
    if (!account->terms_changed) {
        DO(post_to_account, 1, POSTED_VALUES(account));
        return;
    }
    DO(change_account, 1, POSTED_VALUES(account), value_integer(account->is_frozen), value_integer(account->is_closed),
       value_integer(account->floor_minor), limit_value(limits->ceiling_minor), limit_value(limits->per_transaction_minor),
       limit_value(limits->daily_minor), limit_value(limits->monthly_minor), value_integer(spent->day_from_us),
       value_integer(spent->day_minor), value_integer(spent->month_from_us), value_integer(spent->month_minor));
}

void save_account(struct batch *batch, const struct account *account) {
    CHECK(account_fault(account) == NULL);
    if (account->state == ROW_NEW) {
        DO(insert_account, 1, value_integer(account->number), value_id(account->id), value_integer(account->kind),
           value_id_or_null(account->user_id), currency_value(account->currency), value_integer(account->debits_posted),
           value_integer(account->credits_posted), value_integer(account->debits_pending), value_integer(account->credits_pending),
           value_integer(account->sequence), value_integer(account->floor_minor), value_integer(account->is_frozen),
           value_integer(account->created_at_us), value_integer(account->updated_at_us), value_integer(account->is_overdrawn));
    } else if (account->state == ROW_CHANGED) {
        save_change(batch, account);
    }
}

static const struct question insert_fund = {.name = "a new fund",
                                            .sql = "INSERT INTO funds (account, caller, reference, opened, funded, credited, released, "
                                                   "is_released, description, created_at, updated_at, reversed) "
                                                   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0)",
                                            .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER,
                                                           COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER,
                                                           COLUMN_INTEGER}};
static const struct question change_fund = {
    .name = "what came into a fund and left it",
    .sql = "UPDATE funds SET funded = funded + $2, credited = credited + $3, released = released + $4, is_released = $5, updated_at = $6, "
           "reversed = reversed + $7 WHERE account = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void save_fund(struct batch *batch, const struct fund *fund) {
    CHECK(fund_fault(fund) == NULL);
    if (fund->state == ROW_NEW) {
        DO(insert_fund, 1, value_integer(fund->account->number), value_text(fund->caller), value_text(fund->reference),
           value_integer(fund->opened_minor), value_integer(fund->funded_minor), value_integer(fund->credited_minor),
           value_integer(fund->released_minor), value_integer(fund->is_released), value_text(text_or_empty(fund->description)),
           value_integer(fund->created_at_us), value_integer(fund->updated_at_us));
    } else if (fund->state == ROW_CHANGED) {
        const struct fund_sums *loaded = &fund->loaded;
        DO(change_fund, 1, value_integer(fund->account->number), value_integer(fund->funded_minor - loaded->funded_minor),
           value_integer(fund->credited_minor - loaded->credited_minor), value_integer(fund->released_minor - loaded->released_minor),
           value_integer(fund->is_released), value_integer(fund->updated_at_us),
           value_integer(fund->reversed_minor - loaded->reversed_minor));
    }
}

static const struct question insert_transfer = {
    .name = "a new transfer",
    .sql = "INSERT INTO transfers (sequence, id, kind, debit_account, debit_sequence, credit_account, credit_sequence, amount, currency, "
           "caller, "
           "reference, description, metadata, created_at, hash, origin, expires_at) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_BYTES,
                   COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question insert_entry = {
    .name = "a new entry",
    .sql = "INSERT INTO entries (key, transfer, amount, balance_after, kind, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question insert_shown_entry = {
    .name = "a new entry with its line",
    .sql = "INSERT INTO entries (key, transfer, amount, balance_after, kind, created_at, id, reference, description, caller, typed) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '')",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT,
                   COLUMN_TEXT, COLUMN_TEXT}};
/* The other side's account was written before: it may be as new as this. */
static const struct question insert_named_entry = {
    .name = "a new entry that names the other side",
    .sql = "INSERT INTO entries (key, transfer, amount, balance_after, kind, created_at, id, reference, description, caller, typed, other, "
           "other_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (SELECT id FROM accounts WHERE number = $12), "
           "(SELECT coalesce(u.name, m.name) FROM accounts o LEFT JOIN users u ON u.id = o.user_id LEFT JOIN merchants m ON m.account = "
           "o.number "
           "WHERE o.number = $12))",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT,
                   COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER}};
static void save_entry(struct batch *batch, const struct transfer *transfer, bool is_credit) {
    int64_t amount = transfer->amount.amount_minor;
    int64_t key = is_credit ? entry_key(transfer->credit_account, transfer->credit_sequence)
                            : entry_key(transfer->debit_account, transfer->debit_sequence);
#define ENTRY_VALUES                                                                                                              \
    value_integer(key), value_integer(transfer->sequence), value_integer(is_credit ? amount : -amount),                           \
        value_integer(is_credit ? transfer->credit_balance_after : transfer->debit_balance_after), value_integer(transfer->kind), \
        value_integer(transfer->created_at_us)
#define SHOWN_VALUES                                                                                                          \
    value_id(transfer->id), value_text(text_or_empty(transfer->reference)), value_text(text_or_empty(transfer->description)), \
        value_text(text_or_empty(transfer->caller))
    if (!transfer_kind_is_shown(transfer->kind, is_credit))
        DO(insert_entry, 1, ENTRY_VALUES);
    else if (!transfer_kind_names_other(transfer->kind))
        DO(insert_shown_entry, 1, ENTRY_VALUES, SHOWN_VALUES);
    else
        DO(insert_named_entry, 1, ENTRY_VALUES, SHOWN_VALUES,
           value_text(transfer->kind == TRANSFER_USER && !is_credit ? text_or_empty(transfer->metadata) : TEXT("")),
           value_integer(is_credit ? transfer->debit_account : transfer->credit_account));
}
void save_transfer(struct batch *batch, const struct transfer *transfer) {
    int64_t amount = transfer->amount.amount_minor;
    DO(insert_transfer, 1, value_integer(transfer->sequence), value_id(transfer->id), value_integer(transfer->kind),
       value_integer(transfer->debit_account), value_integer(transfer->debit_sequence), value_integer(transfer->credit_account),
       value_integer(transfer->credit_sequence), value_integer(amount), currency_value(transfer->amount.currency),
       value_text(text_or_empty(transfer->caller)), value_text(text_or_empty(transfer->reference)),
       value_text(text_or_empty(transfer->description)), value_text(text_or_empty(transfer->metadata)),
       value_integer(transfer->created_at_us), value_bytes(transfer->hash.bytes, sizeof transfer->hash.bytes),
       value_integer(transfer->origin), value_integer(transfer->expires_at_us));
    if (!transfer_kind_moves(transfer->kind)) return;
    save_entry(batch, transfer, false);
    save_entry(batch, transfer, true);
}

/* ---- kept answers, and what init made ---- */

static const struct question find_kept = {
    .name = "a kept answer",
    .sql = "SELECT fingerprint, status, content_type, location, body, subject, created_at FROM idempotency WHERE lookup = $1 LIMIT 1",
    .parameters = {COLUMN_BYTES}};
static const struct question put_kept = {
    .name = "an answer to keep",
    .sql = "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, subject, created_at) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (lookup) DO UPDATE SET status = excluded.status, content_type = "
           "excluded.content_type, location = excluded.location, body = excluded.body, subject = excluded.subject",
    .parameters = {COLUMN_BYTES, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_ID, COLUMN_INTEGER}};
static const struct question expired_kept = {
    .name = "an old kept answer",
    .sql = "SELECT 1 FROM (SELECT created_at FROM idempotency ORDER BY number LIMIT 1) AS oldest WHERE created_at < $1 LIMIT 1",
    .parameters = {COLUMN_INTEGER}};
static const struct question delete_kept = {
    .name = "old kept answers",
    .sql = "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency ORDER BY number LIMIT $2) AND created_at < $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
const struct kept_questions table_kept = {&find_kept, &put_kept, &expired_kept, &delete_kept};

static const struct question meta = {.name = "what init made",
                                     .sql = "SELECT instance_id, currency, idempotency_secret, created_at, time_zone FROM meta LIMIT 1"};
void ask_meta(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &meta, NULL, visit, context); }

static const struct question insert_meta = {
    .name = "what init makes",
    .sql = "INSERT INTO meta (\"only\", instance_id, currency, idempotency_secret, created_at) VALUES (1, $1, $2, $3, $4)",
    .parameters = {COLUMN_ID, COLUMN_TEXT, COLUMN_BYTES, COLUMN_INTEGER}};
void save_meta(struct batch *batch, struct id instance_id, enum currency currency, struct text secret, int64_t now_us) {
    DO(insert_meta, 1, value_id(instance_id), currency_value(currency), value_bytes(secret.data, secret.size), value_integer(now_us));
}

/* ---- currencies that were added ---- */

static const struct question currencies = {.name = "currencies",
                                           .sql = "SELECT c.code, c.exponent, c.hash, CASE WHEN EXISTS (SELECT 1 FROM accounts a WHERE "
                                                  "a.currency = c.code AND a.kind = 3) OR c.code = "
                                                  "(SELECT currency FROM meta) THEN 1 ELSE 0 END FROM currencies c ORDER BY c.code"};
void ask_currencies(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &currencies, NULL, visit, context); }

struct hash currency_hash(struct text code, int64_t exponent) {
    char text[CURRENCY_CODE_BYTES + 32];
    int size = snprintf(text, sizeof text, "%.*s:%lld", (int)CURRENCY_CODE_BYTES, code.data, (long long)exponent);
    return crypto_hash((struct text){text, (size_t)size});
}

QUESTION(put_currency, "a currency to keep",
         "INSERT INTO currencies (code, exponent, hash) VALUES ($1, $2, $3) ON CONFLICT (code) DO UPDATE SET exponent = excluded.exponent, "
         "hash = excluded.hash",
         COLUMN_TEXT, COLUMN_INTEGER, COLUMN_BYTES);
void save_currency(struct batch *batch, struct text code, int64_t exponent, const struct hash *hash) {
    DO(put_currency, 1, value_text(code), value_integer(exponent), value_bytes(hash->bytes, sizeof hash->bytes));
}

QUESTION(delete_currency, "a currency that nobody uses", "DELETE FROM currencies WHERE code = $1", COLUMN_TEXT);
void drop_unused_currency(struct batch *batch, struct text code) { DO(delete_currency, 1, value_text(code)); }
