#include "discount/working_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "discount/discount.h"
#include "discount/opening.h"
#include "discount/tables.h"
#include "discount/working_codes.h"

#define RECENTS_MAX     LIMIT_SETTLE_CLAIMS
#define WINNERS_AT_ONCE 10000 /* read in one go at the start */
#define KEPT_AT_ONCE    10000
#define SETTLED_LAG     10000 /* places behind which settled_position may stay without anybody looking */

/* ---- loading ---- */

static struct result visit_campaign(void *context, const struct row *row) {
    struct working_set *set = context;
    struct campaign campaign;
    TRY(sound_campaign_of_row(row, &campaign));
    TRY(campaign_set_load(&set->campaigns, &campaign));
    set->saved[campaign.number - 1].committed = campaign_counts(&campaign);
    return result_ok();
}

static struct result load_campaigns(struct working_set *set) {
    campaign_set_clear(&set->campaigns);
    ask_all_campaigns(set->batch, visit_campaign, set);
    TRY(batch_run(set->batch));
    campaign_set_begin(&set->campaigns);
    TRY(working_codes_load_batches(set));
    set->is_stale = false;
    return result_ok();
}

/* Rows that are loaded some at a time, and where the last of them stands. */
struct page_of_rows {
    struct working_set *set;
    int64_t last;
    size_t count;
};

static struct result visit_winner(void *context, const struct row *row) {
    struct page_of_rows *page = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    if (campaign_by_number(&page->set->campaigns, redemption.campaign_number) == NULL) return result_error(RESULT_CORRUPT);
    board_add_winner(page->set->board, redemption.campaign_number, redemption.user_id, &redemption.phone);
    page->last = redemption_key(redemption.campaign_number, redemption.position);
    page->count++;
    return result_ok();
}

static struct result load_winners(struct working_set *set) {
    struct page_of_rows page = {.set = set, .count = WINNERS_AT_ONCE};
    while (page.count == WINNERS_AT_ONCE) {
        page.count = 0;
        ask_redemptions(set->batch, page.last, INT64_MAX, WINNERS_AT_ONCE, visit_winner, &page);
        TRY(batch_run(set->batch));
    }
    return result_ok();
}

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
    struct refusal_counts *counts = calloc(LIMIT_CAMPAIGNS_KEPT, sizeof *counts);
    if (counts == NULL) return result_error(RESULT_FULL);
    ask_refusals(set->batch, visit_refusals, counts);
    struct result outcome = batch_run(set->batch);
    for (size_t i = 0; i < board_count(set->board); i++) board_restore_refusals(board_slot(set->board, i), &counts[i]);
    free(counts);
    return outcome;
}

static struct result visit_second(void *context, const struct row *row) {
    struct working_set *set = context;
    int64_t number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS_KEPT);
    struct second_counts counts = {.second = row_integer(row, 1),
                                   .claimed = (uint32_t)row_integer_between(row, 2, 0, UINT32_MAX),
                                   .credited = (uint32_t)row_integer_between(row, 3, 0, UINT32_MAX),
                                   .rejected = (uint32_t)row_integer_between(row, 4, 0, UINT32_MAX)};
    if (number > (int64_t)board_count(set->board)) return result_error(RESULT_CORRUPT);
    if (counts.second <= set->saved[number - 1].newest_second) return result_error(RESULT_CORRUPT);
    board_restore_second(board_slot(set->board, (size_t)number - 1), &counts);
    set->saved[number - 1].newest_second = counts.second;
    return result_ok();
}

static struct result visit_minute(void *context, const struct row *row) {
    struct working_set *set = context;
    int64_t number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS_KEPT);
    struct minute_counts counts = {.minute = row_integer(row, 1),
                                   .claimed = (uint32_t)row_integer_between(row, 2, 0, UINT32_MAX),
                                   .credited = (uint32_t)row_integer_between(row, 3, 0, UINT32_MAX),
                                   .rejected = (uint32_t)row_integer_between(row, 4, 0, UINT32_MAX)};
    if (number > (int64_t)board_count(set->board)) return result_error(RESULT_CORRUPT);
    if (counts.claimed + counts.credited + counts.rejected > 0) board_restore_minute(board_slot(set->board, (size_t)number - 1), &counts);
    return result_ok();
}

static struct result visit_kept(void *context, const struct row *row) {
    struct page_of_rows *page = context;
    struct hash lookup;
    page->last = row_integer_between(row, 0, 1, INT64_MAX);
    row_bytes_into(row, 1, lookup.bytes, sizeof lookup.bytes);
    board_add_kept(page->set->board, &lookup, row_integer(row, 2));
    page->count++;
    return result_ok();
}

static struct result load_kept(struct working_set *set) {
    struct page_of_rows page = {.set = set, .count = KEPT_AT_ONCE};
    while (page.count == KEPT_AT_ONCE) {
        page.count = 0;
        ask_kept_lookups(set->batch, page.last, KEPT_AT_ONCE, visit_kept, &page);
        TRY(batch_run(set->batch));
    }
    return result_ok();
}

/* Unless another has it meanwhile: this one has ended. */
static struct result name_code(struct working_set *set, const struct campaign *campaign) {
    if (campaign_by_code(&set->campaigns, &campaign->code) != campaign) return result_ok();
    return board_name_code(set->board, campaign);
}

static struct result load_board(struct working_set *set) {
    struct campaign_set *campaigns = &set->campaigns;
    for (size_t i = 0; i < campaigns->campaign_count; i++) board_reserve(set->board, &campaigns->campaigns[i]);
    TRY(load_winners(set));
    TRY(load_kept(set));
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        board_publish(set->board, &campaigns->campaigns[i], 0);
        struct board_slot *slot = board_slot(set->board, i);
        board_set_books(slot, slot->is_of_orders ? BOOKS_AGREE : BOOKS_NOT_COMPARED);
    }
    for (size_t i = 0; i < campaigns->campaign_count; i++) TRY(name_code(set, &campaigns->campaigns[i]));
    TRY(load_refusals(set));
    ask_minutes(set->batch, visit_minute, set);
    TRY(batch_run(set->batch));
    ask_seconds(set->batch, visit_second, set);
    return batch_run(set->batch);
}

/* ---- life ---- */

static struct result fill(struct working_set *set) {
    set->saved = calloc(LIMIT_CAMPAIGNS_KEPT, sizeof *set->saved);
    set->recents = calloc(RECENTS_MAX, sizeof *set->recents);
    if (set->saved == NULL || set->recents == NULL) return result_error(RESULT_FULL);
    TRY(map_init(&set->recents_by_id, RECENTS_MAX));
    TRY(campaign_set_init(&set->campaigns, LIMIT_CAMPAIGNS_KEPT, CAMPAIGN_SET_REDEMPTIONS));
    TRY(load_campaigns(set));
    return load_board(set);
}

struct result working_set_create(struct batch *batch, struct board *board, struct working_set **ret_set) {
    struct working_set *set = calloc(1, sizeof *set);
    if (set == NULL) return result_error(RESULT_FULL);
    set->batch = batch;
    set->board = board;
    struct result outcome = fill(set);
    if (!result_is_ok(outcome)) {
        working_set_free(set);
        return outcome;
    }
    *ret_set = set;
    return result_ok();
}

void working_set_free(struct working_set *set) {
    if (set == NULL) return;
    campaign_set_free(&set->campaigns);
    code_set_free(&set->codes);
    map_free(&set->recents_by_id);
    free(set->recents);
    free(set->saved);
    free(set);
}

/* ---- load: what the batch names ---- */

static struct text key_of(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

static struct result load_row(struct working_set *set, const struct row *row, int first_column) {
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, first_column, &redemption));
    return campaign_set_load_redemption(&set->campaigns, &redemption);
}

struct result working_set_redemption(void *set, const struct row *row) {
    return load_row(set, row, 0);
}

/* A claim that a kept answer waits for comes along with it; a campaign is here. */
static struct result subject_found(void *self, const struct row *row) {
    struct working_set *set = self;
    if (!row_is_null(row, KEPT_COLUMNS)) return load_row(set, row, KEPT_COLUMNS);
    if (campaign_by_id(&set->campaigns, row_id_or_zero(row, KEPT_COLUMNS - 2)) == NULL)
        row_refuse(row, KEPT_COLUMNS - 2, "it waits for nothing that is there");
    return result_ok();
}

void working_set_ask(struct engine *engine, struct id id) {
    struct working_set *set = engine_set(engine);
    if (id_is_zero(id) || redemption_by_id(&set->campaigns, id) != NULL) return;
    const struct recent_claim *recent = map_get(&set->recents_by_id, key_of(&id));
    if (recent != NULL)
        CHECK(result_is_ok(campaign_set_load_redemption(&set->campaigns, &recent->redemption))); /* it was there when it was committed */
    else if (campaign_by_id(&set->campaigns, id) == NULL)
        ask_redemption(engine_batch(engine), id, working_set_redemption, set);
}

static struct result visit_reversal(void *context, const struct row *row) {
    struct working_set *set = context;
    struct reversal reversal;
    TRY(reversal_of_row(row, 0, &reversal));
    return campaign_set_load_reversal(&set->campaigns, &reversal);
}

void working_set_ask_to_reverse(struct engine *engine, const struct reversal_subject *subject) {
    struct working_set *set = engine_set(engine);
    working_set_ask(engine, subject->redemption_id);
    ask_reversal(engine_batch(engine), subject->redemption_id, visit_reversal, set);
    if (subject->code_batch != 0) CHECK(working_codes_ask(engine, subject->code_batch, subject->code_index)); /* by its weight */
    working_set_ask_line(engine, subject->campaign_number, 1);                                                /* who gets its place */
}

static struct result visit_line(void *context, const struct row *row) {
    struct working_set *set = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    return campaign_set_load_line(&set->campaigns, &redemption);
}

/* Each operation of the batch asks behind those that the others have asked for. Who joins in this batch is here anyway. */
void working_set_ask_line(struct engine *engine, uint32_t campaign_number, int64_t count) {
    struct working_set *set = engine_set(engine);
    struct campaign *campaign = campaign_by_number(&set->campaigns, campaign_number);
    if (campaign == NULL || campaign->line_asked >= campaign->waiting) return;
    ask_line(engine_batch(engine), campaign_number, campaign->line_asked, count, visit_line, set);
    campaign->line_asked += count;
}

struct moment working_set_moment(const struct working_set *set, const struct campaign *campaign, int64_t now_us) {
    const struct zone *zone = NULL;
    struct moment moment = {.is_recovering = books_are_recovering(board_books(board_slot(set->board, campaign->number - 1)))};
    struct result found = zone_find(words_time_zone(&campaign->words), &zone);
    if (!result_is_ok(found)) zone = set->zone;
    if (zone == NULL) return moment;
    moment.opens_at_us = schedule_opens_at(&campaign->rules.schedule, zone, now_us);
    if (now_us >= campaign->day_ends_at_us) moment.day = day_of(zone, now_us);
    return moment;
}

int64_t working_set_promote(struct engine *engine, struct campaign *campaign, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    if (campaign->waiting == 0) return 0;
    const struct moment moment = working_set_moment(set, campaign, now_us);
    return campaign_promote(&set->campaigns, campaign, &moment, now_us);
}

/* Columns: the user, or the phone; the campaign's number; how many. */
static struct result visit_user_tally(void *context, const struct row *row) {
    struct working_set *set = context;
    uint32_t number = (uint32_t)row_integer_between(row, 1, 1, LIMIT_CAMPAIGNS_KEPT);
    return campaign_set_load_tally_of_user(&set->campaigns, number, row_id(row, 0), row_integer(row, 2));
}

static struct result visit_phone_tally(void *context, const struct row *row) {
    struct working_set *set = context;
    struct phone phone = {0};
    struct text text = row_text(row, 0);
    if (text.size > sizeof phone.e164) row_refuse(row, 0, "a phone that is too long");
    text = text_cut(text, sizeof phone.e164);
    memcpy(phone.e164, text.data, text.size);
    phone.size = (uint8_t)text.size;
    uint32_t number = (uint32_t)row_integer_between(row, 1, 1, LIMIT_CAMPAIGNS_KEPT);
    return campaign_set_load_tally_of_phone(&set->campaigns, number, &phone, row_integer(row, 2));
}

/* Whom the filter does not know has no row: every winner is added to it, by this thread, when the commit is published. */
void working_set_ask_rivals(struct engine *engine, const struct campaign *campaign, const struct redeem_request *request) {
    struct working_set *set = engine_set(engine);
    const struct board_slot *slot = board_slot(set->board, campaign->number - 1);
    struct batch *batch = engine_batch(engine);
    bool may_be_user = board_may_be_user(set->board, slot, request->user_id);
    if (may_be_user && campaign->rules.max_per_user == 1)
        ask_redemption_of_user(batch, campaign->number, request->user_id, working_set_redemption, set);
    if (may_be_user && campaign->rules.max_per_user > 1)
        ask_count_of_user(batch, campaign->number, request->user_id, visit_user_tally, set);
    if (may_be_user && campaign->rules.max_per_user > 1 && request->order.reference_size != 0)
        ask_redemption_of_order(batch, campaign->number, request->user_id, order_reference(&request->order), working_set_redemption, set);
    if (!board_may_be_phone(set->board, slot, &request->phone)) return;
    if (campaign->rules.max_per_phone == 1)
        ask_redemption_of_phone(batch, campaign->number, &request->phone, working_set_redemption, set);
    else
        ask_count_of_phone(batch, campaign->number, &request->phone, visit_phone_tally, set);
}

static struct result visit_listed(void *context, const struct row *row) {
    (void)row;
    ((struct redeem_request *)context)->is_listed = IS_SO;
    return result_ok();
}

void working_set_ask_listed(struct engine *engine, const struct campaign *campaign, struct redeem_request *request) {
    request->is_listed = IS_NOT;
    if (campaign->rules.has_list == 0) return;
    ask_eligible_user(engine_batch(engine), campaign->number, request->user_id, visit_listed, request);
    if (request->phone.size > 0) ask_eligible_phone(engine_batch(engine), campaign->number, &request->phone, visit_listed, request);
}

static void forget(void *self) {
    struct working_set *set = self;
    set->wallet_instance = (struct id){{0}};
    set->imported = NULL;
    set->eligible = NULL;
    campaign_set_begin(&set->campaigns);
    code_set_begin(&set->codes);
}

static struct result begin(void *self, struct batch *batch) {
    struct working_set *set = self;
    CHECK(batch == set->batch);
    return set->is_stale ? load_campaigns(set) : result_ok();
}

/* ---- save ---- */

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
static void save_settled(struct working_set *set, const struct campaign *campaign) {
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

static void save_refused(struct working_set *set, int64_t now_us) {
    set->refusals_saved_us = now_us;
    for (size_t i = 0; i < board_count(set->board); i++) {
        struct board_slot *slot = board_slot(set->board, i);
        if (!atomic_exchange_explicit(&slot->is_dirty, false, memory_order_acquire)) continue;
        set->saved[i].is_saving = true;
        struct board_snapshot unsaved;
        board_take_unsaved(slot, &unsaved);
        for (enum refusal refusal = NOT_REFUSED + 1; refusal < REFUSAL_COUNT; refusal++) {
            if (unsaved.rejected.counts[refusal] != 0) save_refusals(set->batch, slot->number, refusal, unsaved.rejected.counts[refusal]);
        }
        struct minute_sum sum = {.save = save_minute, .batch = set->batch, .campaign_number = slot->number};
        for (size_t k = 0; k < unsaved.second_count; k++) {
            save_second(set->batch, slot->number, &unsaved.seconds[k]);
            add_to_minute(&sum, unsaved.seconds[k].second / MINUTE_SECONDS, 0, unsaved.seconds[k].rejected);
            note_second(set, i, unsaved.seconds[k].second);
        }
        end_minute(&sum);
    }
}

/* The transaction is over. After a failure everything that it meant to save is saved again with the next. */
static void end_refusals(struct working_set *set, bool is_committed) {
    for (size_t i = 0; i < board_count(set->board); i++) {
        if (!set->saved[i].is_saving) continue;
        set->saved[i].is_saving = false;
        board_end_saving(board_slot(set->board, i), is_committed);
    }
}

static struct result save(void *self, struct batch *batch, int64_t now_us) {
    struct working_set *set = self;
    struct campaign_set *campaigns = &set->campaigns;
    set->now_us = now_us;
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        struct campaign *campaign = &campaigns->campaigns[i];
        if (!campaign->is_changed) continue;
        if (campaign->is_new) set->saved[i].committed = (struct campaign_counts){0};
        save_campaign(batch, campaign, &set->saved[i].committed);
        save_settled(set, campaign);
    }
    for (size_t i = 0; i < campaigns->redemption_count; i++) {
        const struct redemption *redemption = &campaigns->redemptions[i];
        if (redemption->is_changed) save_redemption(batch, redemption);
        if (redemption->is_changed && redemption->drops_reversal) drop_reversal(batch, redemption);
    }
    for (size_t i = 0; i < campaigns->reversal_count; i++) {
        if (campaigns->reversals[i].is_changed) save_reversal(batch, &campaigns->reversals[i]);
    }
    TRY(working_codes_save(set, batch, now_us));
    if (set->eligible != NULL) save_eligible(batch, set->eligible);
    if (!id_is_zero(set->wallet_instance))
        save_setting(batch, SETTING_WALLET_INSTANCE, set->wallet_instance.bytes, sizeof set->wallet_instance.bytes);
    /* What no operation asks for rides on a batch under a constant load, once a second. */
    if (now_us - set->refusals_saved_us >= CLOCK_SECOND_US) save_refused(set, now_us);
    return result_ok();
}

static void rolled_back(void *self) {
    struct working_set *set = self;
    end_refusals(set, false);
    set->is_stale = true;
}

static struct recent_claim *take_recent(struct working_set *set) {
    struct recent_claim *recent = set->free_recent;
    if (recent == NULL) return set->recent_count < RECENTS_MAX ? &set->recents[set->recent_count++] : NULL;
    set->free_recent = recent->next_free;
    return recent;
}

static void forget_recent(struct working_set *set, const struct id *id) {
    struct recent_claim *recent = map_remove(&set->recents_by_id, key_of(id));
    if (recent == NULL) return;
    recent->next_free = set->free_recent;
    set->free_recent = recent;
}

/* It is committed: a new claim is remembered until it is settled. */
static void note_recent(struct working_set *set, const struct redemption *redemption) {
    if (redemption->status != REDEMPTION_CLAIMED) {
        forget_recent(set, &redemption->id);
        if (!id_is_zero(redemption->claimed_as)) forget_recent(set, &redemption->claimed_as);
        return;
    }
    struct recent_claim *recent = take_recent(set);
    if (recent == NULL) return;
    recent->redemption = *redemption;
    recent->redemption.is_new = recent->redemption.is_changed = recent->redemption.is_in_front = false;
    recent->redemption.promoted_from = 0;
    CHECK(result_is_ok(map_put(&set->recents_by_id, key_of(&recent->redemption.id), recent)));
}

static void note_kept(void *self, const struct hash *lookup, int64_t now_us) {
    board_add_kept(((struct working_set *)self)->board, lookup, now_us);
}

/* Winners first: whoever sees a campaign without free places must also see who has them. */
static void publish(void *self) {
    struct working_set *set = self;
    end_refusals(set, true);
    struct campaign_set *campaigns = &set->campaigns;
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        if (campaigns->campaigns[i].is_new) board_reserve(set->board, &campaigns->campaigns[i]);
        if (campaigns->campaigns[i].is_changed) set->saved[i].committed = campaign_counts(&campaigns->campaigns[i]);
    }
    for (size_t i = 0; i < campaigns->redemption_count; i++) {
        const struct redemption *redemption = &campaigns->redemptions[i];
        if (redemption->is_new) board_add_winner(set->board, redemption->campaign_number, redemption->user_id, &redemption->phone);
    }
    working_codes_publish(set);
    for (size_t i = 0; i < campaigns->redemption_count; i++) {
        if (campaigns->redemptions[i].is_changed) note_recent(set, &campaigns->redemptions[i]);
        if (campaigns->redemptions[i].promoted_from == 0) continue;
        metric_add(&metric_promoted, 1);
        metric_add(&metric_claims, campaigns->redemptions[i].status == REDEMPTION_CLAIMED);
    }
    for (size_t i = 0; i < campaigns->campaign_count; i++) {
        const struct campaign *campaign = &campaigns->campaigns[i];
        if (!campaign->is_changed) continue;
        board_publish(set->board, campaign, set->saved[i].batch_second);
        CHECK(!campaign->has_new_rules || result_is_ok(name_code(set, campaign))); /* a few bytes, once for each code */
    }
}

/* ---- between batches ---- */

static struct result write_refused(struct engine *engine, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    set->now_us = now_us;
    save_refused(set, now_us);
    return result_ok();
}

struct result working_set_flush(struct engine *engine, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    bool is_dirty = false;
    for (size_t i = 0; i < board_count(set->board) && !is_dirty; i++)
        is_dirty = atomic_load_explicit(&board_slot(set->board, i)->is_dirty, memory_order_relaxed);
    if (!is_dirty) return result_ok();
    struct result outcome = engine_write(engine, write_refused, now_us);
    end_refusals(set, result_is_ok(outcome));
    return outcome;
}

/* ---- settled_position ---- */

static struct result visit_first_unsettled(void *context, const struct row *row) {
    *(int64_t *)context = row_integer_between(row, 0, 1, INT64_MAX);
    return result_ok();
}

/* A campaign in which something is always open does not move it by itself: one of those that lag is looked after at a time, over at most SETTLED_LAG rows.
 * The row that holds it is written with the campaign's next change; on disk it is a lower bound. */
static void look_after_settled(struct working_set *set) {
    struct campaign_set *campaigns = &set->campaigns;
    for (size_t i = 0; i < campaigns->campaign_count && !set->is_stale; i++) {
        set->looked_at = (set->looked_at + 1) % campaigns->campaign_count;
        struct campaign *campaign = &campaigns->campaigns[set->looked_at];
        if (campaign->redeemed - campaign->settled_position < SETTLED_LAG) continue;
        int64_t last = campaign->settled_position + SETTLED_LAG, first_open = redemption_key(campaign->number, last + 1);
        ask_first_unsettled(set->batch, redemption_key(campaign->number, campaign->settled_position),
                            redemption_key(campaign->number, last), visit_first_unsettled, &first_open);
        if (result_is_ok(batch_run(set->batch))) campaign_note_settled(campaign, first_open - 1 - redemption_key(campaign->number, 0));
        return;
    }
}

static void idle(struct engine *engine, int64_t now_us, bool is_busy) {
    struct result flushed = is_busy ? result_ok() : working_set_flush(engine, now_us); /* a batch is coming, which takes it along */
    if (!result_is_ok(flushed)) LOG(LOG_WARN, "counters_not_saved", LOG_STRING("reason", result_name(flushed)));
    look_after_settled(engine_set(engine));
}

const struct working_set_hooks discount_hooks = {.forget = forget,
                                                 .begin = begin,
                                                 .subject_found = subject_found,
                                                 .save = save,
                                                 .kept = note_kept,
                                                 .publish = publish,
                                                 .rolled_back = rolled_back,
                                                 .idle = idle};
