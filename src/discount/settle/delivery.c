#include "discount/settle/delivery.h"

#include "base/log.h"

/* As many are refused for now as a fund lacks, each of them again and again. */
static struct log_burst refusals = {.window_us = CLOCK_SECOND_US, .lines_max = 10};

void delivery_init(struct delivery *delivery, const struct delivery_kind *kind, void *context, struct calls *calls,
                   const struct clock *clock) {
    delivery->kind = kind;
    delivery->context = context;
    delivery->calls = calls;
    delivery->clock = clock;
    TAILQ_INIT(&delivery->ready);
    TAILQ_INIT(&delivery->delayed);
    for (size_t i = 0; i < DELIVERY_CALLS; i++) {
        delivery->batches[i].delivery = delivery;
        delivery->batches[i].index = i;
        arena_init(&delivery->batches[i].arena, LIMIT_BATCH_ARENA_BYTES);
    }
}

void delivery_free(struct delivery *delivery) {
    for (size_t i = 0; i < DELIVERY_CALLS; i++) arena_release(&delivery->batches[i].arena);
}

/* ---- items ---- */

static void make_ready(struct delivery *delivery, struct delivery_item *item) {
    item->state = DELIVERY_READY;
    TAILQ_INSERT_TAIL(&delivery->ready, item, link);
    delivery->ready_count++;
}

void delivery_add(struct delivery *delivery, struct delivery_item *item) {
    CHECK(item->state == DELIVERY_IDLE);
    make_ready(delivery, item);
}

static void delay(struct delivery *delivery, struct delivery_item *item, int64_t retry_after_ms) {
    CHECK(item->state == DELIVERY_IN_FLIGHT || item->state == DELIVERY_KEEPING);
    backoff_fail(&item->backoff, clock_monotonic_us(delivery->clock), retry_after_ms);
    item->state = DELIVERY_DELAYED;
    TAILQ_INSERT_TAIL(&delivery->delayed, item, link);
}

void delivery_take_back(struct delivery *delivery, struct delivery_item *item) {
    CHECK(item->state == DELIVERY_DELAYED);
    TAILQ_REMOVE(&delivery->delayed, item, link);
    item->state = DELIVERY_IDLE;
}

void delivery_wake_delayed(struct delivery *delivery, int64_t now_us) {
    struct delivery_item *next;
    for (struct delivery_item *item = TAILQ_FIRST(&delivery->delayed); item != NULL; item = next) {
        next = TAILQ_NEXT(item, link);
        if (item->backoff.retry_at_us > now_us) continue;
        TAILQ_REMOVE(&delivery->delayed, item, link);
        make_ready(delivery, item);
    }
}

int64_t delivery_next_us(const struct delivery *delivery, int64_t now_us) {
    int64_t at_us = INT64_MAX;
    const struct delivery_item *item;
    if (!TAILQ_EMPTY(&delivery->ready) && delivery->backoff.retry_at_us > now_us) at_us = delivery->backoff.retry_at_us;
    TAILQ_FOREACH(item, &delivery->delayed, link) {
        if (item->backoff.retry_at_us < at_us) at_us = item->backoff.retry_at_us;
    }
    return at_us;
}

/* ---- sending ---- */

static struct delivery_batch *free_batch(struct delivery *delivery) {
    for (size_t i = 0; i < DELIVERY_CALLS; i++) {
        if (delivery->batches[i].state == BATCH_FREE) return &delivery->batches[i];
    }
    return NULL;
}

static size_t busy_batches(const struct delivery *delivery) {
    size_t count = 0;
    for (size_t i = 0; i < DELIVERY_CALLS; i++) count += delivery->batches[i].state != BATCH_FREE;
    return count;
}

bool delivery_is_busy(const struct delivery *delivery) { return busy_batches(delivery) > 0; }

/* Takes ready items in their order; those that are not due after all go back to their owner. */
static void collect(struct delivery_batch *batch) {
    struct delivery *delivery = batch->delivery;
    size_t most = DELIVERY_ITEMS_MAX;
    batch->item_count = 0;
    while (!TAILQ_EMPTY(&delivery->ready) && batch->item_count < most) {
        struct delivery_item *item = TAILQ_FIRST(&delivery->ready);
        size_t item_most = item->batch_max != 0 && item->batch_max < most ? item->batch_max : most;
        if (batch->item_count >= item_most) return;
        TAILQ_REMOVE(&delivery->ready, item, link);
        delivery->ready_count--;
        item->state = DELIVERY_IDLE;
        if (!delivery->kind->is_due(delivery->context, item)) continue;
        item->state = DELIVERY_IN_FLIGHT;
        batch->items[batch->item_count++] = item;
        most = item_most;
    }
}

static void end_batch(struct delivery_batch *batch) {
    batch->item_count = 0;
    batch->state = BATCH_FREE;
}

/* All of it again, later: the outcome is unknown, or nothing was done. */
static void give_back(struct delivery_batch *batch, int64_t retry_after_ms) {
    struct delivery *delivery = batch->delivery;
    metric_add(&calls_metric_retries, (int64_t)batch->item_count);
    for (size_t i = 0; i < batch->item_count; i++) make_ready(delivery, batch->items[i]);
    end_batch(batch);
    backoff_fail(&delivery->backoff, clock_monotonic_us(delivery->clock), retry_after_ms);
}

static void call_done(struct http_call *call);

static bool start_call(struct delivery_batch *batch) {
    struct delivery *delivery = batch->delivery;
    batch->call = (struct http_call){.done = call_done, .context = batch};
    return delivery->kind->write(delivery->context, batch) &&
           result_is_ok(calls_start(delivery->calls, &batch->call, delivery->kind->path, &batch->arena));
}

static void send_batch(struct delivery_batch *batch) {
    arena_release(&batch->arena);
    collect(batch);
    if (batch->item_count == 0) return;
    batch->state = BATCH_IN_FLIGHT;
    if (start_call(batch))
        metric_observe(batch->delivery->kind->batch_size, (int64_t)batch->item_count);
    else
        give_back(batch, 0);
}

void delivery_send(struct delivery *delivery, int64_t now_us) {
    if (now_us < delivery->backoff.retry_at_us) return;
    /* While nothing comes back one call is enough to find out. */
    size_t most = delivery->backoff.attempts > 0 ? 1 : delivery->ready_count >= DELIVERY_CROWDED ? DELIVERY_CALLS : 2;
    while (!TAILQ_EMPTY(&delivery->ready) && busy_batches(delivery) < most) {
        struct delivery_batch *batch = free_batch(delivery);
        send_batch(batch);
        if (batch->state == BATCH_FREE) return; /* nothing to send after all, or it could not be sent */
    }
}

/* ---- the answer ---- */

static void note_failure(const struct delivery_batch *batch, const char *reason) {
    const struct delivery_kind *kind = batch->delivery->kind;
    calls_note_failure(batch->delivery->calls, &batch->call);
    LOG(LOG_WARN, kind->failed_event, LOG_STRING("reason", reason), LOG_INTEGER("status", batch->call.status),
        LOG_INTEGER(kind->items_name, batch->item_count), LOG_INTEGER("attempts", batch->delivery->backoff.attempts + 1));
}

/* Refused as such: half of it may be fine. A single one that is refused is tried again, later and later. */
static void split(struct delivery_batch *batch) {
    struct delivery *delivery = batch->delivery;
    const struct delivery_kind *kind = delivery->kind;
    size_t half = (batch->item_count + 1) / 2;
    bool is_single = batch->item_count == 1;
    for (size_t i = 0; i < batch->item_count; i++) {
        struct delivery_item *item = batch->items[i];
        item->batch_max = half;
        if (is_single) {
            metric_add(kind->refused, 1);
            LOG_BURST(&refusals, LOG_ERROR, kind->refused_event, LOG_ID(kind->item_name, item->id),
                      LOG_INTEGER("status", batch->call.status));
            delay(delivery, item, batch->call.retry_after_ms);
        } else {
            make_ready(delivery, item);
        }
    }
    metric_add(&calls_metric_retries, (int64_t)batch->item_count);
    end_batch(batch);
}

/* Puts the settled items to the front of the batch and sends the others on their way to another try. */
static void sort_out(struct delivery_batch *batch) {
    struct delivery *delivery = batch->delivery;
    const struct delivery_kind *kind = delivery->kind;
    size_t settled = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        struct delivery_item *item = batch->items[i];
        const struct delivery_outcome *outcome = &batch->outcomes[i];
        CHECK(outcome->verdict != DELIVERY_MISSING);
        if (outcome->verdict == DELIVERY_LATER) {
            metric_add(kind->refused, 1);
            LOG_BURST(&refusals, LOG_WARN, kind->refused_event, LOG_ID(kind->item_name, item->id), LOG_TEXT("code", outcome->code),
                      LOG_INTEGER("attempts", item->backoff.attempts + 1));
            delay(delivery, item, 0);
            continue;
        }
        item->state = DELIVERY_KEEPING;
        batch->items[settled] = item;
        batch->outcomes[settled] = *outcome;
        settled++;
    }
    batch->item_count = settled;
}

static bool read_answer(struct delivery_batch *batch) {
    struct delivery *delivery = batch->delivery;
    batch->outcomes = ARENA_NEW_ARRAY(&batch->arena, struct delivery_outcome, batch->item_count);
    return batch->outcomes != NULL && result_is_ok(delivery->kind->read(delivery->context, batch, batch->call.reply));
}

static void take_answer(struct delivery_batch *batch) {
    struct delivery *delivery = batch->delivery;
    if (!read_answer(batch)) {
        note_failure(batch, "the answer does not fit the batch");
        give_back(batch, 0);
        return;
    }
    if (delivery->backoff.attempts > 0) LOG(LOG_INFO, delivery->kind->back_event, LOG_INTEGER("attempts", delivery->backoff.attempts));
    backoff_clear(&delivery->backoff);
    sort_out(batch);
    if (batch->item_count == 0) {
        end_batch(batch);
        return;
    }
    batch->state = BATCH_KEEPING;
    delivery->kind->keep(delivery->context, batch);
}

static void judge(struct delivery_batch *batch) {
    const struct http_call *call = &batch->call;
    if (!result_is_ok(call->outcome)) {
        note_failure(batch, result_name(call->outcome));
        give_back(batch, 0);
    } else if (call->status == 413 || call->status == 422) {
        note_failure(batch, "refused as a whole");
        split(batch);
    } else if (call->status != 200) {
        note_failure(batch, "status");
        give_back(batch, call->retry_after_ms);
    } else {
        take_answer(batch);
    }
}

static void call_done(struct http_call *call) {
    struct delivery_batch *batch = call->context;
    calls_judge(batch->delivery->calls, call);
    judge(batch);
    http_call_clear(call);
}

/* ---- the outcomes are kept, or not ---- */

void delivery_kept(struct delivery_batch *batch) {
    CHECK(batch->state == BATCH_KEEPING);
    for (size_t i = 0; i < batch->item_count; i++) batch->items[i]->state = DELIVERY_IDLE;
    end_batch(batch);
}

void delivery_not_kept(struct delivery_batch *batch) {
    CHECK(batch->state == BATCH_KEEPING);
    for (size_t i = 0; i < batch->item_count; i++) delay(batch->delivery, batch->items[i], 0);
    end_batch(batch);
}
