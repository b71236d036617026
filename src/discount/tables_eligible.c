#include "discount/tables_eligible.h"

#include "base/limits.h"

/* ---- who is on a list ---- */

static const struct question is_user_listed = {.name = "whether a user is on a campaign's list",
                                               .sql = "SELECT 1 FROM eligible_users WHERE campaign_number = $1 AND user_id = $2 LIMIT 1",
                                               .parameters = {COLUMN_INTEGER, COLUMN_ID}};
static const struct question is_phone_listed = {.name = "whether a phone is on a campaign's list",
                                                .sql = "SELECT 1 FROM eligible_phones WHERE campaign_number = $1 AND phone = $2 LIMIT 1",
                                                .parameters = {COLUMN_INTEGER, COLUMN_TEXT}};
static const struct question list_counts = {.name = "how many are on a campaign's list",
                                            .sql = "SELECT users, phones FROM eligible_lists WHERE campaign_number = $1 LIMIT 1",
                                            .parameters = {COLUMN_INTEGER}};
static const struct question insert_user = {.name = "a user on a list",
                                            .sql = "INSERT INTO eligible_users (campaign_number, user_id, row_check) VALUES ($1, $2, $3)",
                                            .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER}};
static const struct question insert_phone = {.name = "a phone on a list",
                                             .sql = "INSERT INTO eligible_phones (campaign_number, phone, row_check) VALUES ($1, $2, $3)",
                                             .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER}};
static const struct question add_counts = {
    .name = "more on a campaign's list",
    .sql = "INSERT INTO eligible_lists (campaign_number, users, phones) VALUES ($1, $2, $3) ON CONFLICT (campaign_number) DO UPDATE SET "
           "users = eligible_lists.users + excluded.users, phones = eligible_lists.phones + excluded.phones",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

void ask_eligible_user(struct batch *batch, uint32_t campaign_number, struct id user_id, row_visitor *visit, void *context) {
    batch_ask(batch, &is_user_listed, (struct value[]){value_integer(campaign_number), value_id(user_id)}, visit, context);
}

void ask_eligible_phone(struct batch *batch, uint32_t campaign_number, const struct phone *phone, row_visitor *visit, void *context) {
    batch_ask(batch, &is_phone_listed, (struct value[]){value_integer(campaign_number), value_text(phone_text(phone))}, visit, context);
}

void ask_eligible_counts(struct batch *batch, uint32_t campaign_number, row_visitor *visit, void *context) {
    batch_ask(batch, &list_counts, (struct value[]){value_integer(campaign_number)}, visit, context);
}

struct result eligible_counts_found(void *counts, const struct row *row) {
    *(struct eligible_counts *)counts =
        (struct eligible_counts){row_integer_between(row, 0, 0, INT64_MAX), row_integer_between(row, 1, 0, INT64_MAX)};
    return row_verdict(row);
}

void save_eligible(struct batch *batch, const struct eligible_addition *addition) {
    struct value number = value_integer(addition->campaign_number);
    struct eligible_counts more = eligible_count_new(addition->list, addition->count);
    for (size_t i = 0; i < addition->count; i++) {
        const struct eligible *eligible = &addition->list[i];
        struct value check = value_integer(eligible_check(addition->campaign_number, eligible));
        if (eligible->is_listed) continue;
        if (eligible->phone.size == 0)
            batch_do(batch, &insert_user, (struct value[]){number, value_id(eligible->user_id), check}, 1);
        else
            batch_do(batch, &insert_phone, (struct value[]){number, value_text(phone_text(&eligible->phone)), check}, 1);
    }
    if (more.users + more.phones == 0) return;
    batch_do(batch, &add_counts, (struct value[]){number, value_integer(more.users), value_integer(more.phones)}, 1);
}

/* ---- for verify ---- */

static const struct question users_after = {
    .name = "users on lists behind one",
    .sql = "SELECT campaign_number, user_id, row_check FROM eligible_users WHERE (campaign_number, user_id) > ($1, $2) ORDER BY "
           "campaign_number, user_id LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_INTEGER}};
static const struct question phones_after = {
    .name = "phones on lists behind one",
    .sql = "SELECT campaign_number, phone, row_check FROM eligible_phones WHERE (campaign_number, phone) > ($1, $2) ORDER BY "
           "campaign_number, phone LIMIT $3",
    .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER}};

void ask_eligible_users(struct batch *batch, uint32_t campaign_number, struct id after, int64_t limit, row_visitor *visit, void *context) {
    batch_ask(batch, &users_after, (struct value[]){value_integer(campaign_number), value_id(after), value_integer(limit)}, visit, context);
}

void ask_eligible_phones(struct batch *batch, uint32_t campaign_number, const struct phone *after, int64_t limit, row_visitor *visit,
                         void *context) {
    const struct value values[] = {value_integer(campaign_number), value_text(phone_text(after)), value_integer(limit)};
    batch_ask(batch, &phones_after, values, visit, context);
}

static uint32_t number_of_row(const struct row *row) { return (uint32_t)row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS_KEPT); }

struct result eligible_user_of_row(const struct row *row, struct eligible_row *ret_row) {
    *ret_row =
        (struct eligible_row){.campaign_number = number_of_row(row), .eligible.user_id = row_id(row, 1), .check = row_integer(row, 2)};
    return row_verdict(row);
}

struct result eligible_phone_of_row(const struct row *row, struct eligible_row *ret_row) {
    *ret_row = (struct eligible_row){.campaign_number = number_of_row(row), .check = row_integer(row, 2)};
    if (!phone_of_e164(row_text(row, 1), &ret_row->eligible.phone)) row_refuse(row, 1, "not a phone number");
    return row_verdict(row);
}

const struct rule table_eligible_rules[] = {
    {{.name = "lists with other users than they count",
      .sql = "SELECT c.id FROM campaigns AS c LEFT JOIN eligible_lists AS l ON l.campaign_number = c.number WHERE coalesce(l.users, 0) <> "
             "(SELECT count(*) FROM eligible_users AS u WHERE u.campaign_number = c.number) LIMIT 1"},
     "the count of users on its list is not that of its rows"},
    {{.name = "lists with other phones than they count",
      .sql = "SELECT c.id FROM campaigns AS c LEFT JOIN eligible_lists AS l ON l.campaign_number = c.number WHERE coalesce(l.phones, 0) <> "
             "(SELECT count(*) FROM eligible_phones AS p WHERE p.campaign_number = c.number) LIMIT 1"},
     "the count of phones on its list is not that of its rows"},
};
const size_t table_eligible_rule_count = ARRAY_COUNT(table_eligible_rules);
