#include "http/client.h"

#include <dlfcn.h>
#include <netdb.h>

#include "toy.h"

#define SLOW_NAME "slow.invalid"
#define SLOW_S    20 /* so long at most, whatever the test does */

static int done_count;

/* ---- names: the resolver of the system, which a name of ours keeps waiting ---- */

static pthread_mutex_t resolver_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_changed = PTHREAD_COND_INITIALIZER;
static int resolver_begun, resolver_ended;
static bool resolver_may_end;

static int resolve_slowly(void) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SLOW_S;
    pthread_mutex_lock(&resolver_mutex);
    resolver_begun++;
    pthread_cond_broadcast(&resolver_changed);
    for (int error = 0; !resolver_may_end && error == 0;)
        error = pthread_cond_clockwait(&resolver_changed, &resolver_mutex, CLOCK_MONOTONIC, &until);
    resolver_ended++;
    pthread_cond_broadcast(&resolver_changed);
    pthread_mutex_unlock(&resolver_mutex);
    return EAI_AGAIN;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret_addresses) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name != NULL && strcmp(name, SLOW_NAME) == 0) return resolve_slowly();
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof real);
    return real(name, service, hints, ret_addresses);
}

static int resolver_count(const int *counter) {
    pthread_mutex_lock(&resolver_mutex);
    int count = *counter;
    pthread_mutex_unlock(&resolver_mutex);
    return count;
}

static void let_resolvers_end(void) {
    pthread_mutex_lock(&resolver_mutex);
    resolver_may_end = true;
    pthread_cond_broadcast(&resolver_changed);
    while (resolver_ended < resolver_begun) pthread_cond_wait(&resolver_changed, &resolver_mutex);
    pthread_mutex_unlock(&resolver_mutex);
}

/* ---- calls ---- */

static void note_done(struct http_call *call) {
    (void)call;
    done_count++;
}

static char *url_of(const struct toy *toy, const char *path) {
    static char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)server_port(toy->server), path);
    return url;
}

static void run_until(struct http_client *client, int count) {
    while (done_count < count) assert_int_equal(http_client_run(client, NULL, 1000).code, RESULT_OK);
}

static void test_calls_are_answered(void **state) {
    (void)state;
    struct server_options options = {.listen = {.host = "127.0.0.1"}, .loop_count = 1};
    struct toy *toy = toy_start(&options);
    char url[128];
    snprintf(url, sizeof(url), "%s", url_of(toy, "/echo"));
    struct http_call post = {.method = "POST",
                             .url = url,
                             .body = TEXT("{\"a\":1}"),
                             .bearer = "token",
                             .idempotency_key = "key",
                             .request_id = "r1",
                             .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             .timeout_ms = 10000};
    assert_int_equal(http_call_wait(&post).code, RESULT_OK);
    assert_int_equal(post.status, 201);
    assert_text(post.reply, "{\"a\":1}");
    http_call_clear(&post);
    struct http_call refused = {.method = "POST", .url = url_of(toy, "/owned"), .timeout_ms = 10000};
    assert_int_equal(http_call_wait(&refused).code, RESULT_OK); /* an answer is an answer */
    assert_int_equal(refused.status, 401);
    http_call_clear(&refused);
    struct http_call get = {.method = "GET", .url = url_of(toy, "/fast"), .timeout_ms = 10000};
    assert_int_equal(http_call_wait(&get).code, RESULT_OK);
    assert_text(get.reply, "{\"ok\":true}");
    http_call_clear(&get);
    toy_stop(toy);
}

struct taken {
    char bytes[64];
    size_t size, pieces;
    bool is_enough;
};

static bool take(struct http_call *call, struct text piece) {
    struct taken *taken = call->taker;
    assert_true(piece.size <= sizeof taken->bytes - taken->size);
    memcpy(taken->bytes + taken->size, piece.data, piece.size);
    taken->size += piece.size;
    taken->pieces++;
    return !taken->is_enough;
}

/* What is asked for may be too long to be kept; a refusal is kept all the same. */
static void test_a_body_is_taken_as_it_comes(void **state) {
    (void)state;
    struct server_options options = {.listen = {.host = "127.0.0.1"}, .loop_count = 1};
    struct toy *toy = toy_start(&options);
    struct taken taken = {.size = 0};
    struct http_call call = {.method = "GET", .url = url_of(toy, "/fast"), .take = take, .taker = &taken, .timeout_ms = 10000};
    assert_int_equal(http_call_wait(&call).code, RESULT_OK);
    assert_int_equal(call.status, 200);
    assert_text(call.reply, "");
    assert_text(((struct text){taken.bytes, taken.size}), "{\"ok\":true}");
    http_call_clear(&call);
    taken = (struct taken){.is_enough = true};
    assert_int_equal(http_call_wait(&call).code, RESULT_IO);
    assert_int_equal(taken.pieces, 1);
    http_call_clear(&call);
    struct http_call post = {
        .method = "POST", .url = url_of(toy, "/echo"), .body = TEXT("[1]"), .take = take, .taker = &taken, .timeout_ms = 10000};
    assert_int_equal(http_call_wait(&post).code, RESULT_OK);
    assert_int_equal(post.status, 201);
    assert_text(post.reply, "[1]");
    http_call_clear(&post);
    post.content_type = "text/csv";
    assert_int_equal(http_call_wait(&post).code, RESULT_OK);
    assert_int_equal(post.status, 415);
    http_call_clear(&post);
    post.content_type = NULL;
    post.accept = "text/csv";
    assert_int_equal(http_call_wait(&post).code, RESULT_OK);
    assert_int_equal(post.status, 406);
    http_call_clear(&post);
    assert_int_equal(taken.pieces, 1);
    toy_stop(toy);
}

#define CALLS 300

static void test_many_calls_share_few_connections(void **state) {
    (void)state;
    static struct http_call calls[CALLS];
    struct server_options options = {.listen = {.host = "127.0.0.1"}, .loop_count = 1};
    struct toy *toy = toy_start(&options);
    struct http_client *client = NULL;
    assert_int_equal(http_client_create(4, &client).code, RESULT_OK);
    done_count = 0;
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct http_call){.method = "GET", .url = url_of(toy, "/away"), .timeout_ms = 20000, .done = note_done};
        assert_int_equal(http_client_start(client, &calls[i]).code, RESULT_OK);
    }
    run_until(client, CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].outcome.code, RESULT_OK);
        assert_int_equal(calls[i].status, 200);
        http_call_clear(&calls[i]);
    }
    http_client_free(client);
    toy_stop(toy);
}

static void test_retry_after_is_read(void **state) {
    (void)state;
    struct server_options options = {.listen = {.host = "127.0.0.1"}, .loop_count = 1, .exchanges_max = 1};
    struct toy *toy = toy_start(&options);
    toy_set_open(toy, false);
    struct http_client *client = NULL;
    assert_int_equal(http_client_create(2, &client).code, RESULT_OK);
    struct http_call waiting = {.method = "GET", .url = url_of(toy, "/away"), .timeout_ms = 20000, .done = note_done};
    done_count = 0;
    assert_int_equal(http_client_start(client, &waiting).code, RESULT_OK);
    while (true) {
        pthread_mutex_lock(&toy->mutex);
        size_t away = toy->away_count;
        pthread_mutex_unlock(&toy->mutex);
        if (away > 0) break;
        assert_int_equal(http_client_run(client, NULL, 10).code, RESULT_OK);
    }
    struct http_call refused = {.method = "GET", .url = url_of(toy, "/fast"), .timeout_ms = 20000};
    assert_int_equal(http_call_wait(&refused).code, RESULT_OK);
    assert_int_equal(refused.status, 503);
    assert_int_equal(refused.retry_after_ms, 1000);
    int64_t difference_us = refused.date_us - clock_now_us(&clock_system); /* Date is cut to a second */
    assert_true(difference_us > -60 * CLOCK_SECOND_US && difference_us <= 0);
    http_call_clear(&refused);
    http_client_free(client); /* the waiting call ends with it */
    assert_int_equal(done_count, 1);
    assert_int_equal(waiting.outcome.code, RESULT_IO);
    toy_stop(toy);
}

static void test_failures_are_told_apart(void **state) {
    (void)state;
    struct server_options options = {.listen = {.host = "127.0.0.1"}, .loop_count = 1};
    struct toy *toy = toy_start(&options);
    toy_set_open(toy, false);
    struct http_call slow = {.method = "GET", .url = url_of(toy, "/away"), .timeout_ms = 50};
    assert_int_equal(http_call_wait(&slow).code, RESULT_TIMEOUT);
    struct http_call forbidden = {.method = "GET", .url = "file:///etc/hostname", .timeout_ms = 1000};
    assert_int_equal(http_call_wait(&forbidden).code, RESULT_IO);
    struct http_call injected = {.method = "GET", .url = url_of(toy, "/fast"), .bearer = "a\r\nX-Evil: 1", .timeout_ms = 1000};
    assert_int_equal(http_call_wait(&injected).code, RESULT_INVALID);
    char url[128];
    snprintf(url, sizeof(url), "%s", url_of(toy, "/fast"));
    toy_stop(toy);
    struct http_call nobody = {.method = "GET", .url = url, .timeout_ms = 1000};
    assert_int_equal(http_call_wait(&nobody).code, RESULT_IO);
    assert_non_null(strstr(nobody.cause, "connect"));
}

struct peer {
    int listener;
    const char *head;
    size_t body_bytes;
};

/* Answers one request with a head and so many bytes. */
static void *answer_once(void *context) {
    static char piece[65536];
    struct peer *peer = context;
    int fd = accept(peer->listener, NULL, NULL);
    assert_true(fd >= 0);
    char request[4096];
    assert_true(recv(fd, request, sizeof(request), 0) > 0);
    toy_send(fd, peer->head);
    for (size_t sent = 0; sent < peer->body_bytes; sent += sizeof(piece)) {
        if (!toy_try_send(fd, piece, sizeof(piece))) break;
    }
    close(fd);
    return NULL;
}

static struct http_call ask_peer(const char *head, size_t body_bytes) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct peer peer = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .head = head, .body_bytes = body_bytes};
    pthread_t thread;
    char url[64];
    assert_int_equal(bind(peer.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer.listener, 1), 0);
    assert_int_equal(getsockname(peer.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, answer_once, &peer), 0);
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = 20000};
    struct result outcome = http_call_wait(&call);
    assert_int_equal(outcome.code, call.outcome.code);
    pthread_join(thread, NULL);
    close(peer.listener);
    call.url = NULL;
    return call;
}

static void test_answers_are_bounded_and_not_followed(void **state) {
    (void)state;
    struct http_call large = ask_peer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 5 * 1024 * 1024);
    assert_int_equal(large.outcome.code, RESULT_FULL);
    http_call_clear(&large);
    struct http_call cut = ask_peer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 0);
    assert_int_equal(cut.outcome.code, RESULT_IO);
    http_call_clear(&cut);
    struct http_call moved = ask_peer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0);
    assert_int_equal(moved.outcome.code, RESULT_OK);
    assert_int_equal(moved.status, 302);
    http_call_clear(&moved);
}

static void *wake(void *waker) {
    waker_wake(waker);
    return NULL;
}

static void test_a_waker_ends_the_wait(void **state) {
    (void)state;
    struct http_client *client = NULL;
    struct waker waker;
    pthread_t thread;
    assert_int_equal(http_client_create(1, &client).code, RESULT_OK);
    assert_int_equal(waker_init(&waker).code, RESULT_OK);
    for (int i = 0; i < 3; i++) {
        int64_t before_us = clock_monotonic_us(&clock_system);
        assert_int_equal(pthread_create(&thread, NULL, wake, &waker), 0);
        assert_int_equal(http_client_run(client, &waker, 60000).code, RESULT_OK);
        assert_true(clock_monotonic_us(&clock_system) - before_us < 30 * CLOCK_SECOND_US);
        pthread_join(thread, NULL);
        assert_false(waker_wait(&waker, 0)); /* cleared */
    }
    http_client_free(client);
    waker_close(&waker);
}

/* A name server that does not answer is asked by the system for half a minute. Neither the call's time nor the client's end is put off by that. */
static void test_a_name_that_is_not_found_holds_nobody_up(void **state) {
    (void)state;
    struct http_client *client = NULL;
    assert_int_equal(http_client_create(2, &client).code, RESULT_OK);
    done_count = 0;
    struct http_call late = {.method = "GET", .url = "http://" SLOW_NAME "/", .timeout_ms = 100, .done = note_done};
    assert_int_equal(http_client_start(client, &late).code, RESULT_OK);
    run_until(client, 1);
    assert_int_equal(late.outcome.code, RESULT_TIMEOUT);
    assert_int_equal(resolver_count(&resolver_ended), 0);
    struct http_call given_up = {.method = "GET", .url = "http://" SLOW_NAME "/", .timeout_ms = 60000, .done = note_done};
    assert_int_equal(http_client_start(client, &given_up).code, RESULT_OK);
    while (resolver_count(&resolver_begun) < 2) assert_int_equal(http_client_run(client, NULL, 10).code, RESULT_OK);
    http_client_free(client);
    assert_int_equal(done_count, 2);
    assert_int_equal(resolver_count(&resolver_ended), 0);
    let_resolvers_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_answered),
        cmocka_unit_test(test_a_body_is_taken_as_it_comes),
        cmocka_unit_test(test_many_calls_share_few_connections),
        cmocka_unit_test(test_retry_after_is_read),
        cmocka_unit_test(test_failures_are_told_apart),
        cmocka_unit_test(test_answers_are_bounded_and_not_followed),
        cmocka_unit_test(test_a_waker_ends_the_wait),
        cmocka_unit_test(test_a_name_that_is_not_found_holds_nobody_up),
    };
    log_init("toy", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
