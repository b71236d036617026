#include "http/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/answer.h"
#include "http/problem.h"
#include "http/route.h"

/* A refused request's body up to this is read and thrown away, so that the connection can go on; a longer one costs the connection. */
#define DISCARD_BYTES_MAX LIMIT_BODY_BYTES
#define TURN_REQUESTS     16u   /* of one connection in one round */
#define LINGERING_MAX     128u  /* per loop; beyond it a socket is closed at once */
#define LINGER_PIECES     4u    /* READ_BYTES each, in one round */
#define FIRST_ROOM_BYTES  4096u /* of a body, before more of it has come */
#define HEAVY_BYTES       (8u * 1024 * 1024)

/* What a step says: the next may be run; its bytes are not enough; the turn is over, for it waits for something else, or has ended. */
enum pace { GO_ON, STARVED, STOP };

/* ---- a body's memory ---- */

static void drop_room(struct connection *connection) {
    connection->loop->body_bytes -= connection->held_bytes;
    connection->held_bytes = 0;
}

/* Whose body gives way: of the client with the most connections the oldest, or anybody's oldest, unless that client is the one that wants more. */
static struct connection *find_body(const struct connection *wants) {
    const struct loop *loop = wants->loop;
    const struct holder *most = share_most(&loop->share);
    struct connection *found = most == NULL ? NULL : loop_find_waiting(loop, PHASE_BODY, most, wants);
    if (found != NULL || (most != NULL && wants->holder == most)) return found;
    return loop_find_waiting(loop, PHASE_BODY, NULL, wants);
}

/* False: there is no room, and nobody to take it from. */
static bool hold_room(struct connection *connection, size_t capacity) {
    struct loop *loop = connection->loop;
    CHECK(capacity >= connection->held_bytes);
    loop->body_bytes += capacity - connection->held_bytes;
    connection->held_bytes = capacity;
    if (loop->body_bytes > HEAVY_BYTES) loop->was_heavy = true;
    while (loop->body_bytes > LIMIT_BODIES_BYTES) {
        struct connection *victim = find_body(connection);
        if (victim == NULL) return false;
        traffic_count_displaced(loop->traffic);
        connection_end(victim);
    }
    return true;
}

/* ---- the end ---- */

void connection_end(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    CHECK(connection->fd >= 0);
    bool is_away = connection->step == STEP_ADMITTING || connection->step == STEP_HANDLING;
    if (exchange != NULL && (is_away || !stream_close(exchange))) {
        atomic_store_explicit(&exchange->has_hung_up, true, memory_order_relaxed);
        exchange->connection = NULL; /* only the loop looks at this member */
    } else if (exchange != NULL) {
        loop_put_exchange(loop, exchange);
    }
    connection->exchange = NULL;
    drop_room(connection);
    if (connection->holder != NULL) share_give(&loop->share, connection->holder);
    connection->holder = NULL;
    unread_drop(&loop->unread_pool, &connection->unread);
    if (connection->step == STEP_LINGER) loop->lingering_count--;
    connection->step = STEP_ENDED;
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
static enum pace close_politely(struct connection *connection) {
    struct loop *loop = connection->loop;
    int unread_bytes = 0;
    bool may_send = connection->lingers || (ioctl(connection->fd, FIONREAD, &unread_bytes) == 0 && unread_bytes > 0);
    if (!may_send || loop->lingering_count >= LINGERING_MAX || shutdown(connection->fd, SHUT_WR) != 0) {
        connection_end(connection);
        return STOP;
    }
    unread_drop(&loop->unread_pool, &connection->unread);
    loop->lingering_count++;
    connection->step = STEP_LINGER;
    if (connection->readable) loop_make_ready(connection);
    return STOP;
}

static enum pace linger(struct connection *connection, struct text *input) {
    struct loop *loop = connection->loop;
    (void)input; /* nobody reads it any more */
    for (size_t i = 0; i < LINGER_PIECES && connection->readable; i++) {
        ssize_t size = recv(connection->fd, loop->buffer, READ_BYTES, MSG_DONTWAIT);
        bool is_over = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
        if (is_over) {
            connection_end(connection);
            return STOP;
        }
        if ((size > 0 && (size_t)size < READ_BYTES && !connection->hung_up) || (size < 0 && errno == EAGAIN)) connection->readable = false;
    }
    if (connection->readable) loop_make_ready(connection);
    return STOP;
}

/* ---- answering ---- */

/* The last byte of the answer is the socket's. */
static enum pace end_answer(struct connection *connection) {
    loop_put_exchange(connection->loop, connection->exchange);
    connection->exchange = NULL;
    connection->chunks = NULL;
    connection->step = STEP_HEAD;
    connection->scan = (struct head_scan){0};
    connection->before_drain = false;
    connection->has_moved = true;
    connection->turn_answers++;
    return connection->closes ? close_politely(connection) : GO_ON;
}

static enum pace after_answer(struct connection *connection, enum answer_outcome outcome) {
    switch (outcome) {
    case ANSWER_SENT: return end_answer(connection);
    case ANSWER_WAITS: connection->step = STEP_SENDING; return STOP;
    case ANSWER_PULLS: connection->step = STEP_STREAMING; return GO_ON;
    case ANSWER_SLEEPS: connection->step = STEP_ASLEEP; return STOP;
    case ANSWER_FAILED: break;
    }
    connection_end(connection);
    return STOP;
}

static enum pace answer(struct connection *connection, struct text *input) {
    (void)input;
    return after_answer(connection, answer_begin(connection));
}

static enum pace send_on(struct connection *connection, struct text *input) {
    (void)input;
    return connection->writable ? after_answer(connection, answer_go_on(connection)) : STOP;
}

static enum pace stream_on(struct connection *connection, struct text *input) {
    (void)input;
    if (connection->turn_left_bytes >= TURN_BYTES_LEAST) return after_answer(connection, answer_pull(connection));
    loop_make_ready(connection);
    return STOP;
}

/* A peer that sends no more, and is told something without end: it has left, though the socket may not say so before the next beat. */
static enum pace sleep_on(struct connection *connection, struct text *input) {
    (void)input;
    if (connection->hung_up && stream_has_beat(connection->exchange)) connection_end(connection);
    return STOP;
}

static enum pace wait_for_exchange(struct connection *connection, struct text *input) {
    (void)connection, (void)input;
    return STOP;
}

/* The rest of the request is not read: whatever comes behind the answer is no request. */
static enum pace answer_and_close(struct connection *connection) {
    drop_room(connection);
    connection->exchange->state = EXCHANGE_FINISHED;
    connection->closes = connection->lingers = true;
    connection->step = STEP_ANSWER;
    return GO_ON;
}

/* ---- the body ---- */

/* The request is whole: here it has arrived. */
static enum pace end_request(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    drop_room(connection); /* from here on it is bounded with the exchanges */
    if (exchange->state == EXCHANGE_BODY) {
        if (exchange->body.data == NULL) exchange->body = TEXT("");
        bool has_waited = connection->phase == PHASE_BODY || connection->phase == PHASE_AWAY; /* since its head */
        if (has_waited) exchange->arrived_us = clock_now_us(loop->service->clock);
        exchange->received_monotonic_us = loop->now_us;
        if (connection->hung_up) atomic_store_explicit(&exchange->has_hung_up, true, memory_order_relaxed);
        connection->step = STEP_HANDLING;
        if (!loop_dispatch(loop, exchange, route_dispatch)) return STOP;
    }
    connection->step = STEP_ANSWER;
    return GO_ON;
}

/* RFC 9110, section 10.1.1. A socket that does not take these bytes has a peer that reads nothing. */
static enum pace invite(struct connection *connection) {
    static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const ssize_t size = sizeof(invitation) - 1;
    connection->expects_continue = false;
    if (send(connection->fd, invitation, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) == size) return STARVED;
    connection_end(connection);
    return STOP;
}

static enum pace starve_in_body(struct connection *connection) { return connection->expects_continue ? invite(connection) : STARVED; }

static struct text cut(struct text *input, size_t size) {
    struct text piece = {input->data, size};
    *input = (struct text){input->data + size, input->size - size};
    return piece;
}

/* `whole_bytes`: of the body, where that is known. False: an answer is set. */
static bool grow_body(struct connection *connection, size_t needed_bytes, size_t whole_bytes) {
    struct exchange *exchange = connection->exchange;
    if (needed_bytes <= connection->body_capacity) return true;
    size_t capacity = connection->body_capacity * 2 > needed_bytes ? connection->body_capacity * 2 : needed_bytes + FIRST_ROOM_BYTES;
    if (capacity > whole_bytes) capacity = whole_bytes;
    /* In place: copies that double would take more of the arena than a body of its full size may. */
    void *old = (void *)(uintptr_t)exchange->body.data;
    char *bytes = old == NULL ? arena_take(&exchange->arena, capacity + 1)
                              : arena_resize(&exchange->arena, old, connection->body_capacity + 1, capacity + 1);
    if (bytes != NULL) {
        exchange->body.data = bytes;
        connection->body_capacity = capacity;
        if (hold_room(connection, capacity)) return true;
    }
    problem_reply(exchange, &problem_overloaded, "There is no memory for the body at the moment.");
    return false;
}

/* Of a known length; room is taken as it comes, for whoever announces much may send little. Or of a refused request, thrown away. */
static enum pace read_body(struct connection *connection, struct text *input) {
    struct exchange *exchange = connection->exchange;
    bool is_last = input->size >= connection->body_left_bytes;
    struct text piece = cut(input, is_last ? (size_t)connection->body_left_bytes : input->size);
    if (piece.size > 0 && exchange->state == EXCHANGE_BODY) {
        if (!grow_body(connection, exchange->body.size + piece.size, (size_t)exchange->content_length)) return answer_and_close(connection);
        memcpy((char *)(uintptr_t)exchange->body.data + exchange->body.size, piece.data, piece.size);
        exchange->body.size += piece.size;
    }
    if (piece.size > 0) connection->expects_continue = false;
    connection->body_left_bytes -= piece.size;
    return is_last ? end_request(connection) : starve_in_body(connection);
}

static bool take_data(struct connection *connection, struct text data) {
    struct exchange *exchange = connection->exchange;
    size_t total = exchange->body.size + data.size;
    if (data.size == 0) return true;
    if (route_refuse_body(exchange, total)) return false;
    if (!grow_body(connection, total, SIZE_MAX)) return false;
    memcpy((char *)(uintptr_t)exchange->body.data + exchange->body.size, data.data, data.size);
    exchange->body.size = total;
    return true;
}

static enum pace read_chunks(struct connection *connection, struct text *input) {
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
    return used_bytes > 0 ? GO_ON : starve_in_body(connection);
}

/* ---- the head ---- */

static bool begin_request(struct connection *connection) {
    struct loop *loop = connection->loop;
    CHECK(connection->exchange == NULL && connection->step == STEP_HEAD);
    struct exchange *exchange = loop_take_exchange(loop, connection);
    if (exchange == NULL) return false;
    connection->exchange = exchange;
    connection->body_capacity = 0;
    connection->is_used = true;
    if (connection->phase != PHASE_HEAD) connection->head_us = loop->now_us;
    exchange->head_us = connection->head_us;
    exchange->received_monotonic_us = loop->now_us;
    exchange->peer = connection->peer;
    return true;
}

/* Everything that can be said before the body; true when it is said or the exchange may read on, false while its admission is away. */
static bool judge_head(struct connection *connection, struct request_head *head) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    exchange->arrived_us = clock_now_us(loop->service->clock);
    bool is_sound = request_end(head, connection->is_1_1, &loop->ids, exchange->arrived_us);
    if (is_sound && loop->draining && !connection->before_drain) {
        problem_reply(exchange, &problem_shutting_down, NULL);
    } else if (is_sound && loop->exchange_count > loop->exchanges_max) { /* this one is one too many */
        problem_reply(exchange, &problem_overloaded, "too many requests are in progress");
    } else if (is_sound) {
        connection->step = STEP_ADMITTING;
        return loop_dispatch(loop, exchange, route_admit_again);
    }
    exchange->state = EXCHANGE_FINISHED;
    return true;
}

static bool take_room(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    if (exchange->content_length != EXCHANGE_LENGTH_UNKNOWN) return true;
    connection->chunks = arena_take(&exchange->arena, sizeof(struct chunks));
    if (connection->chunks == NULL) {
        problem_reply(exchange, &problem_overloaded, NULL);
        return false;
    }
    chunks_begin(connection->chunks);
    return true;
}

/* The head is judged: admitted, and the body comes next, or refused. A short body is still read away, unless it waits for an invitation. */
static enum pace begin_body(struct connection *connection, struct text *input) {
    (void)input;
    struct exchange *exchange = connection->exchange;
    bool is_admitted = exchange->state == EXCHANGE_BODY;
    if (is_admitted && connection->closes && exchange->content_length != 0) {
        problem_reply(exchange, &problem_overloaded, NULL); /* the start of its body came while it was away, and there was no room */
        return answer_and_close(connection);
    }
    bool is_short = exchange->content_length >= 0 && exchange->content_length <= DISCARD_BYTES_MAX;
    bool can_go_on = is_short && !connection->closes && (exchange->content_length == 0 || !connection->expects_continue);
    if (is_admitted ? !take_room(connection) : !can_go_on) return answer_and_close(connection);
    connection->step = exchange->content_length == EXCHANGE_LENGTH_UNKNOWN ? STEP_CHUNKS : STEP_BODY;
    connection->body_left_bytes = exchange->content_length > 0 ? (uint64_t)exchange->content_length : 0;
    return exchange->content_length == 0 ? end_request(connection) : GO_ON;
}

/* No request is in hand any more, or none could be told from the bytes: nothing behind them can be, either. */
static struct head_facts take_head(struct connection *connection, struct request_head *head, struct text *input, enum head_verdict verdict,
                                   size_t size) {
    if (verdict == HEAD_WHOLE) return head_read(head, connection->exchange, cut(input, size));
    head_read_faulty(head, connection->exchange, cut(input, input->size), verdict);
    return (struct head_facts){.is_1_1 = true, .keeps_alive = false};
}

static enum pace read_head(struct connection *connection, struct text *input) {
    if (connection->turn_answers == TURN_REQUESTS || connection->turn_left_bytes < TURN_BYTES_LEAST) return STOP;
    size_t size = connection->scan.line_start == 0 ? head_skip_empty_lines(*input) : 0;
    if (size > 0) connection->scan = (struct head_scan){0};
    (void)cut(input, size);
    if (input->size == 0) return STARVED;
    enum head_verdict verdict = head_scan(&connection->scan, *input, &size);
    if (verdict == HEAD_PARTIAL) {
        if (connection->phase != PHASE_HEAD) connection->head_us = connection->loop->now_us;
        return STARVED;
    }
    struct request_head head;
    if (!begin_request(connection)) {
        connection_end(connection);
        return STOP;
    }
    struct head_facts facts = take_head(connection, &head, input, verdict, size);
    connection->is_1_1 = facts.is_1_1;
    connection->keeps_alive = facts.keeps_alive;
    connection->expects_continue = head.expects_continue && facts.is_1_1;
    if (!judge_head(connection, &head)) return STOP;
    connection->step = STEP_JUDGED;
    return GO_ON;
}

/* ---- a turn ---- */

static enum pace (*const steps[STEP_COUNT])(struct connection *connection, struct text *input) = {
    [STEP_HEAD] = read_head,      [STEP_ADMITTING] = wait_for_exchange,
    [STEP_JUDGED] = begin_body,   [STEP_BODY] = read_body,
    [STEP_CHUNKS] = read_chunks,  [STEP_HANDLING] = wait_for_exchange,
    [STEP_ANSWER] = answer,       [STEP_SENDING] = send_on,
    [STEP_STREAMING] = stream_on, [STEP_ASLEEP] = sleep_on,
    [STEP_LINGER] = linger,
};

static bool is_reading(enum step step) { return step == STEP_HEAD || step == STEP_BODY || step == STEP_CHUNKS; }

static enum pace run_steps(struct connection *connection, struct text *input) {
    enum pace pace = GO_ON;
    while (pace == GO_ON) pace = steps[connection->step](connection, input);
    return pace;
}

/* Where it waits from here on. */
static enum phase phase_of(const struct connection *connection) {
    static const enum phase phases[STEP_COUNT] = {
        [STEP_ADMITTING] = PHASE_AWAY,  [STEP_HANDLING] = PHASE_AWAY,     [STEP_BODY] = PHASE_BODY,     [STEP_CHUNKS] = PHASE_BODY,
        [STEP_SENDING] = PHASE_SENDING, [STEP_STREAMING] = PHASE_SENDING, [STEP_ASLEEP] = PHASE_ASLEEP, [STEP_LINGER] = PHASE_LINGER,
    };
    if (connection->step != STEP_HEAD) return phases[connection->step];
    return connection->starved && connection->unread.size > 0 ? PHASE_HEAD : PHASE_IDLE;
}

static void end_turn(struct connection *connection) {
    if (connection->step == STEP_ENDED) return;
    enum phase phase = phase_of(connection);
    if (phase != connection->phase || connection->has_moved) loop_enter_phase(connection, phase);
    connection->has_moved = false;
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
    if (!is_reading(connection->step)) {
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
    struct text nothing = {connection->loop->buffer, 0};
    if (answer_and_close(connection) == GO_ON) (void)run_steps(connection, &nothing);
}

/* With what is unread, and with what the socket has if that is not enough. */
static void read_and_run(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct text input = {loop->buffer, connection->unread.size};
    bool wants_more = connection->starved || input.size == 0;
    if (wants_more && !connection->readable && connection->starved) return;
    if (input.size > 0) memcpy(loop->buffer, connection->unread.bytes, input.size);
    if (wants_more && connection->readable && !receive(connection, &input)) return;
    enum pace pace = run_steps(connection, &input);
    if (connection->step == STEP_ENDED || connection->step == STEP_LINGER) return;
    connection->starved = pace == STARVED;
    if (!unread_keep(&loop->unread_pool, &connection->unread, input)) {
        refuse_for_room(connection);
        return;
    }
    bool has_work = connection->readable || (!connection->starved && input.size > 0);
    if (is_reading(connection->step) && has_work) loop_make_ready(connection);
}

/* Steps that want no bytes come first: what is unread stays where it is until one does. */
static void run_turn(struct connection *connection) {
    struct text nothing = {connection->loop->buffer, 0};
    enum pace pace = GO_ON;
    connection->turn_left_bytes = TURN_BYTES;
    connection->turn_answers = 0;
    while (pace == GO_ON && !is_reading(connection->step)) pace = steps[connection->step](connection, &nothing);
    if (pace == GO_ON) read_and_run(connection);
    end_turn(connection);
}

void connection_run(struct connection *connection) {
    if (connection->reset) {
        connection_end(connection);
    } else {
        run_turn(connection);
    }
}

void connection_hang_up(struct connection *connection) {
    connection->hung_up = true;
    if (connection->exchange != NULL) atomic_store_explicit(&connection->exchange->has_hung_up, true, memory_order_relaxed);
}

void connection_resume(struct connection *connection) {
    CHECK(connection->step == STEP_ADMITTING || connection->step == STEP_HANDLING);
    connection->step = connection->step == STEP_ADMITTING ? STEP_JUDGED : STEP_ANSWER;
    connection->starved = false;
    run_turn(connection);
}

void connection_wake(struct connection *connection) {
    if (connection->step != STEP_ASLEEP) return; /* a beat is on its way, and behind it the stream is asked */
    connection->step = STEP_STREAMING;
    run_turn(connection);
}

void connection_beat(struct connection *connection) {
    CHECK(connection->step == STEP_ASLEEP);
    connection->turn_left_bytes = TURN_BYTES;
    connection->has_moved = true;
    if (stream_has_beat(connection->exchange)) {
        (void)after_answer(connection, answer_beat(connection));
        if (connection->step == STEP_STREAMING) loop_make_ready(connection);
    }
    end_turn(connection);
}
