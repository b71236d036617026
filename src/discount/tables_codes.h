/* The SQL of codes, and what its rows mean: as tables.h, of which it is a part. */
#pragma once

#include "discount/core/codes.h"
#include "discount/tables.h"

/* ---- batches ---- */

/* RESULT_CORRUPT: the row was refused. The sound one has also kept the rules of the core (code_batch_fault). */
struct result code_batch_of_row(const struct row *row, struct code_batch *ret_batch) MUST_CHECK;
struct result sound_code_batch_of_row(const struct row *row, struct code_batch *ret_batch) MUST_CHECK;
struct found_code_batch {
    bool is_found;
    struct code_batch batch;
};
struct result code_batch_found(void *found, const struct row *row);

void ask_all_code_batches(struct batch *batch, row_visitor *visit, void *context); /* by number */
void ask_code_batch(struct batch *batch, struct id id, row_visitor *visit, void *context);
/* Newest first, numbers below `before`. */
void ask_code_batches_of(struct batch *batch, uint32_t campaign_number, int64_t before, int64_t limit, row_visitor *visit, void *context);
void save_code_batch(struct batch *batch, const struct code_batch *code_batch);

/* ---- single codes ---- */

/* Columns: batch's number, index; in their order, behind those two. */
void ask_code_revocations(struct batch *batch, uint32_t after_batch, int64_t after_index, int64_t limit, row_visitor *visit, void *context);
/* The same columns: those that were used as often as they may be. */
void ask_used_up_codes(struct batch *batch, uint32_t after_batch, int64_t after_index, int64_t limit, row_visitor *visit, void *context);
/* Column: how often it was used. */
void ask_uses_of_code(struct batch *batch, uint32_t code_batch, int64_t index, row_visitor *visit, void *context);
/* redemption_of_row, in the order of their keys. */
void ask_redemptions_by_code(struct batch *batch, uint32_t code_batch, int64_t index, int64_t limit, row_visitor *visit, void *context);
void save_code_revocation(struct batch *batch, uint32_t code_batch, int64_t index, int64_t now_us);

/* ---- foreign codes ---- */

/* Columns: batch's number, index, hash, last characters, check; in their order, behind those two. */
void ask_imported_codes(struct batch *batch, uint32_t after_batch, int64_t after_index, int64_t limit, row_visitor *visit, void *context);
/* RESULT_CORRUPT: the row was refused, or is not what was written down. */
struct result imported_code_of_row(const struct row *row, uint32_t *ret_batch, int64_t *ret_index,
                                   struct imported_code *ret_imported) MUST_CHECK;
void save_imported_code(struct batch *batch, uint32_t code_batch, int64_t index, const struct imported_code *imported);

/* ---- rules across rows, for verify: each gives the number of a batch that breaks it ---- */

extern const struct rule table_code_rules[];
extern const size_t table_code_rule_count;
extern const struct rule table_used_code_rules[]; /* the id of a redemption */
extern const size_t table_used_code_rule_count;
