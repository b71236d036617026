#include "discount/answer.h"

#include <inttypes.h>

#include "base/json/json.h"
#include "base/log.h"
#include "discount/discount.h"

#define ANSWER_BYTES 640u

const struct problem problem_redemption_not_found = {404, "redemption_not_found", "Redemption not found"};
const struct problem problem_campaign_not_found = {404, "campaign_not_found", "Campaign not found"};
const struct problem problem_credit_failed = {409, "credit_failed", "Credit failed"};
const struct problem problem_code_taken = {409, "code_taken", "Code taken"};
const struct problem problem_campaign_state_conflict = {409, "campaign_state_conflict", "Campaign state conflict"};
const struct problem problem_too_many_campaigns = {409, "too_many_campaigns", "Too many campaigns"};
const struct problem problem_version_mismatch = {412, "version_mismatch", "Version mismatch"};
const struct problem problem_precondition_required = {428, "precondition_required", "Precondition required"};
const struct problem problem_too_many_attempts = {429, "too_many_attempts", "Too many attempts"};

void answer_write_redemption(struct json_writer *writer, const struct redemption *redemption, struct id campaign_id, struct money credit) {
    json_begin_object(writer);
    json_id_member(writer, "id", redemption->id);
    json_id_member(writer, "campaign_id", campaign_id);
    json_id_member(writer, "user_id", redemption->user_id);
    json_text_member(writer, "phone", phone_text(&redemption->phone));
    json_integer_member(writer, "position", redemption->position);
    json_text_member(writer, "status", text_of(redemption_status_name(redemption->status)));
    json_key(writer, "credit");
    json_put_money(writer, credit);
    if (redemption->status == REDEMPTION_CREDITED) json_id_member(writer, "transaction_id", redemption->transaction_id);
    json_time_member(writer, "claimed_at", redemption->claimed_at_us);
    if (redemption->status == REDEMPTION_CREDITED) json_time_member(writer, "credited_at", redemption->settled_at_us);
    json_end_object(writer);
}

static void write_time_or_null(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0)
        json_null_member(writer, name);
    else
        json_time_member(writer, name, time_us);
}

void answer_write_campaign(struct json_writer *writer, const struct campaign *campaign, int64_t now_us) {
    char reference[ID_TEXT_BYTES];
    id_format(campaign->id, reference);
    json_begin_object(writer);
    json_id_member(writer, "id", campaign->id);
    json_text_member(writer, "name", campaign_name(campaign));
    json_text_member(writer, "kind", TEXT("wallet_credit"));
    json_text_member(writer, "code", code_text(&campaign->code));
    json_key(writer, "credit");
    json_put_money(writer, campaign->credit);
    json_integer_member(writer, "max_redemptions", campaign->max_redemptions);
    json_integer_member(writer, "max_per_user", 1);
    write_time_or_null(writer, "starts_at", campaign->starts_at_us);
    write_time_or_null(writer, "ends_at", campaign->ends_at_us);
    json_text_member(writer, "state", text_of(campaign_state_name(campaign_state(campaign, now_us))));
    json_integer_member(writer, "redeemed", campaign->redeemed);
    json_integer_member(writer, "remaining", campaign->max_redemptions - campaign->redeemed);
    json_integer_member(writer, "version", campaign->version);
    json_key(writer, "fund");
    json_begin_object(writer);
    json_text_member(writer, "reference", (struct text){reference, sizeof reference});
    json_text_member(writer, "state", text_of(fund_state_name(campaign_fund_state(campaign))));
    json_end_object(writer);
    json_time_member(writer, "created_at", campaign->created_at_us);
    json_time_member(writer, "updated_at", campaign->updated_at_us);
    json_end_object(writer);
}

static struct arena *arena_of(struct discount_operation *operation) { return &operation->exchange->arena; }

static void finish(struct discount_operation *operation, int status, const char *content_type, struct text body) {
    struct answer *answer = &operation->answer;
    bool is_whole = body.data != NULL && (answer->location.size == 0 || answer->location.data != NULL);
    answer->kind = is_whole ? ANSWER_READY : ANSWER_NO_MEMORY;
    answer->status = status;
    answer->content_type = content_type;
    answer->body = body;
}

void answer_problem(struct discount_operation *operation, const struct problem *problem, struct text members, const struct faults *faults,
                    const char *detail) {
    struct text body = problem_document(arena_of(operation), problem, operation->exchange->request_id, members, faults, detail);
    operation->answer.location = operation->answer.etag = (struct text){0};
    finish(operation, problem->status, "application/problem+json", body);
}

void answer_fault(struct discount_operation *operation, const char *field, const char *code, const char *detail) {
    struct faults *faults = ARENA_NEW(arena_of(operation), struct faults);
    if (faults == NULL) {
        operation->answer.kind = ANSWER_NO_MEMORY;
        return;
    }
    faults_init(faults, arena_of(operation));
    faults_add(faults, field, code, "%s", detail);
    answer_problem(operation, &problem_validation_failed, (struct text){0}, faults, "The request has 1 fault.");
}

static struct text finished_text(const struct buffer *buffer) { return buffer->failed ? (struct text){0} : buffer_text(buffer); }

static void answer_failed_redemption(struct discount_operation *operation, const struct redemption *redemption) {
    char id[ID_TEXT_BYTES];
    id_format(redemption->id, id);
    struct text members = arena_print(arena_of(operation), "\"redemption_id\":\"%.*s\",\"wallet_code\":\"%.*s\"", (int)sizeof id, id,
                                      (int)redemption->failure_size, redemption->failure);
    answer_problem(operation, &problem_credit_failed, members, NULL, "The place was taken, but the wallet refused its credit for good.");
}

void answer_redemption(struct discount_operation *operation, const struct redemption *redemption, struct id campaign_id,
                       struct money credit, bool is_maker) {
    if (is_maker && redemption->status == REDEMPTION_FAILED) {
        answer_failed_redemption(operation, redemption);
        return;
    }
    char id[ID_TEXT_BYTES];
    id_format(redemption->id, id);
    struct buffer buffer;
    buffer_init(&buffer, arena_of(operation), ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_redemption(&writer, redemption, campaign_id, credit);
    int status = !is_maker ? 200 : redemption->status == REDEMPTION_CREDITED ? 201 : 202;
    operation->answer.location = arena_print(arena_of(operation), "/v1/redemptions/%.*s", (int)sizeof id, id);
    finish(operation, status, "application/json", finished_text(&buffer));
}

void answer_campaign(struct discount_operation *operation, int status, const struct campaign *campaign, int64_t now_us) {
    char id[ID_TEXT_BYTES];
    id_format(campaign->id, id);
    struct buffer buffer;
    buffer_init(&buffer, arena_of(operation), ANSWER_BYTES + campaign->name_size);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_campaign(&writer, campaign, now_us);
    operation->answer.etag = arena_print(arena_of(operation), "\"%" PRId64 "\"", campaign->version);
    if (status == 201) operation->answer.location = arena_print(arena_of(operation), "/v1/campaigns/%.*s", (int)sizeof id, id);
    finish(operation, status, "application/json", finished_text(&buffer));
}

/* When it starts, and in how many seconds. */
static struct text tell_start(struct discount_operation *operation, int64_t starts_at_us, int64_t now_us) {
    char time[CLOCK_TEXT_BYTES];
    clock_format(starts_at_us, time);
    int64_t left_s = (starts_at_us - now_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US;
    operation->answer.retry_after = arena_print(arena_of(operation), "%" PRId64, left_s < 1 ? 1 : left_s);
    return arena_print(arena_of(operation), "\"starts_at\":\"%.*s\"", (int)sizeof time, time);
}

void answer_redeem_refusal(struct discount_operation *operation, enum refusal refusal, int64_t starts_at_us, int64_t now_us) {
    const struct refusal_rule *rule = refusal_rule(refusal);
    const struct problem problem = {rule->status, rule->code, rule->title};
    struct text members = {0};
    if (refusal == REFUSED_NOT_STARTED) members = tell_start(operation, starts_at_us, now_us);
    answer_problem(operation, &problem, members, NULL, rule->detail);
}

void answer_campaign_refusal(struct discount_operation *operation, enum campaign_verdict verdict, const struct campaign *campaign) {
    struct text none = {0};
    switch (verdict) {
    case CAMPAIGN_NOT_FOUND: answer_problem(operation, &problem_campaign_not_found, none, NULL, "There is no such campaign."); return;
    case CAMPAIGN_CODE_TAKEN: answer_problem(operation, &problem_code_taken, none, NULL, "Another campaign has this code."); return;
    case CAMPAIGN_TOO_MANY:
        answer_problem(operation, &problem_too_many_campaigns, none, NULL, "There can be at most 4096 campaigns.");
        return;
    case CAMPAIGN_VERSION_MISMATCH: {
        struct text detail = arena_print(arena_of(operation), "The campaign has changed: its version is %" PRId64 ".", campaign->version);
        answer_problem(operation, &problem_version_mismatch, none, NULL, detail.data);
        return;
    }
    case CAMPAIGN_STATE_CONFLICT:
        answer_problem(operation, &problem_campaign_state_conflict, none, NULL, "The campaign has ended.");
        return;
    case CAMPAIGN_STARTED:
        answer_problem(operation, &problem_campaign_state_conflict, none, NULL, "The campaign has started: its start can't move any more.");
        return;
    case CAMPAIGN_LIMIT_TOO_LOW: {
        struct text detail = arena_print(arena_of(operation), "must be at least %" PRId64 ": so many places are taken", campaign->redeemed);
        answer_fault(operation, "max_redemptions", "out_of_range", detail.data == NULL ? "too low" : detail.data);
        return;
    }
    case CAMPAIGN_LIMIT_TOO_HIGH:
        answer_fault(operation, "max_redemptions", "out_of_range", "times the credit it must not pass 9007199254740991");
        return;
    case CAMPAIGN_END_NOT_FUTURE: answer_fault(operation, "ends_at", "out_of_range", "must be in the future"); return;
    case CAMPAIGN_END_NOT_AFTER_START: answer_fault(operation, "ends_at", "out_of_range", "must be after starts_at"); return;
    case CAMPAIGN_DONE:
    case CAMPAIGN_UNCHANGED: break;
    }
    CHECK(false);
}

/* ---- sending ---- */

void answer_log(const struct discount_operation *operation) {
    const struct answer *answer = &operation->answer;
    if (answer->event == NULL) return;
    const struct exchange *exchange = operation->exchange;
    struct id user_id = {0};
    if (exchange != NULL) user_id = exchange->caller.user_id;
    LOG(LOG_INFO, answer->event, LOG_ID("campaign_id", answer->subject), LOG_INTEGER("sequence", answer->sequence),
        LOG_INTEGER("version", answer->version), LOG_TEXT("request_id", exchange == NULL ? TEXT("") : exchange->request_id),
        LOG_ID("user_id", user_id));
}

static void count(struct discount_operation *operation, int64_t now_us) {
    const struct answer *answer = &operation->answer;
    if (answer->campaign_number == 0) return;
    struct board_slot *slot = board_slot(operation->discount->board, answer->campaign_number - 1);
    if (answer->refusal != NOT_REFUSED && refusal_rule(answer->refusal)->is_counted) board_count_refusal(slot, answer->refusal, now_us);
    int64_t now_monotonic_us = clock_monotonic_us(operation->discount->service.clock);
    metric_observe(&slot->latency, now_monotonic_us - operation->exchange->received_monotonic_us);
}

static void send_ready(struct exchange *exchange, const struct answer *answer) {
    if (answer->location.size != 0) reply_header(exchange, "Location", answer->location);
    if (answer->etag.size != 0) reply_header(exchange, "ETag", answer->etag);
    if (answer->retry_after.size != 0) reply_header(exchange, "Retry-After", answer->retry_after);
    reply_set(exchange, answer->status, answer->content_type, answer->body);
}

void answer_send(struct discount_operation *operation) { answer_send_at(operation, clock_now_us(operation->discount->service.clock)); }

void answer_send_at(struct discount_operation *operation, int64_t now_us) {
    struct exchange *exchange = operation->exchange;
    const struct answer *answer = &operation->answer;
    switch (answer->kind) {
    case ANSWER_READY:
        count(operation, now_us);
        send_ready(exchange, answer);
        break;
    case ANSWER_REPLAY: idempotency_replay(exchange, &answer->record); break;
    case ANSWER_KEY_REUSED: idempotency_refuse(exchange, &answer->record, &operation->idempotency); break;
    case ANSWER_NO_MEMORY: problem_reply(exchange, &problem_overloaded, "The answer needs more memory than one request may take."); break;
    case ANSWER_NONE:
    case ANSWER_WAITING: CHECK(false);
    }
    exchange_finish(exchange);
}

void answer_send_failure(struct discount_operation *operation, struct result outcome) {
    struct exchange *exchange = operation->exchange;
    if (outcome.code == RESULT_UNAVAILABLE) {
        problem_reply(exchange, &problem_shutting_down, "The service is stopping.");
    } else {
        problem_reply(exchange, &problem_storage_unavailable, "The disk does not take writes now.");
    }
    exchange_finish(exchange);
}
