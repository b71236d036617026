#include "http/forwarded.h"

#include <stdio.h>

#include "fixture.h"

#include "base/limits.h"

#define PROXY "10.0.0.1"

/* Who asks, by what a peer says; "-" for whom nobody can name, which is then the peer itself. */
static void asks(const char *peer, const char *fields, const char *expected) {
    struct fixture fixture;
    struct address_set trusted;
    char client[ADDRESS_TEXT_BYTES];
    fixture_init(&fixture, NULL);
    assert_true(result_is_ok(address_set_parse(TEXT("10.0.0.0/8,2001:db8:aaaa::/48"), &trusted)));
    fixture.service.trusted_proxies = &trusted;
    assert_true(result_is_ok(address_parse(text_of(peer), &fixture.exchange.peer)));
    assert_true(fixture_read(&fixture, "GET", "/", fields));
    address_format(&fixture.exchange.client, client);
    assert_string_equal(client, strcmp(expected, "-") == 0 ? peer : expected);
    fixture_clear(&fixture);
}

static void test_only_a_trusted_peer_is_believed(void **state) {
    (void)state;
    asks("192.0.2.1", "X-Forwarded-For: 198.51.100.7\nForwarded: for=198.51.100.7\n", "192.0.2.1");
    asks(PROXY, "X-Forwarded-For: 198.51.100.7\n", "198.51.100.7");
    asks(PROXY, "Forwarded: for=198.51.100.7\n", "198.51.100.7");
    asks("2001:db8:aaaa::9", "X-Forwarded-For: 198.51.100.7\n", "198.51.100.7");
    asks(PROXY, "", "-");
}

static void test_the_right_most_stranger_is_the_client(void **state) {
    (void)state;
    asks(PROXY, "X-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.2.3.4,10.9.9.9\n", "198.51.100.7");
    asks(PROXY, "X-Forwarded-For: 203.0.113.9\nX-Other: x\nX-Forwarded-For: 198.51.100.7\nX-Forwarded-For: 10.2.3.4\n", "198.51.100.7");
    asks(PROXY, "Forwarded: for=203.0.113.9;by=_me, for=198.51.100.7;proto=https;host=\"a.example:8080\" , For=10.2.3.4\n", "198.51.100.7");
    asks(PROXY, "Forwarded: for=203.0.113.9\nForwarded: for=\"198.51.100.7:4711\"\n", "198.51.100.7");
    asks(PROXY, "X-Forwarded-For: junk\"\\, 198.51.100.7\n", "198.51.100.7"); /* what the client made up is not looked at */
    asks(PROXY, "Forwarded: for=junk, for=198.51.100.7\n", "198.51.100.7");
    asks(PROXY, "Forwarded: for=\"junk\nForwarded: for=198.51.100.7\n", "198.51.100.7");
    asks(PROXY, "X-Forwarded-For: 10.2.3.4, 10.9.9.9\n", "-");
    asks(PROXY, "Forwarded: for=10.2.3.4\n", "-");
}

static void test_the_forms_of_an_address(void **state) {
    (void)state;
    asks(PROXY, "Forwarded: for=\"[2001:db8::7]\"\n", "2001:db8::7");
    asks(PROXY, "Forwarded: for=\"[2001:db8::7]:4711\"\n", "2001:db8::7");
    asks(PROXY, "Forwarded: FOR=\"[2001:db8:\\:7]:_port.-1\"\n", "2001:db8::7");
    asks(PROXY, "Forwarded: for=\"198.51.100.7:_x\"\n", "198.51.100.7");
    asks(PROXY, "Forwarded: for=\"[::ffff:198.51.100.7]\"\n", "198.51.100.7");
    asks(PROXY, "Forwarded: ,, for=198.51.100.7 ;; , ,\n", "198.51.100.7");
    asks(PROXY, "X-Forwarded-For: 198.51.100.7:4711\n", "198.51.100.7");
    asks(PROXY, "X-Forwarded-For: 2001:db8::7\n", "2001:db8::7");
    asks(PROXY, "X-Forwarded-For: ::1\n", "::1");
    asks(PROXY, "X-Forwarded-For: [2001:db8::7]\n", "2001:db8::7");
    asks(PROXY, "X-Forwarded-For: [2001:db8::7]:4711\n", "2001:db8::7");
    asks(PROXY, "X-Forwarded-For: ::ffff:198.51.100.7, ,\n", "198.51.100.7");
}

static void test_who_is_not_named_is_the_proxy(void **state) {
    (void)state;
    static const char *const unknown[] = {
        "Forwarded: for=203.0.113.9, for=unknown\n",
        "Forwarded: for=203.0.113.9, for=_hidden\n",
        "Forwarded: for=203.0.113.9, for=\"_hidden:_port\"\n",
        "Forwarded: for=203.0.113.9, for=_hidden, for=10.2.3.4\n",
        "Forwarded: for=203.0.113.9, proto=https\n", /* somebody asked it, and it does not say who */
        "Forwarded: for=203.0.113.9, for=198.51.100.7;for=192.0.2.1\n",
        "Forwarded: for=203.0.113.9, for=[2001:db8::7]\n", /* no token: to be quoted */
        "Forwarded: for=203.0.113.9, for=198.51.100.7:80\n",
        "Forwarded: for=203.0.113.9, for=\"2001:db8::7\"\n",
        "Forwarded: for=203.0.113.9, for=\"198.51.100.7\n",
        "Forwarded: for=203.0.113.9;x=\", for=\"198.51.100.7\"\n",
        "Forwarded: for=203.0.113.9, for=\"[2001:db8::7]:99999\"\n",
        "Forwarded: for=203.0.113.9, for=\"[198.51.100.7]\"\n",
        "Forwarded: for=203.0.113.9, for=\"198.51.100.7:\"\n",
        "Forwarded: for=203.0.113.9, for = 198.51.100.7\n",
        "Forwarded: for=203.0.113.9, for\n",
        "Forwarded: 198.51.100.7\n",
        "X-Forwarded-For: 203.0.113.9, unknown\n",
        "X-Forwarded-For: 203.0.113.9, 198.51.100.7:x\n",
        "X-Forwarded-For: 203.0.113.9, [2001:db8::7\n",
        "X-Forwarded-For: 203.0.113.9, 198.51.100.7 192.0.2.1\n",
        "X-Forwarded-For: 203.0.113.9, fe80::1%eth0\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) asks(PROXY, unknown[i], "-");
}

/* A proxy that writes one of the fields hands the other one on as the client sent it: whichever it is, the client gains nothing. */
static void test_two_fields_that_differ_name_nobody(void **state) {
    (void)state;
    asks(PROXY, "Forwarded: for=203.0.113.9\nX-Forwarded-For: 198.51.100.7\n", "-");
    asks(PROXY, "X-Forwarded-For: 198.51.100.7\nForwarded: for=unknown\n", "-");
    asks(PROXY, "X-Forwarded-For: 203.0.113.9, 198.51.100.7\nForwarded: for=\"198.51.100.7:80\"\n", "198.51.100.7");
    asks(PROXY, "X-Forwarded-For: 198.51.100.7\nForwarded: \n", "198.51.100.7");
}

static void test_many_lines_take_no_memory(void **state) {
    (void)state;
    static char fields[LIMIT_HEADER_BYTES];
    size_t size = 0;
    while (size + 64 < sizeof(fields) / 2)
        size += (size_t)snprintf(fields + size, sizeof(fields) - size, "X-Forwarded-For: x\nForwarded: for=x\n");
    snprintf(fields + size, sizeof(fields) - size, "X-Forwarded-For: 198.51.100.7\nForwarded: for=198.51.100.7\n");
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_true(fixture_read(&fixture, "GET", "/", ""));
    size_t plain_bytes = fixture.exchange.arena.used_bytes;
    fixture_clear(&fixture);
    asks(PROXY, fields, "198.51.100.7");
    struct address_set trusted;
    assert_true(result_is_ok(address_set_parse(TEXT(PROXY), &trusted)));
    fixture_init(&fixture, NULL);
    fixture.service.trusted_proxies = &trusted;
    fixture.exchange.peer = trusted.ranges[0].first;
    assert_true(fixture_read(&fixture, "GET", "/", fields));
    assert_int_equal(fixture.exchange.arena.used_bytes, plain_bytes);
    fixture_clear(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_a_trusted_peer_is_believed),
        cmocka_unit_test(test_the_right_most_stranger_is_the_client),
        cmocka_unit_test(test_the_forms_of_an_address),
        cmocka_unit_test(test_who_is_not_named_is_the_proxy),
        cmocka_unit_test(test_two_fields_that_differ_name_nobody),
        cmocka_unit_test(test_many_lines_take_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
