/* GET /problems/{code}: what happened and what to do, for whoever follows the `type` of a problem (RFC 9457, section 3.1.1). */
#include "base/check.h"
#include "base/json/json.h"
#include "http/problem.h"
#include "service/request.h"

#define PAGE_BYTES 1024u

/* Nothing of it needs to be escaped: all texts are the program's own, and a unit test looks for < and & among them. */
static void write_html(struct buffer *buffer, const struct problem_page *page) {
    const struct text pieces[] = {
        TEXT("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
             "dark\">\n<title>"),
        text_of(page->problem->code),
        TEXT("</title>\n</head>\n<body>\n<h1>"),
        text_of(page->problem->title),
        TEXT("</h1>\n<p><code>"),
        text_of(page->problem->code),
        TEXT("</code></p>\n<h2>What happened</h2>\n<p>"),
        text_of(page->happened),
        TEXT("</p>\n<h2>What to do</h2>\n<p>"),
        text_of(page->action),
        TEXT("</p>\n</body>\n</html>\n"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) buffer_append(buffer, pieces[i]);
}

static void write_json(struct buffer *buffer, const struct problem_page *page) {
    struct json_writer writer = {.buffer = buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "code", text_of(page->problem->code));
    json_integer_member(&writer, "status", page->problem->status);
    json_text_member(&writer, "title", text_of(page->problem->title));
    json_text_member(&writer, "what_happened", text_of(page->happened));
    json_text_member(&writer, "what_to_do", text_of(page->action));
    json_end_object(&writer);
}

void operations_problem(struct exchange *exchange) {
    struct text code = exchange->parameters[0];
    struct problem room;
    struct problem_page found;
    const struct problem_page *page = problem_find_page(problem_pages, code);
    if (page == NULL && service_of(exchange)->find_page(code, &room, &found)) page = &found;
    if (page == NULL) {
        problem_reply(exchange, &problem_route_not_found, "No problem has this code.");
        exchange_finish(exchange);
        return;
    }
    struct buffer buffer;
    bool is_html = request_prefers_html(exchange);
    buffer_init(&buffer, &exchange->arena, PAGE_BYTES);
    if (is_html) {
        write_html(&buffer, page);
    } else {
        write_json(&buffer, page);
    }
    reply_header(exchange, "Vary", TEXT("Accept"));
    reply_header(exchange, "Cache-Control", TEXT("public, max-age=300"));
    if (is_html) reply_policy(exchange, TEXT("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
    reply_buffer(exchange, 200, is_html ? "text/html; charset=utf-8" : "application/json", &buffer);
    exchange_finish(exchange);
}
