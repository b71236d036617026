/* The handlers of the routes, and what they share (request.c). */
#pragma once

#include "base/json/json.h"
#include "discount/discount.h"
#include "http/query.h"

void handle_redeem(struct exchange *exchange);
void handle_get_redemption(struct exchange *exchange);
void handle_list_redemptions(struct exchange *exchange);
void handle_create_campaign(struct exchange *exchange);
void handle_list_campaigns(struct exchange *exchange);
void handle_get_campaign(struct exchange *exchange);
void handle_patch_campaign(struct exchange *exchange);
void handle_pause_campaign(struct exchange *exchange);
void handle_resume_campaign(struct exchange *exchange);
void handle_end_campaign(struct exchange *exchange);
void handle_report(struct exchange *exchange);
void handle_winners(struct exchange *exchange);

/* Parses the body; false when a 400 or 503 is sent. The document is the caller's to close. There may be faults already (a bad header, a
 * member that stands twice, a number beyond reading): the caller adds its own, and refuses them together. */
bool request_open_body(struct exchange *exchange, struct faults *faults, struct json_document **ret_document);
/* For routes without query parameters; false when a 422 is sent. */
bool request_has_no_query(struct exchange *exchange);
/* The slot of the campaign in the path; NULL when the 404 is sent. */
struct board_slot *request_campaign(struct exchange *exchange);
/* Sends the buffer, or 503 when it did not fit. */
void request_reply_buffer(struct exchange *exchange, int status, const char *content_type, const struct buffer *buffer);
/* The letters of the lists' cursors. */
#define LIST_CAMPAIGNS   'c'
#define LIST_REDEMPTIONS 'r'
#define LIST_WINNERS     'w'
/* Writes next_cursor, ends the object and sends it; or 503 when the reading failed. */
void request_end_page(struct exchange *exchange, struct json_writer *writer, char list, bool has_more,
                      const int64_t words[PAGE_CURSOR_WORDS], struct result outcome);
