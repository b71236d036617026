/* A shop: a service that holds users' money, captures it and sets it free, in every third world. The holds that it forgets expire. Each wish goes the
 * way of all intents (actors.h); what the answers must say is judged here. */
#pragma once

#include "base/json/json.h"
#include "sim/actors.h"

void shop_prepare(void); /* before the first world: reads the key that its tokens are signed with, which is Discount's */
bool shop_is_in_world(void);
void shop_take_token(struct actor *actor); /* a new one: they live five minutes */
/* Fills kind, body and all else that belongs to what it wants next. */
void shop_want(struct intent *intent);
/* Of a 2xx, and of a refusal with this code. */
void shop_judge_success(struct intent *intent, const struct json_value *root);
void shop_judge_refusal(struct intent *intent, struct text code);
/* At the very end: every answer is still true, and what was due has expired. */
void shop_judge_end(void);
