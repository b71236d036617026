#include "discount/working_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "discount/discount.h"
#include "discount/opening.h"
#include "discount/tables.h"
#include "discount/working_codes.h"
#include "discount/working_counts.h"

#define RECENTS_MAX     LIMIT_SETTLE_CLAIMS
#define WINNERS_AT_ONCE 10000 /* read in one go at the start */
#define KEPT_AT_ONCE    10000
#define SETTLED_LAG     10000 /* places behind which settled_position may stay without anybody looking */

/* ---- loading ---- */

/* What is archived from the start: of what is over, that which ended long enough ago. */
static bool is_archived(const struct working_set *set, const struct campaign *campaign) {
    return campaign_is_over(campaign) && campaign->ended_at_us <= set->archived_until_us;
}

/* Onto the board, in the order of their numbers: of those with one code the newest is found by it. */
static void show(struct working_set *set, const struct campaign *campaign) {
    if (is_archived(set, campaign))
        board_reserve_archived(set->board, campaign);
    else
        board_reserve(set->board, campaign);
    board_publish(set->board, campaign, 0);
    struct board_slot *slot = board_slot(set->board, campaign->number - 1);
    board_set_books(slot, slot->is_of_orders ? BOOKS_AGREE : BOOKS_NOT_COMPARED);
}

static struct result visit_campaign(void *context, const struct row *row) {
    struct working_set *set = context;
    struct campaign campaign;
    TRY(sound_campaign_of_row(row, &campaign));
    if (campaign.number != set->campaigns.campaign_count + 1 || board_find_id(set->board, campaign.id) != NULL)
        return result_error(RESULT_CORRUPT);
    if (is_archived(set, &campaign))
        campaign_set_skip(&set->campaigns);
    else
        TRY(campaign_set_load(&set->campaigns, &campaign));
    set->saved[campaign.number - 1].committed = campaign_counts(&campaign);
    show(set, &campaign);
    return result_ok();
}

struct result working_set_bring_row(void *self, const struct row *row) {
    struct working_set *set = self;
    struct campaign campaign;
    TRY(sound_campaign_of_row(row, &campaign));
    const struct board_slot *slot = board_find_id(set->board, campaign.id);
    if (slot == NULL || slot->number != campaign.number) return result_error(RESULT_CORRUPT);
    set->saved[campaign.number - 1].committed = campaign_counts(&campaign);
    return campaign_set_bring(&set->campaigns, &campaign, board_find_code(set->board, &campaign.code) == slot);
}

/* After a rollback: those that are not archived. */
static struct result load_again(struct working_set *set) {
    const struct board *board = set->board;
    campaign_set_clear(&set->campaigns);
    for (size_t i = 0; i < board_count(board); i++) campaign_set_skip(&set->campaigns);
    for (size_t i = board_next(board, 0); i < board_count(board); i = board_next(board, i + 1))
        ask_campaign(set->batch, board_slot(board, i)->id, working_set_bring_row, set);
    TRY(batch_run(set->batch));
    if (set->campaigns.seat_count != board_awake_count(board)) return result_error(RESULT_CORRUPT);
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
    if (redemption.campaign_number > page->set->campaigns.campaign_count) return result_error(RESULT_CORRUPT);
    board_add_winner(page->set->board, redemption.campaign_number, redemption.user_id, &redemption.phone);
    page->last = redemption_key(redemption.campaign_number, redemption.position);
    page->count++;
    return result_ok();
}

/* Of campaigns whose numbers follow each other. */
static struct result load_winners_of(struct working_set *set, uint32_t first, uint32_t last) {
    struct page_of_rows page = {.set = set, .last = redemption_key(first, 0), .count = WINNERS_AT_ONCE};
    while (page.count == WINNERS_AT_ONCE) {
        page.count = 0;
        ask_redemptions(set->batch, page.last, redemption_key(last + 1, 0), WINNERS_AT_ONCE, visit_winner, &page);
        TRY(batch_run(set->batch));
    }
    return result_ok();
}

/* Of what is archived the database is asked. */
static struct result load_winners(struct working_set *set) {
    const struct board *board = set->board;
    for (size_t i = board_next(board, 0), end; i < board_count(board); i = board_next(board, end)) {
        for (end = i; end < board_count(board) && board_next(board, end) == end;) end++;
        TRY(load_winners_of(set, (uint32_t)i + 1, (uint32_t)end));
    }
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

static struct result load(struct working_set *set) {
    ask_all_campaigns(set->batch, visit_campaign, set);
    TRY(batch_run(set->batch));
    campaign_set_begin(&set->campaigns);
    for (uint32_t number = 1; number <= set->campaigns.campaign_count; number++) {
        const struct campaign *campaign = campaign_by_number(&set->campaigns, number);
        if (campaign != NULL) TRY(name_code(set, campaign));
    }
    TRY(load_winners(set));
    TRY(load_kept(set));
    TRY(working_counts_load(set));
    working_counts_measure(set);
    return result_ok();
}

/* ---- life ---- */

static struct result fill(struct working_set *set) {
    set->saved = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *set->saved);
    set->saving = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *set->saving);
    set->wanted = pages_take(LIMIT_CAMPAIGNS_KEPT, sizeof *set->wanted);
    set->strays = pages_take(CAMPAIGN_SET_REDEMPTIONS, sizeof *set->strays);
    set->recents = pages_take(RECENTS_MAX, sizeof *set->recents);
    if (set->strays == NULL || set->saved == NULL || set->saving == NULL || set->wanted == NULL || set->recents == NULL)
        return result_error(RESULT_FULL);
    TRY(map_init(&set->recents_by_id, RECENTS_MAX));
    TRY(campaign_set_init(&set->campaigns, LIMIT_CAMPAIGNS_KEPT, CAMPAIGN_SET_REDEMPTIONS));
    return load(set);
}

struct result working_set_create(struct batch *batch, struct board *board, int64_t archived_until_us, struct working_set **ret_set) {
    struct working_set *set = calloc(1, sizeof *set);
    if (set == NULL) return result_error(RESULT_FULL);
    set->batch = batch;
    set->board = board;
    set->archived_until_us = archived_until_us;
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
    pages_free(set->recents, RECENTS_MAX, sizeof *set->recents);
    pages_free(set->saved, LIMIT_CAMPAIGNS_KEPT, sizeof *set->saved);
    pages_free(set->saving, LIMIT_CAMPAIGNS_KEPT, sizeof *set->saving);
    pages_free(set->strays, CAMPAIGN_SET_REDEMPTIONS, sizeof *set->strays);
    pages_free(set->wanted, LIMIT_CAMPAIGNS_KEPT, sizeof *set->wanted);
    free(set);
}

/* ---- load: what the batch names ---- */

static struct text key_of(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

static struct result load_row(struct working_set *set, const struct row *row, int first_column) {
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, first_column, &redemption));
    bool is_there = redemption.campaign_number <= set->campaigns.campaign_count;
    if (!is_there || campaign_by_number(&set->campaigns, redemption.campaign_number) != NULL)
        return campaign_set_load_redemption(&set->campaigns, &redemption);
    if (set->stray_count == CAMPAIGN_SET_REDEMPTIONS) return result_error(RESULT_FULL);
    working_set_recall(set, redemption.campaign_number);
    set->strays[set->stray_count++] = redemption;
    return result_ok();
}

struct result working_set_redemption(void *set, const struct row *row) {
    return load_row(set, row, 0);
}

/* False: there is no such campaign. */
static bool name_campaign(struct working_set *set, struct id id) {
    const struct board_slot *slot = board_find_id(set->board, id);
    if (slot != NULL) working_set_recall(set, slot->number);
    return slot != NULL || campaign_by_id(&set->campaigns, id) != NULL;
}

void working_set_name_campaign(struct engine *engine, struct id id) { (void)name_campaign(engine_set(engine), id); }

/* A claim that a kept answer waits for comes along with it; a campaign is here. */
static struct result subject_found(void *self, const struct row *row) {
    struct working_set *set = self;
    if (!row_is_null(row, KEPT_COLUMNS)) return load_row(set, row, KEPT_COLUMNS);
    const struct id id = row_id_or_zero(row, KEPT_COLUMNS - 2);
    if (!name_campaign(set, id)) row_refuse(row, KEPT_COLUMNS - 2, "it waits for nothing that is there");
    return result_ok();
}

void working_set_ask(struct engine *engine, struct id id) {
    struct working_set *set = engine_set(engine);
    if (id_is_zero(id) || redemption_by_id(&set->campaigns, id) != NULL) return;
    const struct recent_claim *recent = map_get(&set->recents_by_id, key_of(&id));
    if (recent != NULL)
        CHECK(result_is_ok(campaign_set_load_redemption(&set->campaigns, &recent->redemption))); /* it was there when it was committed */
    else if (!name_campaign(set, id))
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
    campaign_note(campaign);
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

/* ---- one batch ---- */

static void forget(void *self) {
    struct working_set *set = self;
    set->wallet_instance = (struct id){{0}};
    set->imported = NULL;
    set->eligible = NULL;
    set->leaving_count = set->stray_count = 0;
    working_counts_forget(set);
    campaign_set_begin(&set->campaigns);
    code_set_begin(&set->codes);
}

static struct result begin(void *self, struct batch *batch) {
    struct working_set *set = self;
    CHECK(batch == set->batch);
    return set->is_stale ? load_again(set) : result_ok();
}

/* Archived campaigns that the batch has named, and the redemptions of them that waited for that. */
static struct result loaded(void *self) {
    struct working_set *set = self;
    TRY(working_counts_recall(set));
    for (size_t i = 0; i < set->stray_count; i++) TRY(campaign_set_load_redemption(&set->campaigns, &set->strays[i]));
    return result_ok();
}

/* ---- save ---- */

static struct result save(void *self, struct batch *batch, int64_t now_us) {
    struct working_set *set = self;
    struct campaign_set *campaigns = &set->campaigns;
    set->now_us = now_us;
    for (size_t i = 0; i < campaigns->changes.count; i++) {
        const struct campaign *campaign = campaign_by_number(campaigns, campaigns->changes.numbers[i]);
        struct campaign_counts *committed = &set->saved[campaign->number - 1].committed;
        if (!campaign->is_changed) continue;
        if (campaign->is_new) TRY(board_make_room(set->board, campaign->number));
        if (campaign->is_new) *committed = (struct campaign_counts){0};
        save_campaign(batch, campaign, committed);
        working_counts_save_settled(set, campaign);
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
    if (now_us - set->refusals_saved_us >= CLOCK_SECOND_US) working_counts_save_refused(set, now_us);
    return result_ok();
}

static void rolled_back(void *self) {
    struct working_set *set = self;
    working_counts_end_refused(set, false);
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
    working_counts_end_refused(set, true);
    struct campaign_set *campaigns = &set->campaigns;
    for (size_t i = 0; i < campaigns->changes.count; i++) {
        const struct campaign *campaign = campaign_by_number(campaigns, campaigns->changes.numbers[i]);
        if (campaign->is_new) board_reserve(set->board, campaign);
        if (campaign->is_changed) set->saved[campaign->number - 1].committed = campaign_counts(campaign);
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
    for (size_t i = 0; i < campaigns->changes.count; i++) {
        const struct campaign *campaign = campaign_by_number(campaigns, campaigns->changes.numbers[i]);
        if (!campaign->is_changed) continue;
        board_publish(set->board, campaign, set->saved[campaign->number - 1].batch_second);
        CHECK(!campaign->has_new_rules || result_is_ok(name_code(set, campaign))); /* a few bytes, once for each code */
    }
    working_counts_archive(set);
    working_counts_measure(set);
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
        struct campaign *campaign = campaign_by_number(campaigns, (uint32_t)set->looked_at + 1);
        if (campaign == NULL || campaign->redeemed - campaign->settled_position < SETTLED_LAG) continue;
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
                                                 .loaded = loaded,
                                                 .subject_found = subject_found,
                                                 .save = save,
                                                 .kept = note_kept,
                                                 .publish = publish,
                                                 .rolled_back = rolled_back,
                                                 .idle = idle};
