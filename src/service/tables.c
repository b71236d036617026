/* What the frame keeps in both services alike: the tables of the same name stand in sql/wallet and sql/discount. */
#include "service/audit.h"

/* ---- the audit log ---- */

static const struct question put_audit = {.name = "an entry of the audit log",
                                          .sql = "INSERT INTO audit (" AUDIT_COLUMNS
                                                 ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                                          .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT,
                                                         COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_BYTES}};
static const struct question audit_head = {.name = "the newest entry of the audit log",
                                           .sql = "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY sequence DESC LIMIT 1"};
static const struct question audit_page = {
    .name = "entries of the audit log",
    .sql = "SELECT " AUDIT_COLUMNS
           " FROM audit WHERE sequence < $1 AND ($2 = '' OR actor = $2 OR actor_name = $2) AND ($3 = '' OR act = $3) AND "
           "($4 = '' OR subject = $4) AND created_at >= $5 AND created_at < $6 ORDER BY sequence DESC LIMIT $7",
    .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question audit_walk = {.name = "the audit log in its order",
                                           .sql = "SELECT " AUDIT_COLUMNS " FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
                                           .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
const struct audit_questions table_audit = {.put = &put_audit, .head = &audit_head, .page = &audit_page, .walk = &audit_walk};
