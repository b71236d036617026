/* GET /v1/redemptions and GET /v1/redemptions/{id}. */
#include "discount/redemptions.h"

#include <string.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/tables.h"
#include "http/query.h"
#include "service/engine.h"
#include "service/reading.h"
#include "service/request.h"

#define ITEM_BYTES 400u
#define LIST_BYTES 1024u

/* ---- one ---- */

struct one_reading {
    struct reading reading;
    struct id id;
    struct found_redemption found;
    struct reversal_words reversal; /* in the arena */
};

static struct result visit_reversal(void *context, const struct row *row) {
    struct one_reading *self = context;
    struct reversal reversal;
    TRY(reversal_of_row(row, 0, &reversal));
    self->reversal = (struct reversal_words){reversal.slot, arena_copy(&self->reading.exchange->arena, reversal_reason(&reversal))};
    return self->reversal.reason.data == NULL ? result_error(RESULT_FULL) : result_ok();
}

static bool ask_one(struct reading *reading, struct batch *batch, uint32_t round) {
    struct one_reading *self = (struct one_reading *)reading;
    (void)round;
    self->found.is_found = false;
    self->reversal.slot = 0;
    ask_redemption(batch, self->id, redemption_found, &self->found);
    ask_reversal(batch, self->id, visit_reversal, self);
    return false;
}

static void refuse_one(struct exchange *exchange) {
    problem_reply(exchange, &problem_redemption_not_found, "There is no such redemption, or it is not yours.");
    exchange_finish(exchange);
}

static void answer_one(struct reading *reading) {
    struct one_reading *self = (struct one_reading *)reading;
    struct exchange *exchange = reading->exchange;
    struct redemption *redemption = &self->found.redemption;
    bool is_admin = (exchange->caller.scopes & SCOPE_ADMIN) != 0;
    if (!self->found.is_found || (!is_admin && !id_equal(redemption->user_id, exchange->caller.user_id))) {
        refuse_one(exchange);
        return;
    }
    const struct board_slot *slot = board_slot(discount_of(exchange)->board, redemption->campaign_number - 1);
    board_show(slot, redemption, clock_now_us(discount_of(exchange)->service.clock));
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, ITEM_BYTES + self->reversal.reason.size);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_redemption_with(&writer, redemption, slot->id, board_credit(slot), &self->reversal);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

void redemptions_get(struct exchange *exchange) {
    struct id id;
    if (!result_is_ok(id_parse(exchange->parameters[0], &id))) {
        refuse_one(exchange);
        return;
    }
    struct one_reading *reading = reading_begin(exchange, ask_one, answer_one, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->id = id;
    reading_start(&reading->reading);
}

/* ---- the caller's own ---- */

struct list_reading {
    struct reading reading;
    int64_t limit;
    struct id before; /* zero: from the newest on */
    struct buffer buffer;
    struct json_writer writer;
    int64_t left; /* items that the page still takes */
    bool has_more;
    struct id last;
};

static struct result visit_item(void *context, const struct row *row) {
    struct list_reading *self = context;
    const struct board *board = discount_of(self->reading.exchange)->board;
    if (self->left == 0) {
        self->has_more = true;
        return result_ok();
    }
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    /* A row may be committed a moment before its campaign is on the board: only for a campaign made in the same commit. */
    if (redemption.campaign_number > board_count(board)) return result_error(RESULT_UNAVAILABLE);
    const struct board_slot *slot = board_slot(board, redemption.campaign_number - 1);
    self->left--;
    self->last = redemption.id;
    board_show(slot, &redemption, clock_now_us(discount_of(self->reading.exchange)->service.clock));
    answer_write_redemption(&self->writer, &redemption, slot->id, board_credit(slot));
    return result_ok();
}

static bool ask_list(struct reading *reading, struct batch *batch, uint32_t round) {
    struct list_reading *self = (struct list_reading *)reading;
    (void)round;
    self->left = self->limit;
    self->has_more = false;
    reply_page_begin(reading->exchange, &self->writer, &self->buffer, LIST_BYTES);
    ask_redemptions_of_user(batch, reading->exchange->caller.user_id, self->before, self->limit + 1, visit_item, self);
    return false;
}

static void answer_list(struct reading *reading) {
    struct list_reading *self = (struct list_reading *)reading;
    int64_t words[PAGE_CURSOR_WORDS];
    memcpy(words, self->last.bytes, sizeof words);
    reply_page(reading->exchange, &self->writer, LIST_REDEMPTIONS, self->has_more, words);
    exchange_finish(reading->exchange);
}

static bool read_page(struct exchange *exchange, struct page_query *query) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    page_begin(query, LIST_REDEMPTIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(query, &faults);
    return !request_refuse_faults(exchange, &faults);
}

void redemptions_list(struct exchange *exchange) {
    struct page_query query;
    struct list_reading *reading = NULL;
    if (read_page(exchange, &query)) reading = reading_begin(exchange, ask_list, answer_list, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->limit = query.page.limit;
    if (query.page.has_cursor) memcpy(reading->before.bytes, query.page.cursor, sizeof reading->before.bytes);
    reading_start(&reading->reading);
}

/* ---- what became of a request ---- */

/* The columns of a kept answer, and behind them those of its redemption: NULL when what it waits for is a campaign's fund. */
bool redemptions_inquire(struct exchange *exchange, const struct row *row, struct kept_final *ret_final) {
    if (row_is_null(row, KEPT_COLUMNS)) return false;
    struct redemption redemption;
    if (!result_is_ok(sound_redemption_of_row(row, KEPT_COLUMNS, &redemption))) return false; /* the run tells it */
    const struct board *board = discount_of(exchange)->board;
    if (redemption.campaign_number > board_count(board)) return false;
    const struct board_slot *slot = board_slot(board, redemption.campaign_number - 1);
    board_show(slot, &redemption, clock_now_us(discount_of(exchange)->service.clock));
    if (redemption.status == REDEMPTION_CLAIMED || redemption.status == REDEMPTION_REVERSING || redemption.status == REDEMPTION_WAITING)
        return false;
    ret_final->body = (struct text){NULL, 0};
    struct discount_operation *operation = ARENA_NEW(&exchange->arena, struct discount_operation);
    if (operation == NULL) return true;
    *operation = (struct discount_operation){.operation = {.exchange = exchange, .arena = &exchange->arena},
                                             .redemption = redemption,
                                             .campaign_id = slot->id,
                                             .credit = board_credit(slot)};
    operation->operation.is_maker = row_text(row, 3).size != 0;
    answer_redeem(&operation->operation);
    *ret_final = (struct kept_final){operation->operation.answer.status, operation->operation.answer.body};
    return true;
}
