#include "http/traffic.h"

#include "toy.h"

static void assert_metric(struct text page, const char *line) { assert_non_null(memmem(page.data, page.size, line, strlen(line))); }

static void test_requests_are_counted_by_route_and_status(void **state) {
    (void)state;
    struct server_options options = {.listen = {.host = "127.0.0.1"}, .loop_count = 1};
    struct toy *toy = toy_start(&options);
    int fd = toy_connect(toy);
    for (int i = 0; i < 3; i++) {
        toy_send(fd, "GET /fast HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(toy_receive(fd).status, 200);
        assert_int_equal(toy_receive(fd).status, 404);
    }
    toy_send(fd, "HEAD /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(toy_receive_for(fd, true).status, 200);
    close(fd);
    assert_ptr_equal(traffic_for(&toy->service), traffic_for(&toy->service));
    traffic_count(traffic_for(&toy->service), &toy_routes[0], 299, 1);
    toy_stop(toy);

    struct arena arena;
    struct buffer buffer;
    arena_init(&arena, 4 * 1024 * 1024);
    buffer_init(&buffer, &arena, 65536);
    metrics_write(&buffer);
    assert_false(buffer.failed);
    struct text page = buffer_text(&buffer);
    assert_metric(page, "\ntoy_http_requests_total{route=\"GET /fast\",status=\"200\"} 4\n");
    assert_metric(page, "\ntoy_http_requests_total{route=\"none\",status=\"404\"} 3\n");
    assert_metric(page, "\ntoy_http_requests_total{route=\"GET /fast\",status=\"other\"} 1\n");
    assert_metric(page, "\ntoy_http_request_duration_seconds_count{route=\"none\"} 3\n");
    assert_metric(page, "\ntoy_http_connections 0\n");
    assert_metric(page, "\ntoy_http_exchanges 0\n");
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests_are_counted_by_route_and_status)};
    log_init("toy", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
