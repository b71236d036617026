#include "http/server.h"

#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/round.h"

#define SEND_BYTES (128 * 1024) /* asked for; the kernel takes twice that. Its own bound is megabytes for each client that reads nothing */
#define OWN_PAGES_BYTES \
    (32 * 1024)              /* takings from here on have pages of their own, which go back to the system as soon as they are freed */
#define BACKLOG         4096 /* the kernel cuts it to net.core.somaxconn */
#define FILES_BESIDE    256u /* database, log, service-to-service connections, lingering sockets */
#define HEAD_TIMEOUT_MS 10000
#define BODY_TIMEOUT_MS 20000
#define IDLE_TIMEOUT_MS 75000

struct server {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    size_t ended_count;  /* loops that have returned */
    size_t thread_count; /* loops that were started */
    size_t loop_count;
    uint16_t port;
    struct server *next_abandoned;
    struct loop loops[];
};

/* Freed while somebody still had an exchange of theirs, who will bring it back: their memory stays until the process ends. */
static struct server *_Atomic abandoned;

/* ---- listening ---- */

static int bind_socket(const struct addrinfo *address, bool is_shared) {
    int on = 1, send_bytes = SEND_BYTES;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    bool is_bound = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                    (!is_shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
                    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)) == 0 &&
                    bind(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (is_bound) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static uint16_t port_of(const struct sockaddr *address) {
    return ntohs(address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                                                : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void set_port(struct sockaddr *address, uint16_t port) {
    if (address->sa_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    }
}

/* Sockets that share a port would let a second process in as well, so the port is first taken alone: that fails when anybody has it. */
static bool claim_port(struct addrinfo *address) {
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    int fd = bind_socket(address, false);
    if (fd < 0) return false;
    bool is_free = listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&bound, &size) == 0;
    if (is_free) set_port(address->ai_addr, port_of((struct sockaddr *)&bound));
    int error = errno;
    close(fd);
    errno = error;
    return is_free;
}

static bool open_listeners(const struct param_address *listen_on, int *fds, size_t count, uint16_t *ret_port) {
    char port[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *address = NULL;
    snprintf(port, sizeof(port), "%u", (unsigned)listen_on->port);
    if (getaddrinfo(listen_on->host[0] != '\0' ? listen_on->host : NULL, port, &hints, &address) != 0) {
        errno = EADDRNOTAVAIL;
        return false;
    }
    bool is_open = claim_port(address);
    size_t opened = 0;
    for (; is_open && opened < count; opened++) {
        fds[opened] = bind_socket(address, count > 1);
        if (fds[opened] < 0) break;
        if (listen(fds[opened], BACKLOG) == 0) continue;
        close(fds[opened]);
        break;
    }
    *ret_port = port_of(address->ai_addr);
    int error = errno;
    freeaddrinfo(address);
    if (is_open && opened == count) return true;
    for (size_t i = 0; i < opened; i++) close(fds[i]);
    errno = error;
    return false;
}

static void raise_file_limit(size_t files) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= files) return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= files ? files : limit.rlim_max;
    bool is_set = setrlimit(RLIMIT_NOFILE, &limit) == 0;
    if (!is_set || limit.rlim_cur < files)
        LOG(LOG_WARN, "file_limit_too_low", LOG_INTEGER("needed", files), LOG_INTEGER("limit", limit.rlim_cur));
}

/* ---- start ---- */

/* The last that a loop's thread does. */
static void count_ended(void *context) {
    struct server *server = context;
    pthread_mutex_lock(&server->mutex);
    server->ended_count++;
    pthread_cond_signal(&server->ended);
    pthread_mutex_unlock(&server->mutex);
}

static void prepare_loop(struct server *server, size_t index, const struct http_service *service, const struct server_options *options,
                         struct traffic *traffic) {
    struct loop *loop = &server->loops[index];
    loop->thread_ended = count_ended;
    loop->thread_context = server;
    loop->service = service;
    loop->traffic = traffic;
    loop->index = index;
    loop->listen_fd = loop->epoll_fd = loop->waker.fd = -1;
    loop->connections_max = options->connections_max != 0 ? options->connections_max : LIMIT_CONNECTIONS;
    loop->exchanges_max = options->exchanges_max != 0 ? options->exchanges_max : LIMIT_EXCHANGES;
    int64_t head_ms = options->head_timeout_ms > 0 ? options->head_timeout_ms : HEAD_TIMEOUT_MS;
    int64_t body_ms = options->body_timeout_ms > 0 ? options->body_timeout_ms : BODY_TIMEOUT_MS;
    int64_t idle_ms = options->idle_timeout_ms > 0 ? options->idle_timeout_ms : IDLE_TIMEOUT_MS;
    loop->phases[PHASE_HEAD].timeout_us = head_ms * 1000;
    loop->phases[PHASE_BODY].timeout_us = body_ms * 1000;
    loop->phases[PHASE_IDLE].timeout_us = idle_ms * 1000;
    loop->phases[PHASE_SENDING].timeout_us = idle_ms * 1000; /* a client that does not take its answer is as good as idle */
}

static void *run_thread(void *loop) {
    loop_run(loop);
    return NULL;
}

static bool start_threads(struct server *server) {
    sigset_t everything;
    sigset_t before;
    sigfillset(&everything); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &everything, &before);
    while (server->thread_count < server->loop_count) {
        struct loop *loop = &server->loops[server->thread_count];
        if (pthread_create(&loop->thread, NULL, run_thread, loop) != 0) break;
        pthread_setname_np(loop->thread, "loop");
        server->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server->thread_count == server->loop_count;
}

static struct server *create(const struct http_service *service, const struct server_options *options) {
    struct traffic *traffic = traffic_for(service);
    struct server *server = calloc(1, sizeof(*server) + options->loop_count * sizeof(struct loop));
    if (traffic == NULL || server == NULL) {
        free(server);
        return NULL;
    }
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->ended, NULL);
    server->loop_count = options->loop_count;
    for (size_t i = 0; i < server->loop_count; i++) prepare_loop(server, i, service, options, traffic);
    return server;
}

struct result server_start(const struct http_service *service, const struct server_options *options, struct server **ret_server) {
    CHECK(options->loop_count >= 1 && options->loop_count <= LIMIT_LOOPS);
    CHECK(service->router != NULL && service->clock != NULL && service->name != NULL);
    signal(SIGPIPE, SIG_IGN);
    (void)mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES);
    struct server *server = create(service, options);
    if (server == NULL) return result_error(RESULT_FULL);
    raise_file_limit(server->loops[0].connections_max * server->loop_count + FILES_BESIDE);
    int fds[LIMIT_LOOPS];
    if (!open_listeners(&options->listen, fds, server->loop_count, &server->port)) {
        LOG(LOG_ERROR, "listen_failed", LOG_STRING("address", options->listen.host), LOG_INTEGER("port", options->listen.port),
            LOG_STRING("reason", strerror(errno)));
        server_free(server);
        return result_error(RESULT_IO);
    }
    bool is_ready = true;
    for (size_t i = 0; i < server->loop_count; i++) {
        if (!result_is_ok(loop_init(&server->loops[i], fds[i]))) is_ready = false; /* all of them: each has its socket to close */
    }
    if (!is_ready || !start_threads(server)) {
        LOG(LOG_ERROR, "loops_failed", LOG_STRING("reason", strerror(errno)));
        server_free(server);
        return result_error(RESULT_FULL);
    }
    LOG(LOG_INFO, "listening", LOG_STRING("address", options->listen.host), LOG_INTEGER("port", server->port),
        LOG_INTEGER("loops", server->loop_count));
    *ret_server = server;
    return result_ok();
}

uint16_t server_port(const struct server *server) { return server->port; }

/* ---- end ---- */

static struct timespec deadline_in(int64_t ms) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += (ms % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    return time;
}

struct result server_drain(struct server *server, int64_t deadline_ms) {
    struct timespec deadline = deadline_in(deadline_ms);
    for (size_t i = 0; i < server->thread_count; i++) {
        atomic_store(&server->loops[i].drain_wanted, true);
        waker_wake(&server->loops[i].waker);
    }
    int error = 0;
    pthread_mutex_lock(&server->mutex);
    while (server->ended_count < server->thread_count && error == 0)
        error = pthread_cond_clockwait(&server->ended, &server->mutex, CLOCK_MONOTONIC, &deadline);
    bool all_ended = server->ended_count == server->thread_count;
    pthread_mutex_unlock(&server->mutex);
    return all_ended ? result_ok() : result_error(RESULT_TIMEOUT);
}

void server_free(struct server *server) {
    if (server == NULL) return;
    bool is_abandoned = false;
    for (size_t i = 0; i < server->thread_count; i++) {
        atomic_store(&server->loops[i].stop_wanted, true);
        waker_wake(&server->loops[i].waker);
    }
    for (size_t i = 0; i < server->thread_count; i++) {
        CHECK(pthread_join(server->loops[i].thread, NULL) == 0);
        if (server->loops[i].exchange_count > 0) is_abandoned = true;
    }
    if (is_abandoned) {
        server->next_abandoned = atomic_exchange(&abandoned, server);
        return;
    }
    for (size_t i = 0; i < server->loop_count; i++) loop_close(&server->loops[i]);
    pthread_cond_destroy(&server->ended);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
