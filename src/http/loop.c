#include "http/loop.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/problem.h"

/* libmicrohttpd keeps a request's head and its headers' table, 56 bytes each, in one pool per connection, and zeroes the whole pool after
 * each request. 32 KiB hold a head of LIMIT_HEADER_BYTES, so that it is our check which refuses a larger one, up to about 28 KiB. */
#define CONNECTION_POOL_BYTES (32u * 1024)
#define EVENTS_MAX            32
#define WAIT_MS_MAX           60000
#define ACCEPT_RUNS_MAX       4096            /* at a drain's start, at most ten connections each */
#define DRAIN_FIRST_US        CLOCK_SECOND_US /* for the first request of a connection that was accepted and had said nothing */

static _Thread_local const struct loop *this_loop;

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

/* ---- exchanges ---- */

/* Any thread. The exchange that is being dispatched by this very thread needs no way back. */
static void deliver(struct exchange *exchange) {
    struct loop *loop = exchange->owner;
    if (this_loop == loop && loop->dispatching == exchange && exchange->resume == NULL) {
        loop->came_back = true;
        return;
    }
    bool was_empty = false;
    /* Once pushed, the exchange may be answered and the loop may end: loop_close waits until nobody is between here and the wake. */
    atomic_fetch_add(&loop->delivering, 1);
    /* An exchange waits here at most once, and the limit is the number of connections: it cannot be full. */
    CHECK(result_is_ok(queue_push(&loop->returned, &exchange->link, &was_empty)));
    if (was_empty) waker_wake(&loop->waker);
    atomic_fetch_sub(&loop->delivering, 1);
}

struct exchange *loop_take_exchange(struct loop *loop, struct connection *connection) {
    struct exchange *exchange;
    if (loop->spare != NULL) {
        exchange = CONTAINER_OF(loop->spare, struct exchange, link);
        loop->spare = loop->spare->next;
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
    exchange->link.next = loop->spare;
    loop->spare = &exchange->link;
    CHECK(loop->exchange_count > 0);
    loop->exchange_count--;
    traffic_add_exchanges(loop->traffic, -1);
}

bool loop_dispatch(struct loop *loop, struct exchange *exchange, void (*action)(struct exchange *exchange)) {
    CHECK(loop->dispatching == NULL);
    loop->dispatching = exchange;
    loop->came_back = false;
    action(exchange); /* from here on it may be another thread's */
    loop->dispatching = NULL;
    return loop->came_back;
}

bool loop_dispatch_admission(struct loop *loop, struct exchange *exchange) { return loop_dispatch(loop, exchange, route_admit_again); }

static void take_returned(struct loop *loop) {
    struct queue_link *link = queue_take_all(&loop->returned);
    while (link != NULL) {
        struct exchange *exchange = CONTAINER_OF(link, struct exchange, link);
        link = link->next;
        CHECK(exchange->magic == EXCHANGE_MAGIC && exchange->owner == loop);
        struct connection *connection = exchange->connection;
        void (*resume)(struct exchange *) = exchange->resume;
        exchange->resume = NULL;
        if (resume != NULL && !loop_dispatch(loop, exchange, resume)) continue;
        CHECK(exchange->state == EXCHANGE_FINISHED || exchange->state == EXCHANGE_BODY);
        CHECK(connection->waiting);
        connection->waiting = false;
        MHD_resume_connection(connection->mhd);
    }
}

/* ---- timeouts ---- */

static void cut(struct connection *connection) {
    connection->cut = true;
    shutdown(connection->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes */
}

static void sweep(struct loop *loop) {
    for (size_t phase = 0; phase < PHASE_AWAY; phase++) {
        struct phase_list *list = &loop->phases[phase];
        for (struct connection *connection = list->first; connection != NULL && connection->deadline_us <= loop->now_us;
             connection = list->first) {
            if (phase != PHASE_IDLE)
                LOG(LOG_INFO, "connection_timed_out",
                    LOG_STRING("phase", phase == PHASE_HEAD   ? "head"
                                        : phase == PHASE_BODY ? "body"
                                                              : "answer"),
                    LOG_STRING("address", connection->remote_address));
            cut(connection);
            loop_enter_phase(connection, PHASE_AWAY); /* until it is closed: no second cut */
        }
    }
    linger_sweep(loop);
}

static int wait_ms(const struct loop *loop) {
    MHD_UNSIGNED_LONG_LONG of_daemon_ms = 0;
    if (MHD_get_timeout(loop->daemon, &of_daemon_ms) == MHD_YES && of_daemon_ms == 0) return 0;
    int64_t earliest_us = loop->now_us + WAIT_MS_MAX * 1000;
    for (size_t phase = 0; phase < PHASE_AWAY; phase++) {
        const struct connection *first = loop->phases[phase].first;
        if (first != NULL && first->deadline_us < earliest_us) earliest_us = first->deadline_us;
    }
    for (const struct lingering *one = loop->lingering; one != NULL; one = one->next) {
        if (one->deadline_us < earliest_us) earliest_us = one->deadline_us;
    }
    return earliest_us <= loop->now_us ? 0 : (int)((earliest_us - loop->now_us + 999) / 1000);
}

static void run_once(struct loop *loop, int timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
    CHECK(count >= 0 || errno == EINTR);
    loop->now_us = clock_monotonic_us(loop->service->clock);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &loop->waker) {
            waker_clear(&loop->waker);
        } else if (events[i].data.ptr != loop) {
            linger_read(loop, events[i].data.ptr);
        }
    }
    take_returned(loop);
    CHECK(MHD_run(loop->daemon) == MHD_YES);
    sweep(loop);
    if (loop->service->round_ended != NULL) loop->service->round_ended(loop->service->self, loop->index);
}

/* ---- the end ---- */

/* Connections that wait in the backlog have been promised to by the kernel: they are taken in before the door is closed. */
static void stop_listening(struct loop *loop) {
    struct pollfd listening = {.fd = loop->listen_fd, .events = POLLIN};
    for (int i = 0; i < ACCEPT_RUNS_MAX && loop->connection_count < loop->connections_max && poll(&listening, 1, 0) > 0; i++)
        run_once(loop, 0);
    int fd = MHD_quiesce_daemon(loop->daemon);
    CHECK(fd == loop->listen_fd);
    close(fd);
    loop->listen_fd = -1;
}

/* What has begun is served; what has not begun on a used connection is not waited for; a fresh connection may say one thing. */
static void begin_drain(struct loop *loop) {
    stop_listening(loop);
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
        if (ioctl(connection->fd, FIONREAD, &unread_bytes) == 0 && unread_bytes > 0) {
            connection->before_drain = true;
        } else if (connection->request_count > 0) {
            cut(connection);
        }
        connection = next;
    }
}

/* The server does not wait any longer: what is away stays away, its connection is closed. */
static void abandon(struct loop *loop) {
    for (struct connection *connection = loop->phases[PHASE_AWAY].first; connection != NULL; connection = connection->next) {
        if (!connection->waiting) continue;
        cut(connection);
        MHD_resume_connection(connection->mhd);
    }
    CHECK(MHD_run(loop->daemon) == MHD_YES);
}

void loop_run(struct loop *loop) {
    this_loop = loop;
    loop->now_us = clock_monotonic_us(loop->service->clock);
    if (loop->service->loop_started != NULL) loop->service->loop_started(loop->service->self, loop->index);
    while (!atomic_load(&loop->stop_wanted)) {
        run_once(loop, wait_ms(loop));
        if (!loop->draining && atomic_load(&loop->drain_wanted)) begin_drain(loop);
        if (loop->draining && loop->connection_count == 0 && loop->lingering_count == 0) break;
    }
    abandon(loop);
    MHD_stop_daemon(loop->daemon);
    loop->daemon = NULL;
    linger_end_all(loop);
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

static void log_library(void *context, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
static void log_library(void *context, const char *format, va_list arguments) {
    char message[256];
    (void)context;
    int size = vsnprintf(message, sizeof(message), format, arguments);
    if (size > 0 && (size_t)size < sizeof(message) && message[size - 1] == '\n') message[size - 1] = '\0';
    LOG(LOG_INFO, "http_fault", LOG_STRING("detail", message));
}

/* The raw target is parsed by request.c: nothing is to be unescaped before. */
static size_t keep_escaped(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context;
    (void)mhd;
    return strlen(text);
}

static bool watch(struct loop *loop, int fd, void *tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct result loop_init(struct loop *loop, int listen_fd) {
    loop->listen_fd = listen_fd;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->waker.fd = -1;
    id_source_init(&loop->ids, random_for_ids, loop);
    queue_init(&loop->returned, (uint32_t)loop->connections_max + 1);
    if (loop->epoll_fd < 0 || !result_is_ok(waker_init(&loop->waker))) return result_error(RESULT_FULL);
    /* No MHD_OPTION_CONNECTION_TIMEOUT: the phases' own deadlines cover idleness too, to the millisecond. */
    loop->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, connection_handle, loop,
                         MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)loop->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL_BYTES,
                         MHD_OPTION_NOTIFY_CONNECTION, connection_notify, loop, MHD_OPTION_NOTIFY_COMPLETED, connection_end_request, loop,
                         MHD_OPTION_URI_LOG_CALLBACK, connection_begin_request, loop, MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL,
                         MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (loop->daemon == NULL) return result_error(RESULT_FULL);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || !watch(loop, info->epoll_fd, loop) || !watch(loop, loop->waker.fd, &loop->waker)) return result_error(RESULT_FULL);
    return result_ok();
}

void loop_close(struct loop *loop) {
    while (atomic_load(&loop->delivering) > 0) sched_yield();
    if (loop->daemon != NULL) MHD_stop_daemon(loop->daemon); /* closes the listening socket */
    if (loop->waker.fd >= 0) waker_close(&loop->waker);
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    while (loop->spare != NULL) {
        struct exchange *exchange = CONTAINER_OF(loop->spare, struct exchange, link);
        loop->spare = loop->spare->next;
        free(exchange);
    }
}
