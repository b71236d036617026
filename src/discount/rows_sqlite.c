#include <stdlib.h>

#include "base/check.h"
#include "discount/rows.h"
#include "store/sqlite/database.h"

#define DROP_RECORDS_MAX "1000" /* in one transaction, so that tidying never keeps requests waiting */

enum row_statement {
    EACH_CAMPAIGN,
    EACH_REDEMPTION,
    EACH_SECOND,
    FIND_REFUSALS,
    FIND_USER,
    FIND_PHONE,
    FIND_ID,
    FIND_RECORD,
    INSERT_CAMPAIGN,
    UPDATE_CAMPAIGN,
    INSERT_REDEMPTION,
    UPDATE_REDEMPTION,
    PUT_RECORD,
    PUT_REFUSALS,
    PUT_SECOND_SETTLED,
    PUT_SECOND_REJECTED,
    DROP_RECORDS,
    DROP_SECONDS,
    STATEMENT_COUNT,
};

static const char *const texts[STATEMENT_COUNT] = {
    [EACH_CAMPAIGN] = "SELECT " CAMPAIGN_COLUMNS " FROM campaigns ORDER BY number",
    [EACH_REDEMPTION] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions ORDER BY key",
    [EACH_SECOND] = "SELECT campaign_number, second, claimed, credited, rejected FROM seconds ORDER BY campaign_number, second",
    [FIND_REFUSALS] = "SELECT sold_out, already_redeemed, phone_already_redeemed, phone_mismatch, campaign_not_started, campaign_paused, "
                      "campaign_ended FROM rejections WHERE campaign_number = ?1",
    [FIND_USER] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE user_id = ?2 AND campaign_number = ?1",
    [FIND_PHONE] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE campaign_number = ?1 AND phone = ?2",
    [FIND_ID] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE id = ?1",
    [FIND_RECORD] = "SELECT fingerprint, status, content_type, location, body, subject, created_at FROM idempotency WHERE lookup = ?1",
    [INSERT_CAMPAIGN] = "INSERT INTO campaigns (" CAMPAIGN_COLUMNS ") VALUES "
                        "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25)",
    [UPDATE_CAMPAIGN] =
        "UPDATE campaigns SET name = ?4, max_redemptions = ?7, starts_at = ?8, ends_at = ?9, ended_at = ?10, is_paused = ?11, "
        "version = ?12, sequence = ?13, redeemed = ?14, credited = ?15, failed = ?16, first_redeemed_at = ?17, "
        "last_redeemed_at = ?18, exhausted_at = ?19, updated_at = ?21, fund_confirmed = ?22, fund_step = ?23, "
        "fund_step_version = ?24, fund_is_released = ?25 WHERE number = ?1 AND id = ?2 AND code = ?3 AND amount = ?5 AND "
        "currency = ?6 AND created_at = ?20",
    [INSERT_REDEMPTION] =
        "INSERT INTO redemptions (" REDEMPTION_COLUMNS ", campaign_number) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [UPDATE_REDEMPTION] = "UPDATE redemptions SET status = ?2, settled_at = ?3, transaction_id = ?4, failure = ?5 WHERE key = ?1",
    [PUT_RECORD] =
        "INSERT INTO idempotency (lookup, fingerprint, status, content_type, location, body, subject, created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (lookup) DO UPDATE SET status = ?3, content_type = ?4, location = ?5, "
        "body = ?6, subject = ?7",
    [PUT_REFUSALS] = "INSERT OR REPLACE INTO rejections VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [PUT_SECOND_SETTLED] = "INSERT INTO seconds VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO UPDATE SET claimed = ?3, credited = ?4",
    [PUT_SECOND_REJECTED] = "INSERT INTO seconds VALUES (?1, ?2, 0, 0, ?3) ON CONFLICT DO UPDATE SET rejected = ?3",
    [DROP_RECORDS] = "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency ORDER BY number LIMIT " DROP_RECORDS_MAX
                     ") AND created_at < ?1",
    [DROP_SECONDS] = "DELETE FROM seconds WHERE campaign_number = ?1 AND second < (SELECT min(second) FROM (SELECT second FROM seconds "
                     "WHERE campaign_number = ?1 ORDER BY second DESC LIMIT ?2))",
};

struct sqlite_rows {
    struct database *database;
    struct statement statements[STATEMENT_COUNT];
};

static struct statement *use(void *self, enum row_statement which) { return &((struct sqlite_rows *)self)->statements[which]; }

static struct result sqlite_begin(void *self) { return database_begin(((struct sqlite_rows *)self)->database); }
static struct result sqlite_commit(void *self) { return database_commit(((struct sqlite_rows *)self)->database); }
static void sqlite_rollback(void *self) { database_rollback(((struct sqlite_rows *)self)->database); }
static void sqlite_tidy(void *self, bool is_busy) {
    struct database *database = ((struct sqlite_rows *)self)->database;
    database_checkpoint(database, is_busy ? DATABASE_CHECKPOINT_BUSY : 1);
    if (!is_busy) database_make_room(database);
}
static void sqlite_close(void *self) { free(self); }

static struct result sqlite_probe(void *self) { return database_probe(((struct sqlite_rows *)self)->database); }

static struct result sqlite_each_campaign(void *self, struct result (*visit)(void *, const struct campaign *), void *context) {
    struct statement *statement = use(self, EACH_CAMPAIGN);
    for (;;) {
        bool is_row;
        struct campaign campaign;
        struct result outcome = statement_step(statement, &is_row);
        if (result_is_ok(outcome) && is_row) outcome = rows_read_campaign(statement, &campaign);
        if (result_is_ok(outcome) && is_row) outcome = visit(context, &campaign);
        if (result_is_ok(outcome) && is_row) continue;
        statement_reset(statement);
        return outcome;
    }
}

static struct result sqlite_each_redemption(void *self, struct result (*visit)(void *, const struct redemption *), void *context) {
    struct statement *statement = use(self, EACH_REDEMPTION);
    for (;;) {
        bool is_row;
        struct redemption redemption;
        struct result outcome = statement_step(statement, &is_row);
        if (result_is_ok(outcome) && is_row) outcome = rows_read_redemption(statement, &redemption);
        if (result_is_ok(outcome) && is_row) outcome = visit(context, &redemption);
        if (result_is_ok(outcome) && is_row) continue;
        statement_reset(statement);
        return outcome;
    }
}

static struct result sqlite_each_second(void *self, struct result (*visit)(void *, uint32_t, const struct second_counts *), void *context) {
    struct statement *statement = use(self, EACH_SECOND);
    for (;;) {
        bool is_row;
        struct result outcome = statement_step(statement, &is_row);
        if (result_is_ok(outcome) && is_row) {
            struct second_counts counts = {.second = statement_integer(statement, 1),
                                           .claimed = (uint32_t)statement_integer(statement, 2),
                                           .credited = (uint32_t)statement_integer(statement, 3),
                                           .rejected = (uint32_t)statement_integer(statement, 4)};
            outcome = visit(context, (uint32_t)statement_integer(statement, 0), &counts);
        }
        if (result_is_ok(outcome) && is_row) continue;
        statement_reset(statement);
        return outcome;
    }
}

static struct result sqlite_find_refusals(void *self, uint32_t number, struct refusal_counts *ret_counts) {
    struct statement *statement = use(self, FIND_REFUSALS);
    *ret_counts = (struct refusal_counts){0};
    statement_bind_integer(statement, 1, number);
    bool is_row;
    struct result outcome = statement_step(statement, &is_row);
    for (int i = 0; result_is_ok(outcome) && is_row && i < (int)REFUSED_ENDED; i++)
        ret_counts->counts[i + 1] = statement_integer(statement, i);
    statement_reset(statement);
    return outcome;
}

/* Its parameters are bound. */
static struct result find_redemption(struct statement *statement, struct redemption *ret_redemption, bool *ret_found) {
    struct result outcome = statement_step(statement, ret_found);
    if (result_is_ok(outcome) && *ret_found) outcome = rows_read_redemption(statement, ret_redemption);
    statement_reset(statement);
    return outcome;
}

static struct result sqlite_find_user(void *self, uint32_t number, struct id user_id, struct redemption *ret_redemption, bool *ret_found) {
    struct statement *statement = use(self, FIND_USER);
    statement_bind_integer(statement, 1, number);
    statement_bind_id(statement, 2, user_id);
    return find_redemption(statement, ret_redemption, ret_found);
}

static struct result sqlite_find_phone(void *self, uint32_t number, const struct phone *phone, struct redemption *ret_redemption,
                                       bool *ret_found) {
    struct statement *statement = use(self, FIND_PHONE);
    statement_bind_integer(statement, 1, number);
    statement_bind_text(statement, 2, phone_text(phone));
    return find_redemption(statement, ret_redemption, ret_found);
}

static struct result sqlite_find_id(void *self, struct id id, struct redemption *ret_redemption, bool *ret_found) {
    struct statement *statement = use(self, FIND_ID);
    statement_bind_id(statement, 1, id);
    return find_redemption(statement, ret_redemption, ret_found);
}

static struct result read_record(const struct statement *statement, struct arena *arena, struct idempotency_record *record) {
    record->fingerprint = arena_copy(arena, statement_text(statement, 0));
    record->status = (int)statement_integer(statement, 1);
    record->content_type = arena_copy(arena, statement_text(statement, 2));
    record->location = arena_copy(arena, statement_text(statement, 3));
    record->body = arena_copy(arena, statement_text(statement, 4));
    record->subject = statement_id(statement, 5);
    record->created_at_us = statement_integer(statement, 6);
    bool is_whole =
        record->fingerprint.data != NULL && record->content_type.data != NULL && record->location.data != NULL && record->body.data != NULL;
    return is_whole ? result_ok() : result_error(RESULT_FULL);
}

static struct result sqlite_find_record(void *self, const struct hash *lookup, struct arena *arena, struct idempotency_record *ret_record,
                                        bool *ret_found) {
    struct statement *statement = use(self, FIND_RECORD);
    *ret_record = (struct idempotency_record){.lookup = *lookup};
    statement_bind_blob(statement, 1, lookup->bytes, sizeof lookup->bytes);
    struct result outcome = statement_step(statement, ret_found);
    if (result_is_ok(outcome) && *ret_found) outcome = read_record(statement, arena, ret_record);
    statement_reset(statement);
    return outcome;
}

static struct result sqlite_put_campaign(void *self, const struct campaign *campaign) {
    struct statement *statement = use(self, campaign->is_new ? INSERT_CAMPAIGN : UPDATE_CAMPAIGN);
    int64_t integers[] = {
        campaign->max_redemptions,
        campaign->starts_at_us,
        campaign->ends_at_us,
        campaign->ended_at_us,
        campaign->is_paused,
        campaign->version,
        campaign->sequence,
        campaign->redeemed,
        campaign->credited,
        campaign->failed,
        campaign->first_redeemed_at_us,
        campaign->last_redeemed_at_us,
        campaign->exhausted_at_us,
        campaign->created_at_us,
        campaign->updated_at_us,
        campaign->fund_confirmed_minor,
        campaign->fund_step_minor,
        campaign->fund_step_version,
        campaign->fund_is_released,
    };
    statement_bind_integer(statement, 1, campaign->number);
    statement_bind_id(statement, 2, campaign->id);
    statement_bind_text(statement, 3, code_text(&campaign->code));
    statement_bind_text(statement, 4, campaign_name(campaign));
    statement_bind_integer(statement, 5, campaign->credit.amount_minor);
    statement_bind_text(statement, 6, text_of(currency_code(campaign->credit.currency)));
    for (size_t i = 0; i < ARRAY_COUNT(integers); i++) statement_bind_integer(statement, 7 + (int)i, integers[i]);
    return statement_run(statement);
}

/* Parameters from `first` on: status is bound by the caller. */
static void bind_settlement(struct statement *statement, int transaction, int failure, const struct redemption *redemption) {
    if (redemption->status == REDEMPTION_CREDITED)
        statement_bind_id(statement, transaction, redemption->transaction_id);
    else
        statement_bind_null(statement, transaction);
    if (redemption->status == REDEMPTION_FAILED) {
        statement_bind_text(statement, failure, (struct text){redemption->failure, redemption->failure_size});
    } else {
        statement_bind_null(statement, failure);
    }
}

static struct result sqlite_put_redemption(void *self, const struct redemption *redemption) {
    int64_t key = redemption_key(redemption->campaign_number, redemption->position);
    if (!redemption->is_new) {
        struct statement *update = use(self, UPDATE_REDEMPTION);
        statement_bind_integer(update, 1, key);
        statement_bind_integer(update, 2, redemption->status);
        statement_bind_integer(update, 3, redemption->settled_at_us);
        bind_settlement(update, 4, 5, redemption);
        return statement_run(update);
    }
    struct statement *insert = use(self, INSERT_REDEMPTION);
    statement_bind_integer(insert, 1, key);
    statement_bind_id(insert, 2, redemption->id);
    statement_bind_id(insert, 3, redemption->user_id);
    statement_bind_text(insert, 4, phone_text(&redemption->phone));
    statement_bind_integer(insert, 5, redemption->status);
    statement_bind_integer(insert, 6, redemption->claimed_at_us);
    statement_bind_integer(insert, 7, redemption->settled_at_us);
    bind_settlement(insert, 8, 9, redemption);
    statement_bind_integer(insert, 10, redemption->campaign_number);
    return statement_run(insert);
}

static struct result sqlite_put_record(void *self, const struct idempotency_record *record) {
    struct statement *statement = use(self, PUT_RECORD);
    statement_bind_blob(statement, 1, record->lookup.bytes, sizeof record->lookup.bytes);
    statement_bind_text(statement, 2, record->fingerprint);
    statement_bind_integer(statement, 3, record->status);
    statement_bind_text(statement, 4, record->content_type);
    statement_bind_text(statement, 5, record->location);
    statement_bind_text(statement, 6, record->body);
    statement_bind_id(statement, 7, record->subject);
    statement_bind_integer(statement, 8, record->created_at_us);
    return statement_run(statement);
}

static struct result sqlite_put_refusals(void *self, uint32_t number, const struct refusal_counts *counts) {
    struct statement *statement = use(self, PUT_REFUSALS);
    statement_bind_integer(statement, 1, number);
    for (int i = 1; i <= (int)REFUSED_ENDED; i++) statement_bind_integer(statement, 1 + i, counts->counts[i]);
    return statement_run(statement);
}

static struct result sqlite_put_second_settled(void *self, uint32_t number, const struct second_counts *counts) {
    struct statement *statement = use(self, PUT_SECOND_SETTLED);
    statement_bind_integer(statement, 1, number);
    statement_bind_integer(statement, 2, counts->second);
    statement_bind_integer(statement, 3, counts->claimed);
    statement_bind_integer(statement, 4, counts->credited);
    return statement_run(statement);
}

static struct result sqlite_put_second_rejected(void *self, uint32_t number, const struct second_counts *counts) {
    struct statement *statement = use(self, PUT_SECOND_REJECTED);
    statement_bind_integer(statement, 1, number);
    statement_bind_integer(statement, 2, counts->second);
    statement_bind_integer(statement, 3, counts->rejected);
    return statement_run(statement);
}

static struct result sqlite_drop_records(void *self, int64_t before_us) {
    struct statement *statement = use(self, DROP_RECORDS);
    statement_bind_integer(statement, 1, before_us);
    return statement_run(statement);
}

static struct result sqlite_drop_seconds(void *self, uint32_t number) {
    struct statement *statement = use(self, DROP_SECONDS);
    statement_bind_integer(statement, 1, number);
    statement_bind_integer(statement, 2, BOARD_SECONDS);
    return statement_run(statement);
}

struct result rows_sqlite_create(struct database *database, struct rows *ret_rows) {
    struct sqlite_rows *self = calloc(1, sizeof *self);
    if (self == NULL) return result_error(RESULT_FULL);
    self->database = database;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        struct result prepared = statement_prepare(database, texts[i], &self->statements[i]);
        if (result_is_ok(prepared)) continue;
        free(self);
        return prepared;
    }
    *ret_rows = (struct rows){
        .self = self,
        .begin = sqlite_begin,
        .commit = sqlite_commit,
        .rollback = sqlite_rollback,
        .probe = sqlite_probe,
        .tidy = sqlite_tidy,
        .close = sqlite_close,
        .each_campaign = sqlite_each_campaign,
        .each_redemption = sqlite_each_redemption,
        .each_second = sqlite_each_second,
        .find_refusals = sqlite_find_refusals,
        .find_user = sqlite_find_user,
        .find_phone = sqlite_find_phone,
        .find_id = sqlite_find_id,
        .find_record = sqlite_find_record,
        .put_campaign = sqlite_put_campaign,
        .put_redemption = sqlite_put_redemption,
        .put_record = sqlite_put_record,
        .put_refusals = sqlite_put_refusals,
        .put_second_settled = sqlite_put_second_settled,
        .put_second_rejected = sqlite_put_second_rejected,
        .drop_records = sqlite_drop_records,
        .drop_seconds = sqlite_drop_seconds,
    };
    return result_ok();
}
