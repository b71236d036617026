/* Databases that are not the ones they were (docs/settling.md): for a while another Wallet answers at the address, and Wallet's or Discount's comes
 * back from an older copy. */
#pragma once

#include "sim/process.h"

extern char *const restore_reconcile[]; /* for process_run_tool */

void restore_begin_world(void);
void restore_end_exchange(void); /* ours is back at once; nothing where it is there */
/* When the faults are over: the service's database comes back from an older copy. False: there is none in this world, or it has failed; else both
 * are apart (world.is_apart) until who calls sees that they agree. */
bool restore_copy(enum process_index index);
/* What Wallet has made for Discount; a count of -1: it is down. */
struct restore_transfers {
    int64_t count, times; /* the sum of when they were made */
};
struct restore_transfers restore_transfers(void);
/* At the very end, when Discount serves no more: Wallet comes back from the older copy, if there is one, and reconcile must find what is missing of what
 * there was `before`. */
void restore_last(const struct restore_transfers *before);
