/* One loop: a thread, a libmicrohttpd daemon, and all of its connections. Nothing in here is shared with another loop; only `deliver` and the
 * two requests (drain, stop) come from other threads.
 *
 *   connection:  IDLE ──request line──▶ HEAD ──admitted──▶ BODY ──whole──▶ AWAY or answered at once ──▶ SENDING ──▶ IDLE or closed
 *
 * Each phase but AWAY has one timeout for all, so that its list is in the order of the deadlines and the sweep looks at its head only. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>

#include "base/id.h"
#include "http/server.h"
#include "http/traffic.h"

enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_SENDING, PHASE_AWAY, PHASE_COUNT };

/* How far libmicrohttpd is with the request, which is not the exchange's own state: it asks again after each pause. */
enum stage { STAGE_HEAD, STAGE_BODY };

struct connection {
    struct loop *loop;
    struct MHD_Connection *mhd;
    int fd;
    enum phase phase;
    struct connection *previous, *next; /* of the same phase */
    int64_t deadline_us;

    struct exchange *exchange; /* the request in progress; NULL between two */
    enum stage stage;
    bool waiting; /* suspended: the exchange is somebody else's */
    struct text target;
    size_t body_capacity;
    int64_t head_us; /* when the request line came */
    uint64_t request_count;

    bool overloaded; /* this request is one too many */
    bool expects_continue;
    bool before_drain; /* its request came before the drain: served */
    bool linger;       /* bytes of the request may still come after the close */
    bool cut;          /* shut down by the sweep */
    char remote_address[46];
};

struct phase_list {
    struct connection *first, *last;
    int64_t timeout_us;
};

/* A socket whose answer is sent and whose peer still sends: read on for a while, as closing it would reset the connection and might destroy
 * the answer on its way (RFC 9112, section 9.6). */
struct lingering {
    int fd;
    int64_t deadline_us;
    struct lingering *next;
};

#define RANDOM_BYTES 1024

struct loop {
    const struct http_service *service;
    struct server *server;
    struct traffic *traffic;
    size_t index;
    size_t connections_max, exchanges_max;
    pthread_t thread;
    struct MHD_Daemon *daemon;
    int listen_fd; /* the daemon's; -1 once draining */
    int epoll_fd;
    struct waker waker;
    struct queue returned;    /* exchanges on their way back */
    atomic_int delivering;    /* threads that are about to wake this loop */
    struct queue_link *spare; /* exchanges not in use */
    size_t exchange_count;    /* in use, wherever they are */
    struct phase_list phases[PHASE_COUNT];
    size_t connection_count;
    struct lingering *lingering;
    size_t lingering_count;
    int64_t now_us; /* monotonic, of this round */
    struct exchange *dispatching;
    bool came_back; /* the dispatched exchange, before the handler returned */
    bool draining;
    struct id_source ids;
    uint8_t random[RANDOM_BYTES];
    size_t random_left;
    atomic_bool drain_wanted, stop_wanted;
};

/* ---- loop.c ---- */
struct result loop_init(struct loop *loop, int listen_fd) MUST_CHECK; /* takes the listening socket */
void loop_run(struct loop *loop);                                     /* the thread; returns when drained or stopped */
void loop_close(struct loop *loop);                                   /* of a loop that never ran, or has returned */
void loop_enter_phase(struct connection *connection, enum phase phase);
struct exchange *loop_take_exchange(struct loop *loop, struct connection *connection); /* NULL: no memory */
void loop_put_exchange(struct loop *loop, struct exchange *exchange);
/* Calls `action` with the exchange; true when it is ours again, finished or admitted, as soon as the call returns. */
bool loop_dispatch(struct loop *loop, struct exchange *exchange, void (*action)(struct exchange *exchange));
bool loop_dispatch_admission(struct loop *loop, struct exchange *exchange); /* the same for route_admit; false: pending */

/* ---- linger.c ---- */
void linger_begin(struct loop *loop, int fd); /* its own duplicate */
void linger_read(struct loop *loop, struct lingering *lingering);
void linger_sweep(struct loop *loop);
void linger_end_all(struct loop *loop);

/* ---- connection.c: libmicrohttpd's callbacks, all on the loop's thread ---- */
void connection_notify(void *loop, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code);
void *connection_begin_request(void *loop, const char *target, struct MHD_Connection *mhd);
enum MHD_Result connection_handle(void *loop, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request_context);
void connection_end_request(void *loop, struct MHD_Connection *mhd, void **request_context, enum MHD_RequestTerminationCode code);

/* ---- answer.c ---- */
enum MHD_Result answer_queue(struct connection *connection); /* the exchange's answer, through libmicrohttpd */
void answer_send_raw(struct connection *connection);         /* in the middle of a body, where libmicrohttpd takes none; then close */

/* ---- server.c ---- */
void server_loop_ended(struct server *server);
