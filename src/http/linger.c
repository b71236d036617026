#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/loop.h"

#define LINGER_US           (2 * CLOCK_SECOND_US)
#define LINGERING_MAX       128u /* per loop; beyond it a socket is closed at once */
#define LINGER_PIECE_BYTES  16384u
#define LINGER_PIECES_A_RUN 16

void linger_begin(struct loop *loop, int fd) {
    if (loop->lingering_count >= LINGERING_MAX) return;
    struct lingering *lingering = calloc(1, sizeof(*lingering));
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = lingering};
    if (lingering == NULL || copy < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, copy, &event) != 0) {
        if (copy >= 0) close(copy);
        free(lingering);
        return;
    }
    lingering->fd = copy;
    lingering->deadline_us = loop->now_us + LINGER_US;
    lingering->next = loop->lingering;
    loop->lingering = lingering;
    loop->lingering_count++;
}

/* Throws away what came; at the peer's end the sweep of this round closes it. */
void linger_read(struct loop *loop, struct lingering *lingering) {
    char piece[LINGER_PIECE_BYTES];
    for (int i = 0; i < LINGER_PIECES_A_RUN; i++) {
        ssize_t size = recv(lingering->fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (size > 0) continue;
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        lingering->deadline_us = loop->now_us;
        return;
    }
}

void linger_sweep(struct loop *loop) {
    for (struct lingering **place = &loop->lingering; *place != NULL;) {
        struct lingering *lingering = *place;
        if (lingering->deadline_us > loop->now_us) {
            place = &lingering->next;
            continue;
        }
        *place = lingering->next;
        loop->lingering_count--;
        close(lingering->fd);
        free(lingering);
    }
}

void linger_end_all(struct loop *loop) {
    for (struct lingering *lingering = loop->lingering; lingering != NULL; lingering = lingering->next)
        lingering->deadline_us = loop->now_us;
    linger_sweep(loop);
}
