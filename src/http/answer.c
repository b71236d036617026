#include "http/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "http/route.h"

#define END_BYTES 2u /* of the head */

/* ---- log and metrics ---- */

/* W3C Trace Context, section 3.2.2.5: the last bit of the flags. The caller records this trace, so do we; one that we made has none set. */
static bool is_sampled(struct text traceparent) { return traceparent.size >= 55 && strchr("13579bdf", traceparent.data[54]) != NULL; }

static const char *client_of(const struct exchange *exchange, char client[ADDRESS_TEXT_BYTES]) {
    address_format(&exchange->client, client);
    return client;
}

#define FIELDS(exchange, latency_us)                                                                     \
    LOG_TEXT("request_id", (exchange)->request_id), LOG_STRING("client", client_of(exchange, client)),   \
        LOG_TEXT("traceparent", exchange_traceparent(exchange)), LOG_TEXT("method", (exchange)->method), \
        LOG_TEXT("path", (exchange)->path), LOG_INTEGER("status", (exchange)->status), LOG_INTEGER("latency_us", latency_us)

/* What anybody may cause as often as he likes. */
static struct log_burst failed = {.window_us = CLOCK_SECOND_US, .lines_max = 10};
static struct log_burst unavailable = {.window_us = 60 * CLOCK_SECOND_US, .lines_max = 1}; /* why has been said by who found out */
static struct log_burst faulty = {.window_us = 10 * CLOCK_SECOND_US, .lines_max = 1};
static struct log_burst traced = {.window_us = CLOCK_SECOND_US, .lines_max = 50};

/* One line per answer at debug level; of sampled traces, of failures of ours and of faults of the protocol some of each burst. */
void answer_record(struct exchange *exchange) {
    const struct loop *loop = exchange->owner;
    int64_t latency_us = clock_monotonic_us(loop->service->clock) - exchange->head_us;
    traffic_count(loop->traffic, exchange->route, exchange->status, latency_us);
    bool is_fault = exchange->status == 400 || exchange->status == 413 || exchange->status == 414 || exchange->status == 431;
    char client[ADDRESS_TEXT_BYTES]; /* filled by a line that is written */
    if (exchange->status == 503)
        LOG_BURST(&unavailable, LOG_WARN, "request_failed", FIELDS(exchange, latency_us));
    else if (exchange->status >= 500)
        LOG_BURST(&failed, LOG_WARN, "request_failed", FIELDS(exchange, latency_us));
    else if (is_fault)
        LOG_BURST(&faulty, LOG_INFO, "request_faulty", FIELDS(exchange, latency_us));
    else if (is_sampled(exchange->traceparent))
        LOG_BURST(&traced, LOG_INFO, "request", FIELDS(exchange, latency_us));
    else
        LOG(LOG_DEBUG, "request", FIELDS(exchange, latency_us));
    if (loop->service->answered != NULL) loop->service->answered(exchange);
}

/* ---- the head ---- */

struct head {
    char *bytes; /* ANSWER_BYTES */
    size_t size;
};

#define LINE(status, phrase) \
    case status: return TEXT("HTTP/1.1 " #status " " phrase "\r\n")

/* RFC 9110, section 15. NULL for a status that has none here. */
static struct text status_line(int status) {
    switch (status) {
        LINE(200, "OK");
        LINE(201, "Created");
        LINE(202, "Accepted");
        LINE(204, "No Content");
        LINE(302, "Found");
        LINE(304, "Not Modified");
        LINE(308, "Permanent Redirect");
        LINE(400, "Bad Request");
        LINE(401, "Unauthorized");
        LINE(403, "Forbidden");
        LINE(404, "Not Found");
        LINE(405, "Method Not Allowed");
        LINE(406, "Not Acceptable");
        LINE(409, "Conflict");
        LINE(410, "Gone");
        LINE(412, "Precondition Failed");
        LINE(413, "Content Too Large");
        LINE(414, "URI Too Long");
        LINE(415, "Unsupported Media Type");
        LINE(422, "Unprocessable Content");
        LINE(428, "Precondition Required");
        LINE(429, "Too Many Requests");
        LINE(431, "Request Header Fields Too Large");
        LINE(500, "Internal Server Error");
        LINE(502, "Bad Gateway");
        LINE(503, "Service Unavailable");
        LINE(504, "Gateway Timeout");
    default: return (struct text){NULL, 0};
    }
}

static bool put(struct head *head, struct text text) {
    if (text.size > ANSWER_BYTES - END_BYTES - head->size) return false;
    memcpy(head->bytes + head->size, text.data, text.size);
    head->size += text.size;
    return true;
}

static void put_status(struct head *head, int status) {
    char made[32];
    struct text line = status_line(status);
    if (line.data == NULL) line = (struct text){made, (size_t)snprintf(made, sizeof(made), "HTTP/1.1 %d \r\n", status)};
    CHECK(put(head, line));
}

/* One field, whole or not at all: a value that would end the line has no way out, wherever it came from (RFC 9110, section 5.5). */
static void put_field(struct head *head, struct text name, struct text value) {
    size_t start = head->size;
    bool is_sound = value.size == 0 || (memchr(value.data, '\r', value.size) == NULL && memchr(value.data, '\n', value.size) == NULL &&
                                        memchr(value.data, '\0', value.size) == NULL);
    if (is_sound && put(head, name) && put(head, TEXT(": ")) && put(head, value) && put(head, TEXT("\r\n"))) return;
    head->size = start;
    LOG(LOG_ERROR, "reply_header_refused", LOG_TEXT("name", name));
}

/* Printable, whoever made it (request_end): nobody looks at each byte again. It always fits. */
static void put_request_id(struct head *head, struct text id) {
    CHECK(put(head, TEXT("X-Request-Id: ")) && put(head, id) && put(head, TEXT("\r\n")));
}

static void put_length(struct head *head, size_t length) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
    CHECK(put(head, TEXT("Content-Length: ")) && put(head, (struct text){digits + at, sizeof(digits) - at}) && put(head, TEXT("\r\n")));
}

/* IMF-fixdate (RFC 9110, section 5.6.7), made once in a second; the clock is asked once in a round. */
static struct text date_line(struct loop *loop) {
    if (loop->date_round_us == loop->now_us && loop->date[0] != '\0') return (struct text){loop->date, DATE_BYTES};
    loop->date_round_us = loop->now_us;
    int64_t second = clock_now_us(loop->service->clock) / CLOCK_SECOND_US;
    if (second != loop->date_second || loop->date[0] == '\0') {
        time_t time = (time_t)second;
        struct tm parts;
        size_t size =
            gmtime_r(&time, &parts) == NULL ? 0 : strftime(loop->date, sizeof(loop->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        if (size != DATE_BYTES) { /* a clock beyond the year 9999 */
            loop->date[0] = '\0';
            return (struct text){"", 0};
        }
        loop->date_second = second;
    }
    return (struct text){loop->date, DATE_BYTES};
}

static void put_origin(struct head *head, const struct exchange *exchange) {
    if (exchange->service->allowed_origins == NULL) return;
    put_field(head, TEXT("Vary"), TEXT("Origin"));
    if (!route_allows_origin(exchange)) return;
    put_field(head, TEXT("Access-Control-Allow-Origin"), exchange->origin);
    put_field(head, TEXT("Access-Control-Expose-Headers"), /* all that the OpenAPI documents name */
              TEXT("Allow, Campaign-Sequence, Content-Disposition, ETag, Idempotent-Replayed, Link, Location, Retry-After, "
                   "Wallet-Instance, WWW-Authenticate, X-Request-Id"));
}

/* What frames the message comes first: it always fits. */
static struct text make_head(const struct connection *connection) {
    struct loop *loop = connection->loop;
    const struct exchange *exchange = connection->exchange;
    struct head head = {.bytes = loop->answer};
    bool has_cache_control = false;
    put_status(&head, exchange->status);
    CHECK(put(&head, date_line(loop)));
    /* RFC 9110, section 8.6: none with 204, and with 304 only that of the 200. */
    if (exchange->stream != NULL) {
        if (connection->is_1_1) CHECK(put(&head, TEXT("Transfer-Encoding: chunked\r\n")));
    } else if (exchange->status != 204 && exchange->status != 304) {
        put_length(&head, exchange->reply_body.size);
    }
    if (connection->closes) {
        CHECK(put(&head, TEXT("Connection: close\r\n")));
    } else if (!connection->is_1_1) {
        CHECK(put(&head, TEXT("Connection: keep-alive\r\n")));
    }
    CHECK(put(&head, TEXT("X-Content-Type-Options: nosniff\r\n")));
    put_request_id(&head, exchange->request_id);
    if (exchange->reply_content_type != NULL) put_field(&head, TEXT("Content-Type"), text_of(exchange->reply_content_type));
    for (size_t i = 0; i < exchange->reply_header_count; i++) {
        struct text name = text_of(exchange->reply_headers[i].name);
        if (exchange->reply_headers[i].value.size > 0) put_field(&head, name, exchange->reply_headers[i].value);
        if (text_equal_ignoring_case(name, TEXT("Cache-Control"))) has_cache_control = true;
    }
    if (!has_cache_control) (void)put(&head, TEXT("Cache-Control: no-store\r\n"));
    put_origin(&head, exchange);
    memcpy(head.bytes + head.size, "\r\n", END_BYTES);
    return (struct text){head.bytes, head.size + END_BYTES};
}

/* ---- sending ---- */

static struct text without(struct text text, size_t *size) {
    size_t step = *size < text.size ? *size : text.size;
    *size -= step;
    if (step == 0) return text; /* it may be NULL, to which nothing is added, not even zero */
    return (struct text){text.data + step, text.size - step};
}

/* One call; less than it was given means that the socket is full. What is long goes in pieces, a turn each: the others of the loop are not kept
 * waiting while the kernel copies megabytes for clients that may never read them. */
static enum answer_outcome send_unsent(struct connection *connection) {
    struct text *unsent = connection->unsent;
    struct iovec pieces[2];
    size_t count = 0, given = 0;
    for (size_t i = 0; i < 2; i++) {
        size_t left = connection->turn_left_bytes - given;
        size_t size = unsent[i].size < left ? unsent[i].size : left;
        if (size > 0) pieces[count++] = (struct iovec){(void *)(uintptr_t)unsent[i].data, size};
        given += size;
    }
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return ANSWER_FAILED;
    if (sent < 0 && errno == EINTR) loop_make_ready(connection);
    if (sent < 0 && errno == EAGAIN) connection->writable = false;
    size_t left = sent > 0 ? (size_t)sent : 0;
    connection->turn_left_bytes -= left;
    connection->loop->round_bytes += left;
    unsent[0] = without(unsent[0], &left);
    unsent[1] = without(unsent[1], &left);
    if (unsent[0].size + unsent[1].size == 0) return ANSWER_SENT;
    if (sent > 0 && (size_t)sent < given) connection->writable = false;
    if (sent > 0 && (size_t)sent == given) loop_make_ready(connection);
    return ANSWER_WAITS;
}

/* The head and the piece were made where the next answer's will be. Their copies are none of the request's own taking. */
static bool keep_unsent(struct connection *connection) {
    struct arena *arena = &connection->exchange->arena;
    struct text *head = &connection->unsent[0], *piece = &connection->unsent[1];
    const char *answer = connection->loop->answer, *start = connection->loop->piece;
    if (head->size > 0 && head->data >= answer && head->data < answer + ANSWER_BYTES) {
        arena->limit_bytes += ANSWER_BYTES;
        *head = arena_copy(arena, *head);
        if (head->data == NULL) return false;
    }
    if (piece->size == 0 || piece->data < start || piece->data >= start + CHUNK_BYTES) return true;
    if (connection->piece == NULL) {
        arena->limit_bytes += CHUNK_BYTES;
        connection->piece = arena_take(arena, CHUNK_BYTES);
        if (connection->piece == NULL) return false;
    }
    memcpy(connection->piece, piece->data, piece->size);
    piece->data = connection->piece;
    return true;
}

/* ---- streams ---- */

/* Makes a chunk of what stands in the loop's piece (RFC 9112, section 7.1). `is_last`: with the end behind it. */
static struct text frame(const struct connection *connection, size_t size, bool is_last) {
    static const char digits[] = "0123456789abcdef";
    char *start = connection->loop->piece + CHUNK_HEAD_BYTES, *end = start + size;
    if (!connection->is_1_1) return (struct text){start, size};
    if (size > 0) {
        *--start = '\n';
        *--start = '\r';
        for (size_t left = size; left > 0; left /= 16) *--start = digits[left % 16];
        *end++ = '\r';
        *end++ = '\n';
    }
    if (is_last) {
        memcpy(end, "0\r\n\r\n", 5);
        end += 5;
    }
    return (struct text){start, (size_t)(end - start)};
}

/* Before HTTP/1.1 the end of the connection is the end of the body: this one is none. */
static enum answer_outcome fail(const struct connection *connection) {
    struct linger at_once = {.l_onoff = 1};
    if (!connection->is_1_1) (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    LOG(LOG_WARN, "stream_failed", LOG_TEXT("request_id", connection->exchange->request_id), LOG_TEXT("path", connection->exchange->path));
    return ANSWER_FAILED;
}

static bool pull(struct connection *connection) {
    struct loop *loop = connection->loop;
    struct exchange *exchange = connection->exchange;
    size_t size = 0;
    if (loop->draining && stream_has_beat(exchange)) {
        connection->said = STREAM_END;
    } else {
        connection->said = stream_pull(exchange, loop->piece + CHUNK_HEAD_BYTES, STREAM_PIECE_BYTES, &size);
    }
    connection->unsent[1] = frame(connection, size, connection->said == STREAM_END);
    connection->has_moved = true;
    return connection->said != STREAM_FAILED;
}

/* What comes behind the bytes that there were. */
static enum answer_outcome after_bytes(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    switch (connection->said) {
    case STREAM_MORE: return ANSWER_PULLS;
    case STREAM_LATER: return stream_sleep(exchange) ? ANSWER_SLEEPS : ANSWER_PULLS;
    case STREAM_END: return ANSWER_SENT;
    case STREAM_FAILED: break;
    }
    return ANSWER_FAILED;
}

static enum answer_outcome send_all(struct connection *connection) {
    bool has_bytes = connection->unsent[0].size + connection->unsent[1].size > 0;
    enum answer_outcome outcome = has_bytes ? send_unsent(connection) : ANSWER_SENT;
    if (outcome == ANSWER_WAITS) return keep_unsent(connection) ? ANSWER_WAITS : ANSWER_FAILED;
    return outcome == ANSWER_SENT ? after_bytes(connection) : outcome;
}

enum answer_outcome answer_pull(struct connection *connection) {
    CHECK(connection->exchange->state == EXCHANGE_SENDING && connection->exchange->stream != NULL);
    return pull(connection) ? send_all(connection) : fail(connection);
}

enum answer_outcome answer_beat(struct connection *connection) {
    struct text beat = stream_beat(connection->exchange);
    CHECK(connection->said == STREAM_LATER && beat.size <= STREAM_PIECE_BYTES);
    memcpy(connection->loop->piece + CHUNK_HEAD_BYTES, beat.data, beat.size);
    connection->unsent[1] = frame(connection, beat.size, false);
    connection->has_moved = true;
    return send_all(connection);
}

/* ---- an answer ---- */

enum answer_outcome answer_begin(struct connection *connection) {
    struct exchange *exchange = connection->exchange;
    CHECK(exchange->state == EXCHANGE_FINISHED && exchange->status != 0);
    bool has_body = exchange->status != 204 && exchange->status != 304 && !text_equal(exchange->method, TEXT("HEAD"));
    bool is_stream = has_body && exchange->stream != NULL;
    if (connection->loop->draining || !connection->keeps_alive || (is_stream && !connection->is_1_1)) connection->closes = true;
    connection->unsent[0] = make_head(connection);
    connection->unsent[1] = has_body ? exchange->reply_body : (struct text){NULL, 0};
    connection->piece = NULL;
    connection->said = STREAM_END;
    exchange->state = EXCHANGE_SENDING;
    answer_record(exchange);
    if (is_stream && !pull(connection)) return fail(connection);
    return send_all(connection);
}

enum answer_outcome answer_go_on(struct connection *connection) {
    CHECK(connection->exchange->state == EXCHANGE_SENDING);
    return send_all(connection);
}
