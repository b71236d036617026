#include "discount/settle/waiters.h"

#include "discount/own.h"
#include "discount/tables.h"
#include "http/problem.h"

void waiters_init(struct waiters *waiters, const struct board *board, const struct clock *clock, struct batch *batch, int64_t wait_us) {
    *waiters = (struct waiters){.board = board, .clock = clock, .batch = batch, .wait_us = wait_us};
    TAILQ_INIT(&waiters->by_deadline);
}

/* All wait equally long, so that the list is in the order of the deadlines. */
void waiters_add(struct waiters *waiters, struct operation_list *list, struct discount_operation *operation) {
    operation_list_append(list, operation);
    operation->deadline_us = clock_monotonic_us(waiters->clock) + waiters->wait_us;
    TAILQ_INSERT_TAIL(&waiters->by_deadline, operation, deadline_link);
}

/* Out of its list, and out of the deadlines. */
static void end_wait(struct waiters *waiters, struct discount_operation *operation) {
    operation_list_remove(operation->waits_in, operation);
    TAILQ_REMOVE(&waiters->by_deadline, operation, deadline_link);
}

/* What was made or met is known: its loop makes the answer of it. */
static void answer(struct waiters *waiters, struct discount_operation *waiter) {
    waiter->operation.fate = FATE_DECIDED;
    waiter->operation.answer = (struct answer){0};
    waiter->decided_us = clock_now_us(waiters->clock);
    operation_return(&waiter->operation);
}

/* What it asked for is committed: whatever fails now, it is not told that nothing was done. */
static void refuse(struct discount_operation *waiter) {
    problem_reply(waiter->operation.exchange, &problem_storage_unavailable,
                  "It is done, but the storage does not answer now. Ask again, with the same Idempotency-Key.");
    exchange_finish(waiter->operation.exchange);
}

static void answer_with_campaign(struct waiters *waiters, struct discount_operation *waiter) {
    struct found_campaign found = {0};
    ask_campaign(waiters->batch, waiter->operation.subject, campaign_found, &found);
    if (!result_is_ok(batch_run(waiters->batch)) || !found.is_found) {
        refuse(waiter);
        return;
    }
    *waiter->campaign = found.campaign; /* its own memory, named by whoever decided that it waits */
    waiter->verdict = CAMPAIGN_DONE;
    answer(waiters, waiter);
}

/* ---- by way of the record of its key ---- */

static void note_done(struct store_operation *store, struct result outcome) {
    struct own_request *request = (struct own_request *)operation_of(store);
    struct discount_operation *waiter = TAILQ_FIRST(&request->waiters);
    operation_list_remove(&request->waiters, waiter);
    exchange_take(waiter->operation.exchange, EXCHANGE_OF_STORE);
    if (result_is_ok(outcome))
        operation_return(&waiter->operation);
    else
        refuse(waiter);
}

/* The note lives in the request's arena, and is gone with it. */
static void answer_by_note(struct waiters *waiters, struct discount_operation *waiter) {
    struct own_request *note = ARENA_NEW(waiter->operation.arena, struct own_request);
    if (note == NULL) {
        refuse(waiter);
        return;
    }
    *note = (struct own_request){.base.operation = {.action = &note_action, .store.done = note_done}};
    TAILQ_INIT(&note->waiters);
    operation_list_append(&note->waiters, waiter);
    exchange_give(waiter->operation.exchange, EXCHANGE_OF_STORE);
    struct result submitted = store_submit_internal(waiters->store, &note->base.operation.store);
    if (result_is_ok(submitted)) return;
    exchange_take(waiter->operation.exchange, EXCHANGE_OF_STORE);
    refuse(waiter);
}

void waiters_answer_now(struct waiters *waiters, struct discount_operation *waiter) {
    CHECK(waiter->waits_in == NULL);
    if (waiter->operation.idempotency.key.size != 0)
        answer_by_note(waiters, waiter);
    else if (board_find_id(waiters->board, waiter->operation.subject) != NULL)
        answer_with_campaign(waiters, waiter);
    else
        answer(waiters, waiter);
}

void waiters_move(struct waiters *waiters, struct discount_operation *operation, struct operation_list *to) {
    if (to == NULL) {
        end_wait(waiters, operation);
        waiters_answer_now(waiters, operation);
        return;
    }
    operation_list_remove(operation->waits_in, operation);
    operation_list_append(to, operation);
}

void waiters_end(struct waiters *waiters, int64_t now_us, bool all) {
    struct discount_operation *operation;
    while ((operation = TAILQ_FIRST(&waiters->by_deadline)) != NULL && (all || operation->deadline_us <= now_us)) {
        end_wait(waiters, operation);
        waiters_answer_now(waiters, operation);
    }
}

int64_t waiters_next_us(const struct waiters *waiters) {
    return TAILQ_EMPTY(&waiters->by_deadline) ? INT64_MAX : TAILQ_FIRST(&waiters->by_deadline)->deadline_us;
}

struct discount_operation *waiters_take(struct waiters *waiters, struct operation_list *list) {
    struct discount_operation *operation = TAILQ_FIRST(list);
    if (operation != NULL) end_wait(waiters, operation);
    return operation;
}

size_t waiters_freeze(struct waiters *waiters, struct operation_list *from, struct operation_list *to, size_t max) {
    size_t count = 0;
    for (; count < max && !TAILQ_EMPTY(from); count++) operation_list_append(to, waiters_take(waiters, from));
    return count;
}

/* What an own operation that was not committed has made of it is not so: it is a claim as before, or on its way back. (A campaign is read anew.) */
static void undo(struct waiters *waiters, struct discount_operation *waiter) {
    if (board_find_id(waiters->board, waiter->operation.subject) != NULL) return;
    struct redemption *redemption = &waiter->redemption;
    if (waiter->is_reversal) {
        redemption->status = REDEMPTION_REVERSING;
        redemption->failure_size = 0;
        return;
    }
    redemption->status = REDEMPTION_CLAIMED;
    redemption->settled_at_us = 0;
    redemption->transaction_id = (struct id){{0}};
    redemption->failure_size = 0;
}

void waiters_thaw(struct waiters *waiters, struct operation_list *list) {
    struct discount_operation *operation;
    while ((operation = TAILQ_FIRST(list)) != NULL) {
        operation_list_remove(list, operation);
        undo(waiters, operation);
        waiters_answer_now(waiters, operation);
    }
}
