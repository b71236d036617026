/* The counters of campaigns, between the board and the database: seconds, minutes, refusals; and who is archived and recalled. */
#include "discount/working_counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "discount/tables.h"

/* ---- loading ---- */

/* By number: one count of each campaign after the other. */
static struct result visit_refusals(void *context, const struct row *row) {
    struct refusal_counts *counts = context; /* [LIMIT_CAMPAIGNS_KEPT] */
    int64_t number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS_KEPT);
    enum refusal refusal = refusal_named(row_text(row, 1));
    if (refusal == NOT_REFUSED) row_refuse(row, 1, "no refusal is called so");
    counts[number - 1].counts[refusal] = row_integer_between(row, 2, 0, INT64_MAX);
    return result_ok();
}

static struct result load_refusals(struct working_set *set) {
    struct refusal_counts *counts = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *counts);
    if (counts == NULL) return result_error(RESULT_FULL);
    ask_refusals(set->batch, visit_refusals, counts);
    struct result outcome = batch_run(set->batch);
    for (size_t i = 0; i < board_count(set->board); i++) board_restore_refusals(board_slot(set->board, i), &counts[i]);
    pages_free(counts, LIMIT_CAMPAIGNS_KEPT, sizeof *counts);
    return outcome;
}

static struct result read_second(struct working_set *set, const struct row *row, int64_t *ret_number, struct second_counts *ret_counts) {
    *ret_number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS_KEPT);
    *ret_counts = (struct second_counts){.second = row_integer(row, 1),
                                         .claimed = (uint32_t)row_integer_between(row, 2, 0, UINT32_MAX),
                                         .credited = (uint32_t)row_integer_between(row, 3, 0, UINT32_MAX),
                                         .rejected = (uint32_t)row_integer_between(row, 4, 0, UINT32_MAX)};
    return *ret_number > (int64_t)board_count(set->board) ? result_error(RESULT_CORRUPT) : result_ok();
}

static struct result read_minute(struct working_set *set, const struct row *row, int64_t *ret_number, struct minute_counts *ret_counts) {
    *ret_number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS_KEPT);
    *ret_counts = (struct minute_counts){.minute = row_integer(row, 1),
                                         .claimed = (uint32_t)row_integer_between(row, 2, 0, UINT32_MAX),
                                         .credited = (uint32_t)row_integer_between(row, 3, 0, UINT32_MAX),
                                         .rejected = (uint32_t)row_integer_between(row, 4, 0, UINT32_MAX)};
    return *ret_number > (int64_t)board_count(set->board) ? result_error(RESULT_CORRUPT) : result_ok();
}

static bool is_empty(const struct minute_counts *counts) { return counts->claimed + counts->credited + counts->rejected == 0; }

static struct result visit_second(void *context, const struct row *row) {
    struct working_set *set = context;
    int64_t number;
    struct second_counts counts;
    TRY(read_second(set, row, &number, &counts));
    if (counts.second <= set->saved[number - 1].newest_second) return result_error(RESULT_CORRUPT);
    set->saved[number - 1].newest_second = counts.second;
    board_restore_second(board_slot(set->board, (size_t)number - 1), &counts);
    return result_ok();
}

static struct result visit_minute(void *context, const struct row *row) {
    struct working_set *set = context;
    int64_t number;
    struct minute_counts counts;
    TRY(read_minute(set, row, &number, &counts));
    if (!is_empty(&counts)) board_restore_minute(board_slot(set->board, (size_t)number - 1), &counts);
    return result_ok();
}

/* Of campaigns whose numbers follow each other. */
static struct result load_seconds_of(struct working_set *set, uint32_t first, uint32_t last) {
    ask_minutes(set->batch, first, last, visit_minute, set);
    TRY(batch_run(set->batch));
    ask_seconds(set->batch, first, last, visit_second, set);
    return batch_run(set->batch);
}

/* Of what is archived the sums are enough. */
struct result working_counts_load(struct working_set *set) {
    const struct board *board = set->board;
    TRY(load_refusals(set));
    for (size_t i = board_next(board, 0), end; i < board_count(board); i = board_next(board, end)) {
        for (end = i; end < board_count(board) && board_next(board, end) == end;) end++;
        TRY(load_seconds_of(set, (uint32_t)i + 1, (uint32_t)end));
    }
    return result_ok();
}

/* ---- archiving and recalling ---- */

static struct metric metric_live = {.name = "discountd_campaigns_live",
                                    .help = "Campaigns that are in memory as a whole.",
                                    .labels = "",
                                    .kind = METRIC_GAUGE};
static struct metric metric_archived = {.name = "discountd_campaigns_archived",
                                        .help = "Campaigns that are over, and whose history is in the database alone.",
                                        .labels = "",
                                        .kind = METRIC_GAUGE};

void working_counts_register_metrics(void) {
    metrics_register(&metric_live);
    metrics_register(&metric_archived);
}

void working_counts_measure(const struct working_set *set) {
    size_t awake = board_awake_count(set->board);
    metric_set(&metric_live, (int64_t)awake);
    metric_set(&metric_archived, (int64_t)(board_count(set->board) - awake));
}

void working_counts_archive(struct working_set *set) {
    for (size_t i = 0; i < set->leaving_count; i++) {
        struct campaign *campaign = campaign_by_number(&set->campaigns, set->leaving[i]);
        if (campaign == NULL || !campaign_is_over(campaign) || !board_archive(board_slot(set->board, campaign->number - 1))) continue;
        LOG(LOG_INFO, "campaign_archived", LOG_ID("campaign_id", campaign->id));
        campaign_set_drop(&set->campaigns, campaign);
    }
    set->leaving_count = 0;
}

struct recalling {
    struct working_set *set;
    struct board_history *history;
    int64_t newest_second;
};

static struct result visit_second_of_one(void *context, const struct row *row) {
    struct recalling *self = context;
    struct board_history *history = self->history;
    int64_t number;
    struct second_counts counts;
    TRY(read_second(self->set, row, &number, &counts));
    if (counts.second <= self->newest_second) return result_error(RESULT_CORRUPT);
    self->newest_second = counts.second;
    if (history->second_count == ARRAY_COUNT(history->seconds))
        memmove(&history->seconds[0], &history->seconds[1], --history->second_count * sizeof history->seconds[0]);
    history->seconds[history->second_count++] = counts;
    return result_ok();
}

static struct result visit_minute_of_one(void *context, const struct row *row) {
    struct recalling *self = context;
    struct board_history *history = self->history;
    int64_t number;
    struct minute_counts counts;
    TRY(read_minute(self->set, row, &number, &counts));
    if (is_empty(&counts)) return result_ok();
    if (history->minute_count == ARRAY_COUNT(history->minutes))
        memmove(&history->minutes[0], &history->minutes[1], --history->minute_count * sizeof history->minutes[0]);
    history->minutes[history->minute_count++] = counts;
    return result_ok();
}

static struct result recall(struct working_set *set, struct board_slot *slot, struct board_history *history) {
    struct recalling self = {.set = set, .history = history};
    if (!board_is_archived(slot)) return result_ok();
    ask_campaign(set->batch, slot->id, working_set_bring_row, set);
    history->minute_count = history->second_count = 0;
    ask_minutes(set->batch, slot->number, slot->number, visit_minute_of_one, &self);
    ask_seconds(set->batch, slot->number, slot->number, visit_second_of_one, &self);
    TRY(batch_run(set->batch));
    if (campaign_by_number(&set->campaigns, slot->number) == NULL) return result_error(RESULT_CORRUPT);
    if (self.newest_second > set->saved[slot->number - 1].newest_second) set->saved[slot->number - 1].newest_second = self.newest_second;
    board_recall(slot, history);
    LOG(LOG_INFO, "campaign_recalled", LOG_ID("campaign_id", slot->id));
    return result_ok();
}

void working_set_recall(struct working_set *set, uint32_t campaign_number) {
    struct saved_counts *saved = &set->saved[campaign_number - 1];
    if (saved->is_wanted || !board_is_archived(board_slot(set->board, campaign_number - 1))) return;
    saved->is_wanted = true;
    set->wanted[set->wanted_count++] = campaign_number;
}

static struct result recall_all(struct working_set *set, const uint32_t *numbers, size_t count) {
    struct board_history *history = malloc(sizeof *history);
    struct result outcome = history == NULL ? result_error(RESULT_FULL) : result_ok();
    for (size_t i = 0; i < count && result_is_ok(outcome); i++) outcome = recall(set, board_slot(set->board, numbers[i] - 1), history);
    free(history);
    working_counts_measure(set);
    return outcome;
}

struct result working_counts_recall(struct working_set *set) {
    TRY(set->failure);
    return set->wanted_count == 0 ? result_ok() : recall_all(set, set->wanted, set->wanted_count);
}

struct campaign *working_set_bring(struct engine *engine, uint32_t campaign_number) {
    struct working_set *set = engine_set(engine);
    bool is_there = campaign_number != 0 && campaign_number <= set->campaigns.campaign_count;
    struct campaign *campaign = campaign_by_number(&set->campaigns, campaign_number);
    if (campaign != NULL || !is_there || !result_is_ok(set->failure)) return campaign;
    set->failure = recall_all(set, &campaign_number, 1);
    return campaign_by_number(&set->campaigns, campaign_number);
}

void working_counts_forget(struct working_set *set) {
    for (size_t i = 0; i < set->wanted_count; i++) set->saved[set->wanted[i] - 1].is_wanted = false;
    set->wanted_count = 0;
    set->failure = result_ok();
}

/* ---- saving ---- */

/* A ring's worth of seconds after the last time the oldest are dropped, so that their rows stay few. */
static void note_second(struct working_set *set, size_t index, int64_t second) {
    struct saved_counts *saved = &set->saved[index];
    int64_t before = saved->newest_second;
    if (second <= before) return;
    saved->newest_second = second;
    if (second / BOARD_SECONDS != before / BOARD_SECONDS) drop_seconds(set->batch, (uint32_t)index + 1);
}

/* Seconds and minutes come in their order, and one batch names no minute twice. */
struct minute_sum {
    void (*save)(struct batch *batch, uint32_t campaign_number, const struct minute_counts *counts);
    struct batch *batch;
    uint32_t campaign_number;
    bool has_some;
    struct minute_counts counts;
};

static void end_minute(struct minute_sum *sum) {
    if (sum->has_some) sum->save(sum->batch, sum->campaign_number, &sum->counts);
    sum->counts = (struct minute_counts){0};
    sum->has_some = false;
}

static void add_to_minute(struct minute_sum *sum, int64_t minute, uint32_t credited, uint32_t rejected) {
    if (sum->counts.minute != minute) end_minute(sum);
    sum->has_some = true;
    sum->counts.minute = minute;
    sum->counts.credited += credited;
    sum->counts.rejected += rejected;
}

/* Credits that Wallet has lost and refuses now. */
static void save_taken_back(struct working_set *set, const struct campaign *campaign, int64_t count) {
    struct second_counts seconds[BOARD_SECONDS];
    struct minute_counts minutes[BOARD_MINUTES];
    const struct board_slot *slot = board_slot(set->board, campaign->number - 1);
    struct minute_sum sum = {.save = save_credits_taken_back_from_minute, .batch = set->batch, .campaign_number = campaign->number};
    size_t found = board_find_credited(slot, count, seconds);
    for (size_t i = 0; i < found; i++) {
        save_credits_taken_back(set->batch, campaign->number, &seconds[i]);
        add_to_minute(&sum, seconds[i].second / MINUTE_SECONDS, seconds[i].credited, 0);
        count -= seconds[i].credited;
    }
    found = board_find_credited_before(slot, count, minutes);
    for (size_t i = 0; i < found; i++) add_to_minute(&sum, minutes[i].minute, minutes[i].credited, 0);
    end_minute(&sum);
}

/* In the same transaction as the claims and the credits that it counts. */
void working_counts_save_settled(struct working_set *set, const struct campaign *campaign) {
    size_t index = campaign->number - 1;
    struct saved_counts *saved = &set->saved[index];
    int64_t credited = campaign_ever_credited(campaign) - saved->committed.ever_credited;
    struct second_counts more = {.claimed = (uint32_t)(campaign->redeemed - saved->committed.redeemed),
                                 .credited = credited > 0 ? (uint32_t)credited : 0};
    saved->batch_second = 0;
    if (credited < 0) save_taken_back(set, campaign, -credited);
    if (more.claimed + more.credited == 0) return;
    more.second = campaign->is_new ? set->now_us / CLOCK_SECOND_US : board_begin_second(board_slot(set->board, index), set->now_us);
    saved->batch_second = more.second;
    save_second(set->batch, campaign->number, &more);
    save_minute(set->batch, campaign->number,
                &(struct minute_counts){.minute = more.second / MINUTE_SECONDS, .claimed = more.claimed, .credited = more.credited});
    note_second(set, index, more.second);
}

static void save_refused_of(struct working_set *set, struct board_slot *slot) {
    if (!atomic_exchange_explicit(&slot->is_dirty, false, memory_order_acquire)) return;
    set->saving[set->saving_count++] = slot->number;
    struct board_snapshot unsaved;
    board_take_unsaved(slot, &unsaved);
    for (enum refusal refusal = NOT_REFUSED + 1; refusal < REFUSAL_COUNT; refusal++) {
        if (unsaved.rejected.counts[refusal] != 0) save_refusals(set->batch, slot->number, refusal, unsaved.rejected.counts[refusal]);
    }
    struct minute_sum sum = {.save = save_minute, .batch = set->batch, .campaign_number = slot->number};
    for (size_t k = 0; k < unsaved.second_count; k++) {
        save_second(set->batch, slot->number, &unsaved.seconds[k]);
        add_to_minute(&sum, unsaved.seconds[k].second / MINUTE_SECONDS, 0, unsaved.seconds[k].rejected);
        note_second(set, slot->number - 1, unsaved.seconds[k].second);
    }
    end_minute(&sum);
}

/* Of those that are archived it is looked only when one of them is tried. */
void working_counts_save_refused(struct working_set *set, int64_t now_us) {
    const struct board *board = set->board;
    set->refusals_saved_us = now_us;
    for (size_t i = board_next(board, 0); i < board_count(board); i = board_next(board, i + 1)) save_refused_of(set, board_slot(board, i));
    if (!board_take_news(set->board)) return;
    for (size_t i = 0; i < board_count(board); i++) save_refused_of(set, board_slot(board, i));
}

void working_counts_end_refused(struct working_set *set, bool is_committed) {
    for (size_t i = 0; i < set->saving_count; i++) {
        struct board_slot *slot = board_slot(set->board, set->saving[i] - 1);
        board_end_saving(slot, is_committed);
        if (is_committed && board_is_archived(slot)) (void)board_archive(slot);
    }
    set->saving_count = 0;
}

static struct result write_refused(struct engine *engine, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    set->now_us = now_us;
    working_counts_save_refused(set, now_us);
    return result_ok();
}

static bool has_unsaved(const struct board *board) {
    if (board_has_news(board)) return true;
    for (size_t i = board_next(board, 0); i < board_count(board); i = board_next(board, i + 1)) {
        if (atomic_load_explicit(&board_slot(board, i)->is_dirty, memory_order_relaxed)) return true;
    }
    return false;
}

struct result working_set_flush(struct engine *engine, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    if (!has_unsaved(set->board)) return result_ok();
    struct result outcome = engine_write(engine, write_refused, now_us);
    working_counts_end_refused(set, result_is_ok(outcome));
    return outcome;
}
