#include "discount/working_codes.h"

#include <stdatomic.h>

#include "base/check.h"

#define DEAD_AT_ONCE 10000 /* read in one go at the start */

/* ---- loading ---- */

static struct result visit_batch(void *context, const struct row *row) {
    struct working_set *set = context;
    struct code_batch batch;
    TRY(sound_code_batch_of_row(row, &batch));
    if (batch.campaign_number > set->campaigns.campaign_count) row_refuse(row, 2, "a campaign that is not there");
    TRY(row_verdict(row));
    return code_set_load(&set->codes, &batch);
}

struct result working_codes_load_batches(struct working_set *set) {
    if (set->code_board == NULL) return result_ok();
    code_set_clear(&set->codes);
    ask_all_code_batches(set->batch, visit_batch, set);
    return batch_run(set->batch);
}

/* Codes that are dead, some at a time, and where the last of them stands. */
struct dead_codes {
    struct working_set *set;
    void (*say)(struct code_board *board, uint32_t batch, int64_t index);
    uint32_t batch;
    int64_t index;
    size_t count;
};

static struct result visit_dead(void *context, const struct row *row) {
    struct dead_codes *page = context;
    page->batch = (uint32_t)row_integer_between(row, 0, 1, UINT32_MAX);
    page->index = row_integer(row, 1);
    page->count++;
    TRY(row_verdict(row));
    const struct code_slot *slot = code_board_slot(page->set->code_board, page->batch);
    if (slot == NULL || page->index < 1 || page->index > slot->count) {
        row_refuse(row, 1, "a code that its batch does not have");
        return row_verdict(row);
    }
    page->say(page->set->code_board, page->batch, page->index);
    return result_ok();
}

static struct result load_dead(struct working_set *set) {
    struct dead_codes page = {.set = set, .say = code_board_revoke, .count = DEAD_AT_ONCE};
    while (page.count == DEAD_AT_ONCE) {
        page.count = 0;
        ask_code_revocations(set->batch, page.batch, page.index, DEAD_AT_ONCE, visit_dead, &page);
        TRY(batch_run(set->batch));
    }
    page = (struct dead_codes){.set = set, .say = code_board_use_up, .count = DEAD_AT_ONCE};
    while (page.count == DEAD_AT_ONCE) {
        page.count = 0;
        ask_used_up_codes(set->batch, page.batch, page.index, DEAD_AT_ONCE, visit_dead, &page);
        TRY(batch_run(set->batch));
    }
    return result_ok();
}

/* Foreign codes, some at a time. */
struct imported_page {
    struct working_set *set;
    uint32_t batch;
    int64_t index;
    size_t count;
};

static struct result visit_imported(void *context, const struct row *row) {
    struct imported_page *page = context;
    struct imported_code imported;
    TRY(imported_code_of_row(row, &page->batch, &page->index, &imported));
    const struct code_slot *slot = code_board_slot(page->set->code_board, page->batch);
    if (slot == NULL || !slot->is_imported || page->index > slot->count) {
        row_refuse(row, 0, "a foreign code that its batch does not have");
        return row_verdict(row);
    }
    page->count++;
    code_board_add_imported(page->set->code_board, page->batch, page->index, &imported);
    return result_ok();
}

static struct result load_imported(struct working_set *set) {
    struct imported_page page = {.set = set, .count = DEAD_AT_ONCE};
    while (page.count == DEAD_AT_ONCE) {
        page.count = 0;
        ask_imported_codes(set->batch, page.batch, page.index, DEAD_AT_ONCE, visit_imported, &page);
        TRY(batch_run(set->batch));
    }
    return result_ok();
}

struct result working_codes_begin(struct working_set *set, struct code_board *board) {
    TRY(code_set_init(&set->codes, LIMIT_CODE_BATCHES, CAMPAIGN_SET_REDEMPTIONS));
    set->code_board = board;
    set->campaigns.codes = &set->codes;
    TRY(working_codes_load_batches(set));
    size_t imported_count = 0;
    for (size_t i = 0; i < set->codes.batch_count; i++) {
        const struct code_batch *batch = &set->codes.batches[i];
        TRY(code_board_reserve(board, batch));
        code_board_publish(board, batch);
        if (code_batch_is_imported(batch)) imported_count += (size_t)batch->count;
    }
    TRY(code_board_make_room(board, imported_count)); /* each had room for its own alone */
    TRY(load_imported(set));
    return load_dead(set);
}

/* ---- what a batch of the store names ---- */

static struct result visit_uses(void *context, const struct row *row) {
    ((struct code_entry *)context)->uses = row_integer(row, 0);
    return row_verdict(row);
}

bool working_codes_ask(struct engine *engine, uint32_t batch, int64_t index) {
    struct working_set *set = engine_set(engine);
    const struct code_slot *slot = code_board_slot(set->code_board, batch);
    CHECK(slot != NULL); /* who named it has found it there */
    if (code_entry_of(&set->codes, batch, index) != NULL) return true;
    struct code_entry *entry = code_set_name(&set->codes, batch, index);
    if (entry == NULL) return false;
    entry->is_revoked = code_slot_is_revoked(slot, index); /* this thread is the one that says so */
    bool is_used_up = code_slot_is_used_up(slot, index);
    if (is_used_up) entry->uses = slot->max_uses;
    if (!is_used_up && slot->max_uses > 1) ask_uses_of_code(engine_batch(engine), batch, index, visit_uses, entry);
    return true;
}

void working_codes_ask_if_there(struct engine *engine, uint32_t batch, uint32_t campaign_number, int64_t index) {
    struct working_set *set = engine_set(engine);
    const struct code_slot *slot = set->code_board == NULL ? NULL : code_board_slot(set->code_board, batch);
    if (slot == NULL || slot->campaign_number != campaign_number || index < 1 || index > slot->count) return;
    (void)working_codes_ask(engine, batch, index);
}

/* ---- save and publish ---- */

struct result working_codes_save(struct working_set *set, struct batch *batch, int64_t now_us) {
    for (size_t i = 0; i < set->codes.batch_count; i++) {
        const struct code_batch *code_batch = &set->codes.batches[i];
        if (code_batch->is_new) TRY(code_board_reserve(set->code_board, code_batch));
        if (code_batch->is_changed) save_code_batch(batch, code_batch);
    }
    const struct code_addition *imported = set->imported;
    for (size_t i = 0; imported != NULL && i < imported->count; i++)
        save_imported_code(batch, imported->batch, (int64_t)i + 1, &imported->codes[i]);
    for (size_t i = 0; i < set->codes.entry_count; i++) {
        const struct code_entry *entry = &set->codes.entries[i];
        if (entry->is_newly_revoked) save_code_revocation(batch, entry->batch, entry->index, now_us);
    }
    return result_ok();
}

void working_codes_publish(struct working_set *set) {
    for (size_t i = 0; i < set->codes.batch_count; i++) {
        if (set->codes.batches[i].is_changed) code_board_publish(set->code_board, &set->codes.batches[i]);
    }
    const struct code_addition *imported = set->imported;
    for (size_t i = 0; imported != NULL && i < imported->count; i++)
        code_board_add_imported(set->code_board, imported->batch, (int64_t)i + 1, &imported->codes[i]);
    for (size_t i = 0; i < set->codes.entry_count; i++) {
        const struct code_entry *entry = &set->codes.entries[i];
        if (entry->is_newly_revoked) code_board_revoke(set->code_board, entry->batch, entry->index);
        if (entry->is_newly_used && entry->uses >= code_batch_by_number(&set->codes, entry->batch)->max_uses)
            code_board_use_up(set->code_board, entry->batch, entry->index);
        if (entry->is_given_back && entry->uses < code_batch_by_number(&set->codes, entry->batch)->max_uses)
            code_board_give_back(set->code_board, entry->batch, entry->index);
    }
}
