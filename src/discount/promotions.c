/* GET /v1/promotions: campaigns that are public and not over, from the board: no question to the storage, and never its codes. */
#include "discount/promotions.h"

#include "discount/answer.h"
#include "http/query.h"
#include "service/request.h"

#define LIST_BYTES 4096u

static bool read_page(struct exchange *exchange, struct page_query *query) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    page_begin(query, LIST_PROMOTIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(query, &faults);
    if (query->page.has_cursor && query->page.cursor[0] < 1)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    return !request_refuse_faults(exchange, &faults);
}

static void write_time(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0)
        json_null_member(writer, name);
    else
        json_time_member(writer, name, time_us);
}

static void write_promotion(struct json_writer *writer, struct board_slot *slot, const struct campaign_view *view, int64_t now_us) {
    char name[CAMPAIGN_NAME_BYTES];
    const struct money amount = {view->credit_minor, slot->currency};
    json_begin_object(writer);
    json_id_member(writer, "id", slot->id);
    json_text_member(writer, "name", board_copy_name(slot, name));
    json_text_member(writer, "kind", text_of(gift_kind_name(view->rules.kind)));
    answer_write_gift(writer, &view->rules, amount);
    json_text_member(writer, "state", text_of(campaign_state_name(view_state(view, now_us))));
    write_time(writer, "starts_at", view->starts_at_us);
    write_time(writer, "ends_at", view->ends_at_us);
    json_integer_member(writer, "remaining", campaign_places_left(view->max_redemptions, view_taken(view)));
    json_end_object(writer);
}

void promotions_list(struct exchange *exchange) {
    struct page_query query;
    if (!read_page(exchange, &query)) {
        exchange_finish(exchange);
        return;
    }
    struct buffer buffer;
    struct json_writer writer;
    const struct board *board = discount_of(exchange)->board;
    int64_t now_us = clock_now_us(discount_of(exchange)->service.clock), left = query.page.limit;
    int64_t before = query.page.has_cursor ? query.page.cursor[0] : INT64_MAX, last = 0;
    bool has_more = false;
    reply_page_begin(exchange, &writer, &buffer, LIST_BYTES);
    for (size_t i = board_count(board); i > 0 && !has_more; i--) {
        struct board_slot *slot = board_slot(board, i - 1);
        if (board_is_archived(slot)) continue;
        struct campaign_view view = board_view(slot);
        if (slot->number >= before || view.rules.is_public == 0 || view.is_unapproved != 0 || view_state(&view, now_us) == CAMPAIGN_ENDED)
            continue;
        has_more = left == 0;
        if (has_more) break;
        write_promotion(&writer, slot, &view, now_us);
        last = slot->number;
        left--;
    }
    const int64_t words[PAGE_CURSOR_WORDS] = {last};
    reply_page(exchange, &writer, LIST_PROMOTIONS, has_more, words);
    exchange_finish(exchange);
}
