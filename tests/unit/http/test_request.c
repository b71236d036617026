#include "http/request.h"

#include "fixture.h"

#include "base/limits.h"

static void test_the_target_is_taken_apart(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_true(fixture_read(&fixture, "GET", "http://example.test:80/v1/x%20y?a=%D8%A7", "Accept: a/b \nAccept:\tc/d\n"));
    assert_text(fixture.exchange.method, "GET");
    assert_text(fixture.exchange.path, "/v1/x%20y");
    assert_int_equal(fixture.exchange.query_count, 1);
    assert_text(fixture.exchange.query[0].value, "\xD8\xA7");
    assert_text(fixture.exchange.accept, "a/b, c/d");
    assert_null(fixture.exchange.authorization.data);
    fixture_clear(&fixture);
}

static void refused(const char *target, const char *fields, int status, const char *piece) {
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_false(fixture_read(&fixture, "POST", target, fields));
    assert_int_equal(fixture.exchange.status, status);
    assert_true(body_contains(&fixture.exchange, piece));
    assert_int_equal(fixture.exchange.content_length, EXCHANGE_LENGTH_UNKNOWN); /* or the rest would be read as a request */
    fixture_clear(&fixture);
}

static void test_what_http_forbids_is_refused(void **state) {
    (void)state;
    refused("/%zz", "", 400, "percent-encoding");
    refused("/%0", "", 400, "percent-encoding");
    refused("/a%00b", "", 400, "percent-encoding");
    refused("/%ff", "", 400, "percent-encoding");
    refused("/x?a=%f", "", 400, "percent-encoding");
    refused("/x", "Content-Length: 1\nContent-Length: 1\n", 400, "repeated");
    refused("/x", "Content-Length: -1\n", 400, "ill-formed");
    refused("/x", "Content-Length: 1, 1\n", 400, "ill-formed");
    refused("/x", "Content-Length: 99999999999999999999\n", 400, "ill-formed");
    refused("/x", "Content-Length: 1\nTransfer-Encoding: chunked\n", 400, "beside");
    refused("/x", "Transfer-Encoding: gzip, chunked\n", 400, "other than chunked");
    refused("/x", "Authorization: a\nAuthorization: b\n", 400, "repeated");
    refused("/x", "Idempotency-Key:\nIdempotency-Key: b\n", 400, "repeated");
    refused("/x", "Host: other\n", 400, "Host");
    refused("/x", "host: a b\n", 400, "ill-formed Host");
    refused("/x", "host: a/b\n", 400, "ill-formed Host");
    refused("/x", "host: \xc3\xa9\n", 400, "ill-formed Host");
    refused("/x", "Transfer-Encoding : chunked\n", 400, "ill-formed");
    refused("/x", ": nameless\n", 400, "ill-formed");
    refused("/x", "X-\xc3\xa9: a\n", 400, "ill-formed");
    refused("/x", "X-A: a\rX-B: b\n", 400, "control character");
}

static void test_sizes_are_bounded(void **state) {
    (void)state;
    static char long_target[LIMIT_URI_BYTES + 2];
    static char long_field[LIMIT_HEADER_BYTES + 16];
    memset(long_target, 'a', sizeof(long_target) - 1);
    long_target[0] = '/';
    refused(long_target, "", 414, "uri_too_long");
    refused(long_target, "Content-Length: 1\nContent-Length: 0\n", 414, "uri_too_long");
    memset(long_field, 'a', sizeof(long_field) - 1);
    long_field[1] = ':';
    refused("/x", long_field, 431, "headers_too_large");
}

static void request_id_of(const char *field, const char *expected) {
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_true(fixture_read(&fixture, "GET", "/", field));
    if (expected != NULL) {
        assert_text(fixture.exchange.request_id, expected);
    } else {
        struct id made;
        assert_int_equal(id_parse(fixture.exchange.request_id, &made).code, RESULT_OK);
        assert_int_equal(made.bytes[6] >> 4, 7);
    }
    fixture_clear(&fixture);
}

static void test_a_request_id_is_kept_or_made(void **state) {
    (void)state;
    char long_id[160] = "X-Request-Id: ";
    request_id_of("X-Request-Id: my request 7\n", "my request 7");
    request_id_of("", NULL);
    request_id_of("X-Request-Id:  \n", NULL);
    request_id_of("X-Request-Id: caf\xc3\xa9\n", NULL);
    memset(long_id + 14, 'a', 129);
    request_id_of(long_id, NULL);
    long_id[14 + 128] = '\0';
    request_id_of(long_id, long_id + 14);
}

static void test_traceparent(void **state) {
    (void)state;
    const char *good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_true(request_traceparent_is_valid(text_of(good)));
    assert_true(request_traceparent_is_valid(TEXT("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")));
    assert_false(request_traceparent_is_valid(TEXT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")));
    assert_false(request_traceparent_is_valid(TEXT("00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")));
    assert_false(request_traceparent_is_valid(TEXT("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")));
    assert_false(request_traceparent_is_valid(TEXT("00-00000000000000000000000000000000-00f067aa0ba902b7-01")));
    assert_false(request_traceparent_is_valid(TEXT("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")));
    assert_false(request_traceparent_is_valid(TEXT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01")));
    assert_false(request_traceparent_is_valid(TEXT("")));
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_true(fixture_read(&fixture, "GET", "/", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n"));
    assert_text(fixture.exchange.traceparent, good);
    fixture_clear(&fixture);
    fixture_init(&fixture, NULL);
    assert_true(fixture_read(&fixture, "GET", "/", "traceparent: junk\n"));
    struct text made = exchange_traceparent(&fixture.exchange);
    assert_true(request_traceparent_is_valid(made));
    assert_int_equal(made.size, 55);
    assert_memory_equal(made.data + 53, "00", 2);
    assert_memory_equal(made.data + 3, fixture.exchange.request_id.data, 8); /* one thing to look for in all logs */
    assert_ptr_equal(exchange_traceparent(&fixture.exchange).data, made.data);
    fixture_clear(&fixture);
}

static void test_a_full_arena_is_overload(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    fixture.exchange.arena.limit_bytes = 0;
    assert_false(fixture_read(&fixture, "GET", "/x?y=z", "Accept: a/b\n"));
    assert_problem(&fixture.exchange, 503, "overloaded");
    fixture_clear(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_target_is_taken_apart),
        cmocka_unit_test(test_what_http_forbids_is_refused),
        cmocka_unit_test(test_sizes_are_bounded),
        cmocka_unit_test(test_a_request_id_is_kept_or_made),
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_a_full_arena_is_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
