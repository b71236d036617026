/* POST /v1/redemptions/{id}/retry: an admin has repaired at Wallet what it was refused for. */
#include "discount/retry.h"

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/working_set.h"
#include "service/audit.h"
#include "service/request.h"

#define ANSWER_ROOM 2048u

static struct retry_request *request_of(struct operation *operation) { return (struct retry_request *)operation; }

/* ---- in the store ---- */

static void load(struct engine *engine, struct operation *operation) { working_set_ask(engine, request_of(operation)->id); }

static void note_redemption(struct engine *engine, struct operation *operation, struct id id) {
    struct working_set *set = engine_set(engine);
    struct discount_operation *self = discount_operation_of(operation);
    const struct redemption *redemption = redemption_by_id(&set->campaigns, id);
    CHECK(redemption != NULL);
    const struct campaign *campaign = campaign_by_number(&set->campaigns, redemption->campaign_number);
    self->redemption = *redemption;
    self->campaign_id = campaign->id;
    self->credit = campaign->credit;
}

/* What it was refused for, before that is forgotten. */
static struct text picture_of(struct engine *engine, struct operation *operation, struct id id) {
    struct working_set *set = engine_set(engine);
    const struct redemption *redemption = redemption_by_id(&set->campaigns, id);
    if (redemption == NULL) return TEXT("");
    return arena_print(operation->arena, "{\"status\":\"%s\",\"wallet_code\":\"%.*s\"}", redemption_status_name(redemption->status),
                       (int)redemption->failure_size, redemption->failure);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct retry_request *self = request_of(operation);
    discount_forget_outcome(&self->base, now_us);
    struct text before = picture_of(engine, operation, self->id);
    self->verdict = campaign_retry(&set->campaigns, self->id);
    if (self->verdict != RETRY_DONE) return;
    note_redemption(engine, operation, self->id);
    discount_note_change(&self->base, campaign_by_id(&set->campaigns, self->base.campaign_id), "redemption_retried");
    audit_note(engine, operation, "redemption.retry", self->id, before, TEXT("{\"status\":\"claimed\"}"), now_us);
    if (operation->is_dry_run) return; /* it is not sent */
    operation->fate = FATE_WAITING;    /* for its credit */
    operation->subject = self->id;
}

static void decide_again(struct engine *engine, struct operation *operation, int64_t now_us) {
    discount_operation_of(operation)->decided_us = now_us;
    note_redemption(engine, operation, operation->subject);
}

static void render(struct operation *operation) {
    static const char unknown[] = "There is no such redemption.", paid[] = "It has not failed: it is paid, or on its way.",
                      released[] = "Its campaign is over, and the rest of its fund has gone back.";
    const struct text none = {NULL, 0};
    switch (request_of(operation)->verdict) {
    case RETRY_DONE: answer_retried(operation); return;
    case RETRY_NOT_FOUND: operation_answer_problem(operation, &problem_redemption_not_found, none, NULL, unknown); return;
    case RETRY_NOT_FAILED: operation_answer_problem(operation, &problem_redemption_not_failed, none, NULL, paid); return;
    case RETRY_FUND_RELEASED: operation_answer_problem(operation, &problem_campaign_state_conflict, none, NULL, released); return;
    }
}

const struct action retry_action = {.name = "retry",
                                    .weight = 1,
                                    .answer_bytes = ANSWER_ROOM,
                                    .load = load,
                                    .decide = decide,
                                    .decide_again = decide_again,
                                    .render = render,
                                    .committed = discount_committed,
                                    .send = discount_send};

/* ---- the request ---- */

void redemptions_retry(struct exchange *exchange) {
    struct id id;
    struct retry_request *request = NULL;
    bool is_id = result_is_ok(id_parse(exchange->parameters[0], &id)) && !id_is_zero(id);
    if (!is_id) problem_reply(exchange, &problem_redemption_not_found, "There is no such redemption.");
    if (is_id) request = discount_begin(exchange, &retry_action, sizeof *request);
    if (request == NULL) {
        exchange_finish(exchange);
        return;
    }
    request->id = id;
    operation_submit(&request->base.operation);
}
