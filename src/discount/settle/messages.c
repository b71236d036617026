#include "discount/settle/messages.h"

#include "base/planted.h"
#include "discount/answer.h"

#define QUEUE_LIMIT (LIMIT_LOOPS * LIMIT_EXCHANGES + 64u) /* every exchange and all of our own: it is never full */

struct result messages_init(struct messages *messages) {
    *messages = (struct messages){.waker.fd = -1};
    queue_init(&messages->queue, QUEUE_LIMIT);
    return waker_init(&messages->waker);
}

void messages_free(struct messages *messages) { waker_close(&messages->waker); }

void messages_push(struct messages *messages, struct discount_operation *operation) {
    bool was_empty;
    CHECK(result_is_ok(queue_push(&messages->queue, &operation->store.link, &was_empty)));
    if (was_empty && !PLANTED(SETTLER_NOT_WOKEN)) waker_wake(&messages->waker);
}

void messages_poke(struct messages *messages) {
    atomic_store_explicit(&messages->is_poked, true, memory_order_release);
    waker_wake(&messages->waker);
}

/* ---- through the store ---- */

static void give_waiters(const struct operation_list *waiters, enum exchange_owner owner) {
    for (const struct discount_operation *waiter = waiters->first; waiter != NULL; waiter = waiter->next)
        exchange_give(waiter->exchange, owner);
}

static void take_waiters(const struct operation_list *waiters, enum exchange_owner owner) {
    for (const struct discount_operation *waiter = waiters->first; waiter != NULL; waiter = waiter->next)
        exchange_take(waiter->exchange, owner);
}

/* Their answers are committed. */
static void answer_frozen(struct operation_list *waiters) {
    while (waiters->first != NULL) {
        struct discount_operation *operation = waiters->first;
        operation_list_remove(waiters, operation);
        answer_send(operation);
    }
}

/* The store's thread. It owns the operation and the waiters that were frozen for it: whoever's answer is committed hears it from here, without
 * waiting until the settler is awake. */
static void own_done(struct store_operation *store_operation, struct result outcome) {
    struct discount_operation *operation = operation_of(store_operation);
    struct own_operation *own = CONTAINER_OF(operation, struct own_operation, operation);
    own->outcome = outcome;
    take_waiters(&operation->waiters, EXCHANGE_OF_STORE);
    if (result_is_ok(outcome)) {
        answer_log(operation);
        answer_frozen(&operation->waiters);
    }
    give_waiters(&operation->waiters, EXCHANGE_OF_SETTLER); /* those whose answer is not committed */
    messages_push(own->messages, operation);
}

bool own_submit(struct messages *messages, struct own_operation *own, enum operation_kind kind) {
    own->messages = messages;
    own->operation.store.kind = kind;
    own->operation.store.done = own_done;
    give_waiters(&own->operation.waiters, EXCHANGE_OF_STORE);
    if (!result_is_ok(store_submit_internal(messages->store, &own->operation.store))) {
        take_waiters(&own->operation.waiters, EXCHANGE_OF_STORE);
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
        struct discount_operation *operation = operation_of(CONTAINER_OF(link, struct store_operation, link));
        if (operation->exchange != NULL) {
            exchange_take(operation->exchange, EXCHANGE_OF_SETTLER);
            visit(context, operation);
            continue;
        }
        struct own_operation *own = CONTAINER_OF(operation, struct own_operation, operation);
        CHECK(messages->in_store > 0);
        messages->in_store--;
        take_waiters(&operation->waiters, EXCHANGE_OF_SETTLER);
        own->returned(own, own->outcome);
    }
    return atomic_exchange_explicit(&messages->is_poked, false, memory_order_acquire);
}
