#include "discount/reader.h"

#include <stdlib.h>

#include "discount/rows.h"
#include "discount_schema.h"
#include "store/sqlite/database.h"

enum reader_statement { CAMPAIGN, REDEMPTION, BY_USER, BY_PHONE, CAMPAIGNS, OF_USER, WINNERS, UNSETTLED, STATEMENT_COUNT };

static const char *const texts[STATEMENT_COUNT] = {
    [CAMPAIGN] = "SELECT " CAMPAIGN_COLUMNS " FROM campaigns WHERE id = ?1",
    [REDEMPTION] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE id = ?1",
    [BY_USER] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE user_id = ?2 AND campaign_number = ?1",
    [BY_PHONE] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE campaign_number = ?1 AND phone = ?2",
    [CAMPAIGNS] = "SELECT " CAMPAIGN_COLUMNS " FROM campaigns WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    /* The plus keeps SQLite from walking all ids: a user has few redemptions, and they are sorted. */
    [OF_USER] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE user_id = ?1 AND +id < ?2 ORDER BY +id DESC LIMIT ?3",
    [WINNERS] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT ?3",
    [UNSETTLED] = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE status = 0 AND key > ?1 ORDER BY key LIMIT ?2",
};

struct reader {
    struct database *database;
    struct statement statements[STATEMENT_COUNT];
};

struct result reader_open(const char *path, const struct batch_commits *commits, struct reader **ret_reader) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return result_error(RESULT_FULL);
    struct result outcome = database_open(path, DATABASE_READ, &discount_schema, &reader->database);
    for (size_t i = 0; result_is_ok(outcome) && i < STATEMENT_COUNT; i++) {
        outcome = statement_prepare(reader->database, texts[i], &reader->statements[i]);
    }
    if (!result_is_ok(outcome)) {
        reader_close(reader);
        return outcome;
    }
    database_follow(reader->database, commits);
    *ret_reader = reader;
    return result_ok();
}

void reader_close(struct reader *reader) {
    if (reader == NULL) return;
    if (reader->database != NULL) database_close(reader->database);
    free(reader);
}

void reader_end_round(struct reader *reader) { database_end_round(reader->database); }

struct result reader_find_campaign(struct reader *reader, struct id id, struct campaign *ret_campaign, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[CAMPAIGN];
    statement_bind_id(statement, 1, id);
    struct result outcome = statement_step(statement, ret_found);
    if (result_is_ok(outcome) && *ret_found) outcome = rows_read_campaign(statement, ret_campaign);
    statement_reset(statement);
    return outcome;
}

static struct result find_redemption(struct statement *statement, struct redemption *ret_redemption, bool *ret_found) {
    struct result outcome = statement_step(statement, ret_found);
    if (result_is_ok(outcome) && *ret_found) outcome = rows_read_redemption(statement, ret_redemption);
    statement_reset(statement);
    return outcome;
}

struct result reader_find_redemption(struct reader *reader, struct id id, struct redemption *ret_redemption, bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[REDEMPTION];
    statement_bind_id(statement, 1, id);
    return find_redemption(statement, ret_redemption, ret_found);
}

struct result reader_find_user(struct reader *reader, uint32_t number, struct id user_id, struct redemption *ret_redemption,
                               bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[BY_USER];
    statement_bind_integer(statement, 1, number);
    statement_bind_id(statement, 2, user_id);
    return find_redemption(statement, ret_redemption, ret_found);
}

struct result reader_find_phone(struct reader *reader, uint32_t number, const struct phone *phone, struct redemption *ret_redemption,
                                bool *ret_found) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[BY_PHONE];
    statement_bind_integer(statement, 1, number);
    statement_bind_text(statement, 2, phone_text(phone));
    return find_redemption(statement, ret_redemption, ret_found);
}

struct result reader_list_campaigns(struct reader *reader, int64_t before, int64_t limit, reader_campaign_visitor *visit, void *context) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[CAMPAIGNS];
    statement_bind_integer(statement, 1, before == 0 ? INT64_MAX : before);
    statement_bind_integer(statement, 2, limit);
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

/* Its parameters are bound. */
static struct result list_redemptions(struct statement *statement, reader_redemption_visitor *visit, void *context, size_t *ret_count) {
    *ret_count = 0;
    for (;;) {
        bool is_row;
        struct redemption redemption;
        struct result outcome = statement_step(statement, &is_row);
        if (result_is_ok(outcome) && is_row) outcome = rows_read_redemption(statement, &redemption);
        if (result_is_ok(outcome) && is_row) outcome = visit(context, &redemption);
        if (result_is_ok(outcome) && is_row) {
            (*ret_count)++;
            continue;
        }
        statement_reset(statement);
        return outcome;
    }
}

struct result reader_list_user(struct reader *reader, struct id user_id, struct id before, int64_t limit, reader_redemption_visitor *visit,
                               void *context) {
    TRY(database_refresh(reader->database));
    static const struct id greatest = {
        .bytes = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
    struct statement *statement = &reader->statements[OF_USER];
    size_t count;
    statement_bind_id(statement, 1, user_id);
    statement_bind_id(statement, 2, id_is_zero(before) ? greatest : before);
    statement_bind_integer(statement, 3, limit);
    return list_redemptions(statement, visit, context, &count);
}

struct result reader_list_winners(struct reader *reader, uint32_t number, int64_t after, int64_t limit, reader_redemption_visitor *visit,
                                  void *context) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[WINNERS];
    size_t count;
    statement_bind_integer(statement, 1, redemption_key(number, after));
    statement_bind_integer(statement, 2, redemption_key(number + 1, 0));
    statement_bind_integer(statement, 3, limit);
    return list_redemptions(statement, visit, context, &count);
}

struct result reader_list_unsettled(struct reader *reader, int64_t after, int64_t limit, reader_redemption_visitor *visit, void *context,
                                    size_t *ret_count) {
    TRY(database_refresh(reader->database));
    struct statement *statement = &reader->statements[UNSETTLED];
    statement_bind_integer(statement, 1, after);
    statement_bind_integer(statement, 2, limit);
    return list_redemptions(statement, visit, context, ret_count);
}
