/* A loop of a test's own, round by round. */
#pragma once

#include <fcntl.h>

#include "toy.h"

#include "http/accept.h"
#include "http/connection.h"
#include "http/round.h"

/* A loop without a thread, whose connections are socket pairs, and whose memory for waiting bytes is used up at will. */
struct bare {
    struct toy toy;
    struct loop loop;
    int fd;
};

/* The client's end of a further connection. */
static inline int bare_connect(struct bare *bare) {
    int fds[2];
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    assert_non_null(accept_socket(&bare->loop, fds[1], &nowhere));
    return fds[0];
}

static inline void bare_start_with(struct bare *bare, const struct route *routes, size_t count) {
    memset(bare, 0, sizeof(*bare));
    assert_int_equal(router_create(routes, count, &bare->toy.router).code, RESULT_OK);
    pthread_mutex_init(&bare->toy.mutex, NULL);
    pthread_cond_init(&bare->toy.changed, NULL);
    bare->toy.service = (struct http_service){.name = "bare",
                                              .self = &bare->toy,
                                              .routes = routes,
                                              .route_count = count,
                                              .router = bare->toy.router,
                                              .clock = &clock_system,
                                              .authorize = toy_authorize};
    bare->loop.service = &bare->toy.service;
    bare->loop.traffic = traffic_for(&bare->toy.service);
    bare->loop.connections_max = bare->loop.exchanges_max = 4;
    for (size_t i = 0; i < PHASE_COUNT; i++) bare->loop.phases[i].timeout_us = 3600 * CLOCK_SECOND_US;
    assert_int_equal(loop_init(&bare->loop, -1).code, RESULT_OK);
    bare->loop.now_us = clock_monotonic_us(&clock_system);
    bare->fd = bare_connect(bare);
}

static inline void bare_start(struct bare *bare) { bare_start_with(bare, toy_routes, ARRAY_COUNT(toy_routes)); }

static inline void bare_rounds(struct bare *bare) {
    for (int i = 0; i < 4; i++) loop_round(&bare->loop, 0);
}

static inline void bare_stop(struct bare *bare) {
    close(bare->fd);
    bare->loop.unread_pool.out_bytes = 0;
    loop_close(&bare->loop);
    pthread_cond_destroy(&bare->toy.changed);
    pthread_mutex_destroy(&bare->toy.mutex);
    router_free(bare->toy.router);
}
