#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "discount/limiter.h"

#define NOW    INT64_C(1000000000)
#define MINUTE INT64_C(60000000)

static struct id user(uint64_t number) {
    struct id id = {.bytes = {1}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

static struct address at(const char *text) {
    struct address address;
    assert_true(result_is_ok(address_parse(text_of(text), &address)));
    return address;
}

static void test_a_user_who_guesses_waits(void **state) {
    (void)state;
    struct limiter *limiter;
    assert_true(result_is_ok(limiter_create(&limiter)));
    for (unsigned i = 0; i < LIMITER_USER_BURST; i++) {
        assert_int_equal(limiter_user_wait_s(limiter, user(1), NOW), 0);
        assert_int_equal(limiter_count_wrong(limiter, user(1), at("10.0.0.1"), NOW), 0);
    }
    int64_t wait_s = limiter_user_wait_s(limiter, user(1), NOW);
    assert_true(wait_s >= 1 && wait_s <= 60 / LIMITER_USER_PER_MINUTE);
    assert_true(limiter_count_wrong(limiter, user(1), at("10.0.0.1"), NOW) > 0);
    assert_int_equal(limiter_user_wait_s(limiter, user(2), NOW), 0);
    assert_int_equal(limiter_user_wait_s(limiter, user(1), NOW + wait_s * 1000000), 0);
    assert_int_equal(limiter_count_wrong(limiter, user(1), at("10.0.0.1"), NOW + wait_s * 1000000), 0);
    assert_true(limiter_user_wait_s(limiter, user(1), NOW + wait_s * 1000000) > 0); /* one token came back, not all */
    limiter_free(limiter);
}

static void test_an_address_has_its_own_bucket(void **state) {
    (void)state;
    struct limiter *limiter;
    assert_true(result_is_ok(limiter_create(&limiter)));
    for (uint64_t i = 0; i < LIMITER_ADDRESS_BURST; i++)
        assert_int_equal(limiter_count_wrong(limiter, user(i), at("2001:db8:0:1::1"), NOW), 0);
    assert_true(limiter_count_wrong(limiter, user(9999), at("2001:db8:0:1::2"), NOW) > 0); /* the same /64 */
    assert_int_equal(limiter_count_wrong(limiter, user(9998), at("2001:db8:0:2::1"), NOW), 0);
    assert_int_equal(limiter_count_wrong(limiter, user(9997), at("2001:db8:0:1::2"), NOW + MINUTE), 0);
    limiter_free(limiter);
}

/* Each address of it stays within its own bucket. */
static void check_subnet(const char *before, const char *after, const char *outside) {
    struct limiter *limiter;
    assert_true(result_is_ok(limiter_create(&limiter)));
    char address[48];
    for (unsigned i = 0; i <= LIMITER_SUBNET_BURST; i++) {
        snprintf(address, sizeof address, "%s%u%s", before, i % 250, after);
        assert_int_equal(limiter_count_wrong(limiter, user(i), at(address), NOW) > 0, i == LIMITER_SUBNET_BURST);
    }
    assert_int_equal(limiter_count_wrong(limiter, user(99999), at(outside), NOW), 0);
    assert_int_equal(limiter_count_wrong(limiter, user(99998), at(address), NOW + MINUTE), 0);
    limiter_free(limiter);
}

static void test_a_subnet_has_its_own_bucket(void **state) {
    (void)state;
    check_subnet("10.0.1.", "", "10.0.2.1");
    check_subnet("::ffff:10.0.1.", "", "::ffff:10.0.2.1");
    check_subnet("2001:db8:1:", "::1", "2001:db8:2:1::1");
}

/* More users than the table has places: it stays bounded, and nobody who did nothing waits. */
static void test_a_flood_of_users_does_not_block_others(void **state) {
    (void)state;
    struct limiter *limiter;
    assert_true(result_is_ok(limiter_create(&limiter)));
    for (uint64_t i = 0; i < 100000; i++) (void)limiter_count_wrong(limiter, user(i), at("10.0.0.1"), NOW + (int64_t)i);
    for (uint64_t i = 200000; i < 201000; i++) assert_int_equal(limiter_user_wait_s(limiter, user(i), NOW + 100000), 0);
    limiter_free(limiter);
}

int main(void) {
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_user_who_guesses_waits),
        cmocka_unit_test(test_an_address_has_its_own_bucket),
        cmocka_unit_test(test_a_subnet_has_its_own_bucket),
        cmocka_unit_test(test_a_flood_of_users_does_not_block_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
