#include "discount/tables_codes.h"

#include <string.h>

#include "base/check.h"
#include "discount/tables_words.h"

#define BATCH_COLUMNS                                                                                                                    \
    "number, id, campaign_number, pattern, key_check, first, count, max_uses, created_at, expires_at, revoked_at, used, uses, revoked, " \
    "note"

/* ---- batches ---- */

struct result code_batch_of_row(const struct row *row, struct code_batch *ret_batch) {
    *ret_batch = (struct code_batch){
        .number = (uint32_t)row_integer_between(row, 0, 1, UINT32_MAX),
        .id = row_id(row, 1),
        .campaign_number = (uint32_t)row_integer_between(row, 2, 1, UINT32_MAX),
        .first = row_integer_between(row, 5, 0, INT64_MAX / 2),
        .count = row_integer_between(row, 6, 1, CODE_COUNT_MAX),
        .max_uses = row_integer(row, 7),
        .created_at_us = row_time(row, 8),
        .expires_at_us = row_integer(row, 9),
        .revoked_at_us = row_integer(row, 10),
        .used = row_integer_between(row, 11, 0, CODE_COUNT_MAX),
        .uses = row_integer(row, 12),
        .revoked = row_integer(row, 13),
    };
    row_bytes_into(row, 4, ret_batch->key_check, sizeof ret_batch->key_check);
    struct text pattern = row_text(row, 3);
    const char *fault = pattern.size == 0 ? NULL : pattern_parse(pattern, &ret_batch->pattern);
    if (fault != NULL) row_refuse(row, 3, "not a pattern of codes");
    struct text note = row_text(row, 14);
    if (note.size > sizeof ret_batch->note) row_refuse(row, 14, "a text that is too long");
    TRY(row_verdict(row));
    memcpy(ret_batch->note, note.data, note.size);
    ret_batch->note_size = (uint16_t)note.size;
    return result_ok();
}

struct result sound_code_batch_of_row(const struct row *row, struct code_batch *ret_batch) {
    TRY(code_batch_of_row(row, ret_batch));
    const char *fault = code_batch_fault(ret_batch);
    if (fault != NULL) row_refuse(row, 0, fault);
    return row_verdict(row);
}

struct result code_batch_found(void *found, const struct row *row) {
    struct found_code_batch *into = found;
    TRY(sound_code_batch_of_row(row, &into->batch));
    into->is_found = true;
    return result_ok();
}

static const struct question all_batches = {.name = "all batches of codes",
                                            .sql = "SELECT " BATCH_COLUMNS " FROM code_batches ORDER BY number"};
static const struct question batch_by_its_id = {.name = "a batch of codes",
                                                .sql = "SELECT " BATCH_COLUMNS " FROM code_batches WHERE id = $1 LIMIT 1",
                                                .parameters = {COLUMN_ID}};
static const struct question batches_before = {.name = "batches of codes before one",
                                               .sql = "SELECT " BATCH_COLUMNS " FROM code_batches WHERE campaign_number = $1 AND number < "
                                                      "$2 ORDER BY number DESC LIMIT $3",
                                               .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question insert_batch = {.name = "a new batch of codes",
                                             .sql = "INSERT INTO code_batches (" BATCH_COLUMNS
                                                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                                             .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_BYTES,
                                                            COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                                                            COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT}};
static const struct question update_batch = {
    .name = "a batch of codes as it is now",
    .sql = "UPDATE code_batches SET revoked_at = $3, used = $4, uses = $5, revoked = $6 WHERE number = $1 AND id = $2",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

void ask_all_code_batches(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_batches, NULL, visit, context); }

void ask_code_batch(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    batch_ask(batch, &batch_by_its_id, (struct value[]){value_id(id)}, visit, context);
}

void ask_code_batches_of(struct batch *batch, uint32_t campaign_number, int64_t before, int64_t limit, row_visitor *visit, void *context) {
    const struct value values[] = {value_integer(campaign_number), value_integer(before), value_integer(limit)};
    batch_ask(batch, &batches_before, values, visit, context);
}

void save_code_batch(struct batch *batch, const struct code_batch *code_batch) {
    CHECK(code_batch_fault(code_batch) == NULL);
    struct value number = value_integer(code_batch->number), id = value_id(code_batch->id), used = value_integer(code_batch->used);
    struct value uses = value_integer(code_batch->uses), revoked = value_integer(code_batch->revoked);
    struct value revoked_at = value_integer(code_batch->revoked_at_us);
    if (!code_batch->is_new) {
        batch_do(batch, &update_batch, (struct value[]){number, id, revoked_at, used, uses, revoked}, 1);
        return;
    }
    const struct value values[] = {number,
                                   id,
                                   value_integer(code_batch->campaign_number),
                                   value_text(pattern_text(&code_batch->pattern)),
                                   value_bytes(code_batch->key_check, sizeof code_batch->key_check),
                                   value_integer(code_batch->first),
                                   value_integer(code_batch->count),
                                   value_integer(code_batch->max_uses),
                                   value_integer(code_batch->created_at_us),
                                   value_integer(code_batch->expires_at_us),
                                   revoked_at,
                                   used,
                                   uses,
                                   revoked,
                                   value_text(code_batch_note(code_batch))};
    batch_do(batch, &insert_batch, values, 1);
}

/* ---- single codes ---- */

static const struct question revocations_after = {
    .name = "revoked codes behind one",
    .sql = "SELECT batch_number, code_index FROM code_revocations WHERE (batch_number, code_index) > ($1, $2) ORDER BY batch_number, "
           "code_index LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question insert_revocation = {
    .name = "a revoked code",
    .sql = "INSERT INTO code_revocations (batch_number, code_index, revoked_at) VALUES ($1, $2, $3)",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

static const struct question used_up_after = {
    .name = "used up codes behind one",
    .sql =
        "SELECT r.code_batch, r.code_index FROM redemptions AS r JOIN code_batches AS b ON b.number = r.code_batch WHERE r.code_batch IS "
        "NOT NULL AND r.status <> 5 AND (r.code_batch, r.code_index) > ($1, $2) GROUP BY r.code_batch, r.code_index, b.max_uses HAVING "
        "count(*) >= "
        "b.max_uses ORDER BY r.code_batch, r.code_index LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question uses_of_code = {
    .name = "uses of a code",
    .sql = "SELECT count(*) FROM redemptions WHERE code_batch IS NOT NULL AND code_batch = $1 AND code_index = $2 AND status <> 5",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question redemptions_by_code = {
    .name = "redemptions by a code",
    .sql =
        "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE code_batch IS NOT NULL AND code_batch = $1 AND code_index = $2 ORDER BY key "
        "LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

void ask_used_up_codes(struct batch *batch, uint32_t after_batch, int64_t after_index, int64_t limit, row_visitor *visit, void *context) {
    const struct value values[] = {value_integer(after_batch), value_integer(after_index), value_integer(limit)};
    batch_ask(batch, &used_up_after, values, visit, context);
}

void ask_uses_of_code(struct batch *batch, uint32_t code_batch, int64_t index, row_visitor *visit, void *context) {
    batch_ask(batch, &uses_of_code, (struct value[]){value_integer(code_batch), value_integer(index)}, visit, context);
}

void ask_redemptions_by_code(struct batch *batch, uint32_t code_batch, int64_t index, int64_t limit, row_visitor *visit, void *context) {
    const struct value values[] = {value_integer(code_batch), value_integer(index), value_integer(limit)};
    batch_ask(batch, &redemptions_by_code, values, visit, context);
}

void ask_code_revocations(struct batch *batch, uint32_t after_batch, int64_t after_index, int64_t limit, row_visitor *visit,
                          void *context) {
    const struct value values[] = {value_integer(after_batch), value_integer(after_index), value_integer(limit)};
    batch_ask(batch, &revocations_after, values, visit, context);
}

void save_code_revocation(struct batch *batch, uint32_t code_batch, int64_t index, int64_t now_us) {
    batch_do(batch, &insert_revocation, (struct value[]){value_integer(code_batch), value_integer(index), value_integer(now_us)}, 1);
}

/* ---- foreign codes ---- */

static const struct question imported_after = {
    .name = "foreign codes behind one",
    .sql =
        "SELECT batch_number, code_index, hash, last, row_check FROM imported_codes WHERE (batch_number, code_index) > ($1, $2) ORDER BY "
        "batch_number, code_index LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question insert_imported = {
    .name = "a foreign code",
    .sql = "INSERT INTO imported_codes (batch_number, code_index, hash, last, row_check) VALUES ($1, $2, $3, $4, $5)",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_BYTES, COLUMN_TEXT, COLUMN_INTEGER}};

void ask_imported_codes(struct batch *batch, uint32_t after_batch, int64_t after_index, int64_t limit, row_visitor *visit, void *context) {
    const struct value values[] = {value_integer(after_batch), value_integer(after_index), value_integer(limit)};
    batch_ask(batch, &imported_after, values, visit, context);
}

struct result imported_code_of_row(const struct row *row, uint32_t *ret_batch, int64_t *ret_index, struct imported_code *ret_imported) {
    *ret_imported = (struct imported_code){.last_size = 0};
    *ret_batch = (uint32_t)row_integer_between(row, 0, 1, UINT32_MAX);
    *ret_index = row_integer_between(row, 1, 1, CODE_COUNT_MAX);
    row_bytes_into(row, 2, ret_imported->hash.bytes, sizeof ret_imported->hash.bytes);
    struct text last = row_text(row, 3);
    if (last.size > sizeof ret_imported->last) row_refuse(row, 3, "a text that is too long");
    last = text_cut(last, sizeof ret_imported->last);
    memcpy(ret_imported->last, last.data, last.size);
    ret_imported->last_size = (uint8_t)last.size;
    if (row_integer(row, 4) != imported_code_check(*ret_batch, *ret_index, ret_imported)) row_refuse(row, 4, "not what was written down");
    return row_verdict(row);
}

void save_imported_code(struct batch *batch, uint32_t code_batch, int64_t index, const struct imported_code *imported) {
    const struct value values[] = {value_integer(code_batch), value_integer(index),
                                   value_bytes(imported->hash.bytes, sizeof imported->hash.bytes),
                                   value_text((struct text){imported->last, imported->last_size}),
                                   value_integer(imported_code_check(code_batch, index, imported))};
    batch_do(batch, &insert_imported, values, 1);
}

/* ---- rules across rows ---- */

#define BATCHES "SELECT b.id FROM code_batches AS b "
const struct rule table_code_rules[] = {
    {{.name = "batches without a campaign",
      .sql = BATCHES "LEFT JOIN campaigns AS c ON c.number = b.campaign_number WHERE c.number IS NULL LIMIT 1"},
     "its campaign is not there"},
    {{.name = "batches with the same numbers",
      .sql = BATCHES "JOIN code_batches AS o ON o.number < b.number AND o.pattern = b.pattern AND o.key_check = b.key_check AND o.first < "
                     "b.first + b.count AND b.first < o.first + o.count LIMIT 1"},
     "another batch has some of its codes"},
    {{.name = "batches with other revocations than they count",
      .sql = BATCHES "WHERE b.revoked <> (SELECT count(*) FROM code_revocations AS r WHERE r.batch_number = b.number) LIMIT 1"},
     "its count of revoked codes is not that of its rows"},
    {{.name = "batches with other foreign codes than they count",
      .sql = BATCHES "WHERE (SELECT count(*) FROM imported_codes AS i WHERE i.batch_number = b.number) <> CASE WHEN b.pattern = '' THEN "
                     "b.count ELSE 0 END LIMIT 1"},
     "its count of foreign codes is not that of its rows"},
    {{.name = "revoked codes that are none",
      .sql = BATCHES "JOIN code_revocations AS r ON r.batch_number = b.number WHERE r.code_index > b.count LIMIT 1"},
     "a code is revoked that it does not have"},
    {{.name = "batches with other uses than they count",
      .sql = BATCHES "WHERE b.uses <> (SELECT count(*) FROM redemptions AS r WHERE r.code_batch IS NOT NULL AND r.status <> 5 AND "
                     "r.code_batch = b.number) OR "
                     "b.used <> (SELECT count(DISTINCT r.code_index) FROM redemptions AS r WHERE r.code_batch IS NOT NULL AND r.status <> "
                     "5 AND r.code_batch = "
                     "b.number) LIMIT 1"},
     "its counts of used codes are not those of its redemptions"},
    {{.name = "batches with a code that was used too often",
      .sql = BATCHES
      "JOIN redemptions AS r ON r.code_batch = b.number WHERE r.code_batch IS NOT NULL AND r.status <> 5 GROUP BY b.id, b.max_uses, "
      "r.code_index HAVING count(*) > b.max_uses LIMIT 1"},
     "one of its codes was used more often than it may be"},
};
const size_t table_code_rule_count = ARRAY_COUNT(table_code_rules);

const struct rule table_used_code_rules[] = {
    {{.name = "redemptions by codes that are none",
      .sql = "SELECT r.id FROM redemptions AS r LEFT JOIN code_batches AS b ON b.number = r.code_batch WHERE r.code_batch IS NOT NULL AND "
             "(b.number IS NULL OR r.code_index > b.count OR b.campaign_number <> r.campaign_number) LIMIT 1"},
     "its code is none of its campaign's"},
};
const size_t table_used_code_rule_count = ARRAY_COUNT(table_used_code_rules);
