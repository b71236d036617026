#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/limits.h"
#include "http/loop.h"
#include "http/problem.h"
#include "http/request.h"

/* A refused request's body up to this is read and thrown away, so that the connection can go on; a longer one costs the connection. */
#define DISCARD_BYTES_MAX LIMIT_BODY_BYTES

static struct connection *connection_of(struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

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

static void *open_connection(struct loop *loop, struct MHD_Connection *mhd) {
    struct connection *connection = calloc(1, sizeof(*connection));
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (connection == NULL || fd == NULL || address == NULL) {
        free(connection);
        return NULL; /* its first request closes it */
    }
    connection->loop = loop;
    connection->mhd = mhd;
    connection->fd = fd->connect_fd;
    connection->phase = PHASE_COUNT;
    write_address(address->client_addr, connection->remote_address);
    loop->connection_count++;
    traffic_add_connections(loop->traffic, 1);
    loop_enter_phase(connection, PHASE_IDLE);
    return connection;
}

static void end_exchange(struct loop *loop, struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    connection->exchange = NULL;
    if (connection->stage == STAGE_HEAD) connection->linger = true; /* refused by libmicrohttpd, or left in the middle of its head */
    if (connection->waiting) {
        exchange->connection = NULL; /* only the loop looks at this member */
    } else {
        loop_put_exchange(loop, exchange);
    }
    connection->waiting = false;
    connection->before_drain = false;
    loop_enter_phase(connection, PHASE_IDLE);
}

static void close_connection(struct loop *loop, struct connection *connection) {
    /* libmicrohttpd does not tell the end of every request that fails while its head is read. */
    if (connection->exchange != NULL) end_exchange(loop, connection);
    int unread_bytes = 0;
    if (!connection->cut && !connection->linger && ioctl(connection->fd, FIONREAD, &unread_bytes) == 0 && unread_bytes > 0)
        connection->linger = true;
    if (!connection->cut && connection->linger) linger_begin(loop, connection->fd);
    loop_enter_phase(connection, PHASE_COUNT);
    loop->connection_count--;
    traffic_add_connections(loop->traffic, -1);
    free(connection);
}

void connection_notify(void *of_loop, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = open_connection(of_loop, mhd);
    } else if (*socket_context != NULL) {
        close_connection(of_loop, *socket_context);
        *socket_context = NULL;
    }
}

/* libmicrohttpd would keep each parameter in the connection's pool; 0.9.75 gives no answer and leaves the request half dead when a long query
 * fills it. The target stands in its own read buffer, so we end it behind the question mark: the query is read by us, from our copy. */
static void hide_query(const char *target) {
    const char *mark = strchr(target, '?');
    if (mark != NULL) *(char *)(uintptr_t)(mark + 1) = '\0';
}

/* libmicrohttpd calls this with the raw target, before the rest of the head is there: here the request's time begins. */
void *connection_begin_request(void *of_loop, const char *target, struct MHD_Connection *mhd) {
    struct loop *loop = of_loop;
    struct connection *connection = connection_of(mhd);
    if (connection == NULL) return NULL;
    CHECK(connection->exchange == NULL);
    struct exchange *exchange = loop_take_exchange(loop, connection);
    if (exchange == NULL) return NULL;
    struct text raw = text_of(target);
    if (raw.size > LIMIT_URI_BYTES) raw.size = LIMIT_URI_BYTES + 1; /* enough to see that it is too long */
    connection->exchange = exchange;
    connection->target = arena_copy(&exchange->arena, raw);
    hide_query(target);
    connection->stage = STAGE_HEAD;
    connection->body_capacity = 0;
    connection->expects_continue = false;
    connection->overloaded = loop->exchange_count > loop->exchanges_max;
    connection->head_us = loop->now_us;
    connection->request_count++;
    memcpy(exchange->remote_address, connection->remote_address, sizeof(exchange->remote_address));
    loop_enter_phase(connection, PHASE_HEAD);
    return exchange;
}

void connection_end_request(void *of_loop, struct MHD_Connection *mhd, void **request_context, enum MHD_RequestTerminationCode code) {
    struct loop *loop = of_loop;
    struct connection *connection = connection_of(mhd);
    (void)code;
    if (connection == NULL || connection->exchange == NULL) return;
    *request_context = NULL;
    end_exchange(loop, connection);
}

static enum MHD_Result add_header(void *of_head, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
                                  size_t value_size) {
    (void)kind;
    request_add_header(of_head, (struct text){name, name_size}, (struct text){value != NULL ? value : "", value_size});
    return MHD_YES;
}

static void wait_for(struct connection *connection) {
    connection->waiting = true;
    loop_enter_phase(connection, PHASE_AWAY);
    MHD_suspend_connection(connection->mhd);
}

/* Everything that can be said before the body; true when it is said or the exchange may read on, false while it is away. */
static bool judge_head(struct connection *connection, const char *method, const char *version) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    struct request_head head;
    request_begin(&head, exchange, text_of(method), connection->target);
    MHD_get_connection_values_n(connection->mhd, MHD_HEADER_KIND, add_header, &head);
    connection->expects_continue = head.expects_continue;
    exchange->received_monotonic_us = loop->now_us;
    bool is_1_1 = !text_equal(text_of(version), TEXT("HTTP/1.0"));
    bool is_sound = request_end(&head, is_1_1, &loop->ids, clock_now_us(loop->service->clock));
    if (is_sound && loop->draining && !connection->before_drain) {
        problem_reply(exchange, &problem_shutting_down, NULL);
    } else if (is_sound && connection->overloaded) {
        problem_reply(exchange, &problem_overloaded, "too many requests are in progress");
    } else if (is_sound) {
        return loop_dispatch_admission(loop, exchange);
    }
    exchange->state = EXCHANGE_FINISHED;
    return true;
}

/* Now, or after a short body has been read away. An answer before the body makes libmicrohttpd close the connection. */
static enum MHD_Result refuse(struct connection *connection) {
    const struct exchange *exchange = connection->exchange;
    bool can_go_on = exchange->content_length >= 0 && exchange->content_length <= DISCARD_BYTES_MAX && exchange->status != 400;
    if (can_go_on && (exchange->content_length == 0 || !connection->expects_continue)) return MHD_YES;
    connection->linger = true;
    return answer_queue(connection);
}

/* Room for a body of a known length is taken before a byte of it is read. */
static void take_room(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    if (exchange->content_length <= 0) return;
    connection->body_capacity = (size_t)exchange->content_length;
    exchange->body.data = arena_take(&exchange->arena, connection->body_capacity + 1);
    if (exchange->body.data != NULL) return;
    problem_reply(exchange, &problem_overloaded, NULL);
    exchange->state = EXCHANGE_FINISHED;
}

static enum MHD_Result take_head(struct connection *connection, const char *method, const char *version) {
    struct exchange *exchange = connection->exchange;
    bool is_ours = true;
    if (exchange->state == EXCHANGE_HEAD) is_ours = judge_head(connection, method, version);
    if (!is_ours) {
        wait_for(connection);
        return MHD_YES;
    }
    if (exchange->state == EXCHANGE_BODY) take_room(connection);
    connection->stage = STAGE_BODY;
    loop_enter_phase(connection, PHASE_BODY);
    return exchange->state == EXCHANGE_FINISHED ? refuse(connection) : MHD_YES;
}

static bool grow_body(struct connection *connection, size_t needed_bytes) {
    struct exchange *exchange = connection->exchange;
    if (needed_bytes <= connection->body_capacity) return true;
    size_t capacity = connection->body_capacity * 2 > needed_bytes ? connection->body_capacity * 2 : needed_bytes + 4096;
    char *bytes = arena_take(&exchange->arena, capacity + 1);
    if (bytes == NULL) return false;
    if (exchange->body.size > 0) memcpy(bytes, exchange->body.data, exchange->body.size);
    exchange->body.data = bytes;
    connection->body_capacity = capacity;
    return true;
}

static enum MHD_Result take_piece(struct connection *connection, const char *piece, size_t *size) {
    struct exchange *exchange = connection->exchange;
    size_t piece_size = *size;
    *size = 0;
    if (exchange->state == EXCHANGE_FINISHED) return MHD_YES; /* refused: thrown away */
    CHECK(exchange->state == EXCHANGE_BODY);
    size_t total = exchange->body.size + piece_size;
    if (route_refuse_body(exchange, total) || !grow_body(connection, total)) {
        if (exchange->status == 0) problem_reply(exchange, &problem_overloaded, NULL);
        exchange->state = EXCHANGE_FINISHED;
        answer_send_raw(connection);
        return MHD_NO;
    }
    memcpy((char *)(uintptr_t)exchange->body.data + exchange->body.size, piece, piece_size);
    exchange->body.size = total;
    return MHD_YES;
}

/* The request is whole: here it has arrived. */
static enum MHD_Result take_end(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    if (exchange->state == EXCHANGE_BODY) {
        if (exchange->body.data == NULL) exchange->body = TEXT("");
        exchange->arrived_us = clock_now_us(loop->service->clock);
        exchange->received_monotonic_us = clock_monotonic_us(loop->service->clock);
        if (!loop_dispatch(loop, exchange, route_dispatch)) {
            wait_for(connection);
            return MHD_YES;
        }
    }
    return answer_queue(connection);
}

enum MHD_Result connection_handle(void *of_loop, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request_context) {
    struct connection *connection = connection_of(mhd);
    (void)of_loop;
    (void)url;
    (void)request_context;
    if (connection == NULL || connection->exchange == NULL) return MHD_NO; /* no memory when it began */
    if (connection->waiting) return MHD_NO;                                /* the loop stops before the exchange is back */
    if (connection->stage == STAGE_HEAD) return take_head(connection, method, version);
    if (*upload_size > 0) return take_piece(connection, upload, upload_size);
    return take_end(connection);
}
