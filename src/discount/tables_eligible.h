/* The SQL of the lists of who a campaign is for: as tables.h, of which it is a part. */
#pragma once

#include "discount/core/eligible.h"
#include "discount/tables.h"

/* A row when the user, or the phone, is on the campaign's list. */
void ask_eligible_user(struct batch *batch, uint32_t campaign_number, struct id user_id, row_visitor *visit, void *context);
void ask_eligible_phone(struct batch *batch, uint32_t campaign_number, const struct phone *phone, row_visitor *visit, void *context);
/* Columns: users, phones. No row: none. */
void ask_eligible_counts(struct batch *batch, uint32_t campaign_number, row_visitor *visit, void *context);
struct result eligible_counts_found(void *counts, const struct row *row);

/* What one batch of the store adds to one list: those that were not on it. */
struct eligible_addition {
    uint32_t campaign_number;
    const struct eligible *list;
    size_t count;
};
void save_eligible(struct batch *batch, const struct eligible_addition *addition);

/* ---- for verify ---- */

struct eligible_row {
    uint32_t campaign_number;
    struct eligible eligible;
    int64_t check; /* as it was written down */
};
/* In their order, behind this one. */
void ask_eligible_users(struct batch *batch, uint32_t campaign_number, struct id after, int64_t limit, row_visitor *visit, void *context);
void ask_eligible_phones(struct batch *batch, uint32_t campaign_number, const struct phone *after, int64_t limit, row_visitor *visit,
                         void *context);
struct result eligible_user_of_row(const struct row *row, struct eligible_row *ret_row) MUST_CHECK;
struct result eligible_phone_of_row(const struct row *row, struct eligible_row *ret_row) MUST_CHECK;
extern const struct rule table_eligible_rules[]; /* the id of a campaign */
extern const size_t table_eligible_rule_count;
