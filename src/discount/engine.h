/* The engine behind the batch runner (store/store.h): load, decide and save for campaigns, over the seam (store/batch.h).
 *
 * Campaigns stay in the working set between batches, as this is the only writer; after a rollback they are loaded anew. */
#pragma once

#include "discount/board.h"
#include "discount/operation.h"
#include "store/batch.h"

struct engine;

/* Loads all campaigns and winners onto the board. The writer's batch and the board stay the caller's. RESULT_CORRUPT, RESULT_IO, RESULT_FULL. */
struct result engine_create(struct batch *batch, struct board *board, struct engine **ret_engine) MUST_CHECK;
void engine_free(struct engine *engine);
struct store_engine engine_interface(struct engine *engine);
/* Writes counters that have changed, in a transaction of its own. When the store has stopped, or from its idle. */
struct result engine_flush(struct engine *engine) MUST_CHECK;

/* ---- between engine.c and decide.c ---- */
struct record_entry {
    struct idempotency_record record;
    bool is_changed;
    struct record_entry *next;
};

#define ENGINE_RECORDS_MAX 16384u
#define ENGINE_ARENA_BYTES (64u * 1024 * 1024) /* of the records that a batch names */

/* What a batch works on. */
struct working_set {
    struct campaign_set campaigns;
    struct map records_by_lookup;
    struct record_entry *records; /* in order of naming */
    struct arena arena;           /* of the records */
    bool has_failed;              /* there was no room: the batch must not be saved */
};

/* Adds one, with its texts where they are; NULL: no room. */
struct record_entry *working_set_add_record(struct working_set *set, const struct idempotency_record *record);
static inline struct record_entry *working_set_record(const struct working_set *set, const struct hash *lookup) {
    return map_get(&set->records_by_lookup, (struct text){(const char *)lookup->bytes, sizeof lookup->bytes});
}
/* Decides one operation and makes its answer, and the kept answer with it. */
void decide(struct working_set *set, struct discount_operation *operation, int64_t now_us);
