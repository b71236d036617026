#include "discount/settle/credits.h"

#include <string.h>

#include "base/json/json.h"
#include "base/log.h"
#include "discount/settle/reply.h"

#define ITEM_BYTES     512u /* of the body; for the first guess */
#define STUCK_ATTEMPTS 6u   /* refused so often in a row, some three seconds long: a claim may make room for others */

struct metric credits_metric_credited = {.name = "discountd_credits_total",
                                         .help = "Claims that Wallet has credited.",
                                         .labels = "outcome=\"credited\"",
                                         .kind = METRIC_COUNTER};
struct metric credits_metric_failed = {.name = "discountd_credits_total",
                                       .help = "Claims that Wallet has credited.",
                                       .labels = "outcome=\"failed\"",
                                       .kind = METRIC_COUNTER};
struct metric credits_metric_credited_again = {.name = "discountd_credits_sent_again_total",
                                               .help = "Credits that Wallet had lost, sent once more.",
                                               .labels = "outcome=\"credited\"",
                                               .kind = METRIC_COUNTER};
struct metric credits_metric_failed_again = {.name = "discountd_credits_sent_again_total",
                                             .help = "Credits that Wallet had lost, sent once more.",
                                             .labels = "outcome=\"failed\"",
                                             .kind = METRIC_COUNTER};
struct metric credits_metric_refused = {.name = "discountd_credits_refused_total",
                                        .help = "Credits that Wallet refused for now; they are tried again.",
                                        .labels = "",
                                        .kind = METRIC_COUNTER};
struct metric credits_metric_batch_size = {.name = "discountd_settle_batch_size",
                                           .help = "Credits in one call.",
                                           .labels = "",
                                           .kind = METRIC_HISTOGRAM};
struct metric credits_metric_lag = {.name = "discountd_settle_lag_seconds",
                                    .help = "From the claim to its committed credit.",
                                    .labels = "",
                                    .kind = METRIC_HISTOGRAM,
                                    .is_duration = true};

/* ---- sending ---- */

static void answer_waiters(struct credits *credits, struct claim *claim) {
    struct discount_operation *waiter;
    while ((waiter = waiters_take(credits->waiters, &claim->waiters)) != NULL) waiters_answer_now(credits->waiters, waiter);
}

static bool is_due(void *context, struct delivery_item *item) {
    struct credits *credits = context;
    struct claim *claim = claim_of(item);
    const struct conflict asked = {claim->campaign_number, claim->user_id, claim->phone};
    if (claim->is_again || (!claim->is_old && claims_may_be_paid(credits->claims, &asked))) return true;
    answer_waiters(credits, claim);
    if (claim->is_old) claims_look(credits->claims);
    claims_forget(credits->claims, claim); /* it waits in the database */
    return false;
}

/* What all credits of one campaign have in common: nearly always it is the campaign of the item before. */
struct campaign_words {
    uint32_t number;
    const struct board_slot *slot;
    int64_t credit_minor;
    struct text name;
    char name_bytes[CAMPAIGN_NAME_BYTES];
};

static void read_words(struct campaign_words *words, const struct board *board, uint32_t number) {
    if (words->number == number) return;
    struct board_slot *slot = board_slot(board, number - 1);
    words->number = number;
    words->slot = slot;
    words->credit_minor = board_view(slot).credit_minor;
    words->name = board_copy_name(slot, words->name_bytes);
}

/* What makes the redemption anew, should our database be lost: Wallet keeps it with the credit (docs/settling.md). */
static void write_metadata(struct json_writer *writer, const struct claim *claim, const struct board_slot *slot) {
    json_key(writer, "metadata");
    json_begin_object(writer);
    json_id_member(writer, "campaign", slot->id);
    json_integer_member(writer, "position", claim->position);
    json_text_member(writer, "phone", phone_text(&claim->phone));
    json_text_member(writer, "code", board_code(slot)); /* empty: it has none */
    if (claim->code_batch != 0) {
        json_integer_member(writer, "code_batch", claim->code_batch);
        json_integer_member(writer, "code_index", claim->code_index);
    }
    json_end_object(writer);
}

static void write_item(struct json_writer *writer, const struct claim *claim, const struct campaign_words *words) {
    json_begin_object(writer);
    json_id_member(writer, "reference", claim->item.id);
    json_id_member(writer, "user_id", claim->user_id);
    json_integer_member(writer, "amount", words->credit_minor);
    json_text_member(writer, "currency", text_of(currency_code(words->slot->currency)));
    json_id_member(writer, "fund", words->slot->id);
    if (words->name.size > 0) json_text_member(writer, "description", words->name);
    write_metadata(writer, claim, words->slot);
    json_end_object(writer);
}

/* Many requests' claims go in one call: the trace of the oldest one that still waits leads on to Wallet. NULL: nobody waits. */
static const char *find_trace(struct delivery_batch *batch) {
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct discount_operation *waiter = TAILQ_FIRST(&claim_of(batch->items[i])->waiters);
        if (waiter == NULL) continue;
        struct text trace = exchange_traceparent(waiter->operation.exchange);
        return trace.size == 0 ? NULL : arena_copy(&batch->arena, trace).data;
    }
    return NULL;
}

static bool write_call(void *context, struct delivery_batch *batch) {
    struct buffer buffer;
    buffer_init(&buffer, &batch->arena, batch->item_count * ITEM_BYTES + 32);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "items");
    json_begin_array(&writer);
    const struct credits *credits = context;
    struct campaign_words words = {.number = 0};
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct claim *claim = claim_of(batch->items[i]);
        read_words(&words, credits->board, claim->campaign_number);
        write_item(&writer, claim, &words);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    batch->call.method = "POST";
    batch->call.body = buffer.failed ? (struct text){0} : buffer_text(&buffer);
    batch->call.traceparent = find_trace(batch);
    return batch->call.body.data != NULL;
}

/* ---- marking ---- */

/* A fund that has gone back comes never again, once its campaign is over here, too. What Wallet had paid once is not given up for that. */
static bool is_over(const struct credits *credits, const struct claim *claim, const struct delivery_outcome *outcome) {
    if (outcome->verdict != DELIVERY_LATER || claim->is_again || !text_equal(outcome->code, TEXT("fund_released"))) return false;
    return board_view(board_slot(credits->board, claim->campaign_number - 1)).ended_at_us != 0;
}

static struct result read_answer(void *context, struct delivery_batch *batch, struct text reply) {
    const struct credits *credits = context;
    TRY(reply_read(batch, reply));
    for (size_t i = 0; i < batch->item_count; i++) {
        if (is_over(credits, claim_of(batch->items[i]), &batch->outcomes[i])) batch->outcomes[i].verdict = DELIVERY_REFUSED;
    }
    return result_ok();
}

static struct settlement settlement_of(const struct claim *claim, const struct delivery_outcome *outcome, int64_t now_us) {
    if (outcome->verdict == DELIVERY_REFUSED)
        LOG(LOG_ERROR, "credit_failed", LOG_ID("redemption_id", claim->item.id), LOG_TEXT("code", outcome->code));
    return (struct settlement){.redemption_id = claim->item.id,
                               .is_credited = outcome->verdict == DELIVERY_DONE,
                               .is_again = claim->is_again,
                               .transaction_id = outcome->transaction_id,
                               .settled_at_us = outcome->created_at_us != 0 ? outcome->created_at_us : now_us,
                               .failure = outcome->code};
}

static size_t freeze_waiters(struct credit_mark *mark) {
    size_t frozen = 0;
    CHECK(TAILQ_EMPTY(&mark->own.request.waiters));
    for (size_t i = 0; i < mark->batch->item_count && frozen < MARK_WAITERS_MAX; i++) {
        struct claim *claim = claim_of(mark->batch->items[i]);
        frozen += waiters_freeze(mark->credits->waiters, &claim->waiters, &mark->own.request.waiters, MARK_WAITERS_MAX - frozen);
    }
    return frozen;
}

static void mark_returned(struct own_operation *own, struct result outcome);

static void mark(void *context, struct delivery_batch *batch) {
    struct credits *credits = context;
    struct credit_mark *mark = &credits->marks[batch->index];
    int64_t now_us = clock_now_us(credits->clock);
    mark->batch = batch;
    for (size_t i = 0; i < batch->item_count; i++)
        mark->settlements[i] = settlement_of(claim_of(batch->items[i]), &batch->outcomes[i], now_us);
    mark->own.request.mark.items = mark->settlements;
    mark->own.request.mark.count = batch->item_count;
    mark->own.request.base.operation.store.weight = (uint32_t)(batch->item_count + freeze_waiters(mark));
    mark->own.returned = mark_returned;
    if (!own_submit(credits->messages, &mark->own, &mark_action)) mark_returned(&mark->own, result_error(RESULT_UNAVAILABLE));
}

/* ---- the mark is committed, or not ---- */

static void settle_redemption(struct redemption *redemption, const struct settlement *settlement) {
    struct text failure = text_cut(settlement->failure, sizeof redemption->failure);
    redemption->status = settlement->is_credited ? REDEMPTION_CREDITED : REDEMPTION_FAILED;
    redemption->transaction_id = settlement->transaction_id;
    redemption->settled_at_us = settlement->settled_at_us;
    if (failure.size > 0) memcpy(redemption->failure, failure.data, failure.size);
    redemption->failure_size = (uint8_t)failure.size;
}

/* Those who came while the mark was on its way, or were too many for it. */
static void answer_late(struct waiters *waiters, struct claim *claim, const struct settlement *settlement) {
    struct discount_operation *waiter;
    while ((waiter = waiters_take(waiters, &claim->waiters)) != NULL) {
        settle_redemption(&waiter->redemption, settlement);
        waiters_answer_now(waiters, waiter);
    }
}

static void count(const struct claim *claim, const struct settlement *settlement, int64_t now_us) {
    if (claim->is_again) {
        metric_add(settlement->is_credited ? &credits_metric_credited_again : &credits_metric_failed_again, 1);
        return;
    }
    metric_add(settlement->is_credited ? &credits_metric_credited : &credits_metric_failed, 1);
    metric_observe(&credits_metric_lag, now_us - claim->claimed_at_us);
}

static void forget(struct credits *credits, struct claim *claim, const struct settlement *settlement, int64_t now_us) {
    count(claim, settlement, now_us);
    answer_late(credits->waiters, claim, settlement);
    claims_forget(credits->claims, claim);
}

static void mark_returned(struct own_operation *own, struct result outcome) {
    struct credit_mark *mark = CONTAINER_OF(own, struct credit_mark, own);
    struct credits *credits = mark->credits;
    struct delivery_batch *batch = mark->batch;
    waiters_thaw(credits->waiters, &own->request.waiters);
    if (result_is_ok(outcome)) {
        int64_t now_us = clock_now_us(credits->clock);
        size_t count = batch->item_count;
        delivery_kept(batch);
        for (size_t i = 0; i < count; i++) forget(credits, claim_of(batch->items[i]), &mark->settlements[i], now_us);
    } else {
        delivery_not_kept(batch);
    }
    funds_look(credits->funds); /* an ended campaign may be settled now */
}

/* ---- room for others ---- */

/* What is sent again is found by no look into the database: it stays. */
static bool is_stuck(const struct claim *claim) { return claim->item.backoff.attempts >= STUCK_ATTEMPTS && !claim->is_again; }

void credits_make_room(struct credits *credits) {
    struct delivery_item *next;
    for (struct delivery_item *item = TAILQ_FIRST(&credits->delivery.delayed); item != NULL && claims_want_room(credits->claims);
         item = next) {
        struct claim *claim = claim_of(item);
        next = TAILQ_NEXT(item, link);
        if (!is_stuck(claim)) continue;
        delivery_take_back(&credits->delivery, item);
        answer_waiters(credits, claim);
        claims_forget(credits->claims, claim);
        claims_look(credits->claims);
    }
}

/* ---- life ---- */

static const struct delivery_kind kind = {
    .item_name = "redemption_id",
    .items_name = "claims",
    .failed_event = "credits_failed",
    .refused_event = "credit_refused",
    .back_event = "wallet_is_back",
    .refused = &credits_metric_refused,
    .batch_size = &credits_metric_batch_size,
    .path = {"/v1/credits", sizeof "/v1/credits" - 1},
    .is_due = is_due,
    .write = write_call,
    .read = read_answer,
    .keep = mark,
};

void credits_init(struct credits *credits, struct calls *calls) {
    for (size_t i = 0; i < DELIVERY_CALLS; i++) {
        credits->marks[i].credits = credits;
        TAILQ_INIT(&credits->marks[i].own.request.waiters);
    }
    delivery_init(&credits->delivery, &kind, credits, calls, credits->clock);
}

void credits_free(struct credits *credits) { delivery_free(&credits->delivery); }
