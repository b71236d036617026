/* One loop: a thread, an epoll set, a listening socket, and all of its connections. Nothing in here is shared with another loop; only `deliver`
 * and the two requests (drain, stop) come from other threads.
 *
 *                ┌─────────────────────────── answered, nothing left over ───────────────────────────┐
 *   accept ──▶ IDLE ──first byte──▶ HEAD ──whole──▶ BODY ──whole──▶ AWAY ──finished──▶ SENDING ──sent──┘──▶ LINGER ──▶ closed
 *                                    │ refused                        ▲ admission may be away as well
 *                                    └── a short body is read away, then SENDING; or SENDING at once, then LINGER
 *
 * A request whose bytes are there, whose handler finishes at once and whose answer the socket takes stays in IDLE all the way. A phase is
 * entered only where a connection has to wait, and each but AWAY has one timeout for all, so that its list is in the order of the deadlines and
 * the sweep looks at its first only.
 *
 * A round: epoll_wait, what happened to connections, what other threads brought back, connections with work left, new connections,
 * timeouts, `round_ended`. Each part is bounded, and a connection does at most one recv, TURN_REQUESTS requests and TURN_SEND_BYTES of a body in
 * a round: what is left goes to the end of the line (`ready`), and the next round does not sleep.
 *
 * Who owns what
 * - A connection belongs to its loop, from accept to connection_end, which leaves it in `ended` until the round is over: whatever the round still
 *   holds of it sees fd -1.
 * - Its exchange exists from the last byte of a head to the last byte of the answer. In AWAY another thread has it, the connection waits, and
 *   reads nothing; a connection that ends then only unhooks it (exchange->connection is NULL), and the loop drops it when it comes back.
 * - Bytes are read into the loop's one buffer. What is not used in the same turn is kept in `unread` (a pool), and put in front of the next
 *   recv; so an idle connection has no buffer at all.
 * - The head of an answer is made in the loop's one buffer and sent with the body by one call. What the socket did not take of it is copied into
 *   the exchange's arena, where the body is anyway.
 *
 * Invariants
 * - A socket is told to epoll once, edge-triggered. `readable` and `writable` remember its edges; a recv that gives less than was asked for, and
 *   a send that takes less than it was given, mean that there will be an edge. After the peer's end (`hung_up`) only recv's 0 is the end.
 * - One request of a connection at a time: nothing is parsed while one is AWAY or SENDING. So answers keep the order of the requests.
 * - Each exchange is answered once: answer_begin is the only way to SENDING, and wants FINISHED.
 * - `starved` is true when `unread` is not enough to go on. A connection outside of AWAY, SENDING and LINGER that has unread bytes, or is
 *   readable, is in `ready`, or in hand, or starved and not readable. */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include "base/id.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/traffic.h"
#include "http/unread.h"

#define READ_BYTES      UNREAD_BYTES_MAX /* asked for in one recv, less what is unread */
#define TURN_SEND_BYTES (256u * 1024)    /* of a body, in one turn of its connection */
#define ANSWER_BYTES    8192u            /* head of an answer; a header field that does not fit is left out */
#define DATE_BYTES      37u              /* Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n */
#define RANDOM_BYTES    1024

enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_SENDING, PHASE_LINGER, PHASE_AWAY, PHASE_COUNT };

/* Where in a request the next byte belongs. */
enum stage { STAGE_HEAD, STAGE_BODY, STAGE_CHUNKS };

struct connection {
    struct loop *loop;
    int fd; /* -1 once ended */
    enum phase phase;
    enum stage stage;
    struct connection *previous, *next; /* of the same phase; next also in `ended` */
    struct connection *next_ready;
    int64_t deadline_us;

    struct exchange *exchange; /* the request in progress; NULL between two */
    struct unread unread;
    struct head_scan scan;
    struct chunks *chunks; /* in the arena */
    size_t body_capacity;
    uint64_t body_left_bytes; /* STAGE_BODY */
    struct text unsent[2];    /* SENDING: of the head and of the body, in the arena */
    int64_t head_us;          /* when the head's first byte came */

    bool readable, writable; /* as far as we know */
    bool hung_up;            /* the peer sends no more */
    bool reset;              /* there is no peer any more */
    bool is_ready;           /* in the loop's list */
    bool starved;
    bool is_used;    /* has had a request */
    bool overloaded; /* this request is one too many */
    bool expects_continue;
    bool is_1_1, keeps_alive; /* the request in progress */
    bool closes;              /* after this answer */
    bool lingers;             /* bytes of the request may still come after the close */
    bool before_drain;        /* its request came before the drain: served */
    char remote_address[46];
};

struct phase_list {
    struct connection *first, *last;
    int64_t timeout_us;
};

struct loop {
    const struct http_service *service;
    struct server *server;
    struct traffic *traffic;
    size_t index;
    size_t connections_max, exchanges_max;
    pthread_t thread;
    int listen_fd; /* -1 once draining, or for a loop that is given its sockets */
    int epoll_fd;
    bool is_listening;       /* epoll tells of new connections */
    int64_t listen_again_us; /* when it is not, for want of files or memory */
    struct waker waker;
    struct queue returned;    /* exchanges on their way back */
    atomic_int delivering;    /* threads that are about to wake this loop */
    struct queue_link *spare; /* exchanges not in use */
    size_t spare_count;
    size_t exchange_count; /* in use, wherever they are */
    struct phase_list phases[PHASE_COUNT];
    struct connection *ready_first, *ready_last;
    struct connection *ended;
    size_t connection_count, lingering_count;
    struct unread_pool unread_pool;
    int64_t now_us; /* monotonic, of this round */
    struct exchange *dispatching;
    bool came_back; /* the dispatched exchange, before the handler returned */
    bool draining;
    struct id_source ids;
    uint8_t random[RANDOM_BYTES];
    size_t random_left;
    atomic_bool drain_wanted, stop_wanted;
    int64_t date_second, date_round_us; /* of `date`, and when it was last looked at: now_us of that round */
    char date[DATE_BYTES + 1];
    char answer[ANSWER_BYTES];
    char buffer[READ_BYTES];
};

/* ---- loop.c ---- */
struct result loop_init(struct loop *loop, int listen_fd) MUST_CHECK; /* takes the listening socket; -1: none */
void loop_run(struct loop *loop);                                     /* the thread; returns when drained or stopped */
void loop_round(struct loop *loop, int timeout_ms);
void loop_close(struct loop *loop); /* of a loop that never ran, or has returned */
void loop_enter_phase(struct connection *connection, enum phase phase);
void loop_make_ready(struct connection *connection);                                   /* work is left for the next round */
struct exchange *loop_take_exchange(struct loop *loop, struct connection *connection); /* NULL: no memory */
void loop_put_exchange(struct loop *loop, struct exchange *exchange);
/* Calls `action` with the exchange; true when it is ours again, finished or admitted, as soon as the call returns. */
bool loop_dispatch(struct loop *loop, struct exchange *exchange, void (*action)(struct exchange *exchange));

/* ---- accept.c ---- */
bool accept_watch(struct loop *loop, bool is_wanted); /* whether epoll tells of new connections */
void accept_burst(struct loop *loop, size_t count_max);
struct connection *accept_socket(struct loop *loop, int fd, const struct sockaddr *address); /* takes the socket; NULL: closed */

/* ---- connection.c ---- */
void connection_run(struct connection *connection);    /* whatever can be done in one turn */
void connection_resume(struct connection *connection); /* its exchange is back, finished or admitted */
void connection_end(struct connection *connection);    /* at once */

/* ---- answer.c ---- */
enum answer_outcome { ANSWER_SENT, ANSWER_WAITS, ANSWER_FAILED };
enum answer_outcome answer_begin(struct connection *connection); /* sends what the exchange says */
enum answer_outcome answer_go_on(struct connection *connection);
void answer_record(struct exchange *exchange); /* into log and metrics; answer_begin does it */

/* ---- server.c ---- */
void server_loop_ended(struct server *server);
