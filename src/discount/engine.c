#include "discount/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/planted.h"

#define RECENTS_MAX               LIMIT_SETTLE_CLAIMS
#define FLUSH_RECORDS_INTERVAL_US (INT64_C(60) * CLOCK_SECOND_US)

/* What is on disk of a campaign's counters. */
struct saved_counts {
    struct refusal_counts refusals;
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
    struct rows rows;
    struct board *board;
    struct recent_claim *recents;     /* [RECENTS_MAX] */
    struct recent_claim *free_recent; /* given back */
    size_t recent_count;              /* ever taken: what comes behind them is memory that nobody has touched */
    struct map recents_by_id;
    struct working_set set;
    struct saved_counts *saved; /* [LIMIT_CAMPAIGNS] */
    bool is_stale;              /* after a rollback: memory and disk may differ */
    int64_t now_us;             /* of the last decide */
    int64_t dropped_records_us; /* when old records were last looked for, */
    int64_t saved_us;           /* and refusals were last saved */
};

/* ---- loading ---- */

static struct result visit_campaign(void *context, const struct campaign *campaign) {
    struct engine *engine = context;
    return campaign_set_load(&engine->set.campaigns, campaign);
}

static struct result load_campaigns(struct engine *engine) {
    campaign_set_clear(&engine->set.campaigns);
    TRY(engine->rows.each_campaign(engine->rows.self, visit_campaign, engine));
    campaign_set_begin(&engine->set.campaigns);
    engine->is_stale = false;
    return result_ok();
}

static struct result visit_winner(void *context, const struct redemption *redemption) {
    struct engine *engine = context;
    if (campaign_by_number(&engine->set.campaigns, redemption->campaign_number) == NULL) return result_error(RESULT_CORRUPT);
    board_add_winner(engine->board, redemption->campaign_number, redemption->user_id, &redemption->phone);
    return result_ok();
}

static struct result visit_second(void *context, uint32_t number, const struct second_counts *counts) {
    struct engine *engine = context;
    if (number == 0 || number > board_count(engine->board)) return result_error(RESULT_CORRUPT);
    if (counts->second <= engine->saved[number - 1].newest_second) return result_error(RESULT_CORRUPT);
    board_restore_second(board_slot(engine->board, number - 1), counts);
    engine->saved[number - 1].newest_second = counts->second;
    return result_ok();
}

static struct result load_board(struct engine *engine) {
    struct campaign_set *set = &engine->set.campaigns;
    for (size_t i = 0; i < set->campaign_count; i++) board_reserve(engine->board, &set->campaigns[i]);
    TRY(engine->rows.each_redemption(engine->rows.self, visit_winner, engine));
    for (size_t i = 0; i < set->campaign_count; i++) {
        const struct campaign *campaign = &set->campaigns[i];
        board_publish(engine->board, campaign, 0);
        struct refusal_counts *counts = &engine->saved[i].refusals;
        TRY(engine->rows.find_refusals(engine->rows.self, campaign->number, counts));
        board_restore_refusals(board_slot(engine->board, i), counts);
    }
    return engine->rows.each_second(engine->rows.self, visit_second, engine);
}

static struct result init_recents(struct engine *engine) {
    engine->recents = calloc(RECENTS_MAX, sizeof *engine->recents);
    if (engine->recents == NULL) return result_error(RESULT_FULL);
    return map_init(&engine->recents_by_id, RECENTS_MAX);
}

struct result engine_create(const struct rows *rows, struct board *board, struct engine **ret_engine) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        rows->close(rows->self);
        return result_error(RESULT_FULL);
    }
    engine->rows = *rows;
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
    engine->rows.close(engine->rows.self);
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

static struct result load_record(struct engine *engine, const struct idempotency_request *request) {
    if (request->key.size == 0 || working_set_record(&engine->set, &request->lookup) != NULL) return result_ok();
    struct idempotency_record record;
    bool is_found;
    TRY(engine->rows.find_record(engine->rows.self, &request->lookup, &engine->set.arena, &record, &is_found));
    if (!is_found) return result_ok();
    return working_set_add_record(&engine->set, &record) == NULL ? result_error(RESULT_FULL) : result_ok();
}

static struct text key_of(const struct id *id) { return (struct text){(const char *)id->bytes, sizeof id->bytes}; }

static struct result load_redemption(struct engine *engine, struct id id) {
    struct campaign_set *set = &engine->set.campaigns;
    if (id_is_zero(id) || redemption_by_id(set, id) != NULL) return result_ok();
    const struct recent_claim *recent = map_get(&engine->recents_by_id, key_of(&id));
    if (recent != NULL) return campaign_set_load_redemption(set, &recent->redemption);
    if (campaign_by_id(set, id) != NULL) return result_ok();
    struct redemption redemption;
    bool is_found;
    TRY(engine->rows.find_id(engine->rows.self, id, &redemption, &is_found));
    return is_found ? campaign_set_load_redemption(set, &redemption) : result_ok();
}

/* Whom the filter does not know has no row: every winner is added to it, by this thread, when the commit is published. */
static struct result load_redeem(struct engine *engine, const struct redeem_request *request) {
    struct campaign_set *set = &engine->set.campaigns;
    const struct campaign *campaign = campaign_by_code(set, &request->code);
    if (campaign == NULL) return result_ok();
    const struct board_slot *slot = board_slot(engine->board, campaign->number - 1);
    struct redemption redemption;
    bool is_found;
    if (board_may_be_user(engine->board, slot, request->user_id) && redemption_by_user(set, campaign->number, request->user_id) == NULL) {
        TRY(engine->rows.find_user(engine->rows.self, campaign->number, request->user_id, &redemption, &is_found));
        if (is_found) TRY(campaign_set_load_redemption(set, &redemption));
    }
    if (board_may_be_phone(engine->board, slot, &request->phone) && redemption_by_phone(set, campaign->number, &request->phone) == NULL) {
        TRY(engine->rows.find_phone(engine->rows.self, campaign->number, &request->phone, &redemption, &is_found));
        if (is_found) TRY(campaign_set_load_redemption(set, &redemption));
    }
    return result_ok();
}

static struct result load_request(struct engine *engine, const struct discount_operation *operation) {
    if (operation->idempotency.key.size != 0) {
        TRY(load_record(engine, &operation->idempotency));
        const struct record_entry *entry = working_set_record(&engine->set, &operation->idempotency.lookup);
        if (entry != NULL && entry->record.status == 0) TRY(load_redemption(engine, entry->record.subject));
    }
    return operation->store.kind == OPERATION_REDEEM ? load_redeem(engine, &operation->redeem) : result_ok();
}

static struct result load_waiter(struct engine *engine, const struct discount_operation *operation) {
    TRY(load_record(engine, &operation->idempotency));
    return load_redemption(engine, operation->answer.subject);
}

static struct result load_operation(struct engine *engine, const struct discount_operation *operation) {
    switch ((enum operation_kind)operation->store.kind) {
    case OPERATION_CREATE:
    case OPERATION_PATCH:
    case OPERATION_PAUSE:
    case OPERATION_RESUME:
    case OPERATION_END:
    case OPERATION_REDEEM: return load_request(engine, operation);
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
    TRY(engine->rows.begin(engine->rows.self));
    if (engine->is_stale) TRY(load_campaigns(engine));
    begin_set(engine);
    return result_ok();
}

static struct result engine_load(void *self, struct store_operation *const *operations, size_t count) {
    for (size_t i = 0; i < count; i++) TRY(load_operation(self, operation_of(operations[i])));
    return result_ok();
}

static void engine_decide(void *self, struct store_operation *const *operations, size_t count, int64_t now_us) {
    struct engine *engine = self;
    engine->now_us = now_us;
    for (size_t i = 0; i < count; i++) decide(&engine->set, operation_of(operations[i]), now_us);
}

/* ---- save ---- */

/* A ring's worth of seconds after the last time the oldest are dropped, so that their rows stay few. */
static struct result note_second(struct engine *engine, size_t index, int64_t second) {
    struct saved_counts *saved = &engine->saved[index];
    int64_t before = saved->newest_second;
    if (second <= before) return result_ok();
    saved->newest_second = second;
    if (second / BOARD_SECONDS == before / BOARD_SECONDS) return result_ok();
    return engine->rows.drop_seconds(engine->rows.self, (uint32_t)index + 1);
}

/* In the same transaction as the claims and the credits that it counts. */
static struct result save_second(struct engine *engine, const struct campaign *campaign) {
    size_t index = campaign->number - 1;
    struct board_slot *slot = campaign->is_new ? NULL : board_slot(engine->board, index);
    struct campaign_view view = {0};
    if (slot != NULL) view = board_view(slot);
    engine->saved[index].batch_second = 0;
    if (campaign->redeemed == view.redeemed && campaign->credited == view.credited) return result_ok();
    int64_t second = slot == NULL ? engine->now_us / CLOCK_SECOND_US : board_begin_second(slot, engine->now_us);
    engine->saved[index].batch_second = second;
    struct second_counts counts = board_second_after(slot, campaign, second);
    TRY(engine->rows.put_second_settled(engine->rows.self, campaign->number, &counts));
    return note_second(engine, index, second);
}

static struct result save_refusals(struct engine *engine) {
    for (size_t i = 0; i < board_count(engine->board); i++) {
        struct board_slot *slot = board_slot(engine->board, i);
        struct saved_counts *saved = &engine->saved[i];
        if (!atomic_exchange_explicit(&slot->is_dirty, false, memory_order_acquire)) continue;
        saved->is_saving = true;
        struct board_snapshot unsaved;
        board_take_unsaved(slot, &unsaved);
        if (memcmp(&unsaved.rejected, &saved->refusals, sizeof saved->refusals) != 0)
            TRY(engine->rows.put_refusals(engine->rows.self, slot->number, &unsaved.rejected));
        saved->refusals = unsaved.rejected;
        for (size_t k = 0; k < unsaved.second_count; k++) {
            TRY(engine->rows.put_second_rejected(engine->rows.self, slot->number, &unsaved.seconds[k]));
            TRY(note_second(engine, i, unsaved.seconds[k].second));
        }
    }
    return result_ok();
}

/* The transaction is over. After a failure everything that it meant to save is saved again with the next. */
static void end_refusals(struct engine *engine, bool is_committed) {
    for (size_t i = 0; i < board_count(engine->board); i++) {
        if (!engine->saved[i].is_saving) continue;
        engine->saved[i].is_saving = false;
        if (is_committed) continue;
        engine->saved[i].refusals = (struct refusal_counts){.counts = {-1}};
        board_forget_saved(board_slot(engine->board, i));
    }
}

/* What no operation asks for. Under a constant load it rides on a batch, once a second. */
static struct result save_housekeeping(struct engine *engine) {
    engine->saved_us = engine->now_us;
    TRY(save_refusals(engine));
    if (engine->now_us - engine->dropped_records_us < FLUSH_RECORDS_INTERVAL_US) return result_ok();
    engine->dropped_records_us = engine->now_us;
    return engine->rows.drop_records(engine->rows.self, engine->now_us - IDEMPOTENCY_RETENTION_US);
}

static struct result engine_save(void *self) {
    struct engine *engine = self;
    struct campaign_set *set = &engine->set.campaigns;
    if (engine->set.has_failed) return result_error(RESULT_FULL);
    for (size_t i = 0; i < set->campaign_count; i++) {
        if (!set->campaigns[i].is_changed) continue;
        CHECK(campaign_fault(&set->campaigns[i]) == NULL);
        TRY(engine->rows.put_campaign(engine->rows.self, &set->campaigns[i]));
        TRY(save_second(engine, &set->campaigns[i]));
    }
    for (size_t i = 0; i < set->redemption_count; i++) {
        if (PLANTED(MARK_NOT_SAVED) && !set->redemptions[i].is_new) continue;
        CHECK(redemption_fault(&set->redemptions[i]) == NULL);
        if (set->redemptions[i].is_changed) TRY(engine->rows.put_redemption(engine->rows.self, &set->redemptions[i]));
    }
    for (const struct record_entry *entry = engine->set.records; entry != NULL; entry = entry->next) {
        if (entry->is_changed) TRY(engine->rows.put_record(engine->rows.self, &entry->record));
    }
    return engine->now_us - engine->saved_us < CLOCK_SECOND_US ? result_ok() : save_housekeeping(engine);
}

static enum commit_end engine_commit(void *self, struct result *ret_reason) {
    struct engine *engine = self;
    *ret_reason = engine->rows.commit(engine->rows.self);
    if (!result_is_ok(*ret_reason)) return NOT_COMMITTED;
    end_refusals(engine, true);
    return COMMITTED;
}

static void engine_rollback(void *self) {
    struct engine *engine = self;
    engine->rows.rollback(engine->rows.self);
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
    return engine->rows.probe(engine->rows.self);
}

struct result engine_flush(struct engine *engine) {
    bool is_dirty = false;
    for (size_t i = 0; i < board_count(engine->board) && !is_dirty; i++) {
        is_dirty = atomic_load_explicit(&board_slot(engine->board, i)->is_dirty, memory_order_relaxed);
    }
    bool drops = engine->now_us - engine->dropped_records_us >= FLUSH_RECORDS_INTERVAL_US;
    if (!is_dirty && !drops) return result_ok();
    struct result outcome = engine->rows.begin(engine->rows.self);
    if (result_is_ok(outcome)) outcome = save_housekeeping(engine);
    if (result_is_ok(outcome)) outcome = engine->rows.commit(engine->rows.self);
    if (!result_is_ok(outcome)) engine->rows.rollback(engine->rows.self);
    end_refusals(engine, result_is_ok(outcome));
    return outcome;
}

static enum commit_end engine_idle(void *self, bool is_busy) {
    struct engine *engine = self;
    struct result flushed = is_busy ? result_ok() : engine_flush(engine); /* a batch is coming, which takes it along */
    if (!result_is_ok(flushed)) LOG(LOG_WARN, "counters_not_saved", LOG_STRING("reason", result_name(flushed)));
    engine->rows.tidy(engine->rows.self, is_busy);
    return COMMITTED;
}

struct store_engine engine_interface(struct engine *engine) {
    return (struct store_engine){
        .self = engine,
        .begin = engine_begin,
        .load = engine_load,
        .decide = engine_decide,
        .save = engine_save,
        .commit = engine_commit,
        .rollback = engine_rollback,
        .publish = engine_publish,
        .probe = engine_probe,
        .idle = engine_idle,
    };
}
