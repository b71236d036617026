#include "http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#define CONNECT_TIMEOUT_MS  5000L
#define HEADER_BYTES_MAX    (LIMIT_TOKEN_BYTES + 64)
#define RETRY_AFTER_S_MAX   86400
#define DATE_SECONDS_MAX    INT64_C(253402300799) /* 9999-12-31T23:59:59Z: Date has four digits for the year */
#define TIMEOUT_MS_DEFAULT  10000
#define REPLY_BYTES_AT_ONCE 4096u
#define SPARE_FLIGHTS_MAX   1024u
#define EVENTS_MAX          256
#define WAIT_MS_MAX         3600000
#define CA_CACHE_S          300L /* curl keeps what it has read of the authorities */

struct flight {
    struct flight *previous, *next;
    struct http_call *call;
    CURL *easy;
    struct curl_slist *headers;
    char *reply;
    size_t size, capacity;
    bool is_too_large;
    char error[CURL_ERROR_SIZE];
};

_Static_assert(CURL_ERROR_SIZE == HTTP_CALL_CAUSE_BYTES, "a cause is what curl says");

/* curl says which sockets it wants watched and when it wants to be called; an epoll set of our own does the watching, so that a round costs
 * what is ready and not what is open. */
struct http_client {
    CURLM *multi;
    int epoll_fd;
    int waker_fd;     /* in the set; -1: none yet */
    int64_t timer_us; /* monotonic; -1: none */
    struct flight *flights;
    struct flight *spare; /* linked by next, their handles kept */
    size_t spare_count;
};

static struct http_tls tls;
static struct log_burst handshakes = {.window_us = 60 * CLOCK_SECOND_US, .lines_max = 1};
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_is_ready;

static void start_curl(void) { curl_is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; }

void http_client_use_tls(const struct http_tls *used) { tls = *used; }

/* ---- watching ---- */

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket) {
    const struct http_client *client = context;
    (void)easy;
    (void)of_socket;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.events |= EPOLLOUT;
    if (epoll_ctl(client->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
    return errno == ENOENT && epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
}

static int set_timer(CURLM *multi, long timeout_ms, void *context) {
    struct http_client *client = context;
    (void)multi;
    client->timer_us = timeout_ms < 0 ? -1 : clock_monotonic_us(&clock_system) + timeout_ms * INT64_C(1000);
    return 0;
}

static bool watch_waker(struct http_client *client, const struct waker *waker) {
    if (waker == NULL || client->waker_fd == waker->fd) return true;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = waker->fd};
    if (client->waker_fd >= 0) epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, client->waker_fd, NULL);
    client->waker_fd = epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, waker->fd, &event) == 0 ? waker->fd : -1;
    return client->waker_fd >= 0;
}

static bool set_up(struct http_client *client, size_t connections_max) {
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->multi = curl_multi_init();
    long connections = (long)connections_max;
    return client->epoll_fd >= 0 && client->multi != NULL &&
           curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections) == CURLM_OK &&
           curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

struct result http_client_create(size_t connections_max, struct http_client **ret_client) {
    CHECK(connections_max >= 1 && connections_max <= INT32_MAX);
    if (pthread_once(&curl_once, start_curl) != 0 || !curl_is_ready) return result_error(RESULT_UNAVAILABLE);
    struct http_client *client = calloc(1, sizeof(*client));
    if (client == NULL) return result_error(RESULT_FULL);
    client->waker_fd = -1;
    client->timer_us = -1;
    if (!set_up(client, connections_max)) {
        http_client_free(client);
        return result_error(RESULT_FULL);
    }
    *ret_client = client;
    return result_ok();
}

/* ---- one call ---- */

static bool is_taken(const struct flight *flight) {
    long status = 0;
    return flight->call->take != NULL && curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
}

static size_t take_reply(char *data, size_t unit, size_t count, void *context) {
    struct flight *flight = context;
    size_t size = unit * count;
    if (is_taken(flight)) return flight->call->take(flight->call, (struct text){data, size}) ? size : 0;
    if (size > LIMIT_REPLY_BYTES - flight->size) {
        flight->is_too_large = true;
        return 0; /* curl ends the transfer */
    }
    if (flight->size + size + 1 > flight->capacity) {
        size_t capacity = flight->capacity * 2 > flight->size + size ? flight->capacity * 2 : flight->size + size;
        char *grown = realloc(flight->reply, capacity + REPLY_BYTES_AT_ONCE);
        if (grown == NULL) {
            flight->is_too_large = true;
            return 0;
        }
        flight->reply = grown;
        flight->capacity = capacity + REPLY_BYTES_AT_ONCE;
    }
    memcpy(flight->reply + flight->size, data, size);
    flight->size += size;
    flight->reply[flight->size] = '\0';
    return size;
}

static bool add_line(struct flight *flight, const char *line) {
    struct curl_slist *longer = curl_slist_append(flight->headers, line);
    if (longer == NULL) return false;
    flight->headers = longer;
    return true;
}

/* RESULT_INVALID for a value that would end its line: it must not reach the wire. */
static struct result add_header(struct flight *flight, const char *name, const char *value) {
    char line[HEADER_BYTES_MAX];
    if (value == NULL) return result_ok();
    if (!text_is_printable_ascii(text_of(value))) return result_error(RESULT_INVALID);
    int size = snprintf(line, sizeof(line), "%s%s", name, value);
    if (size < 0 || (size_t)size >= sizeof(line)) return result_error(RESULT_INVALID);
    return add_line(flight, line) ? result_ok() : result_error(RESULT_FULL);
}

static struct result add_headers(struct flight *flight) {
    const struct http_call *call = flight->call;
    TRY(add_header(flight, "Authorization: Bearer ", call->bearer));
    TRY(add_header(flight, "Idempotency-Key: ", call->idempotency_key));
    TRY(add_header(flight, "traceparent: ", call->traceparent));
    TRY(add_header(flight, "X-Request-Id: ", call->request_id));
    if (call->body.size > 0)
        TRY(add_header(flight, "Content-Type: ", call->content_type != NULL ? call->content_type : "application/json"));
    TRY(add_header(flight, "Accept: ", call->accept != NULL ? call->accept : "application/json"));
    /* No 100-continue: a batch is not worth a round trip before it. */
    return add_line(flight, "Expect:") ? result_ok() : result_error(RESULT_FULL);
}

static bool set_method(CURL *easy, const struct http_call *call) {
    if (strcmp(call->method, "GET") == 0) return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.size > 0 ? call->body.data : "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK;
}

/* The names of others are always checked: curl's defaults say so. */
static bool set_tls(CURL *easy) {
    if (tls.ca != NULL &&
        (curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca) != CURLE_OK || curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK))
        return false;
    if (tls.certificate != NULL && (curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate) != CURLE_OK ||
                                    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key) != CURLE_OK))
        return false;
    return curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S) == CURLE_OK;
}

static bool set_options(struct flight *flight) {
    CURL *easy = flight->easy;
    const struct http_call *call = flight->call;
    long timeout_ms = call->timeout_ms > 0 ? (long)call->timeout_ms : TIMEOUT_MS_DEFAULT;
    return curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK && set_method(easy, call) && set_tls(easy) &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, flight->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, flight->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, flight) == CURLE_OK && curl_easy_setopt(easy, CURLOPT_PRIVATE, flight) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* Who gives up a call does not wait for the thread that looks for its name: without an answer the system goes on asking for half a minute. */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK;
}

static void free_flight(struct flight *flight) {
    if (flight->easy != NULL) curl_easy_cleanup(flight->easy);
    curl_slist_free_all(flight->headers);
    free(flight->reply);
    free(flight);
}

static struct flight *take_flight(struct http_client *client, struct http_call *call) {
    struct flight *flight = client->spare;
    if (flight != NULL) {
        client->spare = flight->next;
        client->spare_count--;
        *flight = (struct flight){.easy = flight->easy};
    } else {
        flight = calloc(1, sizeof(*flight));
        if (flight == NULL) return NULL;
        flight->easy = curl_easy_init();
    }
    flight->call = call;
    return flight;
}

static void put_flight(struct http_client *client, struct flight *flight) {
    if (client->spare_count >= SPARE_FLIGHTS_MAX || flight->easy == NULL) {
        free_flight(flight);
        return;
    }
    curl_easy_reset(flight->easy);
    curl_slist_free_all(flight->headers);
    free(flight->reply);
    flight->headers = NULL;
    flight->reply = NULL;
    flight->next = client->spare;
    client->spare = flight;
    client->spare_count++;
}

struct result http_client_start(struct http_client *client, struct http_call *call) {
    CHECK(call->done != NULL && call->method != NULL && call->url != NULL);
    struct flight *flight = take_flight(client, call);
    if (flight == NULL) return result_error(RESULT_FULL);
    call->status = 0;
    call->reply = (struct text){NULL, 0};
    call->retry_after_ms = 0;
    call->date_us = 0;
    call->header[0] = '\0';
    call->cause[0] = '\0';
    call->internal = NULL;
    struct result outcome = flight->easy != NULL ? add_headers(flight) : result_error(RESULT_FULL);
    if (result_is_ok(outcome) && !set_options(flight)) outcome = result_error(RESULT_FULL);
    if (result_is_ok(outcome) && curl_multi_add_handle(client->multi, flight->easy) != CURLM_OK) outcome = result_error(RESULT_FULL);
    if (!result_is_ok(outcome)) {
        put_flight(client, flight);
        return outcome;
    }
    flight->next = client->flights;
    if (flight->next != NULL) flight->next->previous = flight;
    client->flights = flight;
    return result_ok();
}

/* RFC 9110, section 6.6.1; 0 when there is none that can be read. */
static int64_t read_date_us(CURL *easy) {
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return 0;
    time_t seconds = curl_getdate(header->value, NULL);
    return seconds > 0 && seconds <= DATE_SECONDS_MAX ? (int64_t)seconds * CLOCK_SECOND_US : 0;
}

static void read_header(CURL *easy, struct http_call *call) {
    struct curl_header *header = NULL;
    if (call->header_name == NULL) return;
    if (curl_easy_header(easy, call->header_name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return;
    if (header->amount == 1 && strlen(header->value) < sizeof call->header) memcpy(call->header, header->value, strlen(header->value) + 1);
}

/* The flight ends, its answer goes over to the call, and the call to its owner. */
static void land(struct http_client *client, struct flight *flight, struct result outcome) {
    struct http_call *call = flight->call;
    *(flight->previous != NULL ? &flight->previous->next : &client->flights) = flight->next;
    if (flight->next != NULL) flight->next->previous = flight->previous;
    CHECK(curl_multi_remove_handle(client->multi, flight->easy) == CURLM_OK);
    call->outcome = outcome;
    if (result_is_ok(outcome)) {
        long status = 0;
        curl_off_t retry_after_s = 0;
        curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(flight->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        call->status = (int)status;
        if (retry_after_s > 0) call->retry_after_ms = (retry_after_s > RETRY_AFTER_S_MAX ? RETRY_AFTER_S_MAX : retry_after_s) * 1000;
        call->date_us = read_date_us(flight->easy);
        read_header(flight->easy, call);
        call->reply = (struct text){flight->reply != NULL ? flight->reply : "", flight->size};
        call->internal = flight->reply;
        flight->reply = NULL;
    }
    put_flight(client, flight);
    call->done(call);
}

static struct result outcome_of(const struct flight *flight, CURLcode code) {
    if (code == CURLE_OK) return result_ok();
    if (flight->is_too_large) return result_error(RESULT_FULL);
    return result_error(code == CURLE_OPERATION_TIMEDOUT ? RESULT_TIMEOUT : RESULT_IO);
}

/* The other side's alert comes with the first read or write, when it is told behind the handshake (RFC 8446, section 4.4.2.4). */
static bool is_about_tls(CURLcode code, const char *error) {
    switch ((int)code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return true;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: return strstr(error, "SSL") != NULL;
    default: return false;
    }
}

/* Without TLS a failure is a line of whoever called; what is wrong with a certificate only this one knows. */
static void note_cause(struct flight *flight, CURLcode code) {
    const char *error = flight->error[0] != '\0' ? flight->error : curl_easy_strerror(code);
    snprintf(flight->call->cause, sizeof flight->call->cause, "%s", error);
    if (is_about_tls(code, error))
        LOG_BURST(&handshakes, LOG_WARN, "tls_failed", LOG_STRING("url", flight->call->url), LOG_STRING("cause", error));
    else
        LOG(LOG_DEBUG, "call_failed", LOG_STRING("url", flight->call->url), LOG_STRING("cause", error));
}

static void collect(struct http_client *client) {
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(client->multi, &left); message != NULL;
         message = curl_multi_info_read(client->multi, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        struct flight *flight = NULL;
        CURLcode code = message->data.result;
        CHECK(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight) == CURLE_OK && flight != NULL);
        if (code != CURLE_OK) note_cause(flight, code);
        land(client, flight, outcome_of(flight, code));
    }
}

static int wait_ms(const struct http_client *client, int64_t timeout_ms) {
    int64_t wait = timeout_ms < 0 ? 0 : timeout_ms > WAIT_MS_MAX ? WAIT_MS_MAX : timeout_ms;
    if (client->timer_us < 0) return (int)wait;
    int64_t until_timer_us = client->timer_us - clock_monotonic_us(&clock_system);
    int64_t until_timer = until_timer_us <= 0 ? 0 : (until_timer_us + 999) / 1000;
    return (int)(until_timer < wait ? until_timer : wait);
}

static struct result act(struct http_client *client, curl_socket_t fd, uint32_t events) {
    int running = 0;
    int what = 0;
    if ((events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
    return curl_multi_socket_action(client->multi, fd, what, &running) == CURLM_OK ? result_ok() : result_error(RESULT_IO);
}

struct result http_client_run(struct http_client *client, struct waker *waker, int64_t timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    if (!watch_waker(client, waker)) return result_error(RESULT_IO);
    int count = epoll_wait(client->epoll_fd, events, EVENTS_MAX, wait_ms(client, timeout_ms));
    if (count < 0 && errno != EINTR) return result_error(RESULT_IO);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd != client->waker_fd) {
            TRY(act(client, events[i].data.fd, events[i].events));
        } else if (waker != NULL) {
            waker_clear(waker);
        }
    }
    if (client->timer_us >= 0 && client->timer_us <= clock_monotonic_us(&clock_system)) {
        client->timer_us = -1; /* curl sets the next one */
        TRY(act(client, CURL_SOCKET_TIMEOUT, 0));
    }
    collect(client);
    return result_ok();
}

void http_client_free(struct http_client *client) {
    if (client == NULL) return;
    while (client->flights != NULL) land(client, client->flights, result_error(RESULT_IO));
    while (client->spare != NULL) {
        struct flight *flight = client->spare;
        client->spare = flight->next;
        free_flight(flight);
    }
    if (client->multi != NULL) curl_multi_cleanup(client->multi);
    if (client->epoll_fd >= 0) close(client->epoll_fd);
    free(client);
}

void http_call_clear(struct http_call *call) {
    free(call->internal);
    call->internal = NULL;
    call->reply = (struct text){NULL, 0};
}

static void note_done(struct http_call *call) { *(bool *)call->context = true; }

struct result http_call_wait(struct http_call *call) {
    struct http_client *client = NULL;
    void (*done)(struct http_call *) = call->done;
    void *context = call->context;
    bool is_done = false;
    TRY(http_client_create(1, &client));
    call->done = note_done;
    call->context = &is_done;
    struct result outcome = http_client_start(client, call);
    while (result_is_ok(outcome) && !is_done) outcome = http_client_run(client, NULL, 1000);
    http_client_free(client);
    call->done = done;
    call->context = context;
    return result_is_ok(outcome) ? call->outcome : outcome;
}
