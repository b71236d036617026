/* Reversals: their SQL, and what their rows mean. */
#include "discount/tables.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "discount/tables_words.h"

#define REVERSAL_COLUMNS "v.key, r.id, v.slot, v.reason, v.asked_at, v.reversed_at, v.transaction_id"
#define REVERSAL_TABLES  " FROM reversals AS v JOIN redemptions AS r ON r.key = v.key "

struct result reversal_of_row(const struct row *row, int first_column, struct reversal *ret_reversal) {
    int64_t key = row_integer_between(row, first_column, 1, INT64_MAX);
    struct text reason = row_text(row, first_column + 3);
    *ret_reversal = (struct reversal){
        .redemption_id = row_id(row, first_column + 1),
        .campaign_number = (uint32_t)(key >> 32),
        .position = key & INT64_C(0xFFFFFFFF),
        .slot = (enum reversal_slot)row_integer_between(row, first_column + 2, SLOT_RETURN, SLOT_PROMOTE),
        .asked_at_us = row_time(row, first_column + 4),
        .reversed_at_us = row_integer(row, first_column + 5),
        .transaction_id = row_id_or_zero(row, first_column + 6),
    };
    if (reason.size > sizeof ret_reversal->reason) row_refuse(row, first_column + 3, "a reason that is too long");
    reason = text_cut(reason, sizeof ret_reversal->reason);
    if (reason.size > 0) memcpy(ret_reversal->reason, reason.data, reason.size);
    ret_reversal->reason_size = (uint16_t)reason.size;
    TRY(row_verdict(row));
    const char *fault = reversal_fault(ret_reversal);
    if (fault != NULL) row_refuse(row, first_column, fault);
    return row_verdict(row);
}

static const struct question reversal_of_redemption = {.name = "the reversal of a redemption",
                                                       .sql = "SELECT " REVERSAL_COLUMNS REVERSAL_TABLES "WHERE r.id = $1 LIMIT 1",
                                                       .parameters = {COLUMN_ID}};
static const struct question owed_reversals = {.name = "reversals that are owed",
                                               .sql = "SELECT " REVERSAL_COLUMNS ", " REDEMPTION_COLUMNS_OF("r.") REVERSAL_TABLES
                                               "WHERE v.reversed_at = 0 AND v.key > $1 ORDER BY v.key LIMIT $2",
                                               .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question owed_reversal = {.name = "the owed reversal of a redemption",
                                              .sql = "SELECT " REVERSAL_COLUMNS ", " REDEMPTION_COLUMNS_OF("r.") REVERSAL_TABLES
                                              "WHERE r.id = $1 AND v.reversed_at = 0 LIMIT 1",
                                              .parameters = {COLUMN_ID}};
static const struct question put_reversal = {
    .name = "a reversal as it is now",
    .sql = "INSERT INTO reversals (key, slot, reason, asked_at, reversed_at, transaction_id) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT "
           "(key) DO UPDATE SET slot = excluded.slot, reason = excluded.reason, asked_at = excluded.asked_at, reversed_at = "
           "excluded.reversed_at, transaction_id = excluded.transaction_id",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID}};
static const struct question delete_reversal = {.name = "a reversal that was refused",
                                                .sql = "DELETE FROM reversals WHERE key = $1",
                                                .parameters = {COLUMN_INTEGER}};

void ask_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context) {
    batch_ask(batch, &reversal_of_redemption, (struct value[]){value_id(redemption_id)}, visit, context);
}

void ask_owed_reversals(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    batch_ask(batch, &owed_reversals, (struct value[]){value_integer(after), value_integer(limit)}, visit, context);
}

void ask_owed_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context) {
    batch_ask(batch, &owed_reversal, (struct value[]){value_id(redemption_id)}, visit, context);
}

static const struct question returned_places = {.name = "places of a campaign that were returned",
                                                .sql = "SELECT count(*), CAST(coalesce(sum(CASE WHEN key > $3 THEN 1 ELSE 0 END), 0) AS "
                                                       "BIGINT) FROM reversals WHERE key > $1 AND key < $2 "
                                                       "AND reversed_at > 0 AND slot <> 2",
                                                .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

void ask_returned(struct batch *batch, int64_t after, int64_t before, int64_t behind, row_visitor *visit, void *context) {
    batch_ask(batch, &returned_places, (struct value[]){value_integer(after), value_integer(before), value_integer(behind)}, visit,
              context);
}

void save_reversal(struct batch *batch, const struct reversal *reversal) {
    CHECK(reversal_fault(reversal) == NULL);
    const struct value values[] = {value_integer(redemption_key(reversal->campaign_number, reversal->position)),
                                   value_integer(reversal->slot),
                                   value_text(reversal_reason(reversal)),
                                   value_integer(reversal->asked_at_us),
                                   value_integer(reversal->reversed_at_us),
                                   value_id_or_null(reversal->transaction_id)};
    batch_do(batch, &put_reversal, values, 1);
}

void drop_reversal(struct batch *batch, const struct redemption *redemption) {
    batch_do(batch, &delete_reversal, (struct value[]){value_integer(redemption_key(redemption->campaign_number, redemption->position))},
             ROWS_ANY);
}

/* ---- rules across rows ---- */

const struct rule table_reversal_rules[] = {
    {{.name = "reversed redemptions without a reversal",
      .sql =
          "SELECT r.id FROM redemptions AS r LEFT JOIN reversals AS v ON v.key = r.key WHERE r.status IN (4, 5) AND v.key IS NULL LIMIT 1"},
     "it is reversed, and nothing says why"},
    {{.name = "reversals of redemptions that are not reversed",
      .sql = "SELECT r.id" REVERSAL_TABLES "WHERE r.status NOT IN (4, 5) LIMIT 1"},
     "it has a reversal, and is not reversed"},
    {{.name = "reversals that are owed and made",
      .sql = "SELECT r.id" REVERSAL_TABLES "WHERE (v.reversed_at = 0) <> (r.status = 4) LIMIT 1"},
     "its reversal is owed and it is reversed, or the other way round"},
};
const size_t table_reversal_rule_count = ARRAY_COUNT(table_reversal_rules);
