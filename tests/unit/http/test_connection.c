/* One connection over a real socket: requests in whatever pieces, answers in order, hand-over between threads, and how it ends. */
#include "bare.h"

#include "base/limits.h"
#include "http/problem.h"

/* Piece by piece, each read by a round of its own or not: what is left over is found again. */
static void test_requests_in_single_bytes(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy), on = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    static const char *const requests[] = {"\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n",
                                           TOY_JSON_HEAD "Content-Length: 9\r\n\r\n\"seven c\"",
                                           TOY_JSON_HEAD
                                           "Transfer-Encoding: chunked\r\n\r\n3;x\r\n\"ab\r\n6\r\ncdefg\"\r\n0\r\nX: y\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        for (const char *byte = requests[i]; *byte != '\0'; byte++) assert_true(toy_try_send(fd, byte, 1));
        struct toy_answer answer = toy_receive(fd);
        assert_int_equal(answer.status, i == 0 ? 200 : 201);
        if (i > 0) assert_int_equal(answer.body_size, 9);
    }
    close(fd);
    toy_stop(toy);
}

/* More than one turn takes, and more than one recv: nobody is forgotten when the connection has said everything. */
static void test_a_long_pipeline(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static const char request[] = "GET /fast HTTP/1.1\r\nHost: a\r\nX-Filler: some bytes more, some bytes more\r\n\r\n";
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    int fd = toy_connect(toy), quick = toy_connect(toy);
    toy_send(fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    for (size_t i = 0; i < COUNT; i++) toy_send(fd, request);
    toy_await_away(toy, 1);
    toy_expect(quick, request, 200); /* the loop is free */
    toy_set_open(toy, true);
    for (size_t i = 0; i < COUNT + 1; i++) assert_int_equal(toy_receive(fd).status, 200);
    close(fd);
    close(quick);
    toy_stop(toy);
}

/* The socket takes a part of the answer: the rest follows as the client reads, and others are served meanwhile. */
static void test_a_slow_reader_gets_it_all(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int slow = toy_connect(toy), quick = toy_connect(toy);
    static char got[TOY_BIG_BYTES + 1024];
    toy_send(slow, "GET /big HTTP/1.1\r\nHost: a\r\nX-Request-Id: slow\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_expect(quick, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    toy_expect(quick, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    size_t size = 0, due = SIZE_MAX;
    while (size < due) {
        ssize_t piece = recv(slow, got + size, due == SIZE_MAX ? 1 : due - size, 0);
        assert_true(piece > 0);
        size += (size_t)piece;
        const char *end = due == SIZE_MAX ? strstr(got, "\r\n\r\n") : NULL;
        if (end != NULL) due = (size_t)(end + 4 - got) + TOY_BIG_BYTES;
    }
    for (size_t i = 0; i < TOY_BIG_BYTES; i++) assert_int_equal(got[due - TOY_BIG_BYTES + i], toy_big_byte(i));
    assert_int_equal(toy_receive(slow).status, 200); /* the one behind it */
    close(slow);
    close(quick);
    toy_stop(toy);
}

/* Half closed: it says no more, but it listens. */
static void test_an_end_behind_the_request_is_not_the_end(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    int fd = toy_connect(toy), half = toy_connect(toy);
    toy_send(fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    toy_send(half, "GET /fast HTTP/1.1\r\nHost: a\r\n");
    assert_int_equal(shutdown(half, SHUT_WR), 0);
    assert_true(toy_is_closed(half)); /* nobody will ever finish this one */
    toy_await_away(toy, 1);
    toy_set_open(toy, true);
    assert_int_equal(toy_receive(fd).status, 200);
    assert_int_equal(toy_receive(fd).status, 200);
    assert_true(toy_is_closed(fd));
    close(fd);
    close(half);
    toy_stop(toy);
}

/* Whoever works for it may know that nobody waits: when the end comes later, and when it came with the request. */
static void test_who_works_may_know_that_the_client_has_left(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    int stays = toy_connect(toy), goes = toy_connect(toy);
    toy_send(stays, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 1);
    toy_send(goes, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    toy_await_away(toy, 2);
    assert_false(exchange_has_hung_up(toy->away[1]));
    close(goes);
    while (!exchange_has_hung_up(toy->away[1])) sched_yield();
    goes = toy_connect(toy);
    toy_send(goes, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
    close(goes);
    toy_await_away(toy, 3);
    while (!exchange_has_hung_up(toy->away[2])) sched_yield();
    assert_false(exchange_has_hung_up(toy->away[0]));
    toy_set_open(toy, true);
    assert_int_equal(toy_receive(stays).status, 200);
    close(stays);
    toy_stop(toy);
}

static void test_http_1_0(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_send(fd, "GET /fast HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct toy_answer answer = toy_receive(fd);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.text, "\r\nConnection: keep-alive\r\n"));
    toy_send(fd, "GET /fast HTTP/1.0\r\n\r\n");
    answer = toy_receive(fd);
    assert_int_equal(answer.status, 200);
    assert_true(answer.closes);
    assert_true(toy_is_closed(fd));
    close(fd);
    toy_stop(toy);
}

static void test_100_continue_only_when_welcome(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_send(fd, TOY_JSON_HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(toy_receive(fd).status, 100);
    toy_send(fd, "{}");
    assert_int_equal(toy_receive(fd).status, 201);
    toy_send(fd, "POST /owned HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    struct toy_answer answer = toy_receive(fd);
    assert_int_equal(answer.status, 401);
    assert_non_null(strstr(answer.text, "\r\nWWW-Authenticate: Bearer"));
    close(fd);
    toy_stop(toy);
}

static void test_admission_may_wait_elsewhere(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_send(fd, "POST /owned HTTP/1.1\r\nHost: a\r\nAuthorization: good\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                 "Content-Length: 2\r\n\r\n");
    assert_int_equal(toy_receive(fd).status, 100);
    toy_send(fd, "[]");
    assert_int_equal(toy_receive(fd).status, 201);
    toy_expect(fd, "POST /owned HTTP/1.1\r\nHost: a\r\nAuthorization: bad\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
               401);
    toy_expect(fd,
               "POST /owned HTTP/1.1\r\nHost: a\r\nAuthorization: good\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
               201);
    assert_int_equal(atomic_load(&toy->asked), 3);
    toy_expect(fd, "GET /away?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 200); /* exchange_continue back to the loop */
    toy_expect(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n", 200);    /* the same from the loop itself */
    close(fd);
    toy_stop(toy);
}

static void test_a_client_may_leave_while_away(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    toy_set_open(toy, false);
    for (int i = 0; i < 20; i++) {
        int fd = toy_connect(toy);
        toy_send(fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n");
        toy_await_away(toy, (size_t)i + 1);
        struct linger reset = {.l_onoff = 1};
        if (i % 2 == 0) assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        close(fd);
    }
    toy_set_open(toy, true);
    int fd = toy_connect(toy);
    toy_expect(fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    close(fd);
    toy_stop(toy);
}

static void test_chunked_bodies(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_send(fd, TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n5;x=y\r\na\":12\r\n");
    toy_send(fd, "1\r\n}\r\n0\r\nTrailer: x\r\n\r\n");
    struct toy_answer answer = toy_receive(fd);
    assert_int_equal(answer.status, 201);
    assert_string_equal(toy_body(&answer), "{\"a\":12}");
    toy_expect(fd, TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400); /* empty: malformed_json */
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200);
    toy_send(fd, TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    struct toy_answer refused = toy_receive(fd);
    assert_int_equal(refused.status, 400);
    assert_true(refused.closes);
    assert_non_null(strstr(toy_body(&refused), "\"code\":\"bad_request\""));
    assert_true(toy_is_closed(fd));
    close(fd);
    toy_stop(toy);
}

static void test_keep_alive_and_pipelining(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    for (int i = 0; i < 3; i++) toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\nX-Request-Id: r\r\n\r\n", 200);
    toy_send(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\nGET /away HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
                 "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(toy_receive(fd).status, 200);
    assert_int_equal(toy_receive(fd).status, 200);
    assert_int_equal(toy_receive(fd).status, 404);
    struct toy_answer echo = toy_receive(fd);
    assert_int_equal(echo.status, 201);
    assert_string_equal(toy_body(&echo), "{}");
    assert_non_null(strstr(echo.text, "Location: /v1/echo/1"));
    toy_expect(fd, "GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200);
    assert_true(toy_is_closed(fd));
    close(fd);
    toy_stop(toy);
}

static void test_head_options_and_wrong_methods(void **state) {
    (void)state;
    struct server_options one = toy_options();
    struct toy *toy = toy_start(&one);
    int fd = toy_connect(toy);
    toy_send(fd, "HEAD /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    struct toy_answer head = toy_receive_for(fd, true);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.body_size, strlen("{\"ok\":true}"));
    toy_send(fd, "PUT /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    struct toy_answer wrong = toy_receive(fd);
    assert_int_equal(wrong.status, 405);
    assert_false(wrong.closes);
    assert_non_null(strstr(wrong.text, "\r\nAllow: GET, HEAD\r\n"));
    toy_send(fd, "OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    struct toy_answer asked = toy_receive(fd);
    assert_int_equal(asked.status, 204);
    assert_non_null(strstr(asked.text, "\r\nAllow: POST\r\n"));
    toy_expect(fd, "GET /fail HTTP/1.1\r\nHost: a\r\n\r\n", 500);
    close(fd);
    toy_stop(toy);
}

static void expect_overloaded(struct bare *bare) {
    bare_rounds(bare);
    struct toy_answer answer = toy_receive(bare->fd);
    assert_int_equal(answer.status, 503);
    assert_true(answer.closes);
    assert_non_null(strstr(toy_body(&answer), "\"code\":\"overloaded\""));
    assert_true(toy_is_closed(bare->fd));
    bare_stop(bare);
}

/* No byte is lost in silence: what stands behind a gap would be read as something else. */
static void test_without_room_for_what_waits(void **state) {
    (void)state;
    static struct bare bare;
    bare_start(&bare);
    bare.loop.unread_pool.out_bytes = LIMIT_UNREAD_BYTES;
    toy_send(bare.fd, "GET /fast HTTP/1.1\r\nHo");
    expect_overloaded(&bare);

    bare_start(&bare);
    bare.loop.unread_pool.out_bytes = LIMIT_UNREAD_BYTES;
    toy_send(bare.fd, TOY_JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n1");
    expect_overloaded(&bare);

    bare_start(&bare);
    bare.loop.unread_pool.out_bytes = LIMIT_UNREAD_BYTES;
    toy_send(bare.fd,
             "POST /owned HTTP/1.1\r\nHost: a\r\nAuthorization: good\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n[1");
    bare_rounds(&bare);
    assert_int_equal(bare.toy.away_count, 1); /* its admission waits, and half of its body found no room */
    toy_send(bare.fd, "2]GET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange_continue(toy_take(&bare.toy), route_admit_again);
    expect_overloaded(&bare);

    bare_start(&bare);
    bare.loop.unread_pool.out_bytes = LIMIT_UNREAD_BYTES;
    toy_send(bare.fd,
             "POST /owned HTTP/1.1\r\nHost: a\r\nAuthorization: good\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n[1");
    bare_rounds(&bare);
    struct exchange *exchange = toy_take(&bare.toy);
    problem_reply(exchange, &problem_forbidden, NULL); /* refused after all: the lost half of the body is not waited for */
    exchange_finish(exchange);
    bare_rounds(&bare);
    struct toy_answer refusal = toy_receive(bare.fd);
    assert_int_equal(refusal.status, 403);
    assert_true(refusal.closes);
    bare_stop(&bare);

    bare_start(&bare);
    bare.loop.unread_pool.out_bytes = LIMIT_UNREAD_BYTES;
    toy_send(bare.fd, "GET /away HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    bare_rounds(&bare);
    toy_reply(toy_take(&bare.toy));
    bare_rounds(&bare);
    struct toy_answer answer = toy_receive(bare.fd);
    assert_int_equal(answer.status, 200); /* the one that was taken; the other is to be sent again */
    assert_true(answer.closes);
    assert_true(toy_is_closed(bare.fd));
    bare_stop(&bare);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_head_options_and_wrong_methods),
        cmocka_unit_test(test_chunked_bodies),
        cmocka_unit_test(test_100_continue_only_when_welcome),
        cmocka_unit_test(test_admission_may_wait_elsewhere),
        cmocka_unit_test(test_a_client_may_leave_while_away),
        cmocka_unit_test(test_requests_in_single_bytes),
        cmocka_unit_test(test_a_long_pipeline),
        cmocka_unit_test(test_a_slow_reader_gets_it_all),
        cmocka_unit_test(test_an_end_behind_the_request_is_not_the_end),
        cmocka_unit_test(test_who_works_may_know_that_the_client_has_left),
        cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_without_room_for_what_waits),
    };
    log_init("toy", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
