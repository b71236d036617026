#include "http/loop.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"

#define EVENTS_MAX          64
#define ACCEPTS_A_ROUND     64u
#define WAIT_MS_MAX         60000
#define DRAIN_ROUNDS_MAX    4096            /* at its start, for connections that the kernel has accepted */
#define DRAIN_FIRST_US      CLOCK_SECOND_US /* for the first request of a connection that was accepted and had said nothing */
#define LINGER_US           (2 * CLOCK_SECOND_US)
#define SPARE_EXCHANGES_MAX 1024u

static _Thread_local const struct loop *this_loop;

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

void loop_make_ready(struct connection *connection) {
    struct loop *loop = connection->loop;
    if (connection->is_ready) return;
    connection->is_ready = true;
    connection->next_ready = NULL;
    *(loop->ready_last != NULL ? &loop->ready_last->next_ready : &loop->ready_first) = connection;
    loop->ready_last = connection;
}

/* One turn each for those that were ready when the round came here. */
static void run_ready(struct loop *loop) {
    struct connection *connection = loop->ready_first;
    loop->ready_first = loop->ready_last = NULL;
    while (connection != NULL) {
        struct connection *next = connection->next_ready;
        connection->is_ready = false;
        if (connection->fd >= 0) {
            connection_run(connection);
        } else {
            connection->next = loop->ended;
            loop->ended = connection;
        }
        connection = next;
    }
}

static void bury_ended(struct loop *loop) {
    while (loop->ended != NULL) {
        struct connection *connection = loop->ended;
        loop->ended = connection->next;
        free(connection);
    }
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

/* Its client has left: what is finished is counted, what was only admitted is forgotten. */
static void drop_orphan(struct loop *loop, struct exchange *exchange) {
    if (exchange->state == EXCHANGE_FINISHED) answer_record(exchange);
    loop_put_exchange(loop, exchange);
}

static void take_returned(struct loop *loop) {
    if (queue_count(&loop->returned) == 0) return;
    struct queue_link *link = queue_take_all(&loop->returned);
    while (link != NULL) {
        struct exchange *exchange = CONTAINER_OF(link, struct exchange, link);
        link = link->next;
        CHECK(exchange->magic == EXCHANGE_MAGIC && exchange->owner == loop);
        if (exchange_is_returned(exchange) && !loop_dispatch(loop, exchange, exchange_resume)) continue;
        CHECK(exchange->state == EXCHANGE_FINISHED || exchange->state == EXCHANGE_BODY);
        if (exchange->connection != NULL) {
            connection_resume(exchange->connection);
        } else {
            drop_orphan(loop, exchange);
        }
    }
}

/* ---- timeouts ---- */

static void log_timeout(const struct connection *connection) {
    static const char *const names[PHASE_COUNT] = {[PHASE_HEAD] = "head", [PHASE_BODY] = "body", [PHASE_SENDING] = "answer"};
    const char *name = names[connection->phase];
    if (name == NULL) return; /* idle, or lingering: as it should be */
    LOG(LOG_INFO, "connection_timed_out", LOG_STRING("phase", name), LOG_STRING("address", connection->remote_address));
}

static void sweep(struct loop *loop) {
    for (size_t phase = 0; phase < PHASE_AWAY; phase++) {
        struct phase_list *list = &loop->phases[phase];
        while (list->first != NULL && list->first->deadline_us <= loop->now_us) {
            log_timeout(list->first);
            connection_end(list->first);
        }
    }
    if (loop->listen_fd < 0 || loop->is_listening) return;
    if (loop->connection_count < loop->connections_max && loop->listen_again_us <= loop->now_us) CHECK(accept_watch(loop, true));
}

static int wait_ms(const struct loop *loop) {
    if (loop->ready_first != NULL || queue_count(&loop->returned) > 0) return 0;
    int64_t earliest_us = loop->now_us + WAIT_MS_MAX * 1000;
    for (size_t phase = 0; phase < PHASE_AWAY; phase++) {
        const struct connection *first = loop->phases[phase].first;
        if (first != NULL && first->deadline_us < earliest_us) earliest_us = first->deadline_us;
    }
    bool waits_for_files = loop->listen_fd >= 0 && !loop->is_listening && loop->connection_count < loop->connections_max;
    if (waits_for_files && loop->listen_again_us < earliest_us) earliest_us = loop->listen_again_us;
    return earliest_us <= loop->now_us ? 0 : (int)((earliest_us - loop->now_us + 999) / 1000);
}

/* ---- a round ---- */

static void take_event(struct connection *connection, uint32_t events) {
    if (connection->fd < 0) return; /* ended in this round */
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) connection->readable = true;
    if ((events & EPOLLOUT) != 0) connection->writable = true;
    if ((events & EPOLLRDHUP) != 0) connection->hung_up = true;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) connection->reset = true;
    connection_run(connection);
}

void loop_round(struct loop *loop, int timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    bool has_newcomers = false;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
    CHECK(count >= 0 || errno == EINTR);
    loop->now_us = clock_monotonic_us(loop->service->clock);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &loop->waker) {
            waker_clear(&loop->waker);
        } else if (events[i].data.ptr == loop) {
            has_newcomers = true;
        } else {
            take_event(events[i].data.ptr, events[i].events);
        }
    }
    take_returned(loop);
    run_ready(loop);
    if (has_newcomers && loop->listen_fd >= 0) accept_burst(loop, ACCEPTS_A_ROUND);
    sweep(loop);
    bury_ended(loop);
    if (loop->service->round_ended != NULL) loop->service->round_ended(loop->service->self, loop->index);
}

/* ---- the end ---- */

/* Connections that wait in the backlog have been promised to by the kernel: they are taken in before the door is closed. */
static void stop_listening(struct loop *loop) {
    size_t before = SIZE_MAX;
    for (int i = 0; i < DRAIN_ROUNDS_MAX && loop->connection_count < loop->connections_max && loop->connection_count != before; i++) {
        before = loop->connection_count;
        accept_burst(loop, ACCEPTS_A_ROUND);
    }
    close(loop->listen_fd);
    loop->listen_fd = -1;
    loop->is_listening = false;
}

/* What has begun is served; what has not begun on a used connection is not waited for; a fresh connection may say one thing. */
static void begin_drain(struct loop *loop) {
    if (loop->listen_fd >= 0) stop_listening(loop);
    loop->draining = true;
    for (struct connection *connection = loop->phases[PHASE_HEAD].first; connection != NULL; connection = connection->next)
        connection->before_drain = true;
    struct phase_list idle = loop->phases[PHASE_IDLE];
    loop->phases[PHASE_IDLE] = (struct phase_list){.timeout_us = DRAIN_FIRST_US};
    for (struct connection *connection = idle.first; connection != NULL;) {
        struct connection *next = connection->next;
        int unread_bytes = 0;
        connection->phase = PHASE_COUNT;
        loop_enter_phase(connection, PHASE_IDLE);
        if (connection->unread.size > 0 || (ioctl(connection->fd, FIONREAD, &unread_bytes) == 0 && unread_bytes > 0)) {
            connection->before_drain = true;
        } else if (connection->is_used) {
            connection_end(connection);
        }
        connection = next;
    }
    bury_ended(loop);
}

/* The server does not wait any longer: what is away stays away, its connection is closed. */
static void end_all(struct loop *loop) {
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        while (loop->phases[phase].first != NULL) connection_end(loop->phases[phase].first);
    }
    run_ready(loop);
    bury_ended(loop);
    CHECK(loop->connection_count == 0 && loop->lingering_count == 0);
}

void loop_run(struct loop *loop) {
    this_loop = loop;
    loop->now_us = clock_monotonic_us(loop->service->clock);
    if (loop->service->loop_started != NULL) loop->service->loop_started(loop->service->self, loop->index);
    while (!atomic_load(&loop->stop_wanted)) {
        loop_round(loop, wait_ms(loop));
        if (!loop->draining && atomic_load(&loop->drain_wanted)) begin_drain(loop);
        if (loop->draining && loop->connection_count == 0) break;
    }
    end_all(loop);
    if (loop->service->loop_stopped != NULL) loop->service->loop_stopped(loop->service->self, loop->index);
    this_loop = NULL;
    server_loop_ended(loop->server);
}

/* ---- start and end ---- */

static void random_for_ids(void *context, void *buffer, uint64_t size) {
    struct loop *loop = context;
    CHECK(size <= RANDOM_BYTES);
    if (loop->random_left < size) {
        crypto_random(loop->random, RANDOM_BYTES);
        loop->random_left = RANDOM_BYTES;
    }
    loop->random_left -= size;
    memcpy(buffer, loop->random + loop->random_left, size);
}

static bool watch(struct loop *loop, int fd, void *tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct result loop_init(struct loop *loop, int listen_fd) {
    loop->listen_fd = listen_fd;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->waker.fd = -1;
    loop->phases[PHASE_LINGER].timeout_us = LINGER_US;
    id_source_init(&loop->ids, random_for_ids, loop);
    queue_init(&loop->returned, UINT32_MAX);
    if (loop->epoll_fd < 0 || !result_is_ok(waker_init(&loop->waker))) return result_error(RESULT_FULL);
    if (!watch(loop, loop->waker.fd, &loop->waker)) return result_error(RESULT_FULL);
    if (listen_fd >= 0 && !watch(loop, listen_fd, loop)) return result_error(RESULT_FULL);
    loop->is_listening = listen_fd >= 0;
    return result_ok();
}

void loop_close(struct loop *loop) {
    while (atomic_load(&loop->delivering) > 0) sched_yield();
    end_all(loop);
    unread_pool_free(&loop->unread_pool);
    if (loop->listen_fd >= 0) close(loop->listen_fd);
    if (loop->waker.fd >= 0) waker_close(&loop->waker);
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    loop->listen_fd = loop->epoll_fd = -1;
    while (loop->spare != NULL) {
        struct exchange *exchange = CONTAINER_OF(loop->spare, struct exchange, link);
        loop->spare = loop->spare->next;
        free(exchange);
    }
}
