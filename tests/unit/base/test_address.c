#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct address parsed(const char *text) {
    struct address address;
    assert_true(result_is_ok(address_parse(text_of(text), &address)));
    return address;
}

static void reads_as(const char *text, const char *expected) {
    char written[ADDRESS_TEXT_BYTES];
    struct address address = parsed(text);
    address_format(&address, written);
    assert_string_equal(written, expected);
}

static void test_both_kinds_are_read_and_written(void **state) {
    (void)state;
    reads_as("10.0.0.1", "10.0.0.1");
    reads_as("::ffff:10.0.0.1", "10.0.0.1");
    reads_as("::FFFF:0a00:0001", "10.0.0.1");
    reads_as("2001:DB8:0:0::1", "2001:db8::1");
    reads_as("::", "::");
    static const char *const wrong[] = {"",          "10.0.0",    "10.0.0.256",   "10.0.0.01",
                                        " 10.0.0.1", "10.0.0.1 ", "fe80::1%eth0", "[::1]",
                                        "::1::",     "localhost", "0x7f.0.0.1",   "1234567890123456789012345678901234567890123456789"};
    struct address address;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(result_is_ok(address_parse(text_of(wrong[i]), &address)));
    assert_false(result_is_ok(address_parse(TEXT("10.0.0.1\0"), &address)));
}

static bool share(const char *a, const char *b, uint8_t v4_bits, uint8_t v6_bits) {
    struct address one = parsed(a), other = parsed(b);
    one = address_prefix(&one, v4_bits, v6_bits);
    other = address_prefix(&other, v4_bits, v6_bits);
    return address_equal(&one, &other);
}

static void test_a_prefix_holds_its_first_bits(void **state) {
    (void)state;
    assert_true(share("10.0.0.1", "::ffff:10.0.0.1", 32, 64));
    assert_false(share("10.0.0.1", "10.0.0.2", 32, 64));
    assert_true(share("10.0.0.1", "10.0.0.254", 24, 64));
    assert_false(share("10.0.0.1", "10.0.1.1", 24, 64));
    assert_true(share("10.0.0.1", "10.0.1.1", 23, 64));
    assert_true(share("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", 32, 64));
    assert_false(share("2001:db8:0:1::1", "2001:db8:0:2::1", 32, 64));
    assert_false(share("::ffff:0:0:1", "10.0.0.1", 0, 0)); /* no IPv4 address, and all of IPv6 is not all of IPv4 */
}

static bool has(const char *list, const char *text) {
    struct address_set set;
    struct address address = parsed(text);
    assert_true(result_is_ok(address_set_parse(text_of(list), &set)));
    return address_set_has(&set, &address);
}

static void test_a_set_has_what_its_ranges_hold(void **state) {
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.0.1"));
    assert_true(has("10.0.0.0/8", "::ffff:10.255.0.1"));
    assert_true(has("::ffff:10.0.0.0/104", "10.255.0.1"));
    assert_true(has("10.1.2.3/8", "10.255.0.1")); /* what stands behind the bits does not count */
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("192.168.0.1, 2001:db8::/33", "2001:db8:7fff::"));
    assert_false(has("192.168.0.1,2001:db8::/33", "2001:db8:8000::"));
    assert_true(has("192.168.0.1,2001:db8::/33", "192.168.0.1"));
    assert_false(has("192.168.0.1", "192.168.0.2"));
    assert_true(has("0.0.0.0/0", "1.2.3.4"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "1.2.3.4"));
    struct address_set none = {.count = 0};
    struct address address = parsed("10.0.0.1");
    assert_false(address_set_has(&none, &address));
}

static void test_what_is_no_set_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",           ",",           "10.0.0.1,", "10.0.0.1,,10.0.0.2", "10.0.0.0/33",   "::/129",
        "10.0.0.0/",  "10.0.0.0/-1", "/8",        "10.0.0.0/8/8",       "proxy.example", "10.0.0.1 10.0.0.2",
        "10.0.0.0/ 8"};
    struct address_set set;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(address_set_parse(text_of(wrong[i]), &set).code, RESULT_INVALID);
    char many[ADDRESS_RANGES_MAX * 4 + 4];
    for (size_t i = 0; i <= ADDRESS_RANGES_MAX; i++) memcpy(many + 4 * i, "::1,", 4);
    assert_true(result_is_ok(address_set_parse((struct text){many, ADDRESS_RANGES_MAX * 4 - 1}, &set)));
    assert_int_equal(address_set_parse((struct text){many, ADDRESS_RANGES_MAX * 4 + 3}, &set).code, RESULT_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_kinds_are_read_and_written),
        cmocka_unit_test(test_a_prefix_holds_its_first_bits),
        cmocka_unit_test(test_a_set_has_what_its_ranges_hold),
        cmocka_unit_test(test_what_is_no_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
