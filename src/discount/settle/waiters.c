#include "discount/settle/waiters.h"

#include "discount/answer.h"

static void unlink_deadline(struct waiters *waiters, struct discount_operation *operation) {
    if (operation->deadline_previous != NULL)
        operation->deadline_previous->deadline_next = operation->deadline_next;
    else
        waiters->first = operation->deadline_next;
    if (operation->deadline_next != NULL)
        operation->deadline_next->deadline_previous = operation->deadline_previous;
    else
        waiters->last = operation->deadline_previous;
    operation->deadline_next = operation->deadline_previous = NULL;
}

/* All wait equally long, so that the list is in the order of the deadlines. */
void waiters_add(struct waiters *waiters, struct operation_list *list, struct discount_operation *operation) {
    operation_list_append(list, operation);
    operation->deadline_us = clock_monotonic_us(waiters->clock) + waiters->wait_us;
    operation->deadline_next = NULL;
    operation->deadline_previous = waiters->last;
    if (waiters->last != NULL)
        waiters->last->deadline_next = operation;
    else
        waiters->first = operation;
    waiters->last = operation;
}

static void answer_with_campaign(struct waiters *waiters, struct discount_operation *operation) {
    struct campaign campaign;
    bool is_found;
    struct result outcome = reader_find_campaign(waiters->reader, operation->answer.subject, &campaign, &is_found);
    if (!result_is_ok(outcome) || !is_found) {
        answer_send_failure(operation, result_is_ok(outcome) ? result_error(RESULT_CORRUPT) : outcome);
        return;
    }
    answer_campaign(operation, 201, &campaign, clock_now_us(waiters->clock));
    answer_send(operation);
}

static void answer_with_redemption(struct waiters *waiters, struct discount_operation *operation) {
    const struct redemption *redemption = &operation->answer.redemption;
    const struct board_slot *slot = board_slot(waiters->board, redemption->campaign_number - 1);
    answer_redemption(operation, redemption, slot->id, slot->credit, operation->answer.is_maker);
    answer_send(operation);
}

void waiters_answer_now(struct waiters *waiters, struct discount_operation *operation) {
    CHECK(operation->waits_in == NULL);
    if (operation->idempotency.key.size != 0) {
        operation->store.kind = OPERATION_NOTE;
        exchange_give(operation->exchange, EXCHANGE_OF_STORE);
        struct result submitted = store_submit_internal(waiters->store, &operation->store);
        if (!result_is_ok(submitted)) {
            exchange_take(operation->exchange, EXCHANGE_OF_STORE);
            answer_send_failure(operation, submitted);
        }
    } else if (board_find_id(waiters->board, operation->answer.subject) != NULL) {
        answer_with_campaign(waiters, operation);
    } else {
        answer_with_redemption(waiters, operation);
    }
}

void waiters_end(struct waiters *waiters, int64_t now_us, bool all) {
    while (waiters->first != NULL && (all || waiters->first->deadline_us <= now_us)) {
        struct discount_operation *operation = waiters->first;
        operation_list_remove(operation->waits_in, operation);
        unlink_deadline(waiters, operation);
        waiters_answer_now(waiters, operation);
    }
}

int64_t waiters_next_us(const struct waiters *waiters) { return waiters->first == NULL ? INT64_MAX : waiters->first->deadline_us; }

struct discount_operation *waiters_take(struct waiters *waiters, struct operation_list *list) {
    struct discount_operation *operation = list->first;
    if (operation == NULL) return NULL;
    operation_list_remove(list, operation);
    unlink_deadline(waiters, operation);
    return operation;
}

size_t waiters_freeze(struct waiters *waiters, struct operation_list *from, struct operation_list *to, size_t max) {
    size_t count = 0;
    for (; count < max && from->first != NULL; count++) operation_list_append(to, waiters_take(waiters, from));
    return count;
}

void waiters_thaw(struct waiters *waiters, struct operation_list *list) {
    while (list->first != NULL) {
        struct discount_operation *operation = list->first;
        operation_list_remove(list, operation);
        waiters_answer_now(waiters, operation);
    }
}
