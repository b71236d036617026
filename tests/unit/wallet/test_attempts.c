#include "../base/assertions.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "wallet/attempts.h"

#define NOW  INT64_C(1000000000)
#define MANY 1000

static struct attempts *attempts;

static int start(void **state) {
    (void)state;
    crypto_init();
    return result_is_ok(attempts_create(true, &attempts)) ? 0 : -1;
}

static int drop(void **state) {
    (void)state;
    attempts_free(attempts);
    return 0;
}

static struct address from(int number) {
    const uint8_t bytes[4] = {10, 0, (uint8_t)(number / 256), (uint8_t)(number % 256)};
    return address_of_v4(bytes);
}

static struct attempt attempt_of(const char *name, int address, bool is_known) {
    return (struct attempt){.username = text_of(name), .client = from(address), .is_known = is_known};
}

static bool try(const struct attempt *attempt) { return attempts_begin(attempts, attempt, NOW) == 0; }

static int fail_all(const struct attempt *attempt) {
    int count = 0;
    while (count < MANY && try(attempt)) count++;
    return count;
}

static void a_pair_must_wait_and_nobody_else(void **state) {
    (void)state;
    struct attempt sara = attempt_of("sara", 1, false), elsewhere = attempt_of("sara", 2, false), reza = attempt_of("reza", 1, false);
    assert_int_equal(attempts_wait_us(attempts, &sara, NOW), 0);
    assert_int_equal(fail_all(&sara), 10);
    assert_true(attempts_wait_us(attempts, &sara, NOW) > 0);
    assert_true(attempts_wait_us(attempts, &elsewhere, NOW) == 0 && try(&elsewhere));
    assert_true(attempts_wait_us(attempts, &reza, NOW) == 0 && try(&reza));
}

static void a_user_is_guarded_over_all_addresses(void **state) {
    (void)state;
    int count = 0;
    for (int address = 0; address < 60; address++) {
        struct attempt one = attempt_of("sara", address, false);
        count += try(&one);
    }
    assert_int_equal(count, 50);
    struct attempt known = attempt_of("sara", 7, true), other = attempt_of("reza", 7, false);
    assert_int_equal(fail_all(&known), 20); /* strangers took nothing of it */
    assert_true(try(&other));
}

static void an_address_is_held_over_all_users(void **state) {
    (void)state;
    int count = 0;
    char name[16];
    for (int user = 0; user < 200; user++) {
        snprintf(name, sizeof name, "user%d", user);
        struct attempt one = attempt_of(name, 1, false);
        count += try(&one);
    }
    assert_int_equal(count, 150);
    struct attempt known = attempt_of("sara", 1, true), elsewhere = attempt_of("sara", 2, false);
    assert_true(try(&known) && try(&elsewhere));
}

/* What one of the three refuses takes nothing of the other two. */
static void a_refusal_costs_nothing(void **state) {
    (void)state;
    struct attempt sara = attempt_of("sara", 1, false);
    assert_int_equal(fail_all(&sara), 10);
    for (int i = 0; i < MANY; i++) assert_false(try(&sara));
    int others = 0;
    for (int address = 2; address < 100; address++) {
        struct attempt one = attempt_of("sara", address, false);
        others += try(&one);
    }
    assert_int_equal(others, 40);
    struct attempt blocked = attempt_of("sara", 200, false); /* by the user's: the pair and the address keep theirs */
    for (int i = 0; i < MANY; i++) assert_false(try(&blocked));
    struct attempt reza = attempt_of("reza", 200, false);
    assert_int_equal(fail_all(&reza), 10);
}

static void who_knows_the_password_is_never_slowed(void **state) {
    (void)state;
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", i);
        struct attempt right = attempt_of(name, 1, false), again = attempt_of("sara", 1, false), known = attempt_of("sara", 1, true);
        assert_true(try(&right) && try(&again) && try(&known));
        attempts_succeeded(attempts, &right, NOW);
        attempts_succeeded(attempts, &again, NOW);
        attempts_succeeded(attempts, &known, NOW);
    }
    struct attempt sara = attempt_of("sara", 1, false);
    for (int i = 0; i < 9; i++) assert_true(try(&sara));
    assert_true(try(&sara));
    attempts_succeeded(attempts, &sara, NOW); /* who remembers it in the end begins anew */
    assert_int_equal(fail_all(&sara), 10);
}

static void nothing_is_looked_up_for_who_must_wait_anyway(void **state) {
    (void)state;
    struct attempt known = attempt_of("sara", 1, true), unknown = attempt_of("sara", 1, false);
    assert_int_equal(fail_all(&unknown), 10);
    assert_int_equal(attempts_wait_of_anybody_us(attempts, &unknown, NOW), 0);
    assert_int_equal(fail_all(&known), 20);
    assert_true(attempts_wait_of_anybody_us(attempts, &unknown, NOW) > 0);
}

static void registrations_have_a_budget_by_address(void **state) {
    (void)state;
    int count = 0;
    for (int i = 0; i < 300; i++) count += attempts_begin_register(attempts, from(1), NOW) == 0;
    assert_int_equal(count, 200);
    assert_true(attempts_register_wait_us(attempts, from(1), NOW) > 0);
    assert_int_equal(attempts_register_wait_us(attempts, from(2), NOW), 0);
}

static void wrong_recipients_have_a_budget_by_user(void **state) {
    (void)state;
    struct id sara = {{1}}, reza = {{2}};
    for (int i = 0; i < 30; i++) {
        assert_int_equal(attempts_recipient_wait_us(attempts, sara, NOW), 0);
        attempts_count_recipient(attempts, sara, from(1), NOW);
    }
    assert_true(attempts_recipient_wait_us(attempts, sara, NOW) > 0);
    assert_int_equal(attempts_recipient_wait_us(attempts, reza, NOW), 0);
}

static void off_it_refuses_nothing(void **state) {
    (void)state;
    attempts_free(attempts);
    assert_ok(attempts_create(false, &attempts));
    struct attempt sara = attempt_of("sara", 1, false);
    assert_int_equal(fail_all(&sara), MANY);
    attempts_succeeded(attempts, &sara, NOW);
    for (int i = 0; i < MANY; i++) assert_int_equal(attempts_begin_register(attempts, from(1), NOW), 0);
    assert_int_equal(attempts_register_wait_us(attempts, from(1), NOW), 0);
    assert_int_equal(attempts_wait_of_anybody_us(attempts, &sara, NOW), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pair_must_wait_and_nobody_else, start, drop),
        cmocka_unit_test_setup_teardown(a_user_is_guarded_over_all_addresses, start, drop),
        cmocka_unit_test_setup_teardown(an_address_is_held_over_all_users, start, drop),
        cmocka_unit_test_setup_teardown(a_refusal_costs_nothing, start, drop),
        cmocka_unit_test_setup_teardown(who_knows_the_password_is_never_slowed, start, drop),
        cmocka_unit_test_setup_teardown(nothing_is_looked_up_for_who_must_wait_anyway, start, drop),
        cmocka_unit_test_setup_teardown(registrations_have_a_budget_by_address, start, drop),
        cmocka_unit_test_setup_teardown(wrong_recipients_have_a_budget_by_user, start, drop),
        cmocka_unit_test_setup_teardown(off_it_refuses_nothing, start, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
