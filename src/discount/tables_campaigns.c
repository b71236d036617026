/* Campaigns: their SQL, and what their rows mean. */
#include "discount/tables.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define RULES_COLUMNS                                                                                                                     \
    "kind, percent, discount_max, min_order, max_per_user, max_per_phone, max_per_day, budget, time_zone, schedule_days, schedule_from, " \
    "schedule_to, is_public, has_list, account_age_min, metadata"
#define REVERSAL_COLUMNS ", reversing, reversed, returned, day_returned" /* behind the rules */
#define REVERSAL_COLUMN  51
#define LINE_COLUMNS     ", waiting_list, waiting, lined_up, called, strayed" /* behind them */
#define LINE_COLUMN      (REVERSAL_COLUMN + 4)
#define RULES_COLUMN     35 /* the first of them among a campaign's */
#define CAMPAIGN_COLUMNS                                                                                                                \
    "number, id, code, name, amount, currency, max_redemptions, starts_at, ends_at, ended_at, is_paused, version, sequence, redeemed, " \
    "credited, failed, first_redeemed_at, last_redeemed_at, exhausted_at, created_at, updated_at, fund_confirmed, fund_step, "          \
    "fund_step_version, fund_is_released, settled_position, phone_rule, fund_refusal, fund_refusal_detail, over_at, spent, ordered, "   \
    "day_starts_at, day_ends_at, day_before, " RULES_COLUMNS REVERSAL_COLUMNS LINE_COLUMNS

/* What waits for a second administrator has a row of its own, where there ever was something. */
#define APPROVAL_COLUMNS                                                                                                          \
    "is_needed, waits, requested_by, requested_at, raise_places, raise_amount, raise_percent, raise_discount_max, raise_budget, " \
    "raise_end, "                                                                                                                 \
    "row_check"
#define APPROVAL_COLUMN (LINE_COLUMN + 5)
#define SELECT_CAMPAIGNS \
    "SELECT " CAMPAIGN_COLUMNS ", " APPROVAL_COLUMNS " FROM campaigns LEFT JOIN campaign_approvals ON campaign_number = number "

static void read_code(const struct row *row, int column, struct code *ret_code) {
    struct text text = row_text(row, column);
    *ret_code = (struct code){0};
    if (text.size == 0) return; /* only codes of its batches */
    if (!result_is_ok(code_parse(text, ret_code)) || !text_equal(code_text(ret_code), text))
        row_refuse(row, column, "not a canonical code");
}

static void read_name(const struct row *row, int column, struct campaign *campaign) {
    struct text name = row_text(row, column);
    if (name.size > sizeof campaign->name) {
        row_refuse(row, column, "a name that is too long");
        return;
    }
    memcpy(campaign->name, name.data, name.size);
    campaign->name_size = (uint16_t)name.size;
}

static size_t read_short(const struct row *row, int column, char *into, size_t capacity) {
    struct text text = row_text(row, column);
    if (text.size > capacity) {
        row_refuse(row, column, "a text that is too long");
        return 0;
    }
    memcpy(into, text.data, text.size);
    return text.size;
}

static void read_rules(const struct row *row, struct campaign_rules *rules, struct rule_words *words) {
    const int column = RULES_COLUMN;
    *rules = (struct campaign_rules){
        .kind = (enum gift_kind)row_integer_between(row, column, GIFT_CREDIT, GIFT_PERCENT_OFF),
        .percent = row_integer(row, column + 1),
        .discount_max_minor = row_integer(row, column + 2),
        .min_order_minor = row_integer(row, column + 3),
        .max_per_user = row_integer(row, column + 4),
        .max_per_phone = row_integer(row, column + 5),
        .max_per_day = row_integer(row, column + 6),
        .budget_minor = row_integer(row, column + 7),
        .schedule = {.days = (uint32_t)row_integer_between(row, column + 9, 0, EVERY_DAY),
                     .from_minute = (int16_t)row_integer_between(row, column + 10, 0, MINUTES_PER_DAY),
                     .to_minute = (int16_t)row_integer_between(row, column + 11, 0, MINUTES_PER_DAY)},
        .is_public = row_boolean(row, column + 12),
        .has_list = row_boolean(row, column + 13),
        .account_age_min_s = row_integer(row, column + 14),
    };
    words->time_zone_size = (uint8_t)read_short(row, column + 8, words->time_zone, sizeof words->time_zone);
    words->metadata_size = (uint16_t)read_short(row, column + 15, words->metadata, sizeof words->metadata);
}

static void read_approval(const struct row *row, struct campaign *campaign) {
    const int column = APPROVAL_COLUMN;
    struct approval *approval = &campaign->approval;
    if (row_is_null(row, column)) return;
    bool is_needed = row_boolean(row, column);
    campaign->rules.needs_approval = is_needed;
    *approval = (struct approval){
        .waits = (enum approval_of)row_integer_between(row, column + 1, APPROVAL_NONE, APPROVAL_OF_CHANGE),
        .requested_by = row_id_or_zero(row, column + 2),
        .requested_at_us = row_integer(row, column + 3),
        .raise = {.max_redemptions = row_integer(row, column + 4),
                  .amount_minor = row_integer(row, column + 5),
                  .percent = row_integer(row, column + 6),
                  .discount_max_minor = row_integer(row, column + 7),
                  .budget_minor = row_integer(row, column + 8),
                  .drops_approval = row_boolean(row, column + 9)},
    };
    if (row_integer(row, column + 10) != approval_check(campaign->number, is_needed, approval))
        row_refuse(row, column, "its approval is not what was written down");
}

struct result campaign_of_row(const struct row *row, struct campaign *ret_campaign) {
    *ret_campaign = (struct campaign){
        .number = (uint32_t)row_integer_between(row, 0, 1, UINT32_MAX),
        .id = row_id(row, 1),
        .credit.amount_minor = row_integer(row, 4),
        .max_redemptions = row_integer(row, 6),
        .starts_at_us = row_integer(row, 7),
        .ends_at_us = row_integer(row, 8),
        .ended_at_us = row_integer(row, 9),
        .is_paused = row_boolean(row, 10),
        .version = row_integer(row, 11),
        .sequence = row_integer(row, 12),
        .redeemed = row_integer(row, 13),
        .credited = row_integer(row, 14),
        .failed = row_integer(row, 15),
        .first_redeemed_at_us = row_integer(row, 16),
        .last_redeemed_at_us = row_integer(row, 17),
        .exhausted_at_us = row_integer(row, 18),
        .created_at_us = row_time(row, 19),
        .updated_at_us = row_time(row, 20),
        .fund_confirmed_minor = row_integer(row, 21),
        .fund_step_minor = row_integer(row, 22),
        .fund_step_version = row_integer(row, 23),
        .fund_is_released = row_boolean(row, 24),
        .settled_position = row_integer(row, 25),
        .phone_rule = (enum phone_rule)row_integer_between(row, 26, PHONE_OF_ACCOUNT, PHONE_ANY),
        .over_at = row_integer(row, 29),
        .spent_minor = row_integer(row, 30),
        .ordered_minor = row_integer(row, 31),
        .day_starts_at_us = row_integer(row, 32),
        .day_ends_at_us = row_integer(row, 33),
        .day_before = row_integer(row, 34),
    };
    ret_campaign->fund_refusal_size = (uint8_t)read_short(row, 27, ret_campaign->fund_refusal, sizeof ret_campaign->fund_refusal);
    ret_campaign->fund_refusal_detail_size =
        (uint16_t)read_short(row, 28, ret_campaign->fund_refusal_detail, sizeof ret_campaign->fund_refusal_detail);
    read_rules(row, &ret_campaign->rules, &ret_campaign->words);
    ret_campaign->reversing = row_integer(row, REVERSAL_COLUMN);
    ret_campaign->reversed = row_integer(row, REVERSAL_COLUMN + 1);
    ret_campaign->returned = row_integer(row, REVERSAL_COLUMN + 2);
    ret_campaign->day_returned = row_integer(row, REVERSAL_COLUMN + 3);
    ret_campaign->rules.waiting_list = row_integer(row, LINE_COLUMN);
    ret_campaign->waiting = row_integer(row, LINE_COLUMN + 1);
    ret_campaign->lined_up = row_integer(row, LINE_COLUMN + 2);
    ret_campaign->called = row_integer(row, LINE_COLUMN + 3);
    ret_campaign->strayed = row_integer(row, LINE_COLUMN + 4);
    read_approval(row, ret_campaign);
    read_code(row, 2, &ret_campaign->code);
    read_name(row, 3, ret_campaign);
    if (!result_is_ok(currency_parse(row_text(row, 5), &ret_campaign->credit.currency))) row_refuse(row, 5, "not a currency");
    if (ret_campaign->number > LIMIT_CAMPAIGNS_KEPT) row_refuse(row, 0, "more campaigns than there can be");
    return row_verdict(row);
}

struct result sound_campaign_of_row(const struct row *row, struct campaign *ret_campaign) {
    TRY(campaign_of_row(row, ret_campaign));
    const char *fault = campaign_fault(ret_campaign);
    if (fault != NULL) row_refuse(row, 0, fault);
    return row_verdict(row);
}

struct result campaign_found(void *found, const struct row *row) {
    struct found_campaign *into = found;
    TRY(sound_campaign_of_row(row, &into->campaign));
    into->is_found = true;
    return result_ok();
}

static const struct question all_campaigns = {.name = "all campaigns", .sql = SELECT_CAMPAIGNS "ORDER BY number"};
static const struct question campaign_by_its_id = {.name = "a campaign",
                                                   .sql = SELECT_CAMPAIGNS "WHERE id = $1 LIMIT 1",
                                                   .parameters = {COLUMN_ID}};
/* The state as campaign_state has it. */
#define CAMPAIGN_STATE                                                                                                               \
    "CASE WHEN ended_at <> 0 OR (ends_at <> 0 AND ends_at <= $7) THEN 'ended' WHEN is_paused = 1 THEN 'paused' WHEN starts_at > $7 " \
    "THEN 'scheduled' WHEN redeemed - returned >= max_redemptions THEN 'exhausted' ELSE 'active' END"
static const struct question campaigns_before = {.name = "campaigns before one",
                                                 .sql = SELECT_CAMPAIGNS
                                                 "WHERE number < $1 AND ($3 = '' OR code = $3) AND ($4 = '' OR name = $4) AND ($5 = 0 OR "
                                                 "kind = $5) AND ($6 = '' OR $6 = " CAMPAIGN_STATE ") ORDER BY number DESC LIMIT $2",
                                                 .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_INTEGER,
                                                                COLUMN_TEXT, COLUMN_INTEGER}};
#define RULES_PARAMETERS                                                                                                            \
    COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, \
        COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT
static const struct question insert_campaign = {
    .name = "a new campaign",
    .sql = "INSERT INTO campaigns (" CAMPAIGN_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
           "$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, "
           "$42, $43, "
           "$44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60)",
    .parameters = {COLUMN_INTEGER,   COLUMN_ID,      COLUMN_TEXT,    COLUMN_TEXT,    COLUMN_INTEGER, COLUMN_TEXT,    COLUMN_INTEGER,
                   COLUMN_INTEGER,   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER,   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER,   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT,
                   COLUMN_TEXT,      COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   RULES_PARAMETERS, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER,   COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question update_campaign = {
    .name = "a campaign as it is now",
    .sql =
        "UPDATE campaigns SET name = $3, max_redemptions = $4, starts_at = $5, ends_at = $6, ended_at = $7, is_paused = $8, version = $9, "
        "sequence = sequence + $10, redeemed = redeemed + $11, credited = credited + $12, failed = failed + $13, first_redeemed_at = $14, "
        "last_redeemed_at = $15, exhausted_at = $16, updated_at = $17, fund_confirmed = $18, fund_step = $19, fund_step_version = $20, "
        "fund_is_released = $21, settled_position = $22, amount = $23, fund_refusal = $24, fund_refusal_detail = $25, over_at = $26, spent "
        "= spent + $27, "
        "ordered = ordered + $28, day_starts_at = $29, day_ends_at = $30, day_before = $31, reversing = $32, reversed = reversed + $33, "
        "returned = returned + $34, day_returned = $35, waiting = $36, lined_up = $37, called = $38, strayed = $39 WHERE number = $1 AND "
        "id = $2",
    .parameters = {COLUMN_INTEGER, COLUMN_ID,      COLUMN_TEXT,    COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT,    COLUMN_TEXT,    COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
/* What only an administrator changes is left alone by every claim. */
static const struct question update_rules = {
    .name = "a campaign's rules as they are now",
    .sql =
        "UPDATE campaigns SET code = $2, phone_rule = $3, kind = $4, percent = $5, discount_max = $6, min_order = $7, max_per_user = $8, "
        "max_per_phone = $9, max_per_day = $10, budget = $11, time_zone = $12, schedule_days = $13, schedule_from = $14, schedule_to = "
        "$15, "
        "is_public = $16, has_list = $17, account_age_min = $18, metadata = $19, waiting_list = $20 WHERE number = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER, RULES_PARAMETERS, COLUMN_INTEGER}};

static const struct question put_approval = {
    .name = "what waits for an approval",
    .sql = "INSERT INTO campaign_approvals (campaign_number, " APPROVAL_COLUMNS
           ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (campaign_number) DO UPDATE SET is_needed = "
           "excluded.is_needed, waits = excluded.waits, requested_by = excluded.requested_by, requested_at = excluded.requested_at, "
           "raise_places = excluded.raise_places, raise_amount = excluded.raise_amount, raise_percent = excluded.raise_percent, "
           "raise_discount_max = excluded.raise_discount_max, raise_budget = excluded.raise_budget, raise_end = excluded.raise_end, "
           "row_check = excluded.row_check",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER,
                   COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

void ask_all_campaigns(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_campaigns, NULL, visit, context); }

void ask_campaign(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    batch_ask(batch, &campaign_by_its_id, (struct value[]){value_id(id)}, visit, context);
}

void ask_campaigns_before(struct batch *batch, int64_t before, int64_t limit, const struct campaign_filter *filter, row_visitor *visit,
                          void *context) {
    const struct value values[] = {value_integer(before),        value_integer(limit),        value_text(filter->code),
                                   value_text(filter->name),     value_integer(filter->kind), value_text(filter->state),
                                   value_integer(filter->now_us)};
    batch_ask(batch, &campaigns_before, values, visit, context);
}

struct campaign_counts campaign_counts(const struct campaign *campaign) {
    return (struct campaign_counts){campaign->sequence, campaign->redeemed,    campaign->credited,
                                    campaign->failed,   campaign->spent_minor, campaign->ordered_minor,
                                    campaign->reversed, campaign->returned,    campaign_ever_credited(campaign)};
}

/* Constants of the rules' columns, in their order. */
#define RULES_VALUES(rules, words)                                                                                                       \
    value_integer((rules)->kind), value_integer((rules)->percent), value_integer((rules)->discount_max_minor),                           \
        value_integer((rules)->min_order_minor), value_integer((rules)->max_per_user), value_integer((rules)->max_per_phone),            \
        value_integer((rules)->max_per_day), value_integer((rules)->budget_minor), value_text(words_time_zone(words)),                   \
        value_integer((rules)->schedule.days), value_integer((rules)->schedule.from_minute), value_integer((rules)->schedule.to_minute), \
        value_integer((rules)->is_public), value_integer((rules)->has_list), value_integer((rules)->account_age_min_s),                  \
        value_text(words_metadata(words))

static void insert_as_it_is(struct batch *batch, const struct campaign *campaign) {
    const struct value values[] = {
        value_integer(campaign->number),
        value_id(campaign->id),
        value_text(code_text(&campaign->code)),
        value_text(campaign_name(campaign)),
        value_integer(campaign->credit.amount_minor),
        value_text(text_of(currency_code(campaign->credit.currency))),
        value_integer(campaign->max_redemptions),
        value_integer(campaign->starts_at_us),
        value_integer(campaign->ends_at_us),
        value_integer(campaign->ended_at_us),
        value_integer(campaign->is_paused),
        value_integer(campaign->version),
        value_integer(campaign->sequence),
        value_integer(campaign->redeemed),
        value_integer(campaign->credited),
        value_integer(campaign->failed),
        value_integer(campaign->first_redeemed_at_us),
        value_integer(campaign->last_redeemed_at_us),
        value_integer(campaign->exhausted_at_us),
        value_integer(campaign->created_at_us),
        value_integer(campaign->updated_at_us),
        value_integer(campaign->fund_confirmed_minor),
        value_integer(campaign->fund_step_minor),
        value_integer(campaign->fund_step_version),
        value_integer(campaign->fund_is_released),
        value_integer(campaign->settled_position),
        value_integer(campaign->phone_rule),
        value_text(campaign_fund_refusal(campaign)),
        value_text(campaign_fund_refusal_detail(campaign)),
        value_integer(campaign->over_at),
        value_integer(campaign->spent_minor),
        value_integer(campaign->ordered_minor),
        value_integer(campaign->day_starts_at_us),
        value_integer(campaign->day_ends_at_us),
        value_integer(campaign->day_before),
        RULES_VALUES(&campaign->rules, &campaign->words),
        value_integer(campaign->reversing),
        value_integer(campaign->reversed),
        value_integer(campaign->returned),
        value_integer(campaign->day_returned),
        value_integer(campaign->rules.waiting_list),
        value_integer(campaign->waiting),
        value_integer(campaign->lined_up),
        value_integer(campaign->called),
        value_integer(campaign->strayed),
    };
    batch_do(batch, &insert_campaign, values, 1);
}

static void update_rules_of(struct batch *batch, const struct campaign *campaign) {
    const struct value values[] = {value_integer(campaign->number), value_text(code_text(&campaign->code)),
                                   value_integer(campaign->phone_rule), RULES_VALUES(&campaign->rules, &campaign->words),
                                   value_integer(campaign->rules.waiting_list)};
    batch_do(batch, &update_rules, values, 1);
}

static void save_approval(struct batch *batch, const struct campaign *campaign) {
    const struct approval *approval = &campaign->approval;
    const struct campaign_raise *raise = &approval->raise;
    bool is_needed = campaign->rules.needs_approval != 0;
    const struct value values[] = {
        value_integer(campaign->number),          value_integer(is_needed),
        value_integer(approval->waits),           value_id_or_null(approval->requested_by),
        value_integer(approval->requested_at_us), value_integer(raise->max_redemptions),
        value_integer(raise->amount_minor),       value_integer(raise->percent),
        value_integer(raise->discount_max_minor), value_integer(raise->budget_minor),
        value_integer(raise->drops_approval),     value_integer(approval_check(campaign->number, is_needed, approval))};
    batch_do(batch, &put_approval, values, 1);
}

void save_campaign(struct batch *batch, const struct campaign *campaign, const struct campaign_counts *committed) {
    CHECK(campaign_fault(campaign) == NULL);
    if (campaign->is_new) {
        insert_as_it_is(batch, campaign);
        if (campaign->rules.needs_approval != 0) save_approval(batch, campaign);
        return;
    }
    CHECK(campaign->sequence >= committed->sequence && campaign->redeemed >= committed->redeemed);
    const struct value values[] = {
        value_integer(campaign->number),
        value_id(campaign->id),
        value_text(campaign_name(campaign)),
        value_integer(campaign->max_redemptions),
        value_integer(campaign->starts_at_us),
        value_integer(campaign->ends_at_us),
        value_integer(campaign->ended_at_us),
        value_integer(campaign->is_paused),
        value_integer(campaign->version),
        value_integer(campaign->sequence - committed->sequence),
        value_integer(campaign->redeemed - committed->redeemed),
        value_integer(campaign->credited - committed->credited),
        value_integer(campaign->failed - committed->failed),
        value_integer(campaign->first_redeemed_at_us),
        value_integer(campaign->last_redeemed_at_us),
        value_integer(campaign->exhausted_at_us),
        value_integer(campaign->updated_at_us),
        value_integer(campaign->fund_confirmed_minor),
        value_integer(campaign->fund_step_minor),
        value_integer(campaign->fund_step_version),
        value_integer(campaign->fund_is_released),
        value_integer(campaign->settled_position),
        value_integer(campaign->credit.amount_minor),
        value_text(campaign_fund_refusal(campaign)),
        value_text(campaign_fund_refusal_detail(campaign)),
        value_integer(campaign->over_at),
        value_integer(campaign->spent_minor - committed->spent_minor),
        value_integer(campaign->ordered_minor - committed->ordered_minor),
        value_integer(campaign->day_starts_at_us),
        value_integer(campaign->day_ends_at_us),
        value_integer(campaign->day_before),
        value_integer(campaign->reversing),
        value_integer(campaign->reversed - committed->reversed),
        value_integer(campaign->returned - committed->returned),
        value_integer(campaign->day_returned),
        value_integer(campaign->waiting),
        value_integer(campaign->lined_up),
        value_integer(campaign->called),
        value_integer(campaign->strayed),
    };
    batch_do(batch, &update_campaign, values, 1);
    if (!campaign->has_new_rules) return;
    update_rules_of(batch, campaign);
    save_approval(batch, campaign);
}
