/* The handlers of the routes, and what they share. */
#pragma once

#include "base/json/json.h"
#include "discount/discount.h"
#include "http/query.h"
#include "service/reading.h"

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

/* The slot of the campaign in the path; NULL when the 404 is set. */
struct board_slot *request_campaign(struct exchange *exchange);

/* The letters of the lists' cursors. */
#define LIST_CAMPAIGNS   'c'
#define LIST_REDEMPTIONS 'r'
#define LIST_WINNERS     'w'
/* Begins a list's document: {"data":[ */
void page_open(struct json_writer *writer, struct buffer *buffer, struct arena *arena);
