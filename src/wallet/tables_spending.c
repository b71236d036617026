/* Money that is spent, held and taken back: merchants, holds, and what one transfer says about another. */
#include "wallet/tables_words.h"

#include "base/check.h"

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
        "(r.kind IN (11, 12) AND (t.kind IS NULL OR t.kind NOT IN (1, 2, 6, 8) OR t.debit_account <> r.credit_account OR "
        "t.credit_account <> r.debit_account OR t.currency <> r.currency OR "
        "t.amount < (SELECT sum(o.amount) FROM transfers o WHERE o.origin = r.origin AND o.origin <> 0 AND o.sequence <= r.sequence))) "
        "ORDER BY r.sequence LIMIT 1"};
void ask_wrong_origins(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &wrong_origins, NULL, visit, context); }
