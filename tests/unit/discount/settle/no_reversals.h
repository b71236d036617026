/* A database that owes no reversal, for tests whose database is not there. */
#pragma once

#include "discount/tables.h"

struct result reversal_of_row(const struct row *row, int first_column, struct reversal *ret_reversal) {
    (void)row;
    (void)first_column;
    (void)ret_reversal;
    return result_error(RESULT_CORRUPT);
}

void ask_owed_reversals(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    (void)batch;
    (void)after;
    (void)limit;
    (void)visit;
    (void)context;
}

void ask_owed_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context) {
    (void)batch;
    (void)redemption_id;
    (void)visit;
    (void)context;
}
