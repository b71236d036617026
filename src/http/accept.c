#include "http/accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "http/connection.h"

static struct log_burst displaced = {.window_us = 10 * CLOCK_SECOND_US, .lines_max = 1};

#define LISTEN_AGAIN_US (CLOCK_SECOND_US / 10)

static struct address address_of(const struct sockaddr *from) {
    struct address address = {{0}};
    if (from->sa_family == AF_INET) return address_of_v4(&((const struct sockaddr_in *)(const void *)from)->sin_addr);
    if (from->sa_family == AF_INET6)
        memcpy(address.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, sizeof(address.bytes));
    return address;
}

struct connection *accept_socket(struct loop *loop, int fd, const struct sockaddr *address) {
    struct connection *connection = calloc(1, sizeof(*connection));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    if (connection == NULL || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(connection);
        close(fd);
        return NULL;
    }
    connection->loop = loop;
    connection->fd = fd;
    connection->phase = PHASE_COUNT;
    connection->writable = true;
    connection->starved = true;
    connection->peer = address_of(address);
    bool is_proxy = loop->service->trusted_proxies != NULL && address_set_has(loop->service->trusted_proxies, &connection->peer);
    if (!is_proxy) connection->holder = share_take(&loop->share, &connection->peer);
    loop->connection_count++;
    traffic_add_connections(loop->traffic, 1);
    loop_enter_phase(connection, PHASE_IDLE);
    return connection;
}

/* ---- a full house ---- */

bool accept_has_room(const struct loop *loop) {
    static const enum phase waiting[] = {PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_SENDING};
    if (loop->connection_count != loop->connections_max) return loop->connection_count < loop->connections_max;
    if (share_most(&loop->share) == NULL) return false;
    for (size_t i = 0; i < ARRAY_COUNT(waiting); i++) {
        if (loop->phases[waiting[i]].first != NULL) return true;
    }
    return false;
}

/* Who must go for one of a client that has so many already. An idle connection costs its client little, who may come again; one in the middle of a
 * request is taken only from who has more than the newcomer will have. */
static struct connection *find_victim(const struct loop *loop, size_t newcomer_count) {
    static const enum phase busy[] = {PHASE_HEAD, PHASE_BODY, PHASE_SENDING};
    const struct holder *most = share_most(&loop->share);
    if (most == NULL) return NULL;
    struct connection *victim = loop_find_waiting(loop, PHASE_IDLE, most, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(busy) && victim == NULL && most->count > newcomer_count + 1; i++)
        victim = loop_find_waiting(loop, busy[i], most, NULL);
    return victim != NULL ? victim : loop_find_waiting(loop, PHASE_IDLE, NULL, NULL);
}

static bool make_room(struct loop *loop, size_t newcomer_count) {
    struct connection *victim = find_victim(loop, newcomer_count);
    if (victim == NULL) return false;
    char text[ADDRESS_TEXT_BYTES];
    address_format(&victim->peer, text);
    LOG_BURST(&displaced, LOG_INFO, "connection_displaced", LOG_STRING("address", text),
              LOG_INTEGER("connections", loop->connection_count));
    traffic_count_displaced(loop->traffic);
    connection_end(victim);
    return true;
}

bool accept_watch(struct loop *loop, bool is_wanted) {
    if (loop->is_listening == is_wanted) return true;
    struct epoll_event event = {.events = is_wanted ? EPOLLIN : 0, .data.ptr = loop};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->listen_fd, &event) != 0) return false;
    loop->is_listening = is_wanted;
    return true;
}

/* Level-triggered: what is left over is told again in the next round. At the limit, or without files, it would be told for ever. */
void accept_burst(struct loop *loop, size_t count_max) {
    for (size_t i = 0; i < count_max; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        if (!accept_has_room(loop)) {
            (void)accept_watch(loop, false);
            return;
        }
        int fd = accept4(loop->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct address peer = address_of((struct sockaddr *)&address);
            if (loop->connection_count >= loop->connections_max)
                (void)make_room(loop, share_count(&loop->share, &peer)); /* or one too many */
            (void)accept_socket(loop, fd, (struct sockaddr *)&address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (make_room(loop, 0)) continue;
            LOG(LOG_WARN, "accept_failed", LOG_INTEGER("errno", errno), LOG_INTEGER("connections", loop->connection_count));
            loop->listen_again_us = loop->now_us + LISTEN_AGAIN_US;
            (void)accept_watch(loop, false);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}
