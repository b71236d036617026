#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/loop.h"
#include "http/problem.h"

/* A refused request's body up to this is read and thrown away, so that the connection can go on; a longer one costs the connection. */
#define DISCARD_BYTES_MAX LIMIT_BODY_BYTES
#define TURN_REQUESTS     16u  /* of one connection in one round */
#define LINGERING_MAX     128u /* per loop; beyond it a socket is closed at once */
#define LINGER_PIECES     4u   /* READ_BYTES each, in one round */

/* What a step leaves: something to go on with, nothing to go on with, or a connection that waits for something else, or has ended. */
enum step { STEP_ON, STEP_STARVED, STEP_STOP };

/* ---- the end ---- */

void connection_end(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    CHECK(connection->fd >= 0);
    if (exchange != NULL && connection->phase == PHASE_AWAY) {
        exchange->connection = NULL; /* only the loop looks at this member */
    } else if (exchange != NULL) {
        loop_put_exchange(loop, exchange);
    }
    connection->exchange = NULL;
    unread_drop(&loop->unread_pool, &connection->unread);
    if (connection->phase == PHASE_LINGER) loop->lingering_count--;
    loop_enter_phase(connection, PHASE_COUNT);
    close(connection->fd); /* which takes it out of epoll */
    connection->fd = -1;
    loop->connection_count--;
    traffic_add_connections(loop->traffic, -1);
    if (connection->is_ready) return; /* the loop buries it when its turn comes */
    connection->next = loop->ended;
    loop->ended = connection;
}

/* The answer is sent. When the peer may still send, to close would reset the connection and might destroy the answer on its way: we say that
 * no more comes, and read on for a while (RFC 9112, section 9.6). */
static void close_politely(struct connection *connection) {
    struct loop *loop = connection->loop;
    int unread_bytes = 0;
    bool may_send = connection->lingers || (ioctl(connection->fd, FIONREAD, &unread_bytes) == 0 && unread_bytes > 0);
    if (!may_send || loop->lingering_count >= LINGERING_MAX || shutdown(connection->fd, SHUT_WR) != 0) {
        connection_end(connection);
        return;
    }
    unread_drop(&loop->unread_pool, &connection->unread);
    loop->lingering_count++;
    loop_enter_phase(connection, PHASE_LINGER);
    if (connection->readable) loop_make_ready(connection);
}

static void linger(struct connection *connection) {
    struct loop *loop = connection->loop;
    for (size_t i = 0; i < LINGER_PIECES && connection->readable; i++) {
        ssize_t size = recv(connection->fd, loop->buffer, READ_BYTES, MSG_DONTWAIT);
        bool is_over = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
        if (is_over) {
            connection_end(connection);
            return;
        }
        if ((size > 0 && (size_t)size < READ_BYTES && !connection->hung_up) || (size < 0 && errno == EAGAIN)) connection->readable = false;
    }
    if (connection->readable) loop_make_ready(connection);
}

/* ---- answering ---- */

static enum step after_answer(struct connection *connection, enum answer_outcome outcome) {
    struct loop *loop = connection->loop;
    switch (outcome) {
    case ANSWER_WAITS: return STEP_STOP;
    case ANSWER_FAILED: connection_end(connection); return STEP_STOP;
    case ANSWER_SENT: break;
    }
    loop_put_exchange(loop, connection->exchange);
    connection->exchange = NULL;
    connection->chunks = NULL;
    connection->stage = STAGE_HEAD;
    connection->scan = (struct head_scan){0};
    connection->before_drain = false;
    if (connection->closes) {
        close_politely(connection);
        return STEP_STOP;
    }
    loop_enter_phase(connection, PHASE_IDLE);
    return STEP_ON;
}

static enum step answer(struct connection *connection) { return after_answer(connection, answer_begin(connection)); }

/* The rest of the request is not read: whatever comes behind the answer is no request. */
static enum step answer_and_close(struct connection *connection) {
    connection->exchange->state = EXCHANGE_FINISHED;
    connection->closes = connection->lingers = true;
    return answer(connection);
}

static enum step wait_for_exchange(struct connection *connection) {
    loop_enter_phase(connection, PHASE_AWAY);
    return STEP_STOP;
}

/* ---- the body ---- */

/* The request is whole: here it has arrived. */
static enum step end_request(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    if (exchange->state == EXCHANGE_BODY) {
        if (exchange->body.data == NULL) exchange->body = TEXT("");
        if (connection->phase == PHASE_BODY) exchange->arrived_us = clock_now_us(loop->service->clock); /* it waited since its head */
        exchange->received_monotonic_us = loop->now_us;
        if (!loop_dispatch(loop, exchange, route_dispatch)) return wait_for_exchange(connection);
    }
    return answer(connection);
}

/* RFC 9110, section 10.1.1. A socket that does not take these bytes has a peer that reads nothing. */
static enum step invite(struct connection *connection) {
    static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const ssize_t size = sizeof(invitation) - 1;
    connection->expects_continue = false;
    if (send(connection->fd, invitation, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) == size) return STEP_STARVED;
    connection_end(connection);
    return STEP_STOP;
}

static enum step starve_in_body(struct connection *connection) {
    if (connection->phase != PHASE_BODY) loop_enter_phase(connection, PHASE_BODY);
    return connection->expects_continue ? invite(connection) : STEP_STARVED;
}

static struct text cut(struct text *input, size_t size) {
    struct text piece = {input->data, size};
    *input = (struct text){input->data + size, input->size - size};
    return piece;
}

/* Of a known length, for which there is room; or of a refused request, thrown away. */
static enum step read_body(struct connection *connection, struct text *input) {
    struct exchange *exchange = connection->exchange;
    bool is_last = input->size >= connection->body_left_bytes;
    struct text piece = cut(input, is_last ? (size_t)connection->body_left_bytes : input->size);
    if (piece.size > 0 && exchange->state == EXCHANGE_BODY) {
        CHECK(exchange->body.size + piece.size <= connection->body_capacity);
        memcpy((char *)(uintptr_t)exchange->body.data + exchange->body.size, piece.data, piece.size);
        exchange->body.size += piece.size;
    }
    if (piece.size > 0) connection->expects_continue = false;
    connection->body_left_bytes -= piece.size;
    return is_last ? end_request(connection) : starve_in_body(connection);
}

static bool grow_body(struct connection *connection, size_t needed_bytes) {
    struct exchange *exchange = connection->exchange;
    if (needed_bytes <= connection->body_capacity) return true;
    size_t capacity = connection->body_capacity * 2 > needed_bytes ? connection->body_capacity * 2 : needed_bytes + 4096;
    /* In place: copies that double would take more of the arena than a body of its full size may. */
    char *bytes = arena_resize(&exchange->arena, (void *)(uintptr_t)exchange->body.data, connection->body_capacity + 1, capacity + 1);
    if (bytes == NULL) return false;
    exchange->body.data = bytes;
    connection->body_capacity = capacity;
    return true;
}

static bool take_data(struct connection *connection, struct text data) {
    struct exchange *exchange = connection->exchange;
    size_t total = exchange->body.size + data.size;
    if (data.size == 0) return true;
    if (route_refuse_body(exchange, total)) return false;
    if (!grow_body(connection, total)) {
        problem_reply(exchange, &problem_overloaded, NULL);
        return false;
    }
    memcpy((char *)(uintptr_t)exchange->body.data + exchange->body.size, data.data, data.size);
    exchange->body.size = total;
    return true;
}

static enum step read_chunks(struct connection *connection, struct text *input) {
    struct text data;
    size_t used_bytes = chunks_read(connection->chunks, *input, &data);
    (void)cut(input, used_bytes);
    if (used_bytes > 0) connection->expects_continue = false;
    if (!take_data(connection, data)) return answer_and_close(connection);
    if (connection->chunks->state == CHUNKS_FAULTY) {
        problem_reply(connection->exchange, &problem_bad_request, "the chunked body is ill-formed");
        return answer_and_close(connection);
    }
    if (connection->chunks->state == CHUNKS_OVER) return end_request(connection);
    return used_bytes > 0 ? STEP_ON : starve_in_body(connection);
}

/* ---- the head ---- */

static bool begin_request(struct connection *connection) {
    struct loop *loop = connection->loop;
    CHECK(connection->exchange == NULL && connection->stage == STAGE_HEAD);
    struct exchange *exchange = loop_take_exchange(loop, connection);
    if (exchange == NULL) return false;
    connection->exchange = exchange;
    connection->overloaded = loop->exchange_count > loop->exchanges_max;
    connection->body_capacity = 0;
    connection->is_used = true;
    if (connection->phase != PHASE_HEAD) connection->head_us = loop->now_us;
    exchange->head_us = connection->head_us;
    exchange->received_monotonic_us = loop->now_us;
    memcpy(exchange->remote_address, connection->remote_address, sizeof(exchange->remote_address));
    return true;
}

/* Everything that can be said before the body; true when it is said or the exchange may read on, false while it is away. */
static bool judge_head(struct connection *connection, struct request_head *head) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    exchange->arrived_us = clock_now_us(loop->service->clock);
    bool is_sound = request_end(head, connection->is_1_1, &loop->ids, exchange->arrived_us);
    if (is_sound && loop->draining && !connection->before_drain) {
        problem_reply(exchange, &problem_shutting_down, NULL);
    } else if (is_sound && connection->overloaded) {
        problem_reply(exchange, &problem_overloaded, "too many requests are in progress");
    } else if (is_sound) {
        return loop_dispatch(loop, exchange, route_admit_again);
    }
    exchange->state = EXCHANGE_FINISHED;
    return true;
}

/* Room for a body of a known length is taken before a byte of it is read. */
static bool take_room(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    bool is_chunked = exchange->content_length == EXCHANGE_LENGTH_UNKNOWN;
    if (is_chunked) {
        connection->chunks = arena_take(&exchange->arena, sizeof(struct chunks));
        if (connection->chunks != NULL) chunks_begin(connection->chunks);
    } else if (exchange->content_length > 0) {
        connection->body_capacity = (size_t)exchange->content_length;
        exchange->body.data = arena_take(&exchange->arena, connection->body_capacity + 1);
    }
    if (is_chunked ? connection->chunks != NULL : exchange->content_length == 0 || exchange->body.data != NULL) return true;
    problem_reply(exchange, &problem_overloaded, NULL);
    return false;
}

/* The head is judged: admitted, and the body comes next, or refused. A short body is still read away, unless it waits for an invitation. */
static enum step after_head(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    bool is_admitted = exchange->state == EXCHANGE_BODY;
    if (is_admitted && connection->closes && exchange->content_length != 0) {
        problem_reply(exchange, &problem_overloaded, NULL); /* the start of its body came while it was away, and there was no room */
        return answer_and_close(connection);
    }
    bool is_short = exchange->content_length >= 0 && exchange->content_length <= DISCARD_BYTES_MAX;
    bool can_go_on = is_short && !connection->closes && (exchange->content_length == 0 || !connection->expects_continue);
    if (is_admitted ? !take_room(connection) : !can_go_on) return answer_and_close(connection);
    connection->stage = exchange->content_length == EXCHANGE_LENGTH_UNKNOWN ? STAGE_CHUNKS : STAGE_BODY;
    connection->body_left_bytes = exchange->content_length > 0 ? (uint64_t)exchange->content_length : 0;
    return exchange->content_length == 0 ? end_request(connection) : STEP_ON;
}

/* No request is in hand any more, or none could be told from the bytes: nothing behind them can be, either. */
static struct head_facts take_head(struct connection *connection, struct request_head *head, struct text *input, enum head_verdict verdict,
                                   size_t size) {
    if (verdict == HEAD_WHOLE) return head_read(head, connection->exchange, cut(input, size));
    head_read_faulty(head, connection->exchange, cut(input, input->size), verdict);
    return (struct head_facts){.is_1_1 = true, .keeps_alive = false};
}

static enum step read_head(struct connection *connection, struct text *input) {
    size_t size = connection->scan.line_start == 0 ? head_skip_empty_lines(*input) : 0;
    if (size > 0) connection->scan = (struct head_scan){0};
    (void)cut(input, size);
    if (input->size == 0) return STEP_STARVED;
    enum head_verdict verdict = head_scan(&connection->scan, *input, &size);
    if (verdict == HEAD_PARTIAL) {
        if (connection->phase != PHASE_HEAD) {
            connection->head_us = connection->loop->now_us;
            loop_enter_phase(connection, PHASE_HEAD);
        }
        return STEP_STARVED;
    }
    struct request_head head;
    if (!begin_request(connection)) {
        connection_end(connection);
        return STEP_STOP;
    }
    struct head_facts facts = take_head(connection, &head, input, verdict, size);
    connection->is_1_1 = facts.is_1_1;
    connection->keeps_alive = facts.keeps_alive;
    connection->expects_continue = head.expects_continue && facts.is_1_1;
    return judge_head(connection, &head) ? after_head(connection) : wait_for_exchange(connection);
}

/* ---- a turn ---- */

static bool is_reading(const struct connection *connection) { return connection->phase <= PHASE_BODY; }

static enum step read_on(struct connection *connection, struct text *input) {
    size_t answered = 0;
    enum step step = STEP_ON;
    while (step == STEP_ON && answered < TURN_REQUESTS) {
        switch (connection->stage) {
        case STAGE_HEAD: step = read_head(connection, input); break;
        case STAGE_BODY: step = read_body(connection, input); break;
        case STAGE_CHUNKS: step = read_chunks(connection, input); break;
        }
        if (step == STEP_ON && connection->exchange == NULL) answered++;
    }
    return step;
}

/* Adds what the socket has. False when the connection is over, or to be asked again. */
static bool receive(struct connection *connection, struct text *input) {
    size_t asked_bytes = READ_BYTES - input->size;
    CHECK(asked_bytes > 0);
    ssize_t size = recv(connection->fd, connection->loop->buffer + input->size, asked_bytes, MSG_DONTWAIT);
    if (size > 0) {
        input->size += (size_t)size;
        if ((size_t)size < asked_bytes && !connection->hung_up) connection->readable = false;
        return true;
    }
    if (size < 0 && errno == EAGAIN) {
        connection->readable = false;
        return true;
    }
    if (size < 0 && errno == EINTR) {
        loop_make_ready(connection);
    } else {
        connection_end(connection); /* between two requests, or in the middle of one that nobody can answer any more */
    }
    return false;
}

/* There is no room for what must wait. A request that is being answered still is, and costs the connection. */
static void refuse_for_room(struct connection *connection) {
    if (!is_reading(connection)) {
        connection->closes = connection->lingers = true;
        return;
    }
    if (connection->exchange == NULL) {
        struct request_head head;
        if (!begin_request(connection)) {
            connection_end(connection);
            return;
        }
        request_begin(&head, connection->exchange, TEXT(""), TEXT(""));
        head.out_of_memory = true;
        connection->is_1_1 = true;
        (void)request_end(&head, false, &connection->loop->ids, clock_now_us(connection->loop->service->clock));
    } else if (connection->exchange->status == 0) {
        problem_reply(connection->exchange, &problem_overloaded, NULL);
    }
    (void)answer_and_close(connection);
}

static void take_turn(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct text input = {loop->buffer, connection->unread.size};
    bool wants_more = connection->starved || input.size == 0;
    if (wants_more && !connection->readable && connection->starved) return;
    if (input.size > 0) memcpy(loop->buffer, connection->unread.bytes, input.size);
    if (wants_more && connection->readable && !receive(connection, &input)) return;
    enum step step = read_on(connection, &input);
    if (connection->fd < 0 || connection->phase == PHASE_LINGER) return;
    connection->starved = step == STEP_STARVED;
    if (!unread_keep(&loop->unread_pool, &connection->unread, input)) {
        refuse_for_room(connection);
        return;
    }
    if (is_reading(connection) && (connection->readable || (!connection->starved && input.size > 0))) loop_make_ready(connection);
}

void connection_run(struct connection *connection) {
    if (connection->reset) {
        connection_end(connection);
        return;
    }
    if (connection->phase == PHASE_SENDING && connection->writable && after_answer(connection, answer_go_on(connection)) == STEP_STOP)
        return;
    if (connection->phase == PHASE_LINGER) {
        linger(connection);
    } else if (is_reading(connection)) {
        take_turn(connection);
    }
}

void connection_resume(struct connection *connection) {
    CHECK(connection->phase == PHASE_AWAY);
    loop_enter_phase(connection, PHASE_BODY);
    bool is_admission = connection->stage == STAGE_HEAD;
    enum step step = is_admission ? after_head(connection) : answer(connection);
    if (step != STEP_ON) return;
    bool has_work = connection->exchange != NULL || connection->readable || connection->unread.size > 0;
    connection->starved = false;
    if (has_work) loop_make_ready(connection);
}
