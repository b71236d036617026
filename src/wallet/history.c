#include "wallet/history.h"

#include "wallet/tables.h"

void history_search_begin(struct history_search *search, const struct account *account, int64_t time_us) {
    *search = (struct history_search){.account = account->number, .time_us = time_us, .high = account->sequence};
    if (time_us > account->updated_at_us) search->low = search->high; /* all of them: nearly always */
}

static struct result entry_found(void *context, const struct row *row) {
    ((struct history_search *)context)->entry_us = row_integer_between(row, 1, 1, INT64_MAX);
    return result_ok();
}

bool history_search_step(struct history_search *search, struct batch *batch) {
    if (search->middle != 0) {
        search->is_broken = search->is_broken || search->entry_us == 0;
        if (search->entry_us < search->time_us) {
            search->low = search->middle;
        } else {
            search->high = search->middle - 1;
        }
        search->middle = 0;
    }
    if (search->is_broken || search->low >= search->high) return false;
    search->middle = search->low + (search->high - search->low + 1) / 2;
    search->entry_us = 0;
    ask_entry(batch, search->account, search->middle, entry_found, search);
    return true;
}
