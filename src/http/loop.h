/* One loop: a thread, an epoll set, a listening socket, and all of its connections. Nothing in here is shared with another loop; only `deliver`
 * and the two requests (drain, stop) come from other threads. Here stand the structs and what everybody needs of them; round.h says what a loop
 * does in a round, connection.h what a connection does in its turn.
 *
 * Who owns what
 * - A connection belongs to its loop, from accept to connection_end, which leaves it in `ended` until the round is over: whatever the round still
 *   holds of it sees fd -1.
 * - Its exchange exists from the last byte of a head to the last byte of the answer. While it is away another thread has it, the connection waits,
 *   and reads nothing; a connection that ends then only unhooks it (exchange->connection is NULL), and the loop drops it when it comes back.
 * - Bytes are read into the loop's one buffer. What is not used in the same turn is kept in `unread` (a pool), and put in front of the next
 *   recv; so an idle connection has no buffer at all.
 * - The head of an answer is made in the loop's one buffer, and so is a piece of a stream; both are sent with one call. What the socket did not take
 *   of them is copied into the exchange's arena, where a body is anyway.
 *
 * Invariants
 * - A socket is told to epoll once, edge-triggered. `readable` and `writable` remember its edges; a recv that gives less than was asked for, and
 *   a send that takes less than it was given, mean that there will be an edge. After the peer's end (`hung_up`) only recv's 0 is the end.
 * - One request of a connection at a time: nothing is parsed while one is away or being sent. So answers keep the order of the requests.
 * - Each exchange is answered once: answer_begin is the only way to SENDING, and wants FINISHED.
 * - `starved` is true when `unread` is not enough to go on. A connection that reads (connection.h) and has unread bytes, or is readable, is in
 *   `ready`, or in hand, or starved and not readable.
 * - When there are as many connections as there may be, the client that has the most of them gives one back to whoever comes (accept.h). Bodies
 *   hold LIMIT_BODIES_BYTES while they are read; beyond that, the client with the most connections loses the oldest of its own.
 * - A connection waits in the phase of its step, each of which but AWAY has one timeout for all: so its list is in the order of the deadlines. */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include "base/id.h"
#include "http/exchange.h"
#include "http/parse.h"
#include "http/service.h"
#include "http/share.h"
#include "http/stream.h"
#include "http/traffic.h"
#include "http/unread.h"

#define READ_BYTES       UNREAD_BYTES_MAX /* asked for in one recv, less what is unread */
#define TURN_BYTES       (64u * 1024) /* sent by a connection in one turn: of one answer or of many, that lie there or are made meanwhile */
#define TURN_BYTES_LEAST 8192u        /* with less than this left, no further answer or piece is begun */
#define ROUND_BYTES      (2u * 1024 * 1024) /* sent in a round: those who are ready then wait for the next, behind what has come meanwhile */
#define ANSWER_BYTES     8192u              /* head of an answer; a header field that does not fit is left out */
#define DATE_BYTES       37u                /* Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n */
#define CHUNK_HEAD_BYTES 6u                 /* 4000\r\n */
#define CHUNK_TAIL_BYTES 7u                 /* \r\n0\r\n\r\n */
#define CHUNK_BYTES      (CHUNK_HEAD_BYTES + STREAM_PIECE_BYTES + CHUNK_TAIL_BYTES)
#define RANDOM_BYTES     1024

/* Where a connection waits: whose turn is not now. */
enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_SENDING, PHASE_ASLEEP, PHASE_LINGER, PHASE_AWAY, PHASE_COUNT };

/* What a connection does next (connection.h). */
enum step {
    STEP_HEAD,
    STEP_ADMITTING,
    STEP_JUDGED,
    STEP_BODY,
    STEP_CHUNKS,
    STEP_HANDLING,
    STEP_ANSWER,
    STEP_SENDING,
    STEP_STREAMING,
    STEP_ASLEEP,
    STEP_LINGER,
    STEP_ENDED,
    STEP_COUNT
};

struct connection {
    struct loop *loop;
    int fd; /* -1 once ended */
    enum step step;
    enum phase phase;
    struct connection *previous, *next; /* of the same phase; next also in `ended` */
    struct connection *next_ready;
    int64_t deadline_us;

    struct exchange *exchange; /* the request in progress; NULL between two */
    struct unread unread;
    struct head_scan scan;
    struct chunks *chunks; /* in the arena */
    size_t body_capacity;
    uint64_t body_left_bytes; /* STEP_BODY */
    struct text unsent[2];    /* of the head and of the body or the piece; in the arena, once the turn is over */
    char *piece;              /* in the arena: what the socket did not take of a piece; NULL until there was any */
    enum stream_word said;    /* by the stream, at its last pull */
    size_t turn_left_bytes;   /* to be sent in this turn */
    uint32_t turn_answers;    /* sent in this turn */
    int64_t head_us;          /* when the head's first byte came */

    bool readable, writable; /* as far as we know */
    bool hung_up;            /* the peer sends no more */
    bool reset;              /* there is no peer any more */
    bool is_ready;           /* in the loop's list */
    bool starved;
    bool is_used;   /* has had a request */
    bool has_moved; /* its phase may be the same, but its time begins anew */
    bool expects_continue;
    bool is_1_1, keeps_alive; /* the request in progress */
    bool closes;              /* after this answer */
    bool lingers;             /* bytes of the request may still come after the close */
    bool before_drain;        /* its request came before the drain: served */
    struct address peer;
    struct holder *holder; /* whose share it is; NULL: a trusted proxy's, which stands for many clients and has none */
    size_t held_bytes;     /* of its body, while that is read */
};

struct phase_list {
    struct connection *first, *last;
    int64_t timeout_us;
};

struct loop {
    const struct http_service *service;
    void (*thread_ended)(void *context); /* the last that its thread does */
    void *thread_context;
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
    struct share share;
    size_t body_bytes; /* held by bodies that are being read */
    bool was_heavy;    /* they held much since memory was last given back */
    struct unread_pool unread_pool;
    int64_t now_us; /* monotonic, of this round */
    struct exchange *dispatching;
    bool came_back;     /* the dispatched exchange, before the handler returned */
    size_t round_bytes; /* sent in this round */
    bool draining;
    struct id_source ids;
    uint8_t random[RANDOM_BYTES];
    size_t random_left;
    atomic_bool drain_wanted, stop_wanted;
    int64_t date_second, date_round_us; /* of `date`, and when it was last looked at: now_us of that round */
    char date[DATE_BYTES + 1];
    char answer[ANSWER_BYTES];
    char piece[CHUNK_BYTES];
    char buffer[READ_BYTES];
};

void loop_set_thread(struct loop *loop); /* whose thread this is; NULL: nobody's */
void loop_enter_phase(struct connection *connection, enum phase phase);
/* The one that has waited longest in this phase: of this holder, or NULL: of any; but for `except`. Not all are looked at when there are very many. */
struct connection *loop_find_waiting(const struct loop *loop, enum phase phase, const struct holder *holder,
                                     const struct connection *except);
void loop_make_ready(struct connection *connection);                                   /* work is left for the next round */
struct exchange *loop_take_exchange(struct loop *loop, struct connection *connection); /* NULL: no memory */
void loop_put_exchange(struct loop *loop, struct exchange *exchange);                  /* which is not on its way by `deliver` */
/* Calls `action` with the exchange; true when it is ours again, finished or admitted, as soon as the call returns. */
bool loop_dispatch(struct loop *loop, struct exchange *exchange, void (*action)(struct exchange *exchange));
