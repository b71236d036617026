/* The loops over real sockets: limits, timeouts, overload, drain. */
#include "http/server.h"

#include "toy.h"

#include "base/limits.h"

/* The answer must arrive although the client goes on sending: no reset may overtake it. */
static void send_too_much(const struct toy *toy, const char *head, const char *chunk_head) {
    static char piece[65536];
    int fd = toy_connect(toy);
    memset(piece, ' ', sizeof(piece));
    toy_send(fd, head);
    for (int i = 0; i < 16; i++) {
        if (chunk_head != NULL && !toy_try_send(fd, chunk_head, strlen(chunk_head))) break;
        if (!toy_try_send(fd, piece, sizeof(piece))) break;
        if (chunk_head != NULL && !toy_try_send(fd, "\r\n", 2)) break;
    }
    struct toy_answer answer = toy_receive(fd);
    assert_int_equal(answer.status, 413);
    assert_true(answer.closes);
    assert_non_null(strstr(toy_body(&answer), "\"code\":\"body_too_large\""));
    assert_true(toy_is_closed(fd));
    close(fd);
}

static void refused_and_heard_out(const struct toy *toy, const char *head, size_t filler_bytes, int status) {
    static char filler[131072];
    int fd = toy_connect(toy);
    memset(filler, 'a', sizeof(filler));
    toy_send(fd, head);
    assert_true(toy_try_send(fd, filler, filler_bytes));
    assert_int_equal(toy_receive(fd).status, status);
    assert_true(toy_is_closed(fd));
    int other = toy_connect(toy);
    toy_expect(other, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200); /* the loop has been round: what it closes is closed */
    assert_true(toy_still_listens(fd));
    close(fd);
    close(other);
}

static void test_no_reset_overtakes_an_answer(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    refused_and_heard_out(toy, TOY_JSON_HEAD "Content-Length: 10000000\r\n\r\n", 0, 413);
    refused_and_heard_out(toy, TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n10001\r\n", 65537, 413);
    refused_and_heard_out(toy, "GET /fast HTTP/1.1\r\nHost: a\r\nX-Filler: ", 100000, 431);
    refused_and_heard_out(toy, "GET /", 100000, 414);
    toy_stop(toy);
}

static void test_bodies_are_bounded(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_send(fd, TOY_JSON_HEAD "Content-Length: 10000000\r\n\r\n"); /* refused by its head alone */
    assert_int_equal(toy_receive(fd).status, 413);
    close(fd);
    send_too_much(toy, TOY_JSON_HEAD "Content-Length: 1048576\r\n\r\n", NULL);
    send_too_much(toy, TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n", "10000\r\n");
    fd = toy_connect(toy);
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", 413);
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200); /* a short one does not cost the connection */
    close(fd);
    toy_stop(toy);
}

static void send_large_head(const struct toy *toy, size_t field_bytes, int status) {
    static char request[131072];
    int size = snprintf(request, sizeof(request), "GET /fast HTTP/1.1\r\nHost: a\r\nX-Filler: ");
    memset(request + size, 'f', field_bytes);
    snprintf(request + size + field_bytes, sizeof(request) - (size_t)size - field_bytes, "\r\n\r\n");
    int fd = toy_connect(toy);
    toy_send(fd, request);
    struct toy_answer answer = toy_receive(fd);
    assert_int_equal(answer.status, status);
    assert_int_equal(strstr(answer.text, "application/problem+json") != NULL, status != 200);
    close(fd);
}

static void test_heads_are_bounded(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    send_large_head(toy, LIMIT_HEADER_BYTES - 100, 200);
    send_large_head(toy, LIMIT_HEADER_BYTES, 431);
    send_large_head(toy, 24 * 1024, 431);
    send_large_head(toy, 100 * 1024, 431);
    static char target[8192];
    memset(target, 'a', sizeof(target));
    int size = snprintf(target, sizeof(target), "GET /");
    target[size] = 'a';
    snprintf(target + 5000, 64, " HTTP/1.1\r\nHost: a\r\n\r\n");
    int fd = toy_connect(toy);
    toy_send(fd, target);
    assert_int_equal(toy_receive(fd).status, 414);
    close(fd);
    toy_stop(toy);
}

static void test_smuggling_is_refused(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    static const char *const requests[] = {
        TOY_JSON_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        TOY_JSON_HEAD "Content-Length: 0\r\nContent-Length: 30\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        TOY_JSON_HEAD "Transfer-Encoding: x\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /fast HTTP/1.1\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        TOY_JSON_HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        TOY_JSON_HEAD "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        TOY_JSON_HEAD "X:\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XY0\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /fast HTTP/1.1\nHost: a\n\n",
        "GET /fast\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        int fd = toy_connect(toy);
        toy_send(fd, requests[i]);
        struct toy_answer answer = toy_receive(fd);
        assert_int_equal(answer.status, 400);
        assert_true(answer.closes);
        assert_non_null(strstr(answer.text, "\r\nContent-Type: application/problem+json\r\n"));
        assert_non_null(strstr(answer.text, "\r\nX-Request-Id: "));
        assert_true(toy_is_closed(fd));
        close(fd);
    }
    toy_stop(toy);
}

/* At the limit the client that has the most loses its oldest idle one. */
static void test_connections_are_bounded(void **state) {
    (void)state;
    struct server_options few = toy_options();
    few.connections_max = 2;
    struct toy *toy = toy_start(&few);
    int fds[4];
    char byte;
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        fds[i] = toy_connect(toy);
        toy_send(fds[i], "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(toy_receive(fds[i]).status, 200);
        if (i >= 2) assert_int_equal(recv(fds[i - 2], &byte, 1, 0), 0);
        if (i >= 1) assert_int_equal(recv(fds[i - 1], &byte, 1, MSG_DONTWAIT), -1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) close(fds[i]);
    toy_stop(toy);
}

static void test_slow_senders_are_cut(void **state) {
    (void)state;
    struct server_options tiny = toy_options();
    tiny.head_timeout_ms = tiny.body_timeout_ms = tiny.idle_timeout_ms = 60;
    struct toy *toy = toy_start(&tiny);
    int silent = toy_connect(toy);
    int slow_head = toy_connect(toy);
    int slow_body = toy_connect(toy);
    int between = toy_connect(toy);
    toy_send(slow_head, "GET /fast HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    toy_send(slow_body, TOY_JSON_HEAD "Content-Length: 2\r\n\r\n{");
    toy_expect(between, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_true(toy_is_closed(silent));
    assert_true(toy_is_closed(slow_head));
    assert_true(toy_is_closed(slow_body));
    assert_true(toy_is_closed(between));
    close(silent);
    close(slow_head);
    close(slow_body);
    close(between);
    toy_stop(toy);
}

/* What waits elsewhere is never timed out by the loop. */
static void test_waiting_has_no_timeout(void **state) {
    (void)state;
    struct server_options tiny = toy_options();
    tiny.head_timeout_ms = tiny.body_timeout_ms = tiny.idle_timeout_ms = 40;
    struct toy *toy = toy_start(&tiny);
    toy_set_open(toy, false);
    int fd = toy_connect(toy);
    int idle = toy_connect(toy);
    toy_send(fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 1);
    assert_true(toy_is_closed(idle)); /* a whole timeout has passed */
    toy_set_open(toy, true);
    assert_int_equal(toy_receive(fd).status, 200);
    close(fd);
    close(idle);
    toy_stop(toy);
}

static void test_overload_is_answered(void **state) {
    (void)state;
    struct server_options few = toy_options();
    few.exchanges_max = 2;
    struct toy *toy = toy_start(&few);
    toy_set_open(toy, false);
    int first = toy_connect(toy);
    int second = toy_connect(toy);
    int third = toy_connect(toy);
    toy_send(first, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_send(second, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 2);
    toy_send(third, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    struct toy_answer answer = toy_receive(third);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.text, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(toy_body(&answer), "\"code\":\"overloaded\""));
    toy_set_open(toy, true);
    assert_int_equal(toy_receive(first).status, 200);
    assert_int_equal(toy_receive(second).status, 200);
    toy_expect(third, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    close(first);
    close(second);
    close(third);
    toy_stop(toy);
}

static void test_one_handler_may_finish_others(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fds[5];
    toy_set_open(toy, false);
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        fds[i] = toy_connect(toy);
        toy_send(fds[i], "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    toy_await_away(toy, ARRAY_COUNT(fds));
    int fd = toy_connect(toy);
    toy_expect(fd, "GET /release HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        assert_int_equal(toy_receive(fds[i]).status, 200);
        close(fds[i]);
    }
    close(fd);
    toy_stop(toy);
}

static void *drain(void *context) {
    struct toy *toy = context;
    return (void *)(intptr_t)server_drain(toy->server, 10000).code;
}

static void test_drain_answers_what_it_accepted(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    int idle = toy_connect(toy);
    int half = toy_connect(toy);
    int waiting = toy_connect(toy);
    toy_expect(idle, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    toy_expect(half, TOY_JSON_HEAD "Content-Length: 2\r\n\r\n{}", 201);
    toy_send(half, TOY_JSON_HEAD "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(toy_receive(half).status, 100); /* begun: its head is in */
    toy_send(waiting, "GET /away HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 1);
    pthread_t drainer;
    assert_int_equal(pthread_create(&drainer, NULL, drain, toy), 0);
    assert_true(toy_is_closed(idle)); /* the drain has begun */
    toy_send(half, "{}");
    struct toy_answer answer = toy_receive(half);
    assert_int_equal(answer.status, 201);
    assert_true(answer.closes);
    toy_set_open(toy, true);
    answer = toy_receive(waiting);
    assert_int_equal(answer.status, 200);
    assert_true(answer.closes);
    void *outcome = NULL;
    pthread_join(drainer, &outcome);
    assert_int_equal((intptr_t)outcome, RESULT_OK);
    assert_int_equal(atomic_load(&toy->started), 1);
    assert_int_equal(atomic_load(&toy->stopped), 1);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server_port(toy->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof(address)), -1);
    close(late);
    close(idle);
    close(half);
    close(waiting);
    toy_free(toy);
}

/* More than one round of accept takes, all in the kernel's backlog with their requests when the drain begins. */
#define BACKLOGGED 30

static void test_drain_serves_the_backlog_and_what_has_begun(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fds[BACKLOGGED];
    int begun = toy_connect(toy);
    int blocker = toy_connect(toy);
    toy_send(begun, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n"); /* and half a head */
    assert_int_equal(toy_receive(begun).status, 200);
    toy_send(blocker, "GET /block HTTP/1.1\r\nHost: a\r\n\r\n");
    sem_wait(&toy->blocked);
    for (size_t i = 0; i < BACKLOGGED; i++) {
        fds[i] = toy_connect(toy);
        toy_send(fds[i], "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    assert_int_equal(server_drain(toy->server, 0).code, RESULT_TIMEOUT); /* asked, not waited for */
    sem_post(&toy->unblock);
    assert_int_equal(toy_receive(blocker).status, 200);
    for (size_t i = 0; i < BACKLOGGED; i++) {
        assert_int_equal(toy_receive(fds[i]).status, 200);
        assert_true(toy_is_closed(fds[i]));
        close(fds[i]);
    }
    toy_send(begun, "\r\n");
    struct toy_answer answer = toy_receive(begun);
    assert_int_equal(answer.status, 200);
    assert_true(answer.closes);
    close(begun);
    close(blocker);
    toy_stop(toy);
}

static void test_drain_refuses_new_requests(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    int waiting = toy_connect(toy);
    int fresh = toy_connect(toy); /* accepted, has said nothing yet */
    int idle = toy_connect(toy);
    toy_expect(idle, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    toy_send(waiting, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 1);
    pthread_t drainer;
    assert_int_equal(pthread_create(&drainer, NULL, drain, toy), 0);
    assert_true(toy_is_closed(idle));
    toy_send(fresh, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    struct toy_answer answer = toy_receive(fresh);
    assert_int_equal(answer.status, 503);
    assert_true(answer.closes);
    assert_non_null(strstr(toy_body(&answer), "\"code\":\"shutting_down\""));
    toy_set_open(toy, true);
    assert_int_equal(toy_receive(waiting).status, 200);
    pthread_join(drainer, NULL);
    close(waiting);
    close(fresh);
    close(idle);
    toy_free(toy);
}

static void test_a_drain_that_takes_too_long_is_given_up(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    int fd = toy_connect(toy);
    toy_send(fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 1);
    assert_int_equal(server_drain(toy->server, 50).code, RESULT_TIMEOUT);
    toy_free(toy); /* the worker brings the exchange back after the loop has ended */
    assert_true(toy_is_closed(fd));
    close(fd);
}

static void test_a_taken_port_is_an_error(void **state) {
    (void)state;
    struct server_options two = toy_options();
    two.loop_count = 2;
    struct toy *toy = toy_start(&two);
    two.listen.port = server_port(toy->server);
    struct server *second = NULL;
    assert_int_equal(server_start(&toy->service, &two, &second).code, RESULT_IO);
    assert_null(second);
    toy_stop(toy);
}

static void test_a_round_tells_its_end(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    int rounds = atomic_load(&toy->rounds); /* of a round that has ended, or not: the next request is of another one */
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_true(atomic_load(&toy->rounds) > rounds);
    close(fd);
    toy_stop(toy);
}

#define MANY 1000

static void test_a_thousand_connections_at_once(void **state) {
    (void)state;
    static int fds[MANY];
    struct server_options two = toy_options();
    two.loop_count = 2;
    struct toy *toy = toy_start(&two);
    for (int i = 0; i < MANY; i++) fds[i] = toy_connect(toy);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            static const char *const requests[] = {"GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", "GET /away HTTP/1.1\r\nHost: a\r\n\r\n",
                                                   TOY_JSON_HEAD "Content-Length: 2\r\n\r\n{}"};
            toy_send(fds[i], requests[(i + round) % 3]);
        }
        for (int i = 0; i < MANY; i++) assert_int_equal(toy_receive(fds[i]).status, (i + round) % 3 == 2 ? 201 : 200);
    }
    for (int i = 0; i < MANY; i++) close(fds[i]);
    assert_int_equal(atomic_load(&toy->started), 2);
    toy_stop(toy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_are_bounded),
        cmocka_unit_test(test_no_reset_overtakes_an_answer),
        cmocka_unit_test(test_heads_are_bounded),
        cmocka_unit_test(test_smuggling_is_refused),
        cmocka_unit_test(test_connections_are_bounded),
        cmocka_unit_test(test_a_round_tells_its_end),
        cmocka_unit_test(test_slow_senders_are_cut),
        cmocka_unit_test(test_waiting_has_no_timeout),
        cmocka_unit_test(test_overload_is_answered),
        cmocka_unit_test(test_drain_answers_what_it_accepted),
        cmocka_unit_test(test_drain_serves_the_backlog_and_what_has_begun),
        cmocka_unit_test(test_one_handler_may_finish_others),
        cmocka_unit_test(test_drain_refuses_new_requests),
        cmocka_unit_test(test_a_drain_that_takes_too_long_is_given_up),
        cmocka_unit_test(test_a_taken_port_is_an_error),
        cmocka_unit_test(test_a_thousand_connections_at_once),
    };
    log_init("toy", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
