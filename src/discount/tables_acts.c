/* What the audit log knows of one campaign. */
#include "discount/tables.h"
#include "service/audit.h"

static const struct question acts_after = {
    .name = "acts on a campaign, oldest first",
    .sql = "SELECT " AUDIT_COLUMNS " FROM audit WHERE subject = $1 AND sequence > $2 AND outcome = 'done' ORDER BY sequence LIMIT $3",
    .parameters = {COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question newest_acts = {
    .name = "acts on a campaign, newest first",
    .sql = "SELECT " AUDIT_COLUMNS " FROM audit WHERE subject = $1 AND sequence < $2 AND outcome = 'done' ORDER BY sequence DESC LIMIT $3",
    .parameters = {COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER}};

static void ask(struct batch *batch, const struct question *question, struct text campaign, int64_t from, int64_t limit, row_visitor *visit,
                void *context) {
    batch_ask(batch, question, (struct value[]){value_text(campaign), value_integer(from), value_integer(limit)}, visit, context);
}

void ask_acts_after(struct batch *batch, struct text campaign, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    ask(batch, &acts_after, campaign, after, limit, visit, context);
}

void ask_acts_before(struct batch *batch, struct text campaign, int64_t before, int64_t limit, row_visitor *visit, void *context) {
    ask(batch, &newest_acts, campaign, before, limit, visit, context);
}
