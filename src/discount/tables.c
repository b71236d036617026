#include "discount/tables.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "discount/tables_words.h"

/* ---- redemptions ---- */

static int64_t integer_or_zero(const struct row *row, int column) { return row_is_null(row, column) ? 0 : row_integer(row, column); }

struct result redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    int64_t key = row_integer_between(row, first_column, 1, INT64_MAX);
    struct text phone = row_text(row, first_column + 3), failure = row_text_or_empty(row, first_column + 8);
    *ret_redemption = (struct redemption){
        .campaign_number = (uint32_t)(key >> 32),
        .position = key & INT64_C(0xFFFFFFFF),
        .id = row_id(row, first_column + 1),
        .user_id = row_id(row, first_column + 2),
        .status = (enum redemption_status)row_integer_between(row, first_column + 4, REDEMPTION_CLAIMED, REDEMPTION_WAITING),
        .claimed_at_us = row_time(row, first_column + 5),
        .settled_at_us = row_integer(row, first_column + 6),
        .transaction_id = row_id_or_zero(row, first_column + 7),
        .claimed_as = row_id_or_zero(row, first_column + 9),
        .code_batch = (uint32_t)integer_or_zero(row, first_column + 10),
        .code_index = integer_or_zero(row, first_column + 11),
        .order.amount_minor = integer_or_zero(row, first_column + 13),
        .discount_minor = integer_or_zero(row, first_column + 14),
    };
    struct text reference = row_text_or_empty(row, first_column + 12);
    if (reference.size > sizeof ret_redemption->order.reference) row_refuse(row, first_column + 12, "a reference that is too long");
    reference = text_cut(reference, sizeof ret_redemption->order.reference);
    if (reference.size > 0) memcpy(ret_redemption->order.reference, reference.data, reference.size);
    ret_redemption->order.reference_size = (uint8_t)reference.size;
    if (phone.size > sizeof ret_redemption->phone.e164 || failure.size > sizeof ret_redemption->failure)
        row_refuse(row, first_column, "a phone or a failure that is too long");
    phone = text_cut(phone, sizeof ret_redemption->phone.e164);
    failure = text_cut(failure, sizeof ret_redemption->failure);
    memcpy(ret_redemption->phone.e164, phone.data, phone.size);
    ret_redemption->phone.size = (uint8_t)phone.size;
    memcpy(ret_redemption->failure, failure.data, failure.size);
    ret_redemption->failure_size = (uint8_t)failure.size;
    if (ret_redemption->campaign_number > LIMIT_CAMPAIGNS_KEPT) row_refuse(row, first_column, "of no campaign that there can be");
    return row_verdict(row);
}

struct result sound_redemption_of_row(const struct row *row, int first_column, struct redemption *ret_redemption) {
    TRY(redemption_of_row(row, first_column, ret_redemption));
    const char *fault = redemption_fault(ret_redemption);
    if (fault != NULL) row_refuse(row, first_column, fault);
    return row_verdict(row);
}

struct result redemption_found(void *found, const struct row *row) {
    struct found_redemption *into = found;
    TRY(sound_redemption_of_row(row, 0, &into->redemption));
    into->is_found = true;
    return result_ok();
}

/* By its id, or by the one under which it was claimed anew. */
static const struct question redemption_by_its_id = {
    .name = "a redemption",
    .sql = "SELECT " REDEMPTION_COLUMNS
           " FROM redemptions WHERE id = coalesce((SELECT id FROM redemptions WHERE claimed_as = $1), $1) LIMIT 1",
    .parameters = {COLUMN_ID}};
/* What was taken back (status 5) stands in nobody's way. */
static const struct question redemption_of_user = {
    .name = "a user's redemption in a campaign",
    .sql = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE user_id = $1 AND campaign_number = $2 AND status <> 5 LIMIT 1",
    .parameters = {COLUMN_ID, COLUMN_INTEGER}};
static const struct question redemption_of_phone = {
    .name = "a phone's redemption in a campaign",
    .sql = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE campaign_number = $1 AND phone = $2 AND status <> 5 LIMIT 1",
    .parameters = {COLUMN_INTEGER, COLUMN_TEXT}};
static const struct question redemption_of_order = {
    .name = "a user's redemption for an order",
    .sql = "SELECT " REDEMPTION_COLUMNS
           " FROM redemptions WHERE user_id = $1 AND campaign_number = $2 AND order_reference = $3 AND status <> 5 ORDER BY key LIMIT 1",
    .parameters = {COLUMN_ID, COLUMN_INTEGER, COLUMN_TEXT}};
static const struct question count_of_user = {.name = "how many redemptions a user has in a campaign",
                                              .sql = "SELECT user_id, campaign_number, count(*) FROM redemptions WHERE user_id = $1 AND "
                                                     "campaign_number = $2 AND status <> 5 GROUP BY 1, 2 LIMIT 1",
                                              .parameters = {COLUMN_ID, COLUMN_INTEGER}};
static const struct question count_of_phone = {.name = "how many redemptions a phone has in a campaign",
                                               .sql = "SELECT phone, campaign_number, count(*) FROM redemptions WHERE campaign_number = $1 "
                                                      "AND phone = $2 AND status <> 5 GROUP BY 1, 2 LIMIT 1",
                                               .parameters = {COLUMN_INTEGER, COLUMN_TEXT}};
/* The plus keeps SQLite from walking all ids: a user has few redemptions, and they are sorted. */
static const struct question redemptions_of_user = {
    .name = "a user's redemptions",
    .sql = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE user_id = $1 AND +id < $2 ORDER BY +id DESC LIMIT $3",
    .postgres = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    .parameters = {COLUMN_ID, COLUMN_ID, COLUMN_INTEGER}};
static const struct question redemptions_between = {.name = "redemptions by key",
                                                    .sql = "SELECT " REDEMPTION_COLUMNS
                                                           " FROM redemptions WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3",
                                                    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
/* Of each campaign only the part behind the position up to which everything is settled; the order of campaign and key is that of the keys. */
static const struct question unsettled = {
    .name = "unsettled claims",
    .sql = "SELECT " REDEMPTION_COLUMNS_OF("r.") " FROM campaigns AS c JOIN redemptions AS r ON r.key > max($1, (c.number << 32) + "
                                                 "c.settled_position) AND r.key <= (c.number << 32) + c.redeemed WHERE c.number >= $1 >> "
                                                 "32 AND c.settled_position < c.redeemed AND "
                                                 "c.fund_confirmed > 0 AND r.status = 0 ORDER BY c.number, r.key LIMIT $2",
    .postgres = "SELECT " REDEMPTION_COLUMNS_OF(
        "r.") " FROM campaigns AS c CROSS JOIN LATERAL (SELECT * FROM redemptions WHERE key > "
              "greatest($1, (c.number << 32) + c.settled_position) AND key <= (c.number << 32) + c.redeemed AND status = 0 ORDER BY key "
              "LIMIT $2) "
              "AS r WHERE c.number >= $1 >> 32 AND c.settled_position < c.redeemed AND c.fund_confirmed > 0 ORDER BY r.key LIMIT $2",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question first_unsettled = {
    .name = "the first unsettled claim of a campaign",
    .sql = "SELECT key FROM redemptions WHERE key > $1 AND key <= $2 AND status = 0 ORDER BY key LIMIT 1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question insert_redemption = {
    .name = "a new redemption",
    .sql = "INSERT INTO redemptions (" REDEMPTION_COLUMNS
           ", campaign_number) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_ID, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID,
                   COLUMN_TEXT, COLUMN_ID, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question update_redemption = {
    .name = "a redemption that is settled",
    .sql = "UPDATE redemptions SET status = $2, settled_at = $3, transaction_id = $4, failure = $5 WHERE key = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT}};
/* The place for which it has waited. */
static const struct question move_redemption = {
    .name = "a redemption that was promoted",
    .sql =
        "UPDATE redemptions SET key = $2, id = $3, phone = $4, status = $5, claimed_at = $6, settled_at = $7, transaction_id = $8, failure "
        "= $9, claimed_as = $10, discount = $11 WHERE key = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID,
                   COLUMN_TEXT, COLUMN_ID, COLUMN_INTEGER}};
static const struct question line_of = {.name = "the first of a campaign's line",
                                        .sql = "SELECT " REDEMPTION_COLUMNS
                                               " FROM redemptions WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3 OFFSET $4",
                                        .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};

static const struct question update_renamed = {
    .name = "a redemption that was claimed anew",
    .sql = "UPDATE redemptions SET id = $2, phone = $3, status = $4, settled_at = $5, transaction_id = $6, failure = $7, claimed_as = $8 "
           "WHERE key = $1",
    .parameters = {COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_ID, COLUMN_TEXT, COLUMN_ID}};

void ask_redemption(struct batch *batch, struct id id, row_visitor *visit, void *context) {
    batch_ask(batch, &redemption_by_its_id, (struct value[]){value_id(id)}, visit, context);
}

void ask_redemption_of_user(struct batch *batch, uint32_t campaign_number, struct id user_id, row_visitor *visit, void *context) {
    batch_ask(batch, &redemption_of_user, (struct value[]){value_id(user_id), value_integer(campaign_number)}, visit, context);
}

void ask_redemption_of_phone(struct batch *batch, uint32_t campaign_number, const struct phone *phone, row_visitor *visit, void *context) {
    batch_ask(batch, &redemption_of_phone, (struct value[]){value_integer(campaign_number), value_text(phone_text(phone))}, visit, context);
}

void ask_redemption_of_order(struct batch *batch, uint32_t campaign_number, struct id user_id, struct text reference, row_visitor *visit,
                             void *context) {
    const struct value values[] = {value_id(user_id), value_integer(campaign_number), value_text(reference)};
    batch_ask(batch, &redemption_of_order, values, visit, context);
}

void ask_count_of_user(struct batch *batch, uint32_t campaign_number, struct id user_id, row_visitor *visit, void *context) {
    batch_ask(batch, &count_of_user, (struct value[]){value_id(user_id), value_integer(campaign_number)}, visit, context);
}

void ask_count_of_phone(struct batch *batch, uint32_t campaign_number, const struct phone *phone, row_visitor *visit, void *context) {
    batch_ask(batch, &count_of_phone, (struct value[]){value_integer(campaign_number), value_text(phone_text(phone))}, visit, context);
}

void ask_redemptions_of_user(struct batch *batch, struct id user_id, struct id before, int64_t limit, row_visitor *visit, void *context) {
    static const struct id greatest = {
        .bytes = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
    const struct value values[] = {value_id(user_id), value_id(id_is_zero(before) ? greatest : before), value_integer(limit)};
    batch_ask(batch, &redemptions_of_user, values, visit, context);
}

void ask_redemptions(struct batch *batch, int64_t after, int64_t before, int64_t limit, row_visitor *visit, void *context) {
    batch_ask(batch, &redemptions_between, (struct value[]){value_integer(after), value_integer(before), value_integer(limit)}, visit,
              context);
}

void ask_unsettled(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    batch_ask(batch, &unsettled, (struct value[]){value_integer(after), value_integer(limit)}, visit, context);
}

void ask_first_unsettled(struct batch *batch, int64_t after, int64_t last, row_visitor *visit, void *context) {
    batch_ask(batch, &first_unsettled, (struct value[]){value_integer(after), value_integer(last)}, visit, context);
}

void ask_line(struct batch *batch, uint32_t campaign_number, int64_t behind, int64_t count, row_visitor *visit, void *context) {
    const struct value values[] = {value_integer(redemption_key(campaign_number, LINE_BASE)),
                                   value_integer(redemption_key(campaign_number + 1, 0)), value_integer(count), value_integer(behind)};
    batch_ask(batch, &line_of, values, visit, context);
}

static void move(struct batch *batch, const struct redemption *redemption) {
    struct value discount = value_null(COLUMN_INTEGER), failure = value_null(COLUMN_TEXT);
    if (redemption->order.reference_size != 0) discount = value_integer(redemption->discount_minor);
    if (redemption->failure_size != 0) failure = value_text((struct text){redemption->failure, redemption->failure_size});
    const struct value values[] = {value_integer(redemption_key(redemption->campaign_number, redemption->promoted_from)),
                                   value_integer(redemption_key(redemption->campaign_number, redemption->position)),
                                   value_id(redemption->id),
                                   value_text(phone_text(&redemption->phone)),
                                   value_integer(redemption->status),
                                   value_integer(redemption->claimed_at_us),
                                   value_integer(redemption->settled_at_us),
                                   value_id_or_null(redemption->transaction_id),
                                   failure,
                                   value_id_or_null(redemption->claimed_as),
                                   discount};
    batch_do(batch, &move_redemption, values, 1);
}

void save_redemption(struct batch *batch, const struct redemption *redemption) {
    CHECK(redemption_fault(redemption) == NULL);
    struct value key = value_integer(redemption_key(redemption->campaign_number, redemption->position));
    struct value id = value_id(redemption->id), phone = value_text(phone_text(&redemption->phone));
    struct value status = value_integer(redemption->status), settled_at = value_integer(redemption->settled_at_us);
    struct value transaction = value_id_or_null(redemption->transaction_id), failure = value_null(COLUMN_TEXT);
    struct value claimed_as = value_id_or_null(redemption->claimed_as);
    if (redemption->failure_size != 0) failure = value_text((struct text){redemption->failure, redemption->failure_size});
    if (redemption->is_new) {
        struct value user = value_id(redemption->user_id), claimed_at = value_integer(redemption->claimed_at_us);
        struct value number = value_integer(redemption->campaign_number);
        struct value batch_number = value_null(COLUMN_INTEGER), index = value_null(COLUMN_INTEGER), reference = value_null(COLUMN_TEXT);
        struct value amount = value_null(COLUMN_INTEGER), discount = value_null(COLUMN_INTEGER);
        if (redemption->code_batch != 0)
            batch_number = value_integer(redemption->code_batch), index = value_integer(redemption->code_index);
        if (redemption->order.reference_size != 0) {
            reference = value_text(order_reference(&redemption->order));
            amount = value_integer(redemption->order.amount_minor);
            discount = value_integer(redemption->discount_minor);
        }
        const struct value values[] = {key,     id,         user,         phone, status,    claimed_at, settled_at, transaction,
                                       failure, claimed_as, batch_number, index, reference, amount,     discount,   number};
        batch_do(batch, &insert_redemption, values, 1);
    } else if (redemption->promoted_from != 0) {
        move(batch, redemption);
    } else if (!id_is_zero(redemption->claimed_as)) {
        batch_do(batch, &update_renamed, (struct value[]){key, id, phone, status, settled_at, transaction, failure, claimed_as}, 1);
    } else {
        batch_do(batch, &update_redemption, (struct value[]){key, status, settled_at, transaction, failure}, 1);
    }
}

/* ---- counters ---- */

static const struct question all_refusals = {
    .name = "counts of refusals", .sql = "SELECT campaign_number, refusal, count FROM rejections ORDER BY campaign_number, refusal"};
static const struct question add_refusals = {.name = "more refusals",
                                             .sql =
                                                 "INSERT INTO rejections (campaign_number, refusal, count) VALUES ($1, $2, $3) ON CONFLICT "
                                                 "(campaign_number, refusal) DO UPDATE SET count = rejections.count + excluded.count",
                                             .parameters = {COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER}};
static const struct question seconds_of = {
    .name = "seconds of some campaigns",
    .sql = "SELECT campaign_number, second, claimed, credited, rejected FROM seconds WHERE campaign_number >= $1 AND campaign_number <= $2 "
           "ORDER BY campaign_number, second",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
/* Two questions, because one batch may count both kinds in the same second, and no question names a row twice. */
#define ADD_TO(table_, time_, name_)                                                                                                       \
    {                                                                                                                                      \
        .name = (name_),                                                                                                                   \
        .sql = "INSERT INTO " table_ " (campaign_number, " time_ ", claimed, credited, rejected) VALUES ($1, $2, $3, $4, $5) ON CONFLICT " \
               "(campaign_number, " time_ ") DO UPDATE SET claimed = " table_ ".claimed + excluded.claimed, credited = " table_            \
               ".credited + excluded.credited, rejected = " table_ ".rejected + excluded.rejected",                                        \
        .parameters =                                                                                                                      \
        { COLUMN_INTEGER,                                                                                                                  \
          COLUMN_INTEGER,                                                                                                                  \
          COLUMN_INTEGER,                                                                                                                  \
          COLUMN_INTEGER,                                                                                                                  \
          COLUMN_INTEGER }                                                                                                                 \
    }
static const struct question add_settled_to_second = ADD_TO("seconds", "second", "more settled in a second");
static const struct question add_rejected_to_second = ADD_TO("seconds", "second", "more rejected in a second");
static const struct question take_from_second = {
    .name = "credits taken back from a second",
    .sql = "UPDATE seconds SET credited = credited - $3 WHERE campaign_number = $1 AND second = $2",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
/* What is in none of its seconds: those add themselves to it when they are read. */
static const struct question minutes_of = {
    .name = "minutes of some campaigns, without their seconds",
    .sql =
        "SELECT m.campaign_number, m.minute, m.claimed - coalesce(s.claimed, 0), m.credited - coalesce(s.credited, 0), m.rejected - "
        "coalesce(s.rejected, 0) FROM minutes AS m LEFT JOIN (SELECT campaign_number, second / 60 AS minute, CAST(sum(claimed) AS BIGINT) "
        "AS claimed, CAST(sum(credited) AS BIGINT) AS credited, CAST(sum(rejected) AS BIGINT) AS rejected FROM seconds WHERE "
        "campaign_number >= $1 AND campaign_number <= $2 GROUP BY 1, 2) AS s "
        "ON s.campaign_number = m.campaign_number AND s.minute = m.minute WHERE m.campaign_number >= $1 AND m.campaign_number <= $2 ORDER "
        "BY m.campaign_number, m.minute",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question add_settled_to_minute = ADD_TO("minutes", "minute", "more settled in a minute");
static const struct question add_rejected_to_minute = ADD_TO("minutes", "minute", "more rejected in a minute");
static const struct question take_from_minute = {
    .name = "credits taken back from a minute",
    .sql = "UPDATE minutes SET credited = credited - $3 WHERE campaign_number = $1 AND minute = $2",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question delete_minutes = {
    .name = "a campaign's oldest minutes",
    .sql = "DELETE FROM minutes WHERE campaign_number = $1 AND minute < (SELECT min(minute) FROM (SELECT minute FROM minutes WHERE "
           "campaign_number = $1 ORDER BY minute DESC LIMIT $2) AS newest)",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question delete_seconds = {
    .name = "a campaign's oldest seconds",
    .sql = "DELETE FROM seconds WHERE campaign_number = $1 AND second < (SELECT min(second) FROM (SELECT second FROM seconds WHERE "
           "campaign_number = $1 ORDER BY second DESC LIMIT $2) AS newest)",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
static const struct question sums_of_minutes = {
    .name = "sums of a campaign's minutes",
    .sql = "SELECT count(*), CAST(coalesce(sum(claimed), 0) AS BIGINT), CAST(coalesce(sum(credited), 0) AS BIGINT) "
           "FROM minutes WHERE campaign_number = $1",
    .parameters = {COLUMN_INTEGER}};
/* Of the oldest minute some seconds may be forgotten; before 0010_minutes.sql all but the newest 600 were. */
static const struct question minutes_and_seconds = {
    .name = "a minute that is not the sum of its seconds",
    .sql =
        "SELECT s.minute FROM (SELECT second / 60 AS minute, sum(claimed) AS claimed, sum(credited) AS credited, sum(rejected) AS rejected "
        "FROM seconds WHERE campaign_number = $1 GROUP BY second / 60) AS s CROSS JOIN (SELECT count(*) AS seconds, min(second) / 60 AS "
        "oldest FROM seconds WHERE campaign_number = $1) AS k LEFT JOIN minutes AS m ON m.campaign_number = $1 AND m.minute = s.minute "
        "WHERE m.minute IS NULL OR m.claimed < s.claimed OR m.credited < s.credited OR m.rejected < s.rejected OR ((k.seconds < 600 OR "
        "s.minute > k.oldest) AND (m.claimed > s.claimed OR m.credited > s.credited OR m.rejected > s.rejected)) LIMIT 1",
    .parameters = {COLUMN_INTEGER}};
void ask_refusals(struct batch *batch, row_visitor *visit, void *context) { batch_ask(batch, &all_refusals, NULL, visit, context); }
void ask_seconds(struct batch *batch, uint32_t first_number, uint32_t last_number, row_visitor *visit, void *context) {
    batch_ask(batch, &seconds_of, (struct value[]){value_integer(first_number), value_integer(last_number)}, visit, context);
}

void ask_minutes(struct batch *batch, uint32_t first_number, uint32_t last_number, row_visitor *visit, void *context) {
    batch_ask(batch, &minutes_of, (struct value[]){value_integer(first_number), value_integer(last_number)}, visit, context);
}

void save_refusals(struct batch *batch, uint32_t campaign_number, enum refusal refusal, int64_t more) {
    const struct value values[] = {value_integer(campaign_number), value_text(text_of(refusal_rule(refusal)->code)), value_integer(more)};
    batch_do(batch, &add_refusals, values, 1);
}

void save_second(struct batch *batch, uint32_t campaign_number, const struct second_counts *more) {
    const struct value values[] = {value_integer(campaign_number), value_integer(more->second), value_integer(more->claimed),
                                   value_integer(more->credited), value_integer(more->rejected)};
    batch_do(batch, more->rejected > 0 ? &add_rejected_to_second : &add_settled_to_second, values, 1);
}

void save_credits_taken_back(struct batch *batch, uint32_t campaign_number, const struct second_counts *less) {
    const struct value values[] = {value_integer(campaign_number), value_integer(less->second), value_integer(less->credited)};
    batch_do(batch, &take_from_second, values, 1);
}

void save_minute(struct batch *batch, uint32_t campaign_number, const struct minute_counts *more) {
    const struct value values[] = {value_integer(campaign_number), value_integer(more->minute), value_integer(more->claimed),
                                   value_integer(more->credited), value_integer(more->rejected)};
    batch_do(batch, more->rejected > 0 ? &add_rejected_to_minute : &add_settled_to_minute, values, 1);
}

void save_credits_taken_back_from_minute(struct batch *batch, uint32_t campaign_number, const struct minute_counts *less) {
    const struct value values[] = {value_integer(campaign_number), value_integer(less->minute), value_integer(less->credited)};
    batch_do(batch, &take_from_minute, values, 1);
}

void drop_seconds(struct batch *batch, uint32_t campaign_number) {
    batch_do(batch, &delete_seconds, (struct value[]){value_integer(campaign_number), value_integer(BOARD_SECONDS)}, ROWS_ANY);
    batch_do(batch, &delete_minutes, (struct value[]){value_integer(campaign_number), value_integer(BOARD_MINUTES)}, ROWS_ANY);
}

void ask_sums_of_minutes(struct batch *batch, uint32_t campaign_number, row_visitor *visit, void *context) {
    batch_ask(batch, &sums_of_minutes, (struct value[]){value_integer(campaign_number)}, visit, context);
}

void ask_odd_minute(struct batch *batch, uint32_t campaign_number, row_visitor *visit, void *context) {
    batch_ask(batch, &minutes_and_seconds, (struct value[]){value_integer(campaign_number)}, visit, context);
}

/* ---- kept answers ---- */

static const struct question kept_answer = {
    .name = "a kept answer",
    .sql = "SELECT i.fingerprint, i.status, i.content_type, i.location, i.body, i.subject, i.created_at, " REDEMPTION_COLUMNS_OF(
        "r.") " FROM idempotency AS i LEFT JOIN redemptions AS r ON i.status = 0 AND r.id = coalesce((SELECT id FROM redemptions WHERE "
              "claimed_as = i.subject), i.subject) WHERE i.lookup = $1 LIMIT 1",
    .parameters = {COLUMN_BYTES}};
static const struct question put_kept_answer = {
    .name = "an answer to be kept",
    .sql = "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, subject, created_at) VALUES ($1, $2, $3, "
           "$4, $5, "
           "$6, $7, $8) ON CONFLICT (lookup) DO UPDATE SET status = excluded.status, content_type = excluded.content_type, location = "
           "excluded.location, body = excluded.body, subject = excluded.subject",
    .parameters = {COLUMN_BYTES, COLUMN_TEXT, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_TEXT, COLUMN_TEXT, COLUMN_ID, COLUMN_INTEGER}};
static const struct question drop_kept_answers = {
    .name = "the oldest kept answers",
    .sql = "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency ORDER BY number LIMIT $2) AND created_at < $1",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};

static const struct question has_old_kept_answers = {
    .name = "an old kept answer",
    .sql = "SELECT number FROM (SELECT number, created_at FROM idempotency ORDER BY number LIMIT 1) AS oldest WHERE created_at < $1",
    .parameters = {COLUMN_INTEGER}};

static const struct question kept_lookups = {
    .name = "under which lookups something is kept",
    .sql = "SELECT number, lookup, created_at FROM idempotency WHERE number > $1 ORDER BY number LIMIT $2",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
void ask_kept_lookups(struct batch *batch, int64_t after, int64_t limit, row_visitor *visit, void *context) {
    batch_ask(batch, &kept_lookups, (struct value[]){value_integer(after), value_integer(limit)}, visit, context);
}

const struct kept_questions table_kept = {.find = &kept_answer,
                                          .put = &put_kept_answer,
                                          .has_expired = &has_old_kept_answers,
                                          .expire = &drop_kept_answers};

/* ---- settings ---- */

static const struct question setting = {.name = "a setting",
                                        .sql = "SELECT value FROM settings WHERE name = $1 LIMIT 1",
                                        .parameters = {COLUMN_TEXT}};
static const struct question put_setting = {.name = "a setting to be kept",
                                            .sql = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
                                                   "value = excluded.value",
                                            .parameters = {COLUMN_TEXT, COLUMN_BYTES}};

void ask_setting(struct batch *batch, struct text name, row_visitor *visit, void *context) {
    batch_ask(batch, &setting, (struct value[]){value_text(name)}, visit, context);
}

static const struct question campaign_currencies = {.name = "the currencies of campaigns",
                                                    .sql = "SELECT DISTINCT currency FROM campaigns"};
void ask_campaign_currencies(struct batch *batch, row_visitor *visit, void *context) {
    batch_ask(batch, &campaign_currencies, NULL, visit, context);
}

void save_setting(struct batch *batch, struct text name, const void *data, size_t size) {
    batch_do(batch, &put_setting, (struct value[]){value_text(name), value_bytes(data, size)}, 1);
}

/* ---- rules across rows: each question names one that breaks its rule. SQLite's walk the table itself, so that an index that has gone wrong is
 * not asked about itself. ---- */

#define TWICE(columns)                                                                                            \
    {                                                                                                             \
        .name = "redemptions that are there twice",                                                               \
        .sql = "SELECT id FROM redemptions NOT INDEXED GROUP BY " columns " HAVING count(*) > 1 LIMIT 1",         \
        .postgres = "SELECT (array_agg(id))[1] FROM redemptions GROUP BY " columns " HAVING count(*) > 1 LIMIT 1" \
    }

#define MORE_THAN(column, limit)                                                                                                           \
    {                                                                                                                                      \
        .name = "redemptions beyond " limit,                                                                                               \
        .sql = "SELECT r.id FROM redemptions AS r NOT INDEXED JOIN campaigns AS c ON c.number = r.key >> 32 WHERE r.status <> 5 GROUP BY " \
               "r." column ", r.key >> 32 HAVING count(*) > max(c." limit ") LIMIT 1",                                                     \
        .postgres = "SELECT (array_agg(r.id))[1] FROM redemptions AS r JOIN campaigns AS c ON c.number = r.key >> 32 WHERE r.status <> 5 " \
                    "GROUP BY r." column ", r.key >> 32 HAVING count(*) > max(c." limit ") LIMIT 1"                                        \
    }

const struct rule table_rules[] = {
    {MORE_THAN("user_id", "max_per_user"), "a user has more redemptions in one campaign than it gives to each"},
    {MORE_THAN("phone", "max_per_phone"), "a phone has more redemptions in one campaign than it gives to each"},
    {{.name = "orders that are there twice",
      .sql = "SELECT id FROM redemptions NOT INDEXED WHERE order_reference IS NOT NULL AND status <> 5 GROUP BY user_id, key >> 32, "
             "order_reference HAVING "
             "count(*) > 1 LIMIT 1",
      .postgres = "SELECT (array_agg(id))[1] FROM redemptions WHERE order_reference IS NOT NULL AND status <> 5 GROUP BY user_id, key >> "
                  "32, order_reference "
                  "HAVING count(*) > 1 LIMIT 1"},
     "an order was redeemed twice"},
    {TWICE("id"), "an id stands there twice"},
    {{.name = "transactions that are there twice",
      .sql = "SELECT id FROM redemptions NOT INDEXED WHERE transaction_id IS NOT NULL GROUP BY transaction_id HAVING count(*) > 1 LIMIT 1",
      .postgres = "SELECT (array_agg(id))[1] FROM redemptions WHERE transaction_id IS NOT NULL GROUP BY transaction_id HAVING count(*) > 1 "
                  "LIMIT 1"},
     "two redemptions have one transaction"},
    {{.name = "redemptions without a campaign",
      .sql = "SELECT r.id FROM redemptions AS r LEFT JOIN campaigns AS c ON c.number = r.key >> 32 WHERE c.number IS NULL LIMIT 1"},
     "a redemption has no campaign"},
    {{.name = "redemptions under another key", .sql = "SELECT id FROM redemptions WHERE campaign_number <> key >> 32 LIMIT 1"},
     "a redemption stands under another campaign's key"},
};
const size_t table_rule_count = ARRAY_COUNT(table_rules);

/* ---- phones of before ---- */

const struct phone_questions table_phones = {
    .key = COLUMN_INTEGER,
    .left = {"phones to be looked at",
             "SELECT o.key, r.phone FROM old_phones o JOIN redemptions r ON r.key = o.key ORDER BY o.key LIMIT $1",
             NULL,
             {COLUMN_INTEGER}},
    .taken = {"whether another of the campaign has a phone",
              "SELECT key FROM redemptions WHERE campaign_number = $1 >> 32 AND phone = $2 AND key <> $1 LIMIT 1",
              NULL,
              {COLUMN_INTEGER, COLUMN_TEXT}},
    .change = {"a phone in its form of now", "UPDATE redemptions SET phone = $2 WHERE key = $1", NULL, {COLUMN_INTEGER, COLUMN_TEXT}},
    .reviewed = {"a phone that was looked at", "DELETE FROM old_phones WHERE key = $1", NULL, {COLUMN_INTEGER}},
};
