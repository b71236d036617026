/* What the bodies say that make and change campaigns, checked as far as they can be alone: the core has the last word. */
#pragma once

#include "discount/board.h"
#include "discount/campaigns.h"

/* In its normal form, in the arena: how a name was typed does not make it another one. Empty: it was not given. */
void campaign_body_read_name(struct arena *arena, struct text *name, struct faults *faults);
/* False: the answer is set. */
bool campaign_body_read_create(struct exchange *exchange, struct campaign_making *making);
/* `root` is the body, and `faults` were begun with it: it is read before the campaign is looked for, as everywhere. */
bool campaign_body_read_patch(struct exchange *exchange, const struct json_value *root, struct faults *faults,
                              const struct board_slot *slot, struct campaign_patch *patch);
