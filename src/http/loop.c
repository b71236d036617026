#include "http/loop.h"

#include <stdlib.h>

#include "base/check.h"

#define SPARE_EXCHANGES_MAX 1024u
#define LOOKED_AT_MAX       4096u /* who has the most is among them, unless many have nearly as many */

static _Thread_local const struct loop *this_loop;

void loop_set_thread(struct loop *loop) { this_loop = loop; }

/* ---- connections ---- */

void loop_enter_phase(struct connection *connection, enum phase phase) {
    struct loop *loop = connection->loop;
    if (connection->phase < PHASE_COUNT) {
        struct phase_list *old = &loop->phases[connection->phase];
        *(connection->previous != NULL ? &connection->previous->next : &old->first) = connection->next;
        *(connection->next != NULL ? &connection->next->previous : &old->last) = connection->previous;
    }
    connection->phase = phase;
    connection->previous = connection->next = NULL;
    if (phase == PHASE_COUNT) return;
    struct phase_list *list = &loop->phases[phase];
    connection->deadline_us = loop->now_us + list->timeout_us;
    connection->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = connection;
    list->last = connection;
}

struct connection *loop_find_waiting(const struct loop *loop, enum phase phase, const struct holder *holder,
                                     const struct connection *except) {
    size_t looked_at = 0;
    for (struct connection *found = loop->phases[phase].first; found != NULL && looked_at < LOOKED_AT_MAX;
         found = found->next, looked_at++) {
        bool fits = holder == NULL ? found->holder != NULL : found->holder == holder;
        if (fits && found != except) return found;
    }
    return NULL;
}

void loop_make_ready(struct connection *connection) {
    struct loop *loop = connection->loop;
    if (connection->is_ready) return;
    connection->is_ready = true;
    connection->next_ready = NULL;
    *(loop->ready_last != NULL ? &loop->ready_last->next_ready : &loop->ready_first) = connection;
    loop->ready_last = connection;
}

/* ---- exchanges ---- */

/* Any thread. The exchange that is being dispatched by this very thread needs no way back. */
static void deliver(struct exchange *exchange) {
    struct loop *loop = exchange->owner;
    if (this_loop == loop && loop->dispatching == exchange && !exchange_is_returned(exchange)) {
        loop->came_back = true;
        return;
    }
    bool was_empty = false;
    /* Once pushed, the exchange may be answered and the loop may end: loop_close waits until nobody is between here and the wake. */
    atomic_fetch_add(&loop->delivering, 1);
    /* An exchange waits here at most once, and the limit is above what may be in use: it cannot be full. */
    CHECK(result_is_ok(queue_push(&loop->returned, &exchange->link, &was_empty)));
    if (was_empty && this_loop != loop) waker_wake(&loop->waker); /* it looks into the queue before it sleeps */
    atomic_fetch_sub(&loop->delivering, 1);
}

struct exchange *loop_take_exchange(struct loop *loop, struct connection *connection) {
    struct exchange *exchange;
    if (loop->spare != NULL) {
        exchange = CONTAINER_OF(loop->spare, struct exchange, link);
        loop->spare = loop->spare->next;
        loop->spare_count--;
    } else {
        exchange = malloc(sizeof(*exchange));
        if (exchange == NULL) return NULL;
    }
    exchange_init(exchange, loop->service);
    exchange->deliver = deliver;
    exchange->owner = loop;
    exchange->connection = connection;
    exchange->loop_index = loop->index;
    loop->exchange_count++;
    traffic_add_exchanges(loop->traffic, 1);
    return exchange;
}

void loop_put_exchange(struct loop *loop, struct exchange *exchange) {
    CHECK(stream_close(exchange));
    exchange_clear(exchange);
    CHECK(loop->exchange_count > 0);
    loop->exchange_count--;
    traffic_add_exchanges(loop->traffic, -1);
    if (loop->spare_count >= SPARE_EXCHANGES_MAX) {
        free(exchange);
        return;
    }
    exchange->link.next = loop->spare;
    loop->spare = &exchange->link;
    loop->spare_count++;
}

bool loop_dispatch(struct loop *loop, struct exchange *exchange, void (*action)(struct exchange *exchange)) {
    CHECK(loop->dispatching == NULL);
    loop->dispatching = exchange;
    loop->came_back = false;
    action(exchange); /* from here on it may be another thread's */
    loop->dispatching = NULL;
    return loop->came_back;
}
