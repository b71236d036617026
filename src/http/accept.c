#include "http/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define LISTEN_AGAIN_US (CLOCK_SECOND_US / 10)

static void write_address(const struct sockaddr *address, char text[46]) {
    text[0] = '\0';
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, 46);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        bool is_four = IN6_IS_ADDR_V4MAPPED(six);
        inet_ntop(is_four ? AF_INET : AF_INET6, is_four ? (const void *)&six->s6_addr[12] : six, text, 46);
    }
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
    write_address(address, connection->remote_address);
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
