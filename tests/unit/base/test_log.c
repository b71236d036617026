/* Log lines: each is one complete JSON object, whatever the fields hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define CAPTURE_BYTES 16384

struct capture {
    int standard_error;
    int pipe_out;
};

static struct capture capture_start(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct capture capture = {.standard_error = dup(STDERR_FILENO), .pipe_out = ends[0]};
    assert_true(capture.standard_error >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    return capture;
}

static size_t capture_end(struct capture capture, char text[CAPTURE_BYTES]) {
    assert_true(dup2(capture.standard_error, STDERR_FILENO) >= 0);
    close(capture.standard_error);
    size_t size = 0;
    ssize_t piece;
    while ((piece = read(capture.pipe_out, text + size, CAPTURE_BYTES - 1 - size)) > 0) size += (size_t)piece;
    close(capture.pipe_out);
    text[size] = '\0';
    return size;
}

/* The one line that was written, as an object. */
static json_t *capture_object(struct capture capture) {
    char text[CAPTURE_BYTES];
    size_t size = capture_end(capture, text);
    assert_true(size > 0 && size <= 4096);
    assert_ptr_equal(strchr(text, '\n'), text + size - 1);
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    return object;
}

static void assert_member(const json_t *object, const char *name, const char *expected) {
    const char *value = json_string_value(json_object_get(object, name));
    assert_non_null(value);
    assert_string_equal(value, expected);
}

static void writes_all_members_in_order(void **state) {
    (void)state;
    log_init("walletd", LOG_INFO);
    struct id id;
    assert_true(result_is_ok(id_parse(TEXT("0190163d-8694-739b-aea5-966c26f8ad91"), &id)));
    struct capture capture = capture_start();
    LOG(LOG_WARN, "listening", LOG_STRING("address", "127.0.0.1"), LOG_INTEGER("port", -8080), LOG_ID("request_id", id));
    char text[CAPTURE_BYTES];
    capture_end(capture, text);
    assert_memory_equal(text, "{\"time\":\"20", 11);
    const char *rest = strstr(text, "Z\",");
    assert_non_null(rest);
    assert_string_equal(rest,
                        "Z\",\"level\":\"warn\",\"service\":\"walletd\",\"event\":\"listening\",\"address\":\"127.0.0.1\",\"port\":-8080,"
                        "\"request_id\":\"0190163d-8694-739b-aea5-966c26f8ad91\"}\n");
}

static void leaves_out_what_is_below_the_level(void **state) {
    (void)state;
    log_init("walletd", LOG_WARN);
    struct capture capture = capture_start();
    LOG(LOG_INFO, "quiet", LOG_INTEGER("n", 1));
    LOG(LOG_DEBUG, "quieter", LOG_INTEGER("n", 1));
    LOG(LOG_ERROR, "loud", LOG_INTEGER("n", 1));
    json_t *object = capture_object(capture);
    assert_member(object, "event", "loud");
    assert_member(object, "level", "error");
    json_decref(object);
}

static void escapes_what_json_forbids(void **state) {
    (void)state;
    log_init("walletd", LOG_INFO);
    static const char nasty[] = "a\"b\\c\nd\te\x01\x1f"
                                "f\x7fg\"}\n{\"event\":\"forged";
    struct capture capture = capture_start();
    LOG(LOG_INFO, "request", LOG_STRING("path", nasty), LOG_STRING("name", "\xDB\xB1\xF0\x9F\x8E\x81"));
    json_t *object = capture_object(capture);
    assert_member(object, "event", "request");
    assert_member(object, "path", nasty);
    assert_member(object, "name", "\xDB\xB1\xF0\x9F\x8E\x81");
    json_decref(object);
}

static void writes_bad_utf8_as_latin1(void **state) {
    (void)state;
    log_init("walletd", LOG_INFO);
    struct capture capture = capture_start();
    LOG(LOG_INFO, "request", LOG_TEXT("path", ((struct text){"\xFF\x00\xC3z", 4})));
    char text[CAPTURE_BYTES];
    capture_end(capture, text);
    assert_non_null(strstr(text, "\"path\":\"\\u00ff\\u0000\\u00c3z\"}\n"));
}

static void cuts_a_long_text_at_a_character(void **state) {
    (void)state;
    log_init("walletd", LOG_INFO);
    char longest[9000];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(longest, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof(longest); i += 2) memcpy(longest + i, "\xD8\xA7", 2);
        size_t size = shift + (sizeof(longest) - 3 - shift) / 2 * 2;
        struct capture capture = capture_start();
        LOG(LOG_INFO, "long", LOG_TEXT("text", ((struct text){longest, size})), LOG_INTEGER("lost", 7), LOG_STRING("gone", "x"));
        json_t *object = capture_object(capture);
        assert_true(json_is_true(json_object_get(object, "truncated")));
        const char *value = json_string_value(json_object_get(object, "text"));
        assert_non_null(value);
        assert_true(strlen(value) > 3500);
        assert_memory_equal(value, longest, strlen(value));
        json_decref(object);
    }
}

/* Whatever the room that is left, a line never ends inside a member: all sizes around the limit. */
static void is_json_at_every_fill(void **state) {
    (void)state;
    log_init("walletd", LOG_INFO);
    char filler[4096];
    memset(filler, '"', sizeof(filler));
    for (size_t size = 1900; size < 2060; size++) {
        struct capture capture = capture_start();
        LOG(LOG_INFO, "fill", LOG_TEXT("filler", ((struct text){filler, size})), LOG_INTEGER("number", 123456),
            LOG_STRING("word", "abcdef"));
        json_decref(capture_object(capture));
    }
}

static void keeps_errno(void **state) {
    (void)state;
    log_init("walletd", LOG_INFO);
    struct capture capture = capture_start();
    close(STDERR_FILENO);
    errno = ENOENT;
    LOG(LOG_INFO, "nobody_hears", LOG_INTEGER("n", 1));
    assert_int_equal(errno, ENOENT);
    char text[CAPTURE_BYTES];
    assert_int_equal(capture_end(capture, text), 0);
}

static void a_burst_is_told_by_its_first_lines_and_its_number(void **state) {
    (void)state;
    static struct log_burst burst = {.window_us = INT64_C(3600) * 1000000, .lines_max = 2};
    log_init("walletd", LOG_INFO);
    struct capture capture = capture_start();
    for (int i = 0; i < 1000; i++) LOG_BURST(&burst, LOG_INFO, "knocked", LOG_INTEGER("number", i));
    char text[CAPTURE_BYTES];
    (void)capture_end(capture, text);
    assert_non_null(strstr(text, "\"number\":1}"));
    assert_null(strstr(text, "\"number\":2"));

    burst.window_us = 0; /* the next one begins */
    capture = capture_start();
    LOG_BURST(&burst, LOG_INFO, "knocked", LOG_INTEGER("number", 1000));
    json_t *object = capture_object(capture);
    assert_int_equal(json_integer_value(json_object_get(object, "left_out")), 998);
    json_decref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_all_members_in_order),
        cmocka_unit_test(leaves_out_what_is_below_the_level),
        cmocka_unit_test(escapes_what_json_forbids),
        cmocka_unit_test(writes_bad_utf8_as_latin1),
        cmocka_unit_test(cuts_a_long_text_at_a_character),
        cmocka_unit_test(is_json_at_every_fill),
        cmocka_unit_test(keeps_errno),
        cmocka_unit_test(a_burst_is_told_by_its_first_lines_and_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
