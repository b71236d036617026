/* Batches of credits: building, sending, judging the answer, marking. */
#include <string.h>

#include "base/log.h"
#include "base/planted.h"
#include "discount/settle_state.h"

#define ITEM_BYTES 256u /* of the body; for the first guess */

/* ---- sending ---- */

static struct settle_batch *free_batch(struct settler *settler) {
    for (size_t i = 0; i < SETTLE_BATCHES; i++) {
        if (settler->batches[i].state == BATCH_FREE) return &settler->batches[i];
    }
    return NULL;
}

static size_t busy_batches(const struct settler *settler) {
    size_t count = 0;
    for (size_t i = 0; i < SETTLE_BATCHES; i++) count += settler->batches[i].state != BATCH_FREE;
    return count;
}

/* Takes ready claims in their order; those whose fund has fallen behind go aside. */
static void collect(struct settle_batch *batch) {
    struct settler *settler = batch->settler;
    size_t most = LIMIT_CREDIT_ITEMS;
    batch->claim_count = 0;
    while (settler->ready.first != NULL && batch->claim_count < most) {
        struct settle_claim *claim = settler->ready.first;
        if (settle_fund_is_behind(settler, claim->campaign_number)) {
            settle_claim_move(claim, &settle_fund_of(settler, claim->campaign_number)->held, CLAIM_HELD);
            settler->must_scan = true;
            continue;
        }
        if (claim->batch_max < most) {
            if (batch->claim_count >= claim->batch_max) return;
            most = claim->batch_max;
        }
        settle_claim_move(claim, NULL, CLAIM_IN_FLIGHT);
        batch->claims[batch->claim_count++] = claim;
    }
}

static struct text write_body(struct settle_batch *batch) {
    struct buffer buffer;
    buffer_init(&buffer, &batch->arena, batch->claim_count * ITEM_BYTES + 32);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "items");
    json_begin_array(&writer);
    for (size_t i = 0; i < batch->claim_count; i++) {
        const struct settle_claim *claim = batch->claims[i];
        const struct board_slot *slot = board_slot(batch->settler->board, claim->campaign_number - 1);
        struct id reference = claim->id;
        if (PLANTED(NEW_REFERENCE_AT_EACH_TRY)) reference.bytes[15] ^= (uint8_t)batch->settler->attempts;
        json_begin_object(&writer);
        json_id_member(&writer, "reference", reference);
        json_id_member(&writer, "user_id", claim->user_id);
        json_integer_member(&writer, "amount", slot->credit.amount_minor);
        json_text_member(&writer, "currency", text_of(currency_code(slot->credit.currency)));
        json_id_member(&writer, "fund", slot->id);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    return buffer.failed ? (struct text){0} : buffer_text(&buffer);
}

static void free_batch_arena(struct settle_batch *batch) {
    arena_release(&batch->arena);
    arena_init(&batch->arena, LIMIT_BATCH_ARENA_BYTES);
}

/* All of it again, later: the outcome is unknown, or nothing was done. */
static void give_back(struct settle_batch *batch, int64_t retry_after_ms) {
    struct settler *settler = batch->settler;
    metric_add(&settle_metric_retries, (int64_t)batch->claim_count);
    for (size_t i = 0; i < batch->claim_count; i++) settle_claim_move(batch->claims[i], &settler->ready, CLAIM_READY);
    batch->claim_count = 0;
    batch->state = BATCH_FREE;
    int64_t retry_at_us = settle_now_us(settler) + settle_backoff_us(settler->attempts, retry_after_ms);
    if (retry_at_us > settler->retry_at_us) settler->retry_at_us = retry_at_us;
    settler->attempts++;
}

static void credits_done(struct http_call *call);

/* Many requests' claims go in one call: the trace of the oldest one that still waits leads on to Wallet. NULL: nobody waits. */
static const char *find_trace(struct settle_batch *batch) {
    for (size_t i = 0; i < batch->claim_count; i++) {
        const struct discount_operation *waiter = batch->claims[i]->waiters.first;
        if (waiter == NULL) continue;
        struct text trace = exchange_traceparent(waiter->exchange);
        return trace.size == 0 ? NULL : arena_copy(&batch->arena, trace).data;
    }
    return NULL;
}

static void send_batch(struct settle_batch *batch) {
    struct settler *settler = batch->settler;
    free_batch_arena(batch);
    collect(batch);
    if (batch->claim_count == 0) return;
    batch->state = BATCH_IN_FLIGHT;
    batch->call = (struct http_call){.body = write_body(batch), .timeout_ms = SETTLE_TIMEOUT_MS, .done = credits_done, .context = batch};
    bool is_ready = batch->call.body.data != NULL && settle_prepare_call(settler, &batch->call, "POST", TEXT("/v1/credits"), &batch->arena);
    batch->call.traceparent = find_trace(batch);
    if (!is_ready || !result_is_ok(http_client_start(settler->client, &batch->call))) {
        give_back(batch, 0);
        return;
    }
    metric_observe(&settle_metric_batch_size, (int64_t)batch->claim_count);
}

void settle_send_batches(struct settler *settler, int64_t now_us) {
    if (now_us < settler->retry_at_us) return;
    /* While nothing comes back one call is enough to find out. */
    size_t most = settler->attempts > 0 ? 1 : settler->ready.count >= SETTLE_CROWDED ? SETTLE_BATCHES : 2;
    while (settler->ready.first != NULL && busy_batches(settler) < most) {
        struct settle_batch *batch = free_batch(settler);
        send_batch(batch);
        if (batch->state == BATCH_FREE) return; /* nothing to send after all, or it could not be sent */
    }
}

/* ---- the answer ---- */

static void log_error(const struct settle_batch *batch, const char *reason) {
    metric_add(&settle_metric_wallet_errors, 1);
    LOG(LOG_WARN, "credits_failed", LOG_STRING("reason", reason), LOG_INTEGER("status", batch->call.status),
        LOG_INTEGER("claims", batch->claim_count), LOG_INTEGER("attempts", batch->settler->attempts + 1));
}

/* Wallet refuses the batch as such: half of it may be fine. A single one that it refuses is tried again, later and later. */
static void split(struct settle_batch *batch) {
    struct settler *settler = batch->settler;
    size_t half = (batch->claim_count + 1) / 2;
    bool is_single = batch->claim_count == 1;
    for (size_t i = 0; i < batch->claim_count; i++) {
        struct settle_claim *claim = batch->claims[i];
        claim->batch_max = half;
        if (is_single) {
            metric_add(&settle_metric_refused, 1);
            LOG(LOG_ERROR, "credit_refused", LOG_ID("redemption_id", claim->id), LOG_INTEGER("status", batch->call.status));
            settle_claim_delay(settler, claim, settle_backoff_us(claim->attempts++, batch->call.retry_after_ms));
        } else {
            settle_claim_move(claim, &settler->ready, CLAIM_READY);
        }
    }
    metric_add(&settle_metric_retries, (int64_t)batch->claim_count);
    batch->claim_count = 0;
    batch->state = BATCH_FREE;
}

static void note_verdict(struct settle_batch *batch, size_t index, const struct credit_verdict *verdict, int64_t now_us) {
    struct settle_claim *claim = batch->claims[index];
    if (verdict->outcome == CREDIT_FAILED) {
        LOG(LOG_ERROR, "credit_failed", LOG_ID("redemption_id", claim->id), LOG_TEXT("code", verdict->code));
    }
    bool is_credited = verdict->outcome == CREDIT_DONE;
    batch->settlements[index] = (struct settlement){.redemption_id = claim->id,
                                                    .is_credited = is_credited,
                                                    .transaction_id = verdict->transaction_id,
                                                    .settled_at_us = verdict->created_at_us != 0 ? verdict->created_at_us : now_us,
                                                    .failure = verdict->code};
}

/* Puts the settled claims to the front of the batch and sends the others on their way to another try. */
static void sort_out(struct settle_batch *batch, const struct credit_verdict *verdicts) {
    struct settler *settler = batch->settler;
    int64_t now_us = clock_now_us(settler->options.clock);
    size_t settled = 0;
    for (size_t i = 0; i < batch->claim_count; i++) {
        struct settle_claim *claim = batch->claims[i];
        CHECK(verdicts[i].outcome != CREDIT_MISSING);
        if (verdicts[i].outcome == CREDIT_LATER) {
            metric_add(&settle_metric_refused, 1);
            LOG(LOG_WARN, "credit_refused", LOG_ID("redemption_id", claim->id), LOG_TEXT("code", verdicts[i].code),
                LOG_INTEGER("attempts", claim->attempts + 1));
            settle_claim_delay(settler, claim, settle_backoff_us(claim->attempts++, 0));
            continue;
        }
        claim->state = CLAIM_MARKING;
        batch->claims[settled] = claim;
        note_verdict(batch, settled, &verdicts[i], now_us);
        settled++;
    }
    batch->claim_count = settled;
}

static void mark(struct settle_batch *batch) {
    struct settler *settler = batch->settler;
    if (batch->claim_count == 0) {
        batch->state = BATCH_FREE;
        return;
    }
    batch->state = BATCH_MARKING;
    batch->mark.mark.items = batch->settlements;
    batch->mark.mark.count = batch->claim_count;
    batch->mark.waiters = (struct operation_list){0};
    size_t room = MARK_WAITERS_MAX, frozen = 0;
    for (size_t i = 0; i < batch->claim_count && frozen < room; i++) {
        settle_freeze(settler, &batch->claims[i]->waiters, &batch->mark.waiters, room - frozen);
    }
    for (const struct discount_operation *waiter = batch->mark.waiters.first; waiter != NULL; waiter = waiter->next) frozen++;
    batch->mark.store.weight = (uint32_t)(batch->claim_count + frozen);
    if (!settle_to_store(settler, &batch->mark, OPERATION_MARK)) settle_batch_marked(batch, result_error(RESULT_UNAVAILABLE));
}

static void judge(struct settle_batch *batch) {
    struct settler *settler = batch->settler;
    const struct http_call *call = &batch->call;
    if (!result_is_ok(call->outcome)) {
        log_error(batch, result_name(call->outcome));
        give_back(batch, 0);
        return;
    }
    if (call->status == 413 || call->status == 422) {
        log_error(batch, "refused as a whole");
        split(batch);
        return;
    }
    if (call->status != 200) {
        log_error(batch, "status");
        if (call->status == 401 || call->status == 403) service_token_drop(&settler->token);
        give_back(batch, call->retry_after_ms);
        return;
    }
    struct credit_verdict *verdicts = ARENA_NEW_ARRAY(&batch->arena, struct credit_verdict, batch->claim_count);
    if (verdicts == NULL || !result_is_ok(settle_read_reply(batch, call->reply, verdicts))) {
        log_error(batch, "the answer does not fit the batch");
        give_back(batch, 0);
        return;
    }
    if (settler->attempts > 0) LOG(LOG_INFO, "wallet_is_back", LOG_INTEGER("attempts", settler->attempts));
    settler->attempts = 0;
    settler->retry_at_us = 0;
    sort_out(batch, verdicts);
    mark(batch);
}

static void credits_done(struct http_call *call) {
    struct settle_batch *batch = call->context;
    judge(batch);
    http_call_clear(call);
}

/* ---- the mark is committed, or not ---- */

/* Those who came while the mark was on its way, or were too many for it. */
static void answer_late(struct settler *settler, struct settle_claim *claim, const struct settlement *settlement) {
    struct operation_list waiters = {0};
    settle_freeze(settler, &claim->waiters, &waiters, SIZE_MAX);
    while (waiters.first != NULL) {
        struct discount_operation *waiter = waiters.first;
        operation_list_remove(&waiters, waiter);
        struct redemption *redemption = &waiter->answer.redemption;
        struct text failure = text_cut(settlement->failure, sizeof redemption->failure);
        redemption->status = settlement->is_credited ? REDEMPTION_CREDITED : REDEMPTION_FAILED;
        redemption->transaction_id = settlement->transaction_id;
        redemption->settled_at_us = settlement->settled_at_us;
        if (failure.size > 0) memcpy(redemption->failure, failure.data, failure.size);
        redemption->failure_size = (uint8_t)failure.size;
        settle_answer_now(settler, waiter);
    }
}

void settle_batch_marked(struct settle_batch *batch, struct result outcome) {
    struct settler *settler = batch->settler;
    bool is_marked = result_is_ok(outcome);
    settle_thaw(settler, &batch->mark.waiters);
    int64_t now_us = clock_now_us(settler->options.clock);
    for (size_t i = 0; i < batch->claim_count; i++) {
        struct settle_claim *claim = batch->claims[i];
        if (!is_marked && !PLANTED(CLAIM_FORGOTTEN_WHEN_NOT_MARKED)) {
            /* Sent again, Wallet answers `replayed`, and it is marked then. */
            settle_claim_delay(settler, claim, settle_backoff_us(claim->attempts++, 0));
            continue;
        }
        metric_add(batch->settlements[i].is_credited ? &settle_metric_credited : &settle_metric_failed, 1);
        metric_observe(&settle_metric_lag, now_us - claim->claimed_at_us);
        answer_late(settler, claim, &batch->settlements[i]);
        settle_claim_free(settler, claim);
    }
    batch->claim_count = 0;
    batch->state = BATCH_FREE;
    settler->must_scan = true; /* an ended campaign may be settled now */
}
