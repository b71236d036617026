/* Between the settler's thread and all others: requests that shall wait, our own operations on their way through the store, and pokes.
 *
 *   any thread:        messages_push, messages_poke ─▶ queue, flag ─▶ messages_take    the settler's thread
 *   settler's thread:  own_submit ─▶ the store ─▶ its waiters are answered after the commit ─▶ queue ─▶ messages_take ─▶ own->returned
 *
 * Invariants: what was submitted comes back once, whatever became of it, and until then its memory is the store's; `in_store` counts what has not
 * come back; the settler is woken only when the queue was empty, or by a poke. */
#pragma once

#include "discount/own.h"

/* One of the settler's own (discount/own.h). Lives in the memory of who submits it. */
struct own_operation {
    struct own_request request; /* first */
    struct messages *messages;
    void (*returned)(struct own_operation *own, struct result outcome); /* the settler's thread; may submit it again */
    struct result outcome;
};

struct messages {
    struct store *store; /* set before the first own_submit */
    struct queue queue;
    struct waker waker;
    atomic_bool is_poked;
    size_t in_store;
};

struct result messages_init(struct messages *messages) MUST_CHECK;
void messages_free(struct messages *messages); /* also after messages_init has failed */

/* Any thread. A request that waits is the settler's from now on. */
void messages_push(struct messages *messages, struct discount_operation *operation);
void messages_poke(struct messages *messages);

typedef void messages_visitor(void *context, struct discount_operation *request);
/* Takes all that has come, in its order: own operations are given to `returned`, requests to the visitor. True: somebody has poked. */
bool messages_take(struct messages *messages, messages_visitor *visit, void *context);

/* Hands an own operation to the store, with its content, weight, waiters and `returned` set; false: the store is stopping, it is still ours. */
bool own_submit(struct messages *messages, struct own_operation *own, const struct action *action);
