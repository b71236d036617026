#include "service/request.h"

#include <inttypes.h>

#include "base/budget.h"
#include "base/check.h"
#include "http/media.h"
#include "http/route.h"

void request_close_body(struct json_document **document) { json_close(*document); }

void request_refuse_memory(struct exchange *exchange) {
    problem_reply(exchange, &problem_overloaded, "The request needs more memory than one request may take.");
}

const struct json_value *request_open_body(struct exchange *exchange, struct faults *faults, struct json_document **ret_document) {
    faults_init(faults, &exchange->arena);
    route_check_headers(exchange, faults);
    size_t offset;
    struct result opened = json_open_faulty(&exchange->arena, exchange->body, faults, ret_document, &offset);
    if (!result_is_ok(opened)) {
        if (opened.code == RESULT_FULL) {
            request_refuse_memory(exchange);
        } else {
            problem_reply_malformed(exchange, offset);
        }
        return NULL;
    }
    const struct json_value *root = json_root(*ret_document);
    if (json_is_object(root)) return root;
    faults_add(faults, "", "wrong_type", "the body must be an object");
    problem_reply_faults(exchange, &problem_validation_failed, faults);
    return NULL;
}

bool request_prefers_html(const struct exchange *exchange) {
    if (exchange->accept.size == 0) return false;
    return media_quality(exchange->accept, TEXT("text/html")) > media_quality(exchange->accept, TEXT("application/json"));
}

void reply_policy(struct exchange *exchange, struct text policy) {
    if (policy.data != NULL) reply_header(exchange, "Content-Security-Policy", policy);
    reply_header(exchange, "X-Frame-Options", TEXT("DENY"));
    reply_header(exchange, "Referrer-Policy", TEXT("no-referrer"));
}

bool request_refuse_faults(struct exchange *exchange, const struct faults *faults) {
    if (!faults_any(faults)) return false;
    problem_reply_faults(exchange, &problem_validation_failed, faults);
    return true;
}

void request_refuse_tries(struct exchange *exchange, int64_t wait_us, const char *detail) {
    struct text seconds = arena_print(&exchange->arena, "%" PRId64, budget_wait_s(wait_us));
    if (seconds.data != NULL) reply_header(exchange, "Retry-After", seconds);
    problem_reply(exchange, &problem_too_many_attempts, "%s", detail);
}

void reply_buffer(struct exchange *exchange, int status, const char *content_type, const struct buffer *buffer) {
    if (buffer->failed) {
        problem_reply(exchange, &problem_overloaded, "The answer needs more memory than one request may take.");
    } else {
        reply_set(exchange, status, content_type, buffer_text(buffer));
    }
}

void reply_page_begin(struct exchange *exchange, struct json_writer *writer, struct buffer *buffer, size_t first_bytes) {
    buffer_init(buffer, &exchange->arena, first_bytes);
    *writer = (struct json_writer){.buffer = buffer};
    json_begin_object(writer);
    json_key(writer, "data");
    json_begin_array(writer);
}

void reply_page(struct exchange *exchange, struct json_writer *writer, char list, bool has_more, const int64_t words[PAGE_CURSOR_WORDS]) {
    json_end_array(writer);
    if (has_more) {
        json_text_member(writer, "next_cursor", page_cursor(&exchange->arena, list, words));
    } else {
        json_null_member(writer, "next_cursor");
    }
    json_end_object(writer);
    reply_buffer(exchange, 200, "application/json", writer->buffer);
}
