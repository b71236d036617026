#include "discount/handlers.h"

#include "discount/answer.h"

#define LIST_BYTES 1024u /* the first piece of a list's document */

struct board_slot *request_campaign(struct exchange *exchange) {
    struct id id;
    struct board_slot *slot = NULL;
    if (result_is_ok(id_parse(exchange->parameters[0], &id))) slot = board_find_id(discount_of(exchange)->board, id);
    if (slot == NULL) problem_reply(exchange, &problem_campaign_not_found, "There is no such campaign.");
    return slot;
}

void page_open(struct json_writer *writer, struct buffer *buffer, struct arena *arena) {
    buffer_init(buffer, arena, LIST_BYTES);
    *writer = (struct json_writer){.buffer = buffer};
    json_begin_object(writer);
    json_key(writer, "data");
    json_begin_array(writer);
}
