/* All SQL of Discount, and what its rows mean: once, for the store's thread and for every reader.
 *
 * ask_… only asks (store/batch.h): rows come to the visitor until batch_run has ended, and the context lives until then. save_… only writes down what the
 * commit will do. A row that breaks its columns' rules is refused by its reader here; what an object may be is asked of the core (campaign_fault). */
#pragma once

#include "discount/board.h"
#include "discount/core/set.h"
#include "service/engine.h"
#include "service/phones.h"
#include "store/batch.h"

/* ---- rows ---- */

/* RESULT_CORRUPT: the row was refused, and what was made of it must not be used. The sound ones have also kept the rules of the core (campaign_fault,
 * redemption_fault); the others are for who looks for what is broken. */
struct result campaign_of_row(const struct row *row, struct campaign *ret_campaign) MUST_CHECK;
struct result sound_campaign_of_row(const struct row *row, struct campaign *ret_campaign) MUST_CHECK;
struct result redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) MUST_CHECK;
struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) MUST_CHECK;

/* A context and its visitor for a question after one row. */
struct found_campaign {
    bool is_found;
    struct campaign campaign;
};
struct result campaign_found(void *found, const struct row *row);
struct found_redemption {
    bool is_found;
    struct redemption redemption;
};
struct result redemption_found(void *found, const struct row *row);

/* ---- campaigns: campaign_of_row ---- */

void ask_all_campaigns(struct batch *batch, row_visitor *visit, void *context); /* by number */
void ask_campaign(struct batch *batch, struct id id, row_visitor *visit, void *context);
/* Newest first, numbers below `before`; those that are so. */
struct campaign_filter {
    struct text code, name; /* empty: any; the code in its canonical form */
    struct text state;      /* its name, at this time */
    int64_t now_us;
    int64_t kind; /* of enum gift_kind; 0: any */
};
void ask_campaigns_before(struct batch *batch, int64_t before, int64_t limit, const struct campaign_filter *filter, row_visitor *visit,
                          void *context);

/* What a transaction adds to is written as a difference. */
struct campaign_counts {
    int64_t sequence, redeemed, credited, failed, spent_minor, ordered_minor, reversed, returned;
    int64_t ever_credited; /* in none of its columns */
};
struct campaign_counts campaign_counts(const struct campaign *campaign);
/* `committed`: what stands in its row before. */
void save_campaign(struct batch *batch, const struct campaign *campaign, const struct campaign_counts *committed);

/* ---- redemptions: redemption_of_row, from column 0 ---- */

void ask_redemption(struct batch *batch, struct id id, row_visitor *visit, void *context);
void ask_redemption_of_user(struct batch *batch, uint32_t campaign_number, struct id user_id, row_visitor *visit, void *context);
void ask_redemption_of_phone(struct batch *batch, uint32_t campaign_number, const struct phone *phone, row_visitor *visit, void *context);
/* Of an order of the user's. */
void ask_redemption_of_order(struct batch *batch, uint32_t campaign_number, struct id user_id, struct text reference, row_visitor *visit,
                             void *context);
/* Columns: the user, or the phone; the campaign's number; how many. No row: none. */
void ask_count_of_user(struct batch *batch, uint32_t campaign_number, struct id user_id, row_visitor *visit, void *context);
void ask_count_of_phone(struct batch *batch, uint32_t campaign_number, const struct phone *phone, row_visitor *visit, void *context);
/* Newest first, ids below `before` (zero: all). */
void ask_redemptions_of_user(struct batch *batch, struct id user_id, struct id before, int64_t limit, row_visitor *visit, void *context);
/* By key, those above `after` and below `before`: the winners of a campaign in their order, or everything. */
void ask_redemptions(struct batch *batch, int64_t after, int64_t before, int64_t limit, row_visitor *visit, void *context);
/* The same of one campaign, as of the filter. */
struct redemption_filter {
    int64_t status;         /* of enum redemption_status; -1: any */
    int64_t from_us, to_us; /* claimed at the first or after it, and before the second */
    struct id user_id;      /* zero: any */
    struct phone phone;     /* size 0: any */
    int64_t code_batch;     /* 0: by the campaign's own code; -1: by any */
    int64_t code_index;     /* in the batch */
};
void ask_redemptions_like(struct batch *batch, const struct redemption_filter *filter, int64_t after, int64_t before, int64_t limit,
                          row_visitor *visit, void *context);
/* Column: the key of the one behind the first `count` of them. No row: there is none. */
void ask_redemption_behind(struct batch *batch, const struct redemption_filter *filter, int64_t after, int64_t before, int64_t count,
                           row_visitor *visit, void *context);
/* A user, a phone and a unique code have few redemptions, which an index finds; what else is asked for is found by looking at each. */
static inline bool redemption_filter_looks_at_each(const struct redemption_filter *filter) {
    return id_is_zero(filter->user_id) && filter->phone.size == 0 && filter->code_batch <= 0;
}
/* What the settler owes out of funds that are open, by key, those above `after`. */
void ask_unsettled(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context);
/* The first of those above `after` up to `last` that is not settled. */
void ask_first_unsettled(struct batch *batch, int64_t after, int64_t last, row_visitor *visit, void *context);

/* Of those who wait for a place of the campaign, in their order: `count`, behind the first `behind`. */
void ask_line(struct batch *batch, uint32_t campaign_number, int64_t behind, int64_t count, row_visitor *visit, void *context);

void save_redemption(struct batch *batch, const struct redemption *redemption);

/* ---- reversals (tables_reversals.c): reversal_of_row, from column 0 ---- */

#define REVERSAL_COLUMNS_COUNT 7
struct result reversal_of_row(const struct row *row, int first_column, struct reversal *ret_reversal) MUST_CHECK; /* a sound one */
void ask_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context);
/* By key, those above `after`: what the settler owes; behind the reversal the redemption. */
void ask_owed_reversals(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context);
/* The same of one redemption. No row: nothing is owed. */
void ask_owed_reversal(struct batch *batch, struct id redemption_id, row_visitor *visit, void *context);
void save_reversal(struct batch *batch, const struct reversal *reversal);
/* Columns: the places that were returned by key, above `after` and below `before`; those of them above `behind`. */
void ask_returned(struct batch *batch, int64_t after, int64_t before, int64_t behind, row_visitor *visit, void *context);
void drop_reversal(struct batch *batch, const struct redemption *redemption); /* there may be none */

/* ---- counters ---- */

/* Columns: campaign's number, code of the refusal, count. */
void ask_refusals(struct batch *batch, row_visitor *visit, void *context);
void save_refusals(struct batch *batch, uint32_t campaign_number, enum refusal refusal, int64_t more);
/* Columns: campaign's number, second, claimed, credited, rejected; by number and second. */
void ask_seconds(struct batch *batch, uint32_t first_number, uint32_t last_number, row_visitor *visit, void *context);
/* Adds to what the second has. */
void save_second(struct batch *batch, uint32_t campaign_number, const struct second_counts *more);
/* So many of its credits were taken back. */
void save_credits_taken_back(struct batch *batch, uint32_t campaign_number, const struct second_counts *less);
/* The same by minutes. */
void save_minute(struct batch *batch, uint32_t campaign_number, const struct minute_counts *more);
void save_credits_taken_back_from_minute(struct batch *batch, uint32_t campaign_number, const struct minute_counts *less);
/* Columns as of the seconds; of each minute what is in none of them. By number and minute. */
void ask_minutes(struct batch *batch, uint32_t first_number, uint32_t last_number, row_visitor *visit, void *context);
/* Forgets the campaign's seconds before its newest BOARD_SECONDS, and its minutes before its newest BOARD_MINUTES. */
void drop_seconds(struct batch *batch, uint32_t campaign_number);

/* ---- kept answers: behind their columns, while one waits for it, the redemption ---- */

extern const struct kept_questions table_kept;
/* number, lookup, created_at: in the order of their numbers, behind `after`. */
void ask_kept_lookups(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context);

/* ---- the audit log of one campaign, by its id (tables_acts.c): what was done, columns of service/audit.h ---- */

/* Behind this entry, oldest first. */
void ask_acts_after(struct batch *batch, struct text campaign, int64_t after, int64_t limit, row_visitor *visit, void *context);
/* Before this entry, newest first. */
void ask_acts_before(struct batch *batch, struct text campaign, int64_t before, int64_t limit, row_visitor *visit, void *context);

/* ---- settings ---- */

#define SETTING_WALLET_INSTANCE TEXT("wallet_instance") /* the id of the Wallet that has our funds; none: it was never met */

void ask_setting(struct batch *batch, struct text name, row_visitor *visit, void *context); /* column: bytes */
void save_setting(struct batch *batch, struct text name, const void *data, size_t size);
void ask_campaign_currencies(struct batch *batch, row_visitor *visit, void *context); /* each that a campaign is in, once */

/* ---- rules across rows, for verify ---- */

/* Columns: minutes, claimed in them, credited in them. */
void ask_sums_of_minutes(struct batch *batch, uint32_t campaign_number, row_visitor *visit, void *context);
/* Column: a minute that holds less than its seconds, or, when all of those are still there, something else. */
void ask_odd_minute(struct batch *batch, uint32_t campaign_number, row_visitor *visit, void *context);
struct rule {
    struct question question; /* the id of a redemption that breaks it */
    const char *sentence;
};
extern const struct rule table_rules[];
extern const size_t table_rule_count;
extern const struct rule table_reversal_rules[];
extern const size_t table_reversal_rule_count;

/* ---- phones of before (service/phones.h) ---- */

extern const struct phone_questions table_phones;
