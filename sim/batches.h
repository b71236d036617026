/* Batches of unique codes, in every fourth world: the operator makes one for each campaign and takes its codes away, and users type them as they come:
 * the same code is typed by several. Who was first has it. */
#pragma once

#include "base/json/json.h"
#include "sim/actors.h"

/* What is due for this campaign: INTENT_BATCH or INTENT_CODES; INTENT_KIND_COUNT: nothing. */
enum intent_kind batches_due(const struct campaign_plan *campaign);
void batches_want(struct intent *intent); /* fills one of these kinds */
/* A code that a user types for the campaign: one of its batch now and then, else its own. */
const char *batches_some_code(const struct campaign_plan *campaign, bool *ret_is_unique);
void batches_judge_success(struct intent *intent, const struct json_value *root);
/* Whether a unique code that was answered code_not_found is somebody else's by now. */
bool batches_is_taken(const struct intent *intent);
