/* The counters of campaigns, between the board and the database: for the working set (working_set.h) alone. The store's thread.
 *
 *   live ─ the settler finds nothing to do for it any more (settle/archive.h) ─▶ archived, with the commit ─ somebody needs its seconds, or it changes ─▶ live
 *
 * What is archived is on the board with its last view and its sums; its seconds and minutes, and all else of it, are in the database alone (board.h). Between two batches a
 * campaign is in the set if it is not archived. */
#pragma once

#include "discount/working_set.h"

/* Onto the board, of campaigns that are published there. RESULT_CORRUPT, RESULT_IO, RESULT_FULL. */
struct result working_counts_load(struct working_set *set) MUST_CHECK;
/* Brings back those that this batch has named, in a trip for each. */
struct result working_counts_recall(struct working_set *set) MUST_CHECK;
void working_counts_forget(struct working_set *set); /* which those are */
/* Those that this batch was asked to, and that are over still: everything of it is published. */
void working_counts_archive(struct working_set *set);

/* In the same transaction as the claims and the credits that it counts. */
void working_counts_save_settled(struct working_set *set, const struct campaign *campaign);
/* Refusals, in the transaction that is open; and when that is over. After a failure everything that it meant to save is saved again with the next. */
void working_counts_save_refused(struct working_set *set, int64_t now_us);
void working_counts_end_refused(struct working_set *set, bool is_committed);

void working_counts_measure(const struct working_set *set);
void working_counts_register_metrics(void);
