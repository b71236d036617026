#pragma once

#include "base/json/json.h"
#include "discount/operation.h"

void code_batches_create(struct exchange *exchange); /* POST /v1/campaigns/{id}/code-batches */
void code_batches_list(struct exchange *exchange);   /* GET there */
void code_batches_get(struct exchange *exchange);    /* GET …/{batch} */
void code_batches_revoke(struct exchange *exchange); /* POST …/{batch}/revoke */

/* The batch in the path, of the campaign in the path; NULL when the 404 is set. */
const struct code_slot *request_code_batch(struct exchange *exchange);
/* New batches, imported ones too, take the newest key; without one nothing is made up in its place. False: the problem is set. */
bool code_batch_take_key(struct exchange *exchange, struct code_batch_create *create);
/* The members of a batch, inside an object that is open. */
void code_batch_write(struct json_writer *writer, const struct code_batch *batch, struct id campaign_id, int64_t now_us);
