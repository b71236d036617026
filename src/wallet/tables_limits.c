/* What was spent, by the journal, and the proofs of what an administrator has said of accounts. */
#include "wallet/tables_words.h"

/* Of the account with this number, since this time: its transfers, payments and adjustments; what it has held, without what was set free of it; less what
 * was reversed of them. What is captured was spent when it was held. */
#define SPENT(account, since)                                                                                                          \
    "(SELECT CAST(coalesce(sum(s.amount), 0) AS bigint) FROM (SELECT -e.amount AS amount FROM entries e WHERE e.key > " account        \
    " << 32 AND e.key < (" account " + 1) << 32 "                                                                                      \
    "AND e.amount < 0 AND e.created_at >= " since " AND " ENTRY_SPENDS " "                                                             \
    "UNION ALL SELECT h.captured + h.remaining FROM holds h JOIN transfers t ON t.sequence = h.transfer "                              \
    "WHERE h.account = " account " AND t.created_at >= " since " "                                                                     \
    "UNION ALL SELECT -e.amount FROM entries e JOIN transfers r ON r.sequence = e.transfer JOIN transfers t ON t.sequence = r.origin " \
    "LEFT JOIN transfers h ON h.sequence = t.origin AND t.kind = 8 WHERE e.key > " account " << 32 AND e.key < (" account              \
    " + 1) << 32 AND e.amount > 0 "                                                                                                    \
    "AND e.created_at >= " since " AND e.kind = 11 AND " WAS_SPENT " "                                                                 \
    "AND CASE WHEN t.kind = 8 THEN h.created_at ELSE t.created_at END >= " since ") AS s)"

QUESTION(spent_of_account, "what an account has spent",
         "SELECT " SPENT("a.number", "$2") ", " SPENT("a.number", "$3") " FROM accounts a WHERE a.id = $1 LIMIT 1", COLUMN_ID,
         COLUMN_INTEGER, COLUMN_INTEGER);
void ask_spent(struct batch *batch, struct id id, int64_t day_from_us, int64_t month_from_us, row_visitor *visit, void *context) {
    ASK(spent_of_account, value_id(id), value_integer(day_from_us), value_integer(month_from_us));
}

QUESTION(spent_anew, "what was spent, counted anew",
         "UPDATE accounts SET day_from = $1, month_from = $2, day_spent = " SPENT("accounts.number", "$1") ", month_spent = " SPENT(
             "accounts.number", "$2") " WHERE daily IS NOT NULL OR monthly IS NOT NULL",
         COLUMN_INTEGER, COLUMN_INTEGER);
void save_spent_anew(struct batch *batch, int64_t day_from_us, int64_t month_from_us) {
    DO(spent_anew, ROWS_ANY, value_integer(day_from_us), value_integer(month_from_us));
}

QUESTION(time_zone, "the time zone of days and months", "UPDATE meta SET time_zone = $1 WHERE \"only\" = 1", COLUMN_TEXT);
void save_time_zone(struct batch *batch, struct text name) { DO(time_zone, 1, value_text(name)); }

/* ---- for verify ---- */

/* The newest of these acts on each account, by the audit log, against what the row says. The log has ids as texts. */
#define HEX(from, count) "lower(substr(hex(a.id), " from ", " count "))"
#define SQLITE_ID \
    HEX("1", "8") " || '-' || " HEX("9", "4") " || '-' || " HEX("13", "4") " || '-' || " HEX("17", "4") " || '-' || " HEX("21", "12")
#define POSTGRES_ID "CAST(a.id AS text)"
#define OTHERS(id, acts, initial, said)                                                                                                    \
    "SELECT a.number, t.state_after FROM accounts a LEFT JOIN (SELECT subject, max(sequence) AS newest FROM audit WHERE outcome = 'done' " \
    "AND (" acts ") GROUP BY subject) n ON n.subject = " id " LEFT JOIN audit t ON t.sequence = n.newest "                                 \
    "WHERE coalesce(t.state_after, '" initial "') <> " said " ORDER BY a.number LIMIT 1"

#define STATE_ACTS "act = 'account.freeze' OR act = 'account.unfreeze' OR act = 'account.close'"
#define STATE_SAID                                                                                                     \
    "CASE WHEN a.is_closed = 1 THEN '{\"state\":\"closed\"}' WHEN a.is_frozen = 1 THEN '{\"state\":\"frozen\"}' ELSE " \
    "'{\"state\":\"open\"}' END"
static const struct question other_states = {.name = "accounts in another state",
                                             .sql = OTHERS(SQLITE_ID, STATE_ACTS, "{\"state\":\"open\"}", STATE_SAID),
                                             .postgres = OTHERS(POSTGRES_ID, STATE_ACTS, "{\"state\":\"open\"}", STATE_SAID)};
void ask_other_states(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &other_states, NULL, visit, context); }

#define LIMIT_SAID(name, column) "',\"" name "\":' || coalesce(CAST(" column " AS text), 'null') || "
#define LIMITS_SAID                                                                                                               \
    "'{\"floor\":' || CAST(CASE WHEN a.kind = 3 AND a.floor = -9007199254740991 THEN 0 ELSE a.floor END AS text) || " LIMIT_SAID( \
        "ceiling", "a.ceiling") LIMIT_SAID("per_transaction", "a.per_transaction") LIMIT_SAID("daily", "a.daily")                 \
        LIMIT_SAID("monthly", "a.monthly") "'}'"
#define LIMITS_NOT_SET "{\"floor\":0,\"ceiling\":null,\"per_transaction\":null,\"daily\":null,\"monthly\":null}"
static const struct question other_limits = {.name = "accounts with other limits",
                                             .sql = OTHERS(SQLITE_ID, "act = 'account.limit'", LIMITS_NOT_SET, LIMITS_SAID),
                                             .postgres = OTHERS(POSTGRES_ID, "act = 'account.limit'", LIMITS_NOT_SET, LIMITS_SAID)};
void ask_other_limits(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &other_limits, NULL, visit, context); }

/* Of accounts that count what they spend, or say so: number, whether they do, day_from, day_spent, month_from, month_spent; by the journal since then the same two
 * sums. */
static const struct question all_spent = {
    .name = "what was spent",
    .sql = "SELECT a.number, CASE WHEN a.daily IS NULL AND a.monthly IS NULL THEN 0 ELSE 1 END, a.day_from, a.day_spent, a.month_from, "
           "a.month_spent, " SPENT("a.number",
                                   "a.day_from") ", " SPENT("a.number",
                                                            "a.month_from") " FROM accounts a "
                                                                            "WHERE a.daily IS NOT NULL OR a.monthly IS NOT NULL OR "
                                                                            "a.day_from <> 0 OR a.month_from <> 0 OR a.day_spent <> 0 OR "
                                                                            "a.month_spent <> 0 ORDER BY a.number"};
void ask_all_spent(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_spent, NULL, visit, context); }
