/* The winners of one campaign that somebody asks for by a filter: their SQL. */
#include "base/check.h"
#include "discount/tables.h"
#include "discount/tables_words.h"

/* The plus keeps SQLite from walking the keys where an index of its own finds the few that there are. */
#define KEYS "key > $1 AND key < $2"
#define FEW  "+key > $1 AND +key < $2"
#define REST                                                                                                            \
    " AND ($4 < 0 OR status = $4) AND claimed_at >= $5 AND claimed_at < $6 AND ($7 = '' OR phone = $7) AND ($8 < 0 OR " \
    "coalesce(code_batch, 0) = $8) AND ($8 <= 0 OR code_index = $9)"
#define OF_USER  "user_id = $11 AND campaign_number = $10 AND " FEW REST
#define OF_PHONE "campaign_number = $10 AND phone = $7 AND " FEW REST
#define OF_CODE  "code_batch IS NOT NULL AND code_batch = $8 AND code_index = $9 AND campaign_number = $10 AND " FEW REST
#define OF_ANY   KEYS " AND campaign_number = $10" REST

#define PARAMETERS                                                                                                               \
    COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_INTEGER, \
        COLUMN_INTEGER, COLUMN_INTEGER
#define PAGE(name_, where, order, ...)                                                                                      \
    {                                                                                                                       \
        .name = name_, .sql = "SELECT " REDEMPTION_COLUMNS " FROM redemptions WHERE " where " ORDER BY " order " LIMIT $3", \
        .parameters = {                                                                                                     \
            PARAMETERS __VA_OPT__(, ) __VA_ARGS__                                                                           \
        }                                                                                                                   \
    }
#define BEHIND(name_, where, order, ...)                                                                                          \
    {                                                                                                                             \
        .name = name_, .sql = "SELECT key FROM redemptions WHERE " where " ORDER BY " order " LIMIT 1 OFFSET $3", .parameters = { \
            PARAMETERS __VA_OPT__(, ) __VA_ARGS__                                                                                 \
        }                                                                                                                         \
    }

enum way { BY_USER, BY_PHONE, BY_CODE, BY_LOOKING, WAY_COUNT };
static const struct question pages[WAY_COUNT] = {
    [BY_USER] = PAGE("a user's winners", OF_USER, "+key", COLUMN_ID),
    [BY_PHONE] = PAGE("a phone's winners", OF_PHONE, "+key"),
    [BY_CODE] = PAGE("winners with a code", OF_CODE, "+key"),
    [BY_LOOKING] = PAGE("winners of a kind", OF_ANY, "key"),
};
static const struct question behinds[WAY_COUNT] = {
    [BY_USER] = BEHIND("one more of a user's winners", OF_USER, "+key", COLUMN_ID),
    [BY_PHONE] = BEHIND("one more of a phone's winners", OF_PHONE, "+key"),
    [BY_CODE] = BEHIND("one more of the winners with a code", OF_CODE, "+key"),
    [BY_LOOKING] = BEHIND("one more of the winners of a kind", OF_ANY, "key"),
};

static enum way way_of(const struct redemption_filter *filter) {
    if (!id_is_zero(filter->user_id)) return BY_USER;
    if (filter->phone.size > 0) return BY_PHONE;
    return filter->code_batch > 0 ? BY_CODE : BY_LOOKING;
}

static void ask(struct batch *batch, const struct question *questions, const struct redemption_filter *filter, int64_t after,
                int64_t before, int64_t count, row_visitor *visit, void *context) {
    CHECK(after < before && after >> 32 == (before - 1) >> 32); /* one campaign's */
    const struct value values[] = {value_integer(after),
                                   value_integer(before),
                                   value_integer(count),
                                   value_integer(filter->status),
                                   value_integer(filter->from_us),
                                   value_integer(filter->to_us),
                                   value_text(phone_text(&filter->phone)),
                                   value_integer(filter->code_batch),
                                   value_integer(filter->code_index),
                                   value_integer(after >> 32),
                                   value_id(filter->user_id)};
    batch_ask(batch, &questions[way_of(filter)], values, visit, context);
}

void ask_redemptions_like(struct batch *batch, const struct redemption_filter *filter, int64_t after, int64_t before, int64_t limit,
                          row_visitor *visit, void *context) {
    ask(batch, pages, filter, after, before, limit, visit, context);
}

void ask_redemption_behind(struct batch *batch, const struct redemption_filter *filter, int64_t after, int64_t before, int64_t count,
                           row_visitor *visit, void *context) {
    ask(batch, behinds, filter, after, before, count, visit, context);
}
