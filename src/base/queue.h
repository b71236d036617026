/* Many threads push, one thread takes all: the way an operation changes hands.
 *
 * Push order is kept, and the order of the successful pushes is the order of arrival that the service promises. Links live inside the
 * operations, so that a push allocates nothing. A waker is an eventfd: the pusher writes it only when the queue was empty. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"

struct queue_link {
    struct queue_link *next;
};

struct queue {
    _Atomic(struct queue_link *) newest;
    atomic_uint count;
    uint32_t limit;
};

void queue_init(struct queue *queue, uint32_t limit);
/* Any thread. RESULT_FULL at the limit: the caller still owns the operation. On success the taker owns it, and *ret_was_empty tells whether
 * the taker must be woken. */
struct result queue_push(struct queue *queue, struct queue_link *link, bool *ret_was_empty) MUST_CHECK;
/* The one taker. All that waits, oldest first, NULL when nothing waits. */
struct queue_link *queue_take_all(struct queue *queue);
uint32_t queue_count(const struct queue *queue); /* a moment's value, for metrics */

struct waker {
    int fd; /* eventfd, non-blocking; readable when woken */
};
struct result waker_init(struct waker *waker) MUST_CHECK;
void waker_close(struct waker *waker);
void waker_wake(struct waker *waker);                     /* any thread */
void waker_clear(struct waker *waker);                    /* the waiting thread, before it takes */
bool waker_wait(struct waker *waker, int64_t timeout_us); /* the waiting thread; negative waits for ever; true when woken */
