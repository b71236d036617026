/* Between the operation and the core: which question it asks, which answer the verdict makes, and what is kept for its Idempotency-Key. */
#include "base/log.h"
#include "discount/answer.h"
#include "discount/engine.h"

/* ---- kept answers ---- */

static void replay(struct discount_operation *operation, enum answer_kind kind, const struct idempotency_record *record) {
    struct arena *arena = &operation->exchange->arena;
    struct answer *answer = &operation->answer;
    /* Copied: the batch's memory, or another request's, is gone before this one is answered. */
    answer->record = *record;
    answer->record.fingerprint = arena_copy(arena, record->fingerprint);
    answer->record.content_type = arena_copy(arena, record->content_type);
    answer->record.location = arena_copy(arena, record->location);
    answer->record.body = arena_copy(arena, record->body);
    bool is_whole = answer->record.fingerprint.data != NULL && answer->record.content_type.data != NULL &&
                    answer->record.location.data != NULL && answer->record.body.data != NULL;
    answer->kind = is_whole ? kind : ANSWER_NO_MEMORY;
    answer->refusal = NOT_REFUSED;
}

static bool keeps(const struct answer *answer) {
    return idempotency_keeps(answer->status) && (answer->refusal == NOT_REFUSED || refusal_rule(answer->refusal)->is_kept);
}

/* Writes the answer, final or waiting, under the operation's key. */
static void keep(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    const struct answer *answer = &operation->answer;
    bool is_waiting = answer->kind == ANSWER_WAITING;
    if (operation->idempotency.key.size == 0) return;
    if (!is_waiting && (answer->kind != ANSWER_READY || !keeps(answer))) return;
    struct record_entry *entry = working_set_record(set, &operation->idempotency.lookup);
    if (entry == NULL) {
        struct idempotency_record record = {.lookup = operation->idempotency.lookup,
                                            .fingerprint = operation->idempotency.fingerprint,
                                            .created_at_us = now_us};
        entry = working_set_add_record(set, &record);
        if (entry == NULL) return; /* has_failed: nothing of the batch is saved */
    }
    struct idempotency_record *record = &entry->record;
    record->status = is_waiting ? 0 : answer->status;
    record->content_type = is_waiting ? TEXT("") : text_of(answer->content_type);
    /* A waiting record with a location is the maker's: its answer will be 201 or 202, not 200. */
    record->location = is_waiting && answer->is_maker ? TEXT("-") : is_waiting ? TEXT("") : answer->location;
    record->body = is_waiting ? TEXT("") : answer->body;
    record->subject = is_waiting || answer->location.size != 0 ? answer->subject : (struct id){0};
    entry->is_changed = true;
}

/* ---- redeeming ---- */

static void wait_for_redemption(struct discount_operation *operation, const struct redemption *redemption, bool is_maker) {
    operation->answer.kind = ANSWER_WAITING;
    operation->answer.subject = redemption->id;
    operation->answer.is_maker = is_maker;
    operation->answer.redemption = *redemption;
}

static void answer_settled(struct working_set *set, struct discount_operation *operation, const struct redemption *redemption,
                           bool is_maker) {
    const struct campaign *campaign = campaign_by_number(&set->campaigns, redemption->campaign_number);
    CHECK(campaign != NULL);
    operation->answer.subject = redemption->id;
    operation->answer.is_maker = is_maker;
    answer_redemption(operation, redemption, campaign->id, campaign->credit, is_maker);
}

static void decide_redeem(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    struct campaign *campaign;
    struct redemption *redemption;
    operation->redeem.redemption_id = operation->id;
    struct redeem_verdict verdict = campaign_redeem(&set->campaigns, &operation->redeem, now_us, &campaign, &redemption);
    operation->answer.campaign_number = campaign == NULL ? 0 : campaign->number;
    operation->answer.refusal = verdict.refusal;
    if (redemption == NULL) {
        answer_redeem_refusal(operation, verdict.refusal, campaign == NULL ? 0 : campaign->starts_at_us, now_us);
    } else if (redemption->status == REDEMPTION_CLAIMED) {
        wait_for_redemption(operation, redemption, verdict.step == REDEEM_CLAIM);
    } else {
        answer_settled(set, operation, redemption, false);
    }
}

/* ---- campaigns ---- */

/* Said in the log once it is committed. */
static void note_change(struct discount_operation *operation, const struct campaign *campaign, const char *event) {
    operation->answer.event = event;
    operation->answer.subject = campaign->id;
    operation->answer.sequence = campaign->sequence;
    operation->answer.version = campaign->version;
}

static void decide_create(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    struct campaign *campaign;
    operation->create.id = operation->id;
    enum campaign_verdict verdict = campaign_create(&set->campaigns, &operation->create, now_us, &campaign);
    if (verdict != CAMPAIGN_DONE) {
        answer_campaign_refusal(operation, verdict, campaign);
        return;
    }
    note_change(operation, campaign, "campaign_created");
    operation->answer.kind = ANSWER_WAITING;
    operation->answer.subject = campaign->id;
    operation->answer.is_maker = true;
}

static void decide_change(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    struct campaign *campaign = campaign_by_id(&set->campaigns, operation->campaign_id);
    enum campaign_verdict verdict = CAMPAIGN_NOT_FOUND;
    const char *event = "campaign_changed";
    switch (operation->store.kind) {
    case OPERATION_PATCH: verdict = campaign_patch(campaign, &operation->patch, now_us); break;
    case OPERATION_PAUSE:
        verdict = campaign_pause(campaign, now_us);
        event = "campaign_paused";
        break;
    case OPERATION_RESUME:
        verdict = campaign_resume(campaign, now_us);
        event = "campaign_resumed";
        break;
    case OPERATION_END:
        verdict = campaign_end(campaign, now_us);
        event = "campaign_ended";
        break;
    default: CHECK(false);
    }
    if (verdict == CAMPAIGN_DONE) note_change(operation, campaign, event);
    if (verdict == CAMPAIGN_DONE || verdict == CAMPAIGN_UNCHANGED)
        answer_campaign(operation, 200, campaign, now_us);
    else
        answer_campaign_refusal(operation, verdict, campaign);
}

/* ---- what waits ---- */

/* The answer of a waiting request as its subject stands now: the record's if another request with the same key was answered first. */
static void answer_waiter(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    struct answer *answer = &operation->answer;
    bool has_key = operation->idempotency.key.size != 0;
    const struct record_entry *entry = has_key ? working_set_record(set, &operation->idempotency.lookup) : NULL;
    if (entry != NULL && entry->record.status != 0) {
        replay(operation, ANSWER_REPLAY, &entry->record);
        return;
    }
    const struct campaign *campaign = campaign_by_id(&set->campaigns, answer->subject);
    const struct redemption *redemption = campaign == NULL ? redemption_by_id(&set->campaigns, answer->subject) : NULL;
    CHECK(campaign != NULL || redemption != NULL);
    if (campaign != NULL)
        answer_campaign(operation, 201, campaign, now_us);
    else
        answer_settled(set, operation, redemption, answer->is_maker);
    keep(set, operation, now_us);
}

/* A request whose key has a record that waits: with it, or, when its subject was settled meanwhile, for nothing any more. */
static void decide_waiting_record(struct working_set *set, struct discount_operation *operation, const struct idempotency_record *record,
                                  int64_t now_us) {
    struct answer *answer = &operation->answer;
    answer->subject = record->subject;
    answer->is_maker = record->location.size != 0;
    const struct campaign *campaign = campaign_by_id(&set->campaigns, record->subject);
    const struct redemption *redemption = campaign == NULL ? redemption_by_id(&set->campaigns, record->subject) : NULL;
    if (campaign != NULL && campaign_fund_state(campaign) == FUND_PENDING) {
        answer->kind = ANSWER_WAITING;
    } else if (redemption != NULL && redemption->status == REDEMPTION_CLAIMED) {
        wait_for_redemption(operation, redemption, answer->is_maker);
    } else {
        answer_waiter(set, operation, now_us);
        if (answer->kind == ANSWER_READY) replay(operation, ANSWER_REPLAY, record);
    }
    answer->campaign_number = 0; /* the attempt was counted the first time */
}

static void decide_mark(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    for (size_t i = 0; i < operation->mark.count; i++) {
        const struct settlement *settlement = &operation->mark.items[i];
        struct result settled = campaign_settle(&set->campaigns, settlement, now_us);
        if (result_is_ok(settled)) continue;
        LOG(LOG_ERROR, "settlement_contradicts", LOG_ID("redemption_id", settlement->redemption_id),
            LOG_ID("transaction_id", settlement->transaction_id), LOG_STRING("reason", result_name(settled)));
    }
}

static void decide_own(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    struct campaign *campaign = campaign_by_id(&set->campaigns, operation->campaign_id);
    enum campaign_verdict verdict = CAMPAIGN_NOT_FOUND;
    const char *event = "fund_confirmed";
    switch (operation->store.kind) {
    case OPERATION_MARK: decide_mark(set, operation, now_us); break;
    case OPERATION_EXPIRE:
        verdict = campaign_expire(campaign, now_us);
        event = "campaign_expired";
        break;
    case OPERATION_FUND_CONFIRMED: verdict = campaign_fund_confirm(campaign, operation->fund_step_version, now_us); break;
    case OPERATION_FUND_RELEASED:
        verdict = campaign_fund_release(campaign, now_us);
        event = "fund_released";
        break;
    default: CHECK(false);
    }
    if (verdict == CAMPAIGN_DONE) note_change(operation, campaign, event);
    for (struct discount_operation *waiter = operation->waiters.first; waiter != NULL; waiter = waiter->next) {
        answer_waiter(set, waiter, now_us);
    }
}

static void decide_request(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    if (operation->idempotency.key.size != 0) {
        const struct record_entry *entry = working_set_record(set, &operation->idempotency.lookup);
        if (entry != NULL && !idempotency_same_request(&entry->record, &operation->idempotency)) {
            replay(operation, ANSWER_KEY_REUSED, &entry->record);
            return;
        }
        if (entry != NULL && entry->record.status != 0) {
            replay(operation, ANSWER_REPLAY, &entry->record);
            return;
        }
        if (entry != NULL) {
            decide_waiting_record(set, operation, &entry->record, now_us);
            return;
        }
    }
    switch (operation->store.kind) {
    case OPERATION_CREATE: decide_create(set, operation, now_us); break;
    case OPERATION_REDEEM: decide_redeem(set, operation, now_us); break;
    default: decide_change(set, operation, now_us); break;
    }
    keep(set, operation, now_us);
}

void decide(struct working_set *set, struct discount_operation *operation, int64_t now_us) {
    enum operation_kind kind = (enum operation_kind)operation->store.kind;
    switch (kind) {
    case OPERATION_CREATE:
    case OPERATION_PATCH:
    case OPERATION_PAUSE:
    case OPERATION_RESUME:
    case OPERATION_END:
    case OPERATION_REDEEM:
        operation->answer = (struct answer){0}; /* a batch may be decided a second time */
        decide_request(set, operation, now_us);
        return;
    case OPERATION_NOTE: answer_waiter(set, operation, now_us); return;
    case OPERATION_MARK:
    case OPERATION_EXPIRE:
    case OPERATION_FUND_CONFIRMED:
    case OPERATION_FUND_RELEASED:
        operation->answer = (struct answer){0};
        decide_own(set, operation, now_us);
        return;
    }
}
