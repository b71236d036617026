/* How many entries of an account are from before a time: by halves, because time grows with the sequence. A part of a reading: one question a round. */
#pragma once

#include "store/batch.h"
#include "wallet/core/accounts.h"

struct history_search {
    int64_t account, time_us;
    int64_t low, high; /* so many entries are before it; those behind `high` are not */
    int64_t middle;    /* what is asked for; 0: nothing */
    int64_t entry_us;  /* and what came: 0: it is not there */
    bool is_broken;    /* an entry that must be there is not */
};
void history_search_begin(struct history_search *search, const struct account *account, int64_t time_us);
/* True: asks once more. False: `low` is the count, or it is broken. */
bool history_search_step(struct history_search *search, struct batch *batch);
