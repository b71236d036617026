/* A database that owes no reversal, or this one, for tests whose database is not there. */
#pragma once

#include "discount/tables.h"

static const struct redemption *owed_reversal; /* its redemption; NULL: none is owed */
static const struct batch *reversals_batch;    /* that was asked for one */

struct result reversal_of_row(const struct row *row, int first_column, struct reversal *ret_reversal) {
    (void)first_column;
    if (row != (const struct row *)owed_reversal) return result_error(RESULT_CORRUPT);
    *ret_reversal = (struct reversal){.redemption_id = owed_reversal->id, .reason_size = 3, .reason = "why"};
    return result_ok();
}

void ask_owed_reversals(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    (void)batch;
    (void)after;
    (void)limit;
    (void)visit;
    (void)context;
}

void ask_owed_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context) {
    reversals_batch = batch;
    if (owed_reversal == NULL || !id_equal(owed_reversal->id, redemption_id)) return;
    CHECK(result_is_ok(visit(context, (const struct row *)owed_reversal)));
}
