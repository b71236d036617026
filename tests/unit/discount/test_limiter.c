#include "../base/assertions.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "discount/limiter.h"

#define NOW    INT64_C(1000000000)
#define MINUTE (60 * CLOCK_SECOND_US)

static struct limiter *limiter;

static int start(void **state) {
    (void)state;
    crypto_init();
    return result_is_ok(limiter_create(&limiter)) ? 0 : -1;
}

static int drop(void **state) {
    (void)state;
    limiter_free(limiter);
    return 0;
}

static struct guesser guesser_at(uint64_t number, const char *address) {
    struct guesser guesser = {.user_id = {.bytes = {1}}};
    memcpy(guesser.user_id.bytes + 8, &number, sizeof number);
    assert_ok(address_parse(text_of(address), &guesser.payer));
    guesser.payer = address_prefix(&guesser.payer, 32, 64);
    return guesser;
}

/* A wrong code; false: refused. */
static bool guess(uint64_t user, const char *address, int64_t now_us) {
    struct guesser guesser = guesser_at(user, address);
    if (limiter_wait_us(limiter, &guesser, now_us) > 0) return false;
    limiter_count_wrong(limiter, &guesser, now_us);
    return true;
}

static int64_t wait_of(uint64_t user, const char *address, int64_t now_us) {
    struct guesser guesser = guesser_at(user, address);
    return limiter_wait_us(limiter, &guesser, now_us);
}

static void a_user_who_guesses_waits_longer_each_time(void **state) {
    (void)state;
    int64_t now_us = NOW;
    for (int i = 0; i < 10; i++) assert_true(guess(1, "10.0.0.1", now_us));
    for (int64_t wait_us = 5 * CLOCK_SECOND_US; wait_us < 15 * MINUTE; wait_us *= 2) {
        assert_int_equal(wait_of(1, "10.0.0.1", now_us), wait_us);
        assert_int_equal(wait_of(1, "192.0.2.1", now_us), wait_us); /* wherever they go */
        assert_int_equal(wait_of(2, "10.0.0.1", now_us), 0);
        now_us += wait_us;
        assert_true(guess(1, "10.0.0.1", now_us));
    }
}

/* What an address has, by users who have nine each, so that none of them must wait by themselves. */
static void guess_by_many(uint64_t first_user, const char *address, int64_t now_us) {
    for (uint64_t i = 0; i < 600; i++) assert_true(guess(first_user + i / 9, address, now_us));
}

static void an_address_stops_those_who_have_guessed_and_nobody_else(void **state) {
    (void)state;
    guess_by_many(0, "2001:db8:0:1::1", NOW);
    assert_true(wait_of(3, "2001:db8:0:1::2", NOW) > 0); /* the same /64 */
    assert_int_equal(wait_of(3, "2001:db8:0:2::1", NOW), 0);
    assert_int_equal(wait_of(1000, "2001:db8:0:1::2", NOW), 0);
    assert_true(guess(1000, "2001:db8:0:1::2", NOW)); /* their first: from now on they are among those */
    assert_true(wait_of(1000, "2001:db8:0:1::2", NOW) > 0);
    int64_t later_us = NOW + 60 * MINUTE;
    assert_int_equal(wait_of(3, "2001:db8:0:1::1", later_us), 0);
    assert_true(guess(3, "2001:db8:0:1::1", later_us));
}

static void a_guess_is_held_against_its_user_for_an_hour(void **state) {
    (void)state;
    assert_true(guess(7000, "10.0.0.1", NOW));
    int64_t then_us = NOW + 59 * MINUTE, later_us = NOW + 61 * MINUTE;
    guess_by_many(0, "10.0.0.1", then_us);
    assert_true(wait_of(7000, "10.0.0.1", then_us) > 0);
    guess_by_many(100, "10.0.0.2", later_us);
    assert_int_equal(wait_of(7000, "10.0.0.2", later_us), 0);
}

/* Each address of it stays within its own. */
static void check_subnet(const char *before, const char *after, const char *outside, uint64_t first_user) {
    char address[48];
    for (uint64_t i = 0; i < 6000; i++) {
        snprintf(address, sizeof address, "%s%u%s", before, (unsigned)(i % 250), after);
        assert_true(guess(first_user + i / 9, address, NOW));
    }
    assert_true(wait_of(first_user, address, NOW) > 0);
    assert_int_equal(wait_of(first_user, outside, NOW), 0);
    assert_int_equal(wait_of(first_user + 5000, address, NOW), 0);
}

static void a_subnet_has_its_own(void **state) {
    (void)state;
    check_subnet("10.0.1.", "", "10.0.2.1", 0);
    check_subnet("2001:db8:1:", "::1", "2001:db8:2:1::1", 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_who_guesses_waits_longer_each_time, start, drop),
        cmocka_unit_test_setup_teardown(an_address_stops_those_who_have_guessed_and_nobody_else, start, drop),
        cmocka_unit_test_setup_teardown(a_guess_is_held_against_its_user_for_an_hour, start, drop),
        cmocka_unit_test_setup_teardown(a_subnet_has_its_own, start, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
