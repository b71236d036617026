/* What every handler does with a request before it becomes an operation or a reading, and what it answers on the spot. A function that gives NULL or false
 * has set the exchange's answer: its handler closes what it opened and finishes the exchange. */
#pragma once

#include "base/json/json.h"
#include "http/problem.h"
#include "service/service.h"

/* Parses the body and gives its root, an object. There may be faults already (a bad header, a member that stands twice, a number beyond reading): the
 * caller adds its own, and refuses them together. The document must be closed, and texts in it are copied before. */
const struct json_value *request_open_body(struct exchange *exchange, struct faults *faults, struct json_document **ret_document);
void request_close_body(struct json_document **document);
#define CLOSE_BODY_AT_END __attribute__((cleanup(request_close_body)))

/* Whether a browser asks: HTML is preferred to JSON (RFC 9110, section 12.5.1). */
bool request_prefers_html(const struct exchange *exchange);
/* For a page: what it may load, which is the Content-Security-Policy (W3C, level 3), and that nobody shows it in a frame of his own. */
void reply_policy(struct exchange *exchange, struct text policy);

/* Sets 422 and returns true when there are faults. */
bool request_refuse_faults(struct exchange *exchange, const struct faults *faults);
/* 429 too_many_attempts with Retry-After: the budget (base/budget.h) has nothing left for so long. */
void request_refuse_tries(struct exchange *exchange, int64_t wait_us, const char *detail);
/* 503 overloaded: the arena is full. */
void request_refuse_memory(struct exchange *exchange);

/* Sets what the writer has written; 503 overloaded when the arena was too small. */
void reply_buffer(struct exchange *exchange, int status, const char *content_type, const struct buffer *buffer);
/* A list's document: `writer` stands behind {"data":[ in a buffer that begins with `first_bytes`. Then its items, and reply_page, which ends it with
 * "next_cursor" (null when there is no more) and sets 200. */
void reply_page_begin(struct exchange *exchange, struct json_writer *writer, struct buffer *buffer, size_t first_bytes);
void reply_page(struct exchange *exchange, struct json_writer *writer, char list, bool has_more, const int64_t words[PAGE_CURSOR_WORDS]);
