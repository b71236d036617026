#include "discount/own.h"

#include <string.h>

#include "base/log.h"
#include "discount/working_codes.h"

static struct own_request *own(struct operation *operation) { return (struct own_request *)operation; }

static void load_waiters(struct engine *engine, struct operation *operation) {
    struct discount_operation *waiter;
    TAILQ_FOREACH(waiter, &own(operation)->waiters, link) {
        engine_load_kept(engine, &waiter->operation.idempotency);
        working_set_ask(engine, waiter->operation.subject);
    }
}

static void decide_waiters(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct discount_operation *waiter;
    TAILQ_FOREACH(waiter, &own(operation)->waiters, link)
    engine_decide_again(engine, &waiter->operation, now_us);
}

static struct campaign *campaign_of(struct engine *engine, struct operation *operation) {
    struct working_set *set = engine_set(engine);
    return campaign_by_id(&set->campaigns, own(operation)->campaign_id);
}

/* ---- what Wallet said about claims ---- */

static void load_mark(struct engine *engine, struct operation *operation) {
    const struct own_request *self = own(operation);
    for (size_t i = 0; i < self->mark.count; i++) working_set_ask(engine, self->mark.items[i].redemption_id);
    load_waiters(engine, operation);
}

static void decide_mark(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct own_request *self = own(operation);
    struct working_set *set = engine_set(engine);
    discount_forget_outcome(discount_operation_of(operation), now_us);
    for (size_t i = 0; i < self->mark.count; i++) {
        const struct settlement *settlement = &self->mark.items[i];
        struct result settled = campaign_settle(&set->campaigns, settlement, now_us);
        if (result_is_ok(settled)) continue;
        LOG(LOG_ERROR, "settlement_contradicts", LOG_ID("redemption_id", settlement->redemption_id),
            LOG_ID("transaction_id", settlement->transaction_id), LOG_STRING("reason", result_name(settled)));
    }
    decide_waiters(engine, operation, now_us);
}

/* ---- who waits ---- */

static void promote(struct engine *engine, struct operation *operation, struct campaign *campaign, int64_t now_us) {
    int64_t count = working_set_promote(engine, campaign, now_us);
    own(operation)->promoted += count;
    if (count > 0) discount_note_change(discount_operation_of(operation), campaign, "redemptions_promoted");
}

static void load_promote(struct engine *engine, struct operation *operation) {
    const struct campaign *campaign = campaign_of(engine, operation);
    if (campaign != NULL) working_set_ask_line(engine, campaign->number, PROMOTE_AT_ONCE);
}

static void decide_promote(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct campaign *campaign = campaign_of(engine, operation);
    discount_forget_outcome(discount_operation_of(operation), now_us);
    own(operation)->promoted = 0;
    if (campaign != NULL) promote(engine, operation, campaign, now_us);
}

/* ---- what Wallet said about reversals ---- */

static void load_taken_back(struct engine *engine, struct operation *operation) {
    const struct own_request *self = own(operation);
    for (size_t i = 0; i < self->taken_back.count; i++) working_set_ask_to_reverse(engine, &self->taken_back.subjects[i]);
    load_waiters(engine, operation);
}

static void decide_taken_back(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct own_request *self = own(operation);
    struct working_set *set = engine_set(engine);
    discount_forget_outcome(discount_operation_of(operation), now_us);
    own(operation)->promoted = 0;
    for (size_t i = 0; i < self->taken_back.count; i++) {
        const struct taken_back *item = &self->taken_back.items[i];
        struct result taken = campaign_take_back(&set->campaigns, item, now_us);
        struct campaign *campaign = campaign_by_number(&set->campaigns, self->taken_back.subjects[i].campaign_number);
        if (result_is_ok(taken) && campaign != NULL) promote(engine, operation, campaign, now_us);
        if (result_is_ok(taken)) continue;
        LOG(LOG_ERROR, "reversal_contradicts", LOG_ID("redemption_id", item->redemption_id), LOG_ID("transaction_id", item->transaction_id),
            LOG_STRING("reason", result_name(taken)));
    }
    decide_waiters(engine, operation, now_us);
}

/* ---- what Wallet has paid, and we do not know ---- */

static void load_rebuild(struct engine *engine, struct operation *operation) {
    const struct own_request *self = own(operation);
    for (size_t i = 0; i < self->rebuild.count; i++) {
        const struct paid_place *place = &self->rebuild.items[i];
        const struct campaign *campaign = working_set_bring(engine, place->campaign_number);
        if (campaign == NULL) continue; /* the batch has failed */
        working_set_ask(engine, place->id);
        if (place->code_batch != 0) working_codes_ask_if_there(engine, place->code_batch, place->campaign_number, place->code_index);
        const struct redeem_request claimed = {.user_id = place->user_id, .phone = place->phone};
        working_set_ask_rivals(engine, campaign, &claimed);
    }
    load_waiters(engine, operation);
}

static void decide_rebuild(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct own_request *self = own(operation);
    struct working_set *set = engine_set(engine);
    discount_forget_outcome(discount_operation_of(operation), now_us);
    for (size_t i = 0; i < self->rebuild.count; i++)
        self->rebuild.verdicts[i] = campaign_rebuild(&set->campaigns, &self->rebuild.items[i], now_us);
    decide_waiters(engine, operation, now_us);
}

/* ---- what becomes of a campaign ---- */

static void end_decision(struct engine *engine, struct operation *operation, enum campaign_verdict verdict, const char *event,
                         int64_t now_us) {
    struct discount_operation *self = discount_operation_of(operation);
    discount_forget_outcome(self, now_us);
    if (verdict == CAMPAIGN_DONE) discount_note_change(self, campaign_of(engine, operation), event);
    decide_waiters(engine, operation, now_us);
}

static void decide_expire(struct engine *engine, struct operation *operation, int64_t now_us) {
    end_decision(engine, operation, campaign_expire(campaign_of(engine, operation), now_us), "campaign_expired", now_us);
}

static void decide_fund_confirmed(struct engine *engine, struct operation *operation, int64_t now_us) {
    enum campaign_verdict verdict = campaign_fund_confirm(campaign_of(engine, operation), own(operation)->fund_step_version, now_us);
    end_decision(engine, operation, verdict, "fund_confirmed", now_us);
}

static void decide_fund_refused(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct own_request *self = own(operation);
    enum campaign_verdict verdict = campaign_fund_refuse(campaign_of(engine, operation), self->fund_step_version, self->fund_refusal,
                                                         self->fund_refusal_detail, now_us);
    end_decision(engine, operation, verdict, "fund_failed", now_us);
}

static void decide_fund_released(struct engine *engine, struct operation *operation, int64_t now_us) {
    end_decision(engine, operation, campaign_fund_release(campaign_of(engine, operation), now_us), "fund_released", now_us);
}

static void decide_fund_adopted(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct own_request *self = own(operation);
    enum campaign_verdict verdict = campaign_fund_adopt(campaign_of(engine, operation), &self->fund_said, now_us);
    if (verdict == CAMPAIGN_STATE_CONFLICT)
        LOG(LOG_ERROR, "fund_contradicts", LOG_ID("campaign_id", self->campaign_id), LOG_INTEGER("funded", self->fund_said.funded_minor));
    end_decision(engine, operation, verdict, "fund_adopted", now_us);
}

/* When the batch is committed: it may change one of them yet. */
static void decide_archive(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    discount_forget_outcome(discount_operation_of(operation), now_us);
    set->leaving = own(operation)->archive.numbers;
    set->leaving_count = own(operation)->archive.count;
}

static void load_recall(struct engine *engine, struct operation *operation) {
    for (size_t i = 0; i < own(operation)->archive.count; i++) working_set_recall(engine_set(engine), own(operation)->archive.numbers[i]);
    load_waiters(engine, operation);
}

static struct text print_instance(struct engine *engine, struct id id) {
    static const char before[] = "{\"instance_id\":\"", behind[] = "\"}";
    size_t size = sizeof before - 1 + ID_TEXT_BYTES + sizeof behind - 1;
    char *text = engine_take(engine, size);
    if (text == NULL) return TEXT(""); /* the batch has failed */
    memcpy(text, before, sizeof before - 1);
    id_format(id, text + sizeof before - 1);
    memcpy(text + sizeof before - 1 + ID_TEXT_BYTES, behind, sizeof behind - 1);
    return (struct text){text, size};
}

static void decide_instance(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct id left = own(operation)->wallet_left;
    discount_forget_outcome(discount_operation_of(operation), now_us);
    set->wallet_instance = own(operation)->wallet_instance;
    if (id_is_zero(left)) return;
    audit_note(engine, operation, "wallet.trust", set->wallet_instance, print_instance(engine, left),
               print_instance(engine, set->wallet_instance), now_us);
}

static void decide_note(struct engine *engine, struct operation *operation, int64_t now_us) {
    discount_forget_outcome(discount_operation_of(operation), now_us);
    decide_waiters(engine, operation, now_us);
}

const struct action mark_action = {.name = "mark", .load = load_mark, .decide = decide_mark};
const struct action taken_back_action = {.name = "taken back", .load = load_taken_back, .decide = decide_taken_back};
const struct action rebuild_action = {.name = "rebuild", .load = load_rebuild, .decide = decide_rebuild};
const struct action promote_action = {.name = "promote", .load = load_promote, .decide = decide_promote};
const struct action expire_action = {.name = "expire", .load = load_waiters, .decide = decide_expire};
const struct action fund_confirmed_action = {.name = "fund confirmed", .load = load_waiters, .decide = decide_fund_confirmed};
const struct action fund_refused_action = {.name = "fund refused", .load = load_waiters, .decide = decide_fund_refused};
const struct action fund_released_action = {.name = "fund released", .load = load_waiters, .decide = decide_fund_released};
const struct action fund_adopted_action = {.name = "fund adopted", .load = load_waiters, .decide = decide_fund_adopted};
const struct action archive_action = {.name = "archive", .decide = decide_archive};
const struct action recall_action = {.name = "recall", .load = load_recall, .decide = decide_note};
const struct action instance_action = {.name = "instance", .load = load_waiters, .decide = decide_instance};
const struct action note_action = {.name = "note", .load = load_waiters, .decide = decide_note};
