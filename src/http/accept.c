#include "http/accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

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
    loop->connection_count++;
    traffic_add_connections(loop->traffic, 1);
    loop_enter_phase(connection, PHASE_IDLE);
    return connection;
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
        if (loop->connection_count >= loop->connections_max) {
            (void)accept_watch(loop, false);
            return;
        }
        int fd = accept4(loop->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)accept_socket(loop, fd, (struct sockaddr *)&address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            LOG(LOG_WARN, "accept_failed", LOG_INTEGER("errno", errno), LOG_INTEGER("connections", loop->connection_count));
            loop->listen_again_us = loop->now_us + LISTEN_AGAIN_US;
            (void)accept_watch(loop, false);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}
