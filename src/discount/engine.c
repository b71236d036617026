#include "discount/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/planted.h"
#include "discount/tables.h"

#define RECENTS_MAX               LIMIT_SETTLE_CLAIMS
#define FLUSH_RECORDS_INTERVAL_US (INT64_C(60) * CLOCK_SECOND_US)

#define WINNERS_AT_ONCE 10000 /* read in one go at the start */
#define SETTLED_LAG     10000 /* places behind which settled_position may stay without anybody looking */

/* What is on disk of a campaign's counters. */
struct saved_counts {
    struct campaign_counts committed;
    int64_t newest_second;
    int64_t batch_second; /* in which this batch's claims and credits are counted; 0: it has none */
    bool is_saving;       /* refusals, in this transaction */
};

/* Claims that were committed and not settled since: the mark of one needs no look into the database. Those that find no room are read there. */
struct recent_claim {
    struct redemption redemption;
    struct recent_claim *next_free;
};

struct engine {
    struct batch *batch;
    struct board *board;
    struct recent_claim *recents;     /* [RECENTS_MAX] */
    struct recent_claim *free_recent; /* given back */
    size_t recent_count;              /* ever taken: what comes behind them is memory that nobody has touched */
    struct map recents_by_id;
    struct working_set set;
    struct saved_counts *saved; /* [LIMIT_CAMPAIGNS] */
    size_t looked_at;           /* the campaign whose settled_position was looked after last */
    bool is_stale;              /* after a rollback: memory and disk may differ */
    int64_t now_us;             /* of the last decide */
    int64_t dropped_records_us; /* when old records were last looked for, */
    int64_t saved_us;           /* and refusals were last saved */
};

/* ---- loading ---- */

static struct result visit_campaign(void *context, const struct row *row) {
    struct engine *engine = context;
    struct campaign campaign;
    campaign_of_row(row, &campaign);
    if (campaign.number > LIMIT_CAMPAIGNS) row_refuse(row, 0, "more campaigns than there can be");
    const char *fault = campaign_fault(&campaign);
    if (fault != NULL) row_refuse(row, 0, fault);
    TRY(campaign_set_load(&engine->set.campaigns, &campaign));
    engine->saved[campaign.number - 1].committed = campaign_counts(&campaign);
    return result_ok();
}

static struct result load_campaigns(struct engine *engine) {
    campaign_set_clear(&engine->set.campaigns);
    ask_all_campaigns(engine->batch, visit_campaign, engine);
    TRY(batch_run(engine->batch));
    campaign_set_begin(&engine->set.campaigns);
    engine->is_stale = false;
    return result_ok();
}

struct winners_page {
    struct engine *engine;
    int64_t last;
    size_t count;
};

static struct result visit_winner(void *context, const struct row *row) {
    struct winners_page *page = context;
    struct redemption redemption;
    redemption_of_row(row, 0, &redemption);
    if (campaign_by_number(&page->engine->set.campaigns, redemption.campaign_number) == NULL) return result_error(RESULT_CORRUPT);
    board_add_winner(page->engine->board, redemption.campaign_number, redemption.user_id, &redemption.phone);
    page->last = redemption_key(redemption.campaign_number, redemption.position);
    page->count++;
    return result_ok();
}

static struct result load_winners(struct engine *engine) {
    struct winners_page page = {.engine = engine, .count = WINNERS_AT_ONCE};
    while (page.count == WINNERS_AT_ONCE) {
        page.count = 0;
        ask_redemptions(engine->batch, page.last, INT64_MAX, WINNERS_AT_ONCE, visit_winner, &page);
        TRY(batch_run(engine->batch));
    }
    return result_ok();
}

/* By number: one count of each campaign after the other. */
static struct result visit_refusals(void *context, const struct row *row) {
    struct refusal_counts *counts = context; /* [LIMIT_CAMPAIGNS] */
    int64_t number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS);
    enum refusal refusal = refusal_named(row_text(row, 1));
    if (refusal == NOT_REFUSED) row_refuse(row, 1, "no refusal is called so");
    counts[number - 1].counts[refusal] = row_integer_between(row, 2, 0, INT64_MAX);
    return result_ok();
}

static struct result load_refusals(struct engine *engine) {
    struct refusal_counts *counts = calloc(LIMIT_CAMPAIGNS, sizeof *counts);
    if (counts == NULL) return result_error(RESULT_FULL);
    ask_refusals(engine->batch, visit_refusals, counts);
    struct result outcome = batch_run(engine->batch);
    for (size_t i = 0; i < board_count(engine->board); i++) board_restore_refusals(board_slot(engine->board, i), &counts[i]);
    free(counts);
    return outcome;
}

static struct result visit_second(void *context, const struct row *row) {
    struct engine *engine = context;
    int64_t number = row_integer_between(row, 0, 1, LIMIT_CAMPAIGNS);
    struct second_counts counts = {.second = row_integer(row, 1),
                                   .claimed = (uint32_t)row_integer_between(row, 2, 0, UINT32_MAX),
                                   .credited = (uint32_t)row_integer_between(row, 3, 0, UINT32_MAX),
                                   .rejected = (uint32_t)row_integer_between(row, 4, 0, UINT32_MAX)};
    if (number > (int64_t)board_count(engine->board)) return result_error(RESULT_CORRUPT);
    if (counts.second <= engine->saved[number - 1].newest_second) return result_error(RESULT_CORRUPT);
    board_restore_second(board_slot(engine->board, (size_t)number - 1), &counts);
    engine->saved[number - 1].newest_second = counts.second;
    return result_ok();
}

static struct result load_board(struct engine *engine) {
    struct campaign_set *set = &engine->set.campaigns;
    for (size_t i = 0; i < set->campaign_count; i++) board_reserve(engine->board, &set->campaigns[i]);
    TRY(load_winners(engine));
    for (size_t i = 0; i < set->campaign_count; i++) board_publish(engine->board, &set->campaigns[i], 0);
    TRY(load_refusals(engine));
    ask_seconds(engine->batch, visit_second, engine);
    return batch_run(engine->batch);
}

static struct result init_recents(struct engine *engine) {
    engine->recents = calloc(RECENTS_MAX, sizeof *engine->recents);
    if (engine->recents == NULL) return result_error(RESULT_FULL);
    return map_init(&engine->recents_by_id, RECENTS_MAX);
}

struct result engine_create(struct batch *batch, struct board *board, struct engine **ret_engine) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return result_error(RESULT_FULL);
    engine->batch = batch;
    engine->board = board;
    engine->saved = calloc(LIMIT_CAMPAIGNS, sizeof *engine->saved);
    arena_init(&engine->set.arena, ENGINE_ARENA_BYTES);
    struct result outcome = engine->saved == NULL ? result_error(RESULT_FULL) : result_ok();
    if (result_is_ok(outcome)) outcome = campaign_set_init(&engine->set.campaigns, LIMIT_CAMPAIGNS, CAMPAIGN_SET_REDEMPTIONS);
    if (result_is_ok(outcome)) outcome = map_init(&engine->set.records_by_lookup, ENGINE_RECORDS_MAX);
    if (result_is_ok(outcome)) outcome = init_recents(engine);
    if (result_is_ok(outcome)) outcome = load_campaigns(engine);
    if (result_is_ok(outcome)) outcome = load_board(engine);
    if (!result_is_ok(outcome)) {
        engine_free(engine);
        return outcome;
    }
    *ret_engine = engine;
    return result_ok();
}

void engine_free(struct engine *engine) {
    if (engine == NULL) return;
    campaign_set_free(&engine->set.campaigns);
    map_free(&engine->set.records_by_lookup);
    map_free(&engine->recents_by_id);
    arena_release(&engine->set.arena);
    free(engine->recents);
    free(engine->saved);
    free(engine);
}

/* ---- load: what the batch names ---- */

struct record_entry *working_set_add_record(struct working_set *set, const struct idempotency_record *record) {
    struct record_entry *entry = ARENA_NEW(&set->arena, struct record_entry);
    if (entry != NULL) {
        entry->record = *record;
        struct text key = {(const char *)entry->record.lookup.bytes, sizeof entry->record.lookup.bytes};
        if (result_is_ok(map_put(&set->records_by_lookup, key, entry))) {
            entry->next = set->records;
            set->records = entry;
            return entry;
        }
    }
    set->has_failed = true;
    return NULL;
}

/* Of a record that is being looked for. */
struct asked_record {
    struct engine *engine;
    struct hash lookup;
};

static struct result load_redemption_row(struct engine *engine, const struct row *row, int first_column) {
    struct redemption redemption;
    redemption_of_row(row, first_column, &redemption);
    const char *fault = redemption_fault(&redemption);
    if (fault != NULL) row_refuse(row, first_column, fault);
    return campaign_set_load_redemption(&engine->set.campaigns, &redemption);
}

static struct result visit_redemption(void *context, const struct row *row) { return load_redemption_row(context, row, 0); }

static struct result visit_record(void *context, const struct row *row) {
    const struct asked_record *asked = context;
    struct working_set *set = &asked->engine->set;
    if (working_set_record(set, &asked->lookup) != NULL) return result_ok(); /* two of the batch have the same key */
    struct idempotency_record record = {.lookup = asked->lookup,
                                        .fingerprint = arena_copy(&set->arena, row_text(row, 0)),
                                        .status = (int)row_integer_between(row, 1, 0, 599),
                                        .content_type = arena_copy(&set->arena, row_text(row, 2)),
                                        .location = arena_copy(&set->arena, row_text(row, 3)),
                                        .body = arena_copy(&set->arena, row_text(row, 4)),
                                        .subject = row_id_or_zero(row, 5),
                                        .created_at_us = row_integer(row, 6)};
    bool is_whole =
        record.fingerprint.data != NULL && record.content_type.data != NULL && record.location.data != NULL && record.body.data != NULL;
    if (!is_whole) return result_error(RESULT_FULL);
    /* It waits for a claim, which came along. */
    if (!row_is_null(row, KEPT_REDEMPTION_COLUMN)) TRY(load_redemption_row(asked->engine, row, KEPT_REDEMPTION_COLUMN));
    return working_set_add_record(set, &record) == NULL ? result_error(RESULT_FULL) : result_ok();
}

static void load_record(struct engine *engine, const struct idempotency_request *request) {
    if (request->key.size == 0 || working_set_record(&engine->set, &request->lookup) != NULL) return;
    struct asked_record *asked = ARENA_NEW(&engine->set.arena, struct asked_record);
    if (asked == NULL) {
        engine->set.has_failed = true;
        return;
    }
    *asked = (struct asked_record){engine, request->lookup};
    ask_kept(engine->batch, &asked->lookup, visit_record, asked);
}

static struct text key_of(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

static struct result load_redemption(struct engine *engine, struct id id) {
    struct campaign_set *set = &engine->set.campaigns;
    if (id_is_zero(id) || redemption_by_id(set, id) != NULL) return result_ok();
    const struct recent_claim *recent = map_get(&engine->recents_by_id, key_of(&id));
    if (recent != NULL) return campaign_set_load_redemption(set, &recent->redemption);
    if (campaign_by_id(set, id) == NULL) ask_redemption(engine->batch, id, visit_redemption, engine);
    return result_ok();
}

/* Whom the filter does not know has no row: every winner is added to it, by this thread, when the commit is published. */
static void load_redeem(struct engine *engine, const struct redeem_request *request) {
    struct campaign_set *set = &engine->set.campaigns;
    const struct campaign *campaign = campaign_by_code(set, &request->code);
    if (campaign == NULL) return;
    const struct board_slot *slot = board_slot(engine->board, campaign->number - 1);
    if (board_may_be_user(engine->board, slot, request->user_id) && redemption_by_user(set, campaign->number, request->user_id) == NULL)
        ask_redemption_of_user(engine->batch, campaign->number, request->user_id, visit_redemption, engine);
    if (board_may_be_phone(engine->board, slot, &request->phone) && redemption_by_phone(set, campaign->number, &request->phone) == NULL)
        ask_redemption_of_phone(engine->batch, campaign->number, &request->phone, visit_redemption, engine);
}

static struct result load_waiter(struct engine *engine, const struct discount_operation *operation) {
    load_record(engine, &operation->idempotency);
    return load_redemption(engine, operation->answer.subject);
}

static struct result load_operation(struct engine *engine, const struct discount_operation *operation) {
    switch ((enum operation_kind)operation->store.kind) {
    case OPERATION_CREATE:
    case OPERATION_PATCH:
    case OPERATION_PAUSE:
    case OPERATION_RESUME:
    case OPERATION_END: load_record(engine, &operation->idempotency); return result_ok();
    case OPERATION_REDEEM:
        load_record(engine, &operation->idempotency);
        load_redeem(engine, &operation->redeem);
        return result_ok();
    case OPERATION_NOTE: return load_waiter(engine, operation);
    case OPERATION_MARK:
        for (size_t i = 0; i < operation->mark.count; i++) TRY(load_redemption(engine, operation->mark.items[i].redemption_id));
        break;
    case OPERATION_EXPIRE:
    case OPERATION_FUND_CONFIRMED:
    case OPERATION_FUND_RELEASED: break;
    }
    for (const struct discount_operation *waiter = operation->waiters.first; waiter != NULL; waiter = waiter->next) {
        TRY(load_waiter(engine, waiter));
    }
    return result_ok();
}

static void begin_set(struct engine *engine) {
    campaign_set_begin(&engine->set.campaigns);
    map_clear(&engine->set.records_by_lookup);
    engine->set.records = NULL;
    engine->set.has_failed = false;
    arena_release(&engine->set.arena);
    arena_init(&engine->set.arena, ENGINE_ARENA_BYTES);
}

static struct result engine_begin(void *self) {
    struct engine *engine = self;
    TRY(batch_begin(engine->batch));
    if (engine->is_stale) TRY(load_campaigns(engine));
    begin_set(engine);
    return result_ok();
}

static struct result engine_load(void *self, struct store_operation *const *operations, size_t count) {
    struct engine *engine = self;
    for (size_t i = 0; i < count; i++) TRY(load_operation(engine, operation_of(operations[i])));
    TRY(batch_run(engine->batch));
    return engine->set.has_failed ? result_error(RESULT_FULL) : result_ok();
}

static void engine_decide(void *self, struct store_operation *const *operations, size_t count, int64_t now_us) {
    struct engine *engine = self;
    engine->now_us = now_us;
    for (size_t i = 0; i < count; i++) decide(&engine->set, operation_of(operations[i]), now_us);
}

/* ---- save ---- */

/* A ring's worth of seconds after the last time the oldest are dropped, so that their rows stay few. */
static void note_second(struct engine *engine, size_t index, int64_t second) {
    struct saved_counts *saved = &engine->saved[index];
    int64_t before = saved->newest_second;
    if (second <= before) return;
    saved->newest_second = second;
    if (second / BOARD_SECONDS != before / BOARD_SECONDS) drop_seconds(engine->batch, (uint32_t)index + 1);
}

/* In the same transaction as the claims and the credits that it counts. */
static void save_settled(struct engine *engine, const struct campaign *campaign) {
    size_t index = campaign->number - 1;
    struct saved_counts *saved = &engine->saved[index];
    struct second_counts more = {.claimed = (uint32_t)(campaign->redeemed - saved->committed.redeemed),
                                 .credited = (uint32_t)(campaign->credited - saved->committed.credited)};
    saved->batch_second = 0;
    if (more.claimed + more.credited == 0) return;
    more.second =
        campaign->is_new ? engine->now_us / CLOCK_SECOND_US : board_begin_second(board_slot(engine->board, index), engine->now_us);
    saved->batch_second = more.second;
    save_second(engine->batch, campaign->number, &more);
    note_second(engine, index, more.second);
}

static void save_refused(struct engine *engine) {
    for (size_t i = 0; i < board_count(engine->board); i++) {
        struct board_slot *slot = board_slot(engine->board, i);
        if (!atomic_exchange_explicit(&slot->is_dirty, false, memory_order_acquire)) continue;
        engine->saved[i].is_saving = true;
        struct board_snapshot unsaved;
        board_take_unsaved(slot, &unsaved);
        for (enum refusal refusal = NOT_REFUSED + 1; refusal < REFUSAL_COUNT; refusal++) {
            if (unsaved.rejected.counts[refusal] != 0)
                save_refusals(engine->batch, slot->number, refusal, unsaved.rejected.counts[refusal]);
        }
        for (size_t k = 0; k < unsaved.second_count; k++) {
            save_second(engine->batch, slot->number, &unsaved.seconds[k]);
            note_second(engine, i, unsaved.seconds[k].second);
        }
    }
}

/* The transaction is over. After a failure everything that it meant to save is saved again with the next. */
static void end_refusals(struct engine *engine, bool is_committed) {
    for (size_t i = 0; i < board_count(engine->board); i++) {
        if (!engine->saved[i].is_saving) continue;
        engine->saved[i].is_saving = false;
        board_end_saving(board_slot(engine->board, i), is_committed);
    }
}

/* What no operation asks for. Under a constant load it rides on a batch, once a second. */
static void save_housekeeping(struct engine *engine) {
    engine->saved_us = engine->now_us;
    save_refused(engine);
    if (engine->now_us - engine->dropped_records_us < FLUSH_RECORDS_INTERVAL_US) return;
    engine->dropped_records_us = engine->now_us;
    drop_kept(engine->batch, engine->now_us - IDEMPOTENCY_RETENTION_US);
}

static struct result engine_save(void *self) {
    struct engine *engine = self;
    struct campaign_set *set = &engine->set.campaigns;
    if (engine->set.has_failed) return result_error(RESULT_FULL);
    for (size_t i = 0; i < set->campaign_count; i++) {
        if (!set->campaigns[i].is_changed) continue;
        if (set->campaigns[i].is_new) engine->saved[i].committed = (struct campaign_counts){0};
        save_campaign(engine->batch, &set->campaigns[i], &engine->saved[i].committed);
        save_settled(engine, &set->campaigns[i]);
    }
    for (size_t i = 0; i < set->redemption_count; i++) {
        if (PLANTED(MARK_NOT_SAVED) && !set->redemptions[i].is_new) continue;
        if (set->redemptions[i].is_changed) save_redemption(engine->batch, &set->redemptions[i]);
    }
    for (const struct record_entry *entry = engine->set.records; entry != NULL; entry = entry->next) {
        if (entry->is_changed) save_kept(engine->batch, &entry->record);
    }
    if (engine->now_us - engine->saved_us >= CLOCK_SECOND_US) save_housekeeping(engine);
    return result_ok();
}

static enum commit_end engine_commit(void *self, struct result *ret_reason) {
    struct engine *engine = self;
    enum commit_end end = batch_commit(engine->batch, ret_reason);
    if (end == COMMITTED) end_refusals(engine, true);
    return end;
}

static enum commit_end engine_settle(void *self) {
    struct engine *engine = self;
    enum commit_end end = batch_settle(engine->batch);
    if (end == COMMITTED) end_refusals(engine, true);
    return end;
}

static void engine_rollback(void *self) {
    struct engine *engine = self;
    batch_rollback(engine->batch);
    end_refusals(engine, false);
    begin_set(engine);
    engine->is_stale = !PLANTED(WORKING_SET_KEPT_AFTER_ROLLBACK);
}

static struct recent_claim *take_recent(struct engine *engine) {
    struct recent_claim *recent = engine->free_recent;
    if (recent == NULL) return engine->recent_count < RECENTS_MAX ? &engine->recents[engine->recent_count++] : NULL;
    engine->free_recent = recent->next_free;
    return recent;
}

/* It is committed: a new claim is remembered until it is settled. */
static void note_recent(struct engine *engine, const struct redemption *redemption) {
    if (redemption->status != REDEMPTION_CLAIMED) {
        struct recent_claim *recent = map_remove(&engine->recents_by_id, key_of(&redemption->id));
        if (recent == NULL) return;
        recent->next_free = engine->free_recent;
        engine->free_recent = recent;
        return;
    }
    struct recent_claim *recent = take_recent(engine);
    if (recent == NULL) return;
    recent->redemption = *redemption;
    recent->redemption.is_new = recent->redemption.is_changed = false;
    CHECK(result_is_ok(map_put(&engine->recents_by_id, key_of(&recent->redemption.id), recent)));
}

/* Winners first: whoever sees a campaign without free places must also see who has them. */
static void engine_publish(void *self) {
    struct engine *engine = self;
    struct campaign_set *set = &engine->set.campaigns;
    for (size_t i = 0; i < set->campaign_count; i++) {
        if (set->campaigns[i].is_new) board_reserve(engine->board, &set->campaigns[i]);
        if (set->campaigns[i].is_changed) engine->saved[i].committed = campaign_counts(&set->campaigns[i]);
    }
    for (size_t i = 0; i < set->redemption_count; i++) {
        const struct redemption *redemption = &set->redemptions[i];
        if (redemption->is_new && !PLANTED(WINNER_NOT_PUBLISHED))
            board_add_winner(engine->board, redemption->campaign_number, redemption->user_id, &redemption->phone);
    }
    for (size_t i = 0; i < set->redemption_count; i++) {
        if (set->redemptions[i].is_changed) note_recent(engine, &set->redemptions[i]);
    }
    for (size_t i = 0; i < set->campaign_count; i++) {
        if (PLANTED(SNAPSHOT_NOT_PUBLISHED) && !set->campaigns[i].is_paused && set->campaigns[i].version > 2) continue;
        if (set->campaigns[i].is_changed) board_publish(engine->board, &set->campaigns[i], engine->saved[i].batch_second);
    }
}

static struct result engine_probe(void *self) {
    struct engine *engine = self;
    return batch_probe(engine->batch);
}

struct result engine_flush(struct engine *engine) {
    bool is_dirty = false;
    for (size_t i = 0; i < board_count(engine->board) && !is_dirty; i++) {
        is_dirty = atomic_load_explicit(&board_slot(engine->board, i)->is_dirty, memory_order_relaxed);
    }
    bool drops = engine->now_us - engine->dropped_records_us >= FLUSH_RECORDS_INTERVAL_US;
    if (!is_dirty && !drops) return result_ok();
    TRY(batch_begin(engine->batch));
    save_housekeeping(engine);
    struct result reason = result_ok();
    enum commit_end end = batch_commit(engine->batch, &reason);
    while (end == COMMIT_DOUBTFUL) end = batch_settle(engine->batch);
    end_refusals(engine, end == COMMITTED);
    return end == COMMITTED || !result_is_ok(reason) ? reason : result_error(RESULT_UNAVAILABLE);
}

/* ---- settled_position ---- */

static struct result visit_first_unsettled(void *context, const struct row *row) {
    *(int64_t *)context = row_integer_between(row, 0, 1, INT64_MAX);
    return result_ok();
}

/* A campaign in which something is always open does not move it by itself: one of those that lag is looked after at a time, over at most SETTLED_LAG rows.
 * The row that holds it is written with the campaign's next change; on disk it is a lower bound. */
static void look_after_settled(struct engine *engine) {
    struct campaign_set *set = &engine->set.campaigns;
    for (size_t i = 0; i < set->campaign_count && !engine->is_stale; i++) {
        engine->looked_at = (engine->looked_at + 1) % set->campaign_count;
        struct campaign *campaign = &set->campaigns[engine->looked_at];
        if (campaign->redeemed - campaign->settled_position < SETTLED_LAG) continue;
        int64_t last = campaign->settled_position + SETTLED_LAG, first_open = redemption_key(campaign->number, last + 1);
        ask_first_unsettled(engine->batch, redemption_key(campaign->number, campaign->settled_position),
                            redemption_key(campaign->number, last), visit_first_unsettled, &first_open);
        if (result_is_ok(batch_run(engine->batch))) campaign_note_settled(campaign, first_open - 1 - redemption_key(campaign->number, 0));
        return;
    }
}

static enum commit_end engine_idle(void *self, bool is_busy) {
    struct engine *engine = self;
    struct result flushed = is_busy ? result_ok() : engine_flush(engine); /* a batch is coming, which takes it along */
    if (!result_is_ok(flushed)) LOG(LOG_WARN, "counters_not_saved", LOG_STRING("reason", result_name(flushed)));
    look_after_settled(engine);
    return batch_tidy(engine->batch, is_busy);
}

struct store_engine engine_interface(struct engine *engine) {
    return (struct store_engine){
        .self = engine,
        .begin = engine_begin,
        .load = engine_load,
        .decide = engine_decide,
        .save = engine_save,
        .commit = engine_commit,
        .settle = engine_settle,
        .rollback = engine_rollback,
        .publish = engine_publish,
        .probe = engine_probe,
        .idle = engine_idle,
    };
}
