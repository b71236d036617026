#include "discount/answer.h"
#include "discount/handlers.h"
#include "http/route.h"

bool request_open_body(struct exchange *exchange, struct faults *faults, struct json_document **ret_document) {
    route_check_headers(exchange, faults);
    struct result opened = json_open_faulty(&exchange->arena, exchange->body, faults, ret_document);
    if (result_is_ok(opened)) return true;
    if (opened.code == RESULT_FULL)
        problem_reply(exchange, &problem_overloaded, "The body needs more memory than one request may take.");
    else
        problem_reply(exchange, &problem_malformed_json, "The body is not JSON.");
    exchange_finish(exchange);
    return false;
}

bool request_has_no_query(struct exchange *exchange) {
    if (exchange->query_count == 0) return true;
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    query_read(exchange, NULL, 0, &faults);
    if (!faults_any(&faults)) return true;
    problem_reply_faults(exchange, &problem_validation_failed, &faults);
    exchange_finish(exchange);
    return false;
}

struct board_slot *request_campaign(struct exchange *exchange) {
    struct id id;
    struct board_slot *slot = NULL;
    if (result_is_ok(id_parse(exchange->parameters[0], &id))) slot = board_find_id(discount_of(exchange)->board, id);
    if (slot == NULL) {
        problem_reply(exchange, &problem_campaign_not_found, "There is no such campaign.");
        exchange_finish(exchange);
    }
    return slot;
}

void request_reply_buffer(struct exchange *exchange, int status, const char *content_type, const struct buffer *buffer) {
    if (buffer->failed)
        problem_reply(exchange, &problem_overloaded, "The answer needs more memory than one request may take.");
    else
        reply_set(exchange, status, content_type, buffer_text(buffer));
    exchange_finish(exchange);
}

void request_end_page(struct exchange *exchange, struct json_writer *writer, char list, bool has_more,
                      const int64_t words[PAGE_CURSOR_WORDS], struct result outcome) {
    if (!result_is_ok(outcome)) {
        problem_reply(exchange, &problem_storage_unavailable, "The database can't be read now.");
        exchange_finish(exchange);
        return;
    }
    if (has_more)
        json_text_member(writer, "next_cursor", page_cursor(&exchange->arena, list, words));
    else
        json_null_member(writer, "next_cursor");
    json_end_object(writer);
    request_reply_buffer(exchange, 200, "application/json", writer->buffer);
}
