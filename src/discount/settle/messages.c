#include "discount/settle/messages.h"

#define QUEUE_LIMIT (LIMIT_LOOPS * LIMIT_EXCHANGES + 64u) /* every exchange and all of our own: it is never full */

struct result messages_init(struct messages *messages) {
    *messages = (struct messages){0};
    queue_init(&messages->queue, QUEUE_LIMIT);
    return waker_init(&messages->waker);
}

void messages_free(struct messages *messages) { waker_close(&messages->waker); }

void messages_push(struct messages *messages, struct discount_operation *operation) {
    bool was_empty;
    CHECK(result_is_ok(queue_push(&messages->queue, &operation->operation.store.link, &was_empty)));
    if (was_empty) waker_wake(&messages->waker);
}

void messages_poke(struct messages *messages) {
    atomic_store_explicit(&messages->is_poked, true, memory_order_release);
    waker_wake(&messages->waker);
}

/* ---- through the store ---- */

static void give_waiters(const struct operation_list *waiters, enum exchange_owner owner) {
    const struct discount_operation *waiter;
    TAILQ_FOREACH(waiter, waiters, link)
    exchange_give(waiter->operation.exchange, owner);
}

static void take_waiters(const struct operation_list *waiters, enum exchange_owner owner) {
    const struct discount_operation *waiter;
    TAILQ_FOREACH(waiter, waiters, link)
    exchange_take(waiter->operation.exchange, owner);
}

/* Their answers are committed. */
static void answer_frozen(struct operation_list *waiters) {
    struct discount_operation *waiter;
    while ((waiter = TAILQ_FIRST(waiters)) != NULL) {
        operation_list_remove(waiters, waiter);
        operation_return(&waiter->operation);
    }
}

/* The store's thread. It owns the operation and the waiters that were frozen for it: whoever's answer is committed hears it from here, without
 * waiting until the settler is awake. */
static void own_done(struct store_operation *store, struct result outcome) {
    struct own_operation *own = (struct own_operation *)operation_of(store);
    struct own_request *request = &own->request;
    own->outcome = outcome;
    take_waiters(&request->waiters, EXCHANGE_OF_STORE);
    if (result_is_ok(outcome)) {
        discount_log_change(&request->base);
        answer_frozen(&request->waiters);
    }
    give_waiters(&request->waiters, EXCHANGE_OF_SETTLER); /* those whose answer is not committed */
    messages_push(own->messages, &request->base);
}

bool own_submit(struct messages *messages, struct own_operation *own, const struct action *action) {
    struct operation *operation = &own->request.base.operation;
    own->messages = messages;
    operation->action = action;
    operation->store.done = own_done;
    give_waiters(&own->request.waiters, EXCHANGE_OF_STORE);
    if (!result_is_ok(store_submit_internal(messages->store, &operation->store))) {
        take_waiters(&own->request.waiters, EXCHANGE_OF_STORE);
        return false;
    }
    messages->in_store++;
    return true;
}

/* ---- what has come ---- */

bool messages_take(struct messages *messages, messages_visitor *visit, void *context) {
    struct queue_link *next;
    for (struct queue_link *link = queue_take_all(&messages->queue); link != NULL; link = next) {
        next = link->next;
        struct operation *operation = operation_of(CONTAINER_OF(link, struct store_operation, link));
        if (operation->exchange != NULL) {
            exchange_take(operation->exchange, EXCHANGE_OF_SETTLER);
            visit(context, discount_operation_of(operation));
            continue;
        }
        struct own_operation *own = (struct own_operation *)operation;
        CHECK(messages->in_store > 0);
        messages->in_store--;
        take_waiters(&own->request.waiters, EXCHANGE_OF_SETTLER);
        own->returned(own, own->outcome);
    }
    return atomic_exchange_explicit(&messages->is_poked, false, memory_order_acquire);
}
