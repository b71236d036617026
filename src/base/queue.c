/* A Treiber stack whose taker detaches everything at once and turns it round. Nothing is ever popped singly, so there is no ABA problem: a
 * link's address coming back between a pusher's read and its exchange still is the newest link. */
#include "base/queue.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

void queue_init(struct queue *queue, uint32_t limit) {
    atomic_init(&queue->newest, NULL);
    atomic_init(&queue->count, 0);
    queue->limit = limit;
}

struct result queue_push(struct queue *queue, struct queue_link *link, bool *ret_was_empty) {
    /* Counted before it is linked: the count is never below what waits, so the limit holds. */
    if (atomic_fetch_add_explicit(&queue->count, 1, memory_order_relaxed) >= queue->limit) {
        atomic_fetch_sub_explicit(&queue->count, 1, memory_order_relaxed);
        return result_error(RESULT_FULL);
    }
    struct queue_link *newest = atomic_load_explicit(&queue->newest, memory_order_relaxed);
    do {
        link->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &newest, link, memory_order_release, memory_order_relaxed));
    *ret_was_empty = newest == NULL; /* not link->next: the link is the taker's by now */
    return result_ok();
}

struct queue_link *queue_take_all(struct queue *queue) {
    struct queue_link *link = atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
    struct queue_link *oldest = NULL;
    uint32_t taken = 0;
    while (link != NULL) {
        struct queue_link *next = link->next;
        link->next = oldest;
        oldest = link;
        link = next;
        taken++;
    }
    uint32_t before = atomic_fetch_sub_explicit(&queue->count, taken, memory_order_relaxed);
    CHECK(before >= taken);
    return oldest;
}

uint32_t queue_count(const struct queue *queue) { return atomic_load_explicit(&queue->count, memory_order_relaxed); }

struct result waker_init(struct waker *waker) {
    waker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return waker->fd < 0 ? result_error(RESULT_FULL) : result_ok();
}

void waker_close(struct waker *waker) {
    if (waker->fd >= 0) CHECK(close(waker->fd) == 0 || errno == EINTR);
    waker->fd = -1;
}

void waker_wake(struct waker *waker) {
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(waker->fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    CHECK(written == sizeof one || errno == EAGAIN); /* EAGAIN: the counter is at its top, so the other side is awake */
}

void waker_clear(struct waker *waker) {
    uint64_t value;
    ssize_t size;
    do {
        size = read(waker->fd, &value, sizeof value);
    } while (size < 0 && errno == EINTR);
    CHECK(size == sizeof value || errno == EAGAIN); /* EAGAIN: nobody woke it */
}

bool waker_wait(struct waker *waker, int64_t timeout_us) {
    int64_t deadline_us = timeout_us < 0 ? 0 : clock_monotonic_us(&clock_system) + timeout_us;
    struct pollfd waiting = {.fd = waker->fd, .events = POLLIN};
    for (;;) {
        struct timespec left;
        if (timeout_us >= 0) {
            int64_t left_us = deadline_us - clock_monotonic_us(&clock_system);
            if (left_us < 0) left_us = 0;
            left = (struct timespec){.tv_sec = left_us / CLOCK_SECOND_US, .tv_nsec = left_us % CLOCK_SECOND_US * 1000};
        }
        int ready = ppoll(&waiting, 1, timeout_us < 0 ? NULL : &left, NULL);
        if (ready >= 0) return ready > 0;
        CHECK(errno == EINTR);
    }
}
