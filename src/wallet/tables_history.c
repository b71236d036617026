/* What answers show of accounts and what moved, and all that verify walks through. */
#include "wallet/tables_words.h"

/* ---- for answers ---- */

QUESTION(entry_by_sequence, "an entry", "SELECT balance_after, created_at FROM entries WHERE key = $1 LIMIT 1", COLUMN_INTEGER);
void ask_entry(struct batch *batch, int64_t account, int64_t sequence, row_visitor *visit, void *context) {
    ASK(entry_by_sequence, value_integer(entry_key(account, sequence)));
}

/* All of a line stands in its entry, so that a page is read out of one or two places of the table; only those that keep none are looked up in the journal. */
#define ENTRY_QUESTION                                                                                                                   \
    "SELECT e.key & 4294967295, e.amount, e.balance_after, coalesce(e.id, t.id), e.kind, (SELECT currency FROM accounts WHERE number = " \
    "$1), "                                                                                                                              \
    "coalesce(e.reference, t.reference), coalesce(e.description, t.description), e.created_at, e.other, "                                \
    "CASE WHEN " ENTRY_PAYS " AND e.amount < 0 THEN NULL ELSE e.other_name END, coalesce(e.typed, ''), "                                 \
    "coalesce(e.caller, t.caller), CASE WHEN " ENTRY_PAYS " AND e.amount < 0 THEN e.other_name ELSE NULL END "                           \
    "FROM entries e LEFT JOIN transfers t ON t.sequence = CASE WHEN e.id IS NULL THEN e.transfer ELSE NULL END "                         \
    "WHERE e.key < $2 AND e.key > $3 "

static const struct question entries_of_account = {
    .name = "the entries of an account",
    .sql = ENTRY_QUESTION "AND ($4 = 0 OR e.kind = $4) AND ($5 = 0 OR ($5 > 0 AND e.amount > 0) OR ($5 < 0 AND e.amount < 0)) "
                          "AND ($6 = '' OR coalesce(e.reference, t.reference) = $6) ORDER BY e.key DESC LIMIT $7",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER}};
void ask_entries(struct batch *batch, int64_t account, const struct entry_filter *filter, int64_t limit, row_visitor *visit,
                 void *context) {
    ASK(entries_of_account, value_integer(account), value_integer(entry_key(account, filter->before)),
        value_integer(entry_key(account, filter->after)), value_integer(filter->kind), value_integer(filter->sign),
        value_text(filter->reference), value_integer(limit));
}

static const struct question statement_of_account = {.name = "the entries of a statement",
                                                     .sql = ENTRY_QUESTION "ORDER BY e.key LIMIT $4",
                                                     .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_statement(struct batch *batch, int64_t account, int64_t before, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    ASK(statement_of_account, value_integer(account), value_integer(entry_key(account, before)), value_integer(entry_key(account, after)),
        value_integer(limit));
}

static const struct question transfer_by_id = {
    .name = "a transfer",
    .sql = "SELECT t.kind, t.amount, t.currency, t.reference, t.description, t.created_at, "
           "d.id, d.user_id, du.name, de.balance_after, c.id, c.user_id, cu.name, ce.balance_after, t.metadata, t.caller, dm.name, cm.name "
           "FROM transfers t "
           "JOIN accounts d ON d.number = t.debit_account JOIN accounts c ON c.number = t.credit_account "
           "JOIN entries de ON de.key = (t.debit_account << 32) + t.debit_sequence "
           "JOIN entries ce ON ce.key = (t.credit_account << 32) + t.credit_sequence "
           "LEFT JOIN users du ON du.id = d.user_id LEFT JOIN users cu ON cu.id = c.user_id "
           "LEFT JOIN merchants dm ON dm.account = d.number LEFT JOIN merchants cm ON cm.account = c.number WHERE t.id = $1 LIMIT 1",
    .parameters = {COLUMN_ID}};
void ask_transfer(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(transfer_by_id, value_id(id)); }

static const struct question credits_of_fund = {
    .name = "the credits of a fund",
    .sql =
        "SELECT e.key & 4294967295, t.reference, c.user_id, t.id, t.amount, t.currency, t.created_at, t.description, t.metadata, "
        "CAST(coalesce((SELECT sum(r.amount) FROM transfers r WHERE r.origin = t.sequence AND r.origin <> 0), 0) AS bigint) FROM funds f "
        "JOIN entries e ON e.key > (f.account << 32) + $3 AND e.key < (f.account + 1) << 32 JOIN transfers t ON t.sequence = e.transfer "
        "JOIN accounts c ON c.number = "
        "t.credit_account "
        "WHERE f.caller = $1 AND f.reference = $2 AND t.kind = 1 ORDER BY e.key LIMIT $4",
    .parameters = {COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_credits_of_fund(struct batch *batch, struct text caller, struct text reference, int64_t after_sequence, int64_t limit,
                         row_visitor *visit, void *context) {
    ASK(credits_of_fund, value_text(caller), value_text(reference), value_integer(after_sequence), value_integer(limit));
}

#define SEEN_COLUMNS ACCOUNT_COLUMNS ", u.name, u.phone, f.reference, f.is_released"
#define SEEN_TABLES  "accounts a LEFT JOIN users u ON u.id = a.user_id LEFT JOIN funds f ON f.account = a.number"
static const struct question accounts_in_order = {
    .name = "accounts",
    .sql = "SELECT " SEEN_COLUMNS " FROM " SEEN_TABLES " WHERE a.number > $1 AND a.number <= $2 AND ($3 = 0 OR a.kind = $3) "
           "AND ($6 = '' OR a.currency = $6) AND ($4 = 0 OR $4 = CASE WHEN a.is_closed = 1 THEN 4 WHEN a.is_frozen = 1 THEN 2 "
           "WHEN f.is_released = 1 THEN 3 ELSE 1 END) ORDER BY a.number LIMIT $5",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT}};
void ask_accounts(struct batch *batch, int64_t after_number, int64_t last_number, enum account_kind kind, enum account_state state,
                  enum currency currency, int64_t limit, row_visitor *visit, void *context) {
    ASK(accounts_in_order, value_integer(after_number), value_integer(last_number), value_integer(kind), value_integer(state),
        value_integer(limit), currency_value(currency));
}

QUESTION(account_by_id, "an account", "SELECT " SEEN_COLUMNS " FROM " SEEN_TABLES " WHERE a.id = $1 LIMIT 1", COLUMN_ID);
void ask_account(struct batch *batch, struct id id, row_visitor *visit, void *context) { ASK(account_by_id, value_id(id)); }

#define SEEN_BY_USER "users u JOIN accounts a ON a.user_id = u.id LEFT JOIN funds f ON f.account = a.number"
QUESTION(accounts_by_name, "accounts by their user's name",
         "SELECT " SEEN_COLUMNS " FROM " SEEN_BY_USER " WHERE u.name = $1 AND a.number > $2 ORDER BY a.number LIMIT $3", COLUMN_TEXT,
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_accounts_by_name(struct batch *batch, struct text name, int64_t after_number, int64_t limit, row_visitor *visit, void *context) {
    ASK(accounts_by_name, value_text(name), value_integer(after_number), value_integer(limit));
}

QUESTION(accounts_by_phone, "accounts by their user's phone",
         "SELECT " SEEN_COLUMNS " FROM " SEEN_BY_USER " WHERE u.phone = $1 AND a.number > $2 ORDER BY a.number LIMIT $3", COLUMN_TEXT,
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_accounts_by_phone(struct batch *batch, const struct phone *phone, int64_t after_number, int64_t limit, row_visitor *visit,
                           void *context) {
    ASK(accounts_by_phone, value_text(phone_text(phone)), value_integer(after_number), value_integer(limit));
}

/* ---- for the self-audit ---- */

QUESTION(account_from, "the next account", "SELECT " ACCOUNT_COLUMNS " FROM accounts a WHERE a.number >= $1 ORDER BY a.number LIMIT 1",
         COLUMN_INTEGER);
void ask_account_from(struct batch *batch, int64_t number, row_visitor *visit, void *context) { ASK(account_from, value_integer(number)); }

QUESTION(entry_sums, "entries to add up",
         "SELECT key & 4294967295, amount, balance_after FROM entries WHERE key > $1 AND key <= $2 ORDER BY key LIMIT $3", COLUMN_INTEGER,
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_entry_sums(struct batch *batch, int64_t account, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    ASK(entry_sums, value_integer(entry_key(account, after)), value_integer(entry_key(account, ENTRY_SEQUENCE_MAX)), value_integer(limit));
}

/* ---- for verify ---- */

/* sequence, id, kind, debit account and sequence, credit account and sequence, amount, currency, caller, reference, description, metadata, created_at,
 * hash; of the debit's entry and of the credit's: amount, balance_after, transfer, or NULL; origin, expires_at. */
#define JOURNAL_COLUMNS                                                                                                               \
    "SELECT t.sequence, t.id, t.kind, t.debit_account, t.debit_sequence, t.credit_account, t.credit_sequence, t.amount, t.currency, " \
    "t.caller, t.reference, t.description, t.metadata, t.created_at, t.hash, "                                                        \
    "d.amount, d.balance_after, d.transfer, c.amount, c.balance_after, c.transfer, t.origin, t.expires_at"
#define JOURNAL_TABLES                                                                             \
    " FROM transfers t LEFT JOIN entries d ON d.key = (t.debit_account << 32) + t.debit_sequence " \
    "LEFT JOIN entries c ON c.key = (t.credit_account << 32) + t.credit_sequence "

/* What an entry keeps of its line: 1 all, as the journal has it, 2 kind and time only, 0 something else. Whose name is not to be had is another finding. */
#define NAME(other) "coalesce(" other "u.name, " other "m.name)"
#define LINE(e, typed, other)                                                                                                            \
    ", CASE WHEN " e ".kind <> t.kind OR " e ".created_at <> t.created_at THEN 0 "                                                       \
    "WHEN coalesce(" e ".reference, " e ".description, " e ".caller, " e ".typed, " e ".other_name) IS NULL AND " e ".id IS NULL AND " e \
    ".other IS NULL THEN 2 "                                                                                                             \
    "WHEN " e ".id = t.id AND " e ".reference = t.reference AND " e ".description = t.description AND " e ".caller = t.caller AND " e    \
    ".typed = " typed " AND ((" e ".other IS NOT DISTINCT FROM " other ".id AND " e                                                      \
    ".other_name IS NOT DISTINCT FROM " NAME(other) ") OR (" NAME(other) " IS NULL AND " e ".other IS NOT NULL AND " NAMES_OTHER         \
                                                                         ")) THEN 1 ELSE 0 END"
#define OTHER(other, side)                                                                                                            \
    "LEFT JOIN accounts " other " ON " other ".number = CASE WHEN " NAMES_OTHER " THEN t." side                                       \
    "_account ELSE NULL END LEFT JOIN users " other "u ON " other "u.id = " other ".user_id LEFT JOIN merchants " other "m ON " other \
    "m.account = " other ".number "
/* Behind these columns: the lines of the debit's entry and of the credit's. */
static const struct question all_transfers = {.name = "all transfers",
                                              .sql = JOURNAL_COLUMNS LINE("d", "CASE WHEN t.kind = 2 THEN t.metadata ELSE '' END", "co")
                                                  LINE("c", "''", "dt") JOURNAL_TABLES OTHER("dt", "debit")
                                                      OTHER("co", "credit") "ORDER BY t.sequence"};
void ask_all_transfers(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_transfers, NULL, visit, context); }
static const struct question journal = {.name = "transfers of the journal",
                                        .sql = JOURNAL_COLUMNS JOURNAL_TABLES
                                        "WHERE t.sequence > $1 AND t.sequence <= $2 ORDER BY t.sequence LIMIT $3",
                                        .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_journal(struct batch *batch, int64_t after, int64_t last, int64_t limit, row_visitor *visit, void *context) {
    ASK(journal, value_integer(after), value_integer(last), value_integer(limit));
}

/* An account's number, kind, debits and credits posted and pending, sequence, floor; its entry's sequence, amount, balance_after, or NULL; is_overdrawn,
 * currency; the entry's kind, or NULL. */
static const struct question all_entries = {
    .name = "all entries",
    .sql =
        "SELECT a.number, a.kind, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.sequence, a.floor, "
        "e.key & 4294967295, e.amount, e.balance_after, a.is_overdrawn, a.currency, e.kind FROM accounts a LEFT JOIN entries e ON e.key > "
        "a.number << 32 "
        "AND e.key < (a.number + 1) << 32 ORDER BY "
        "a.number, e.key"};
void ask_all_entries(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_entries, NULL, visit, context); }

/* account, funded, credited, released, is_released, balance; funded, credited and released by its transfers; opened; the first amount by its transfers;
 * reversed, and by its transfers */
static const struct question all_funds = {
    .name = "all funds",
    .sql = "SELECT f.account, f.funded, f.credited, f.released, f.is_released, a.credits_posted - a.debits_posted, "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind IN (3, 4)), 0) AS bigint), "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind = 1), 0) - coalesce(sum(t.amount) FILTER (WHERE t.kind IN (11, 12)), 0) AS "
           "bigint), "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind = 5), 0) AS bigint), f.opened, "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind = 3), 0) AS bigint), f.reversed, "
           "CAST(coalesce(sum(t.amount) FILTER (WHERE t.kind IN (11, 12)), 0) AS bigint) "
           "FROM funds f JOIN accounts a ON a.number = f.account LEFT JOIN entries e ON e.key > f.account << 32 AND e.key < (f.account + "
           "1) << 32 "
           "LEFT JOIN transfers t ON t.sequence = e.transfer GROUP BY f.account, a.number ORDER BY f.account"};
void ask_all_funds(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_funds, NULL, visit, context); }

/* One row: entries, accounts of funds, users, wallets in the main currency, users without one, sessions without a user, refresh tokens without a session,
 * holds of the journal without a row, accounts that are a merchant's by one table only, merchants without an account, accounts beyond the one that a user has
 * in a currency, or issuance, wallets of nobody. An index may be what is broken: wallets are counted without. */
#define TOTALS(unindexed)                                                                                                                  \
    "SELECT (SELECT count(*) FROM entries), "                                                                                              \
    "(SELECT count(*) FROM accounts WHERE kind = 2), (SELECT count(*) FROM users), "                                                       \
    "(SELECT count(*) FROM accounts " unindexed "WHERE kind = 1 AND currency = (SELECT currency FROM meta)), "                             \
    "(SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.id AND a.currency = (SELECT currency "   \
    "FROM meta))), "                                                                                                                       \
    "(SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id)), "                                  \
    "(SELECT count(*) FROM refresh_tokens r WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = r.session_id)), "                      \
    "(SELECT count(*) FROM transfers t " unindexed                                                                                         \
    "WHERE t.kind = 7 AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.transfer = t.sequence)), "                                             \
    "(SELECT count(*) FROM accounts a " unindexed "WHERE (a.kind = 4) <> EXISTS (SELECT 1 FROM merchants m WHERE m.account = a.number)), " \
    "(SELECT count(*) FROM merchants m WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.number = m.account)), "                          \
    "(SELECT count(*) FROM (SELECT 1 FROM accounts " unindexed "WHERE kind = 3 OR (kind = 1 AND currency <> (SELECT currency FROM meta)) " \
    "GROUP BY kind, user_id, currency HAVING count(*) > 1) AS d), "                                                                        \
    "(SELECT count(*) FROM accounts a " unindexed "WHERE a.kind = 1 AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = a.user_id))"
static const struct question totals = {.name = "sums over all", .sql = TOTALS("NOT INDEXED "), .postgres = TOTALS("")};
void ask_totals(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &totals, NULL, visit, context); }

/* A transfer whose accounts are not in its currency. */
static const struct question other_currency = {
    .name = "another currency",
    .sql = "SELECT t.sequence FROM transfers t LEFT JOIN accounts d ON d.number = t.debit_account LEFT JOIN accounts c ON c.number = "
           "t.credit_account WHERE t.currency <> d.currency OR t.currency <> c.currency ORDER BY t.sequence LIMIT 1"};
void ask_other_currency(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &other_currency, NULL, visit, context); }

/* The number of a transfer whose reference was credited before. In the order of its index, so that nothing is sorted in memory; an index that does
 * not hold what the table holds is found by batch_verify, and where it is gone the rows are sorted. */
static const struct question credited_twice = {.name = "credited twice",
                                               .sql = "SELECT max(sequence) FROM transfers WHERE kind = 1"
                                                      " GROUP BY caller, reference HAVING count(*) > 1 LIMIT 1"};
void ask_credited_twice(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &credited_twice, NULL, visit, context); }
