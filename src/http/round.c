#include "http/round.h"

#include <errno.h>
#include <malloc.h>
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
#include "http/accept.h"
#include "http/answer.h"
#include "http/connection.h"

#define EVENTS_MAX       64
#define ACCEPTS_A_ROUND  64u
#define WAIT_MS_MAX      60000
#define DRAIN_ROUNDS_MAX 4096                  /* at its start, for connections that the kernel has accepted */
#define DRAIN_SLOW_US    (5 * CLOCK_SECOND_US) /* for the rest of a request, or until its client takes some more of the answer */
#define DRAIN_FIRST_US   CLOCK_SECOND_US       /* for the first request of a connection that was accepted and had said nothing */
#define LIGHT_BYTES      (1024u * 1024)        /* of bodies */
#define LINGER_US        (2 * CLOCK_SECOND_US)

/* ---- connections ---- */

/* One turn each for those that were ready when the round came here, as far as its bytes go: who has just come waits no longer for them. */
static void run_ready(struct loop *loop) {
    const struct connection *last = loop->ready_last;
    for (bool is_last = last == NULL; !is_last && loop->round_bytes < ROUND_BYTES;) {
        struct connection *connection = loop->ready_first;
        is_last = connection == last;
        loop->ready_first = connection->next_ready;
        if (loop->ready_first == NULL) loop->ready_last = NULL;
        connection->is_ready = false;
        if (connection->fd >= 0) {
            connection_run(connection);
        } else {
            connection->next = loop->ended;
            loop->ended = connection;
        }
    }
}

static void bury_ended(struct loop *loop) {
    while (loop->ended != NULL) {
        struct connection *connection = loop->ended;
        loop->ended = connection->next;
        free(connection);
    }
}

/* ---- what comes back ---- */

/* Its client has left: what is finished is counted, what was only admitted is forgotten. */
static void drop_orphan(struct loop *loop, struct exchange *exchange) {
    if (exchange->state == EXCHANGE_FINISHED) answer_record(exchange);
    loop_put_exchange(loop, exchange);
}

static void wake_stream(struct loop *loop, struct exchange *exchange) {
    stream_awake(exchange);
    if (exchange->connection != NULL) {
        connection_wake(exchange->connection);
    } else {
        loop_put_exchange(loop, exchange);
    }
}

static void take_returned(struct loop *loop) {
    if (queue_count(&loop->returned) == 0) return;
    struct queue_link *link = queue_take_all(&loop->returned);
    while (link != NULL) {
        struct exchange *exchange = CONTAINER_OF(link, struct exchange, link);
        link = link->next;
        CHECK(exchange->magic == EXCHANGE_MAGIC && exchange->owner == loop);
        if (exchange->state == EXCHANGE_SENDING) {
            wake_stream(loop, exchange);
            continue;
        }
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

static struct log_burst timed_out = {.window_us = 10 * CLOCK_SECOND_US, .lines_max = 1};

static void log_timeout(const struct connection *connection) {
    static const char *const names[PHASE_COUNT] = {[PHASE_HEAD] = "head", [PHASE_BODY] = "body", [PHASE_SENDING] = "answer"};
    const char *name = names[connection->phase];
    if (name == NULL) return; /* idle, or lingering: as it should be */
    char address[ADDRESS_TEXT_BYTES];
    address_format(&connection->peer, address);
    LOG_BURST(&timed_out, LOG_INFO, "connection_timed_out", LOG_STRING("phase", name), LOG_STRING("address", address));
}

static void sweep(struct loop *loop) {
    for (size_t phase = 0; phase < PHASE_AWAY; phase++) {
        struct phase_list *list = &loop->phases[phase];
        while (list->first != NULL && list->first->deadline_us <= loop->now_us) {
            if (phase == PHASE_ASLEEP) {
                connection_beat(list->first); /* is awake then, has ended, or sleeps anew */
                continue;
            }
            log_timeout(list->first);
            connection_end(list->first);
        }
    }
    if (loop->listen_fd < 0 || loop->is_listening) return;
    if (accept_has_room(loop) && loop->listen_again_us <= loop->now_us) CHECK(accept_watch(loop, true));
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

/* What a crowd of bodies has left in pieces between others' memory is the system's again. It takes milliseconds, after a rare event. */
static void give_back_memory(struct loop *loop) {
    loop->was_heavy = false;
    (void)malloc_trim(0);
}

static void take_event(struct connection *connection, uint32_t events) {
    if (connection->fd < 0) return; /* ended in this round */
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) connection->readable = true;
    if ((events & EPOLLOUT) != 0) connection->writable = true;
    if ((events & EPOLLRDHUP) != 0) connection_hang_up(connection);
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) connection->reset = true;
    connection_run(connection);
}

void loop_round(struct loop *loop, int timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    bool has_newcomers = false;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
    CHECK(count >= 0 || errno == EINTR);
    loop->now_us = clock_monotonic_us(loop->service->clock);
    loop->round_bytes = 0;
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
    if (loop->was_heavy && loop->body_bytes < LIGHT_BYTES) give_back_memory(loop);
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

/* Who sends slowly, or does not take what was asked for, does not decide how long the end of the service takes. The list keeps its order. */
static void hurry(struct loop *loop, enum phase phase) {
    struct phase_list *list = &loop->phases[phase];
    if (list->timeout_us <= DRAIN_SLOW_US) return;
    list->timeout_us = DRAIN_SLOW_US;
    int64_t latest_us = loop->now_us + DRAIN_SLOW_US;
    for (struct connection *connection = list->first; connection != NULL; connection = connection->next)
        if (connection->deadline_us > latest_us) connection->deadline_us = latest_us;
}

/* What has begun is served; what has not begun on a used connection is not waited for; a fresh connection may say one thing. */
static void begin_drain(struct loop *loop) {
    if (loop->listen_fd >= 0) stop_listening(loop);
    loop->draining = true;
    hurry(loop, PHASE_HEAD);
    hurry(loop, PHASE_BODY);
    hurry(loop, PHASE_SENDING);
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
    for (struct connection *connection = loop->phases[PHASE_ASLEEP].first, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (stream_has_beat(connection->exchange)) stream_wake(connection->exchange); /* to be told that it is over */
    }
    bury_ended(loop);
}

/* The server does not wait any longer: what is away stays away, its connection is closed. */
static void end_all(struct loop *loop) {
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        while (loop->phases[phase].first != NULL) connection_end(loop->phases[phase].first);
    }
    loop->round_bytes = 0;
    run_ready(loop);
    bury_ended(loop);
    CHECK(loop->connection_count == 0 && loop->lingering_count == 0);
}

/* Nobody waits for them any more: what came back at the last moment, and streams that were woken then. */
static void drop_returned(struct loop *loop) {
    struct queue_link *link = queue_count(&loop->returned) > 0 ? queue_take_all(&loop->returned) : NULL;
    while (link != NULL) {
        struct exchange *exchange = CONTAINER_OF(link, struct exchange, link);
        link = link->next;
        CHECK(exchange->connection == NULL);
        if (exchange->state == EXCHANGE_SENDING) stream_awake(exchange);
        drop_orphan(loop, exchange);
    }
}

void loop_run(struct loop *loop) {
    loop_set_thread(loop);
    loop->now_us = clock_monotonic_us(loop->service->clock);
    if (loop->service->loop_started != NULL) loop->service->loop_started(loop->service->self, loop->index);
    while (!atomic_load(&loop->stop_wanted)) {
        loop_round(loop, wait_ms(loop));
        if (!loop->draining && atomic_load(&loop->drain_wanted)) begin_drain(loop);
        if (loop->draining && loop->connection_count == 0) break;
    }
    end_all(loop);
    drop_returned(loop);
    if (loop->service->loop_stopped != NULL) loop->service->loop_stopped(loop->service->self, loop->index);
    loop_set_thread(NULL);
    loop->thread_ended(loop->thread_context);
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
    loop->phases[PHASE_ASLEEP].timeout_us = STREAM_BEAT_US;
    id_source_init(&loop->ids, random_for_ids, loop);
    queue_init(&loop->returned, UINT32_MAX);
    TRY(share_init(&loop->share, LIMIT_CONNECTIONS + 1)); /* one may be too many for a moment */
    if (loop->epoll_fd < 0 || !result_is_ok(waker_init(&loop->waker))) return result_error(RESULT_FULL);
    if (!watch(loop, loop->waker.fd, &loop->waker)) return result_error(RESULT_FULL);
    if (listen_fd >= 0 && !watch(loop, listen_fd, loop)) return result_error(RESULT_FULL);
    loop->is_listening = listen_fd >= 0;
    return result_ok();
}

void loop_close(struct loop *loop) {
    while (atomic_load(&loop->delivering) > 0) sched_yield();
    end_all(loop);
    drop_returned(loop);
    unread_pool_free(&loop->unread_pool);
    share_free(&loop->share);
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
