#include "discount/settle/reversals.h"

#include <string.h>

#include "base/json/json.h"
#include "base/log.h"
#include "base/pages.h"
#include "discount/settle/reply.h"
#include "discount/tables.h"

#define ITEM_BYTES 512u /* of the body; for the first guess */

#define REVERSALS(outcome_)                                                                                      \
    {                                                                                                            \
        .name = "discountd_reversals_total", .help = "Credits that were to be taken back, by what Wallet said.", \
        .labels = "outcome=\"" outcome_ "\"", .kind = METRIC_COUNTER                                             \
    }
struct metric reversals_metric_reversed = REVERSALS("reversed");
struct metric reversals_metric_kept = REVERSALS("refused");
struct metric reversals_metric_refused = {.name = "discountd_reversals_refused_total",
                                          .help = "Reversals that Wallet refused for now; they are tried again.",
                                          .labels = "",
                                          .kind = METRIC_COUNTER};
struct metric reversals_metric_batch_size = {.name = "discountd_reversals_batch_size",
                                             .help = "Reversals in one call.",
                                             .labels = "",
                                             .kind = METRIC_HISTOGRAM};

/* ---- the pool ---- */

static struct owed_reversal *reversal_of_item(struct delivery_item *item) { return CONTAINER_OF(item, struct owed_reversal, item); }

static struct text key_of(const struct owed_reversal *reversal) {
    return (struct text){(const char *)reversal->item.id.bytes, sizeof reversal->item.id.bytes};
}

static struct owed_reversal *find(const struct reversals *reversals, struct id id) {
    return map_get(&reversals->by_id, (struct text){(const char *)id.bytes, sizeof id.bytes});
}

static struct owed_reversal *take_free(struct reversals *reversals) {
    if (reversals->free_count == 0) return NULL;
    reversals->free_count--;
    struct owed_reversal *reversal = TAILQ_FIRST(&reversals->free);
    if (reversal == NULL) return &reversals->memory[reversals->used_count++];
    TAILQ_REMOVE(&reversals->free, reversal, link);
    return reversal;
}

static struct owed_reversal *add(struct reversals *reversals, const struct redemption *redemption, struct text reason) {
    struct owed_reversal *reversal = take_free(reversals);
    if (reversal == NULL) {
        reversals->must_look = true;
        return NULL;
    }
    *reversal = (struct owed_reversal){.item.id = redemption->id,
                                       .is_given = true,
                                       .campaign_number = redemption->campaign_number,
                                       .code_batch = redemption->code_batch,
                                       .code_index = redemption->code_index,
                                       .reason_size = (uint16_t)reason.size};
    memcpy(reversal->reason, reason.data, reason.size);
    TAILQ_INIT(&reversal->waiters);
    CHECK(result_is_ok(map_put(&reversals->by_id, key_of(reversal), reversal)));
    delivery_add(&reversals->delivery, &reversal->item);
    return reversal;
}

static void answer_waiters(struct reversals *reversals, struct owed_reversal *reversal) {
    struct discount_operation *waiter;
    while ((waiter = waiters_take(reversals->waiters, &reversal->waiters)) != NULL) waiters_answer_now(reversals->waiters, waiter);
}

/* IDLE in the delivery. */
static void forget(struct reversals *reversals, struct owed_reversal *reversal) {
    answer_waiters(reversals, reversal);
    CHECK(reversal->is_given && reversal->item.state == DELIVERY_IDLE);
    CHECK(map_remove(&reversals->by_id, key_of(reversal)) == reversal);
    reversal->is_given = false;
    TAILQ_INSERT_TAIL(&reversals->free, reversal, link);
    reversals->free_count++;
}

/* ---- what the database owes ---- */

struct look {
    struct reversals *reversals;
    struct owed_reversal *found; /* the last one */
    size_t count;                /* of rows */
};

static struct result visit_owed(void *context, const struct row *row) {
    struct look *look = context;
    struct reversals *reversals = look->reversals;
    struct reversal reversal;
    struct redemption redemption;
    TRY(reversal_of_row(row, 0, &reversal));
    TRY(sound_redemption_of_row(row, REVERSAL_COLUMNS_COUNT, &redemption));
    look->count++;
    reversals->looked_at = redemption_key(redemption.campaign_number, redemption.position);
    look->found = find(reversals, redemption.id);
    if (look->found == NULL) look->found = add(reversals, &redemption, reversal_reason(&reversal));
    return result_ok();
}

static struct result note_owed(void *context, const struct row *row) {
    (void)row;
    *(bool *)context = true;
    return result_ok();
}

void reversals_wait(struct reversals *reversals, struct discount_operation *operation) {
    struct look look = {.reversals = reversals, .found = find(reversals, operation->redemption.id)};
    int64_t looked_at = reversals->looked_at;
    if (look.found == NULL) {
        ask_owed_reversal(reversals->batch, operation->redemption.id, visit_owed, &look);
        reversals->must_look |= !result_is_ok(batch_run(reversals->batch));
        reversals->looked_at = looked_at;
    }
    if (look.found != NULL)
        waiters_add(reversals->waiters, &look.found->waiters, operation);
    else
        waiters_answer_now(reversals->waiters, operation);
}

bool reversals_take_again(void *context, const struct redemption *redemption) {
    struct reversals *reversals = context;
    if (find(reversals, redemption->id) != NULL) return true;
    bool must_look = reversals->must_look;
    struct owed_reversal *reversal = add(reversals, redemption, TEXT("It was taken back before."));
    reversals->must_look = must_look; /* it is found by no look */
    if (reversal != NULL) reversal->is_again = true;
    return reversal != NULL;
}

static int64_t next_look_us(const struct reversals *reversals) {
    bool has_room = reversals->free_count >= REVERSALS_MAX / 2;
    return (reversals->must_look || reversals->is_looking) && has_room ? reversals->lookup.retry_at_us : INT64_MAX;
}

void reversals_look(struct reversals *reversals, int64_t now_us) {
    if (now_us < next_look_us(reversals)) return;
    if (!reversals->is_looking) {
        reversals->looked_at = 0;
        reversals->must_look = false; /* whoever finds no room from now on asks for another walk */
    }
    struct look look = {.reversals = reversals};
    size_t most = reversals->free_count;
    ask_owed_reversals(reversals->batch, reversals->looked_at, (int64_t)most, visit_owed, &look);
    if (!result_is_ok(batch_run(reversals->batch))) {
        LOG(LOG_ERROR, "reversals_not_read", LOG_INTEGER("attempts", reversals->lookup.attempts + 1));
        backoff_fail(&reversals->lookup, now_us, 0);
        reversals->is_looking = false;
        reversals->must_look = true;
        return;
    }
    backoff_clear(&reversals->lookup);
    reversals->is_looking = look.count == most; /* there may be more behind it */
}

/* ---- sending ---- */

/* One that was tried before may not be owed any more: Wallet had lost its credit, and has refused to give it again. */
static bool is_due(void *context, struct delivery_item *item) {
    struct reversals *reversals = context;
    struct owed_reversal *reversal = reversal_of_item(item);
    bool is_owed = false;
    if (item->backoff.attempts == 0 || reversal->is_again) return true;
    ask_owed_reversal(reversals->batch, item->id, note_owed, &is_owed);
    if (!result_is_ok(batch_run(reversals->batch)) || is_owed) return true;
    forget(reversals, reversal);
    return false;
}

static bool write_call(void *context, struct delivery_batch *batch) {
    struct buffer buffer;
    (void)context;
    buffer_init(&buffer, &batch->arena, batch->item_count * ITEM_BYTES + 32);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "items");
    json_begin_array(&writer);
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct owed_reversal *reversal = reversal_of_item(batch->items[i]);
        json_begin_object(&writer);
        json_id_member(&writer, "reference", reversal->item.id);
        json_text_member(&writer, "reason", (struct text){reversal->reason, reversal->reason_size});
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    batch->call.method = "POST";
    batch->call.body = buffer.failed ? (struct text){0} : buffer_text(&buffer);
    return batch->call.body.data != NULL;
}

/* Refusals that are final until somebody asks again (api/wallet.yaml). Everything else is tried again. */
static bool is_final(struct text code) {
    return text_equal(code, TEXT("insufficient_funds")) || text_equal(code, TEXT("account_frozen")) ||
           text_equal(code, TEXT("account_closed"));
}

static struct result read_answer(void *context, struct delivery_batch *batch, struct text reply) {
    (void)context;
    return reply_read_by(batch, reply, is_final);
}

/* ---- marking ---- */

static struct taken_back outcome_of(const struct owed_reversal *reversal, const struct delivery_outcome *outcome) {
    bool is_refused = outcome->verdict == DELIVERY_REFUSED;
    if (is_refused) LOG(LOG_WARN, "reversal_refused", LOG_ID("redemption_id", reversal->item.id), LOG_TEXT("code", outcome->code));
    return (struct taken_back){.redemption_id = reversal->item.id,
                               .is_refused = is_refused,
                               .transaction_id = outcome->transaction_id,
                               .refusal = outcome->code};
}

static size_t freeze_waiters(struct reversal_mark *mark) {
    size_t frozen = 0;
    CHECK(TAILQ_EMPTY(&mark->own.request.waiters));
    for (size_t i = 0; i < mark->batch->item_count && frozen < MARK_WAITERS_MAX; i++) {
        struct owed_reversal *reversal = reversal_of_item(mark->batch->items[i]);
        frozen += waiters_freeze(mark->reversals->waiters, &reversal->waiters, &mark->own.request.waiters, MARK_WAITERS_MAX - frozen);
    }
    return frozen;
}

static void mark_returned(struct own_operation *own, struct result outcome) {
    struct reversal_mark *mark = CONTAINER_OF(own, struct reversal_mark, own);
    struct delivery_batch *batch = mark->batch;
    size_t count = batch->item_count;
    waiters_thaw(mark->reversals->waiters, &own->request.waiters);
    if (!result_is_ok(outcome)) {
        delivery_not_kept(batch);
        return;
    }
    delivery_kept(batch);
    if (own->request.promoted > 0) claims_look(mark->reversals->claims);
    for (size_t i = 0; i < count; i++) {
        metric_add(mark->outcomes[i].is_refused ? &reversals_metric_kept : &reversals_metric_reversed, 1);
        forget(mark->reversals, reversal_of_item(batch->items[i]));
    }
}

static void mark(void *context, struct delivery_batch *batch) {
    struct reversals *reversals = context;
    struct reversal_mark *mark = &reversals->marks[batch->index];
    CHECK(batch->item_count <= REVERSALS_MAX); /* there are no more */
    mark->batch = batch;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct owed_reversal *reversal = reversal_of_item(batch->items[i]);
        mark->outcomes[i] = outcome_of(reversal, &batch->outcomes[i]);
        mark->subjects[i] =
            (struct reversal_subject){reversal->item.id, reversal->code_batch, reversal->code_index, reversal->campaign_number};
    }
    mark->own.request.promoted = 0;
    mark->own.request.taken_back.items = mark->outcomes;
    mark->own.request.taken_back.subjects = mark->subjects;
    mark->own.request.taken_back.count = batch->item_count;
    mark->own.request.base.operation.store.weight = (uint32_t)(batch->item_count * REVERSAL_WEIGHT + freeze_waiters(mark));
    mark->own.returned = mark_returned;
    if (!own_submit(reversals->messages, &mark->own, &taken_back_action)) mark_returned(&mark->own, result_error(RESULT_UNAVAILABLE));
}

/* ---- all of it ---- */

int64_t reversals_next_us(const struct reversals *reversals, int64_t now_us) {
    int64_t send_us = delivery_next_us(&reversals->delivery, now_us), look_us = next_look_us(reversals);
    return look_us < send_us ? look_us : send_us;
}

void reversals_send(struct reversals *reversals, int64_t now_us) {
    delivery_wake_delayed(&reversals->delivery, now_us);
    delivery_send(&reversals->delivery, now_us);
}

static const struct delivery_kind kind = {
    .item_name = "redemption_id",
    .items_name = "reversals",
    .failed_event = "reversals_failed",
    .refused_event = "reversal_delayed",
    .back_event = "wallet_is_back",
    .refused = &reversals_metric_refused,
    .batch_size = &reversals_metric_batch_size,
    .path = {"/v1/credits/reversals", sizeof "/v1/credits/reversals" - 1},
    .is_due = is_due,
    .write = write_call,
    .read = read_answer,
    .keep = mark,
};

struct result reversals_init(struct reversals *reversals, struct calls *calls) {
    reversals->memory = pages_take(REVERSALS_MAX, sizeof *reversals->memory);
    if (reversals->memory == NULL) return result_error(RESULT_FULL);
    TRY(map_init(&reversals->by_id, REVERSALS_MAX));
    TAILQ_INIT(&reversals->free);
    reversals->free_count = REVERSALS_MAX;
    reversals->must_look = true; /* what was owed before we started */
    for (size_t i = 0; i < DELIVERY_CALLS; i++) {
        reversals->marks[i].reversals = reversals;
        TAILQ_INIT(&reversals->marks[i].own.request.waiters);
    }
    delivery_init(&reversals->delivery, &kind, reversals, calls, reversals->clock);
    return result_ok();
}

void reversals_free(struct reversals *reversals) {
    if (reversals->memory != NULL) delivery_free(&reversals->delivery);
    map_free(&reversals->by_id);
    pages_free(reversals->memory, REVERSALS_MAX, sizeof *reversals->memory);
}
