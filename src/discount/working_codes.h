/* The working set's part for unique codes: their batches, which stay between batches of the store as campaigns do, and the codes that a batch of the store
 * names. */
#pragma once

#include "discount/tables_codes.h"
#include "discount/working_set.h"

/* Loads all batches, and which of their codes are dead, onto the code board, which stays the caller's. After working_set_create, before the store runs; a
 * set that is never told of one has no unique codes. RESULT_CORRUPT, RESULT_IO, RESULT_FULL. */
struct result working_codes_begin(struct working_set *set, struct code_board *board) MUST_CHECK;

/* Foreign codes that one batch of the store adds: those of a new batch. They live until the store's batch is over. */
struct code_addition {
    uint32_t batch;
    const struct imported_code *codes;
    size_t count;
};

/* ---- for the working set ---- */

struct result working_codes_load_batches(struct working_set *set) MUST_CHECK; /* anew, as the campaigns */
struct result working_codes_save(struct working_set *set, struct batch *batch, int64_t now_us) MUST_CHECK;
void working_codes_publish(struct working_set *set); /* after the winners */

/* ---- for actions, in load ---- */

/* Of a code that an operation names: its entry is in the set when decide begins. False: a batch of the store can't name so many. */
bool working_codes_ask(struct engine *engine, uint32_t batch, int64_t index);
/* The same of one that somebody else names: nothing when the campaign has no such code, or when there is no room. */
void working_codes_ask_if_there(struct engine *engine, uint32_t batch, uint32_t campaign_number, int64_t index);
