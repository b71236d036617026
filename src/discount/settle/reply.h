/* Reading Wallet's answer to a batch of items that it answers one by one. It comes from another process: each item must name one of this batch,
 * each once, and say something that the contract knows; else nothing of it is believed, and the whole batch is sent again. The order does not
 * matter. */
#pragma once

#include "discount/settle/delivery.h"

/* Fills batch->outcomes[item_count], with texts in its arena. RESULT_INVALID: it is no answer to this batch; RESULT_FULL: there is no room. */
/* The same, with who says which refusals end it. */
struct result reply_read_by(struct delivery_batch *batch, struct text reply, bool (*ends)(struct text code)) MUST_CHECK;
struct result reply_read(struct delivery_batch *batch, struct text reply) MUST_CHECK;
