#include "assertions.h"

#include <stdio.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/crypto.h"

#define NOW INT64_C(1000000000)

static const struct budget_rule rule = {.burst = 10,
                                        .regain_us = 360 * CLOCK_SECOND_US,
                                        .first_wait_us = 5 * CLOCK_SECOND_US,
                                        .longest_wait_us = 900 * CLOCK_SECOND_US};
static const struct budget_rule quick = {.burst = 600,
                                         .regain_us = CLOCK_SECOND_US / 10,
                                         .first_wait_us = 5 * CLOCK_SECOND_US,
                                         .longest_wait_us = 20 * CLOCK_SECOND_US};

static struct budget *made;

static struct budget *make(const struct budget_rule *of) {
    assert_ok(budget_create(of, &made));
    return made;
}

static int start(void **state) {
    (void)state;
    crypto_init();
    return 0;
}

static int drop(void **state) {
    (void)state;
    budget_free(made);
    return 0;
}

/* How many are taken at once before one must wait. */
static int64_t take_all(struct budget *budget, struct text key, int64_t now_us) {
    int64_t count = 0;
    while (budget_take(budget, key, now_us, NULL) == 0) count++;
    return count;
}

static void the_burst_is_free_and_then_it_waits_longer_each_time(void **state) {
    (void)state;
    struct budget *budget = make(&rule);
    int64_t now_us = NOW, wait_us = rule.first_wait_us;
    bool is_last = true;
    for (int64_t i = 0; i < rule.burst; i++) {
        assert_int_equal(budget_wait_us(budget, TEXT("sara"), now_us), 0);
        assert_int_equal(budget_take(budget, TEXT("sara"), now_us, &is_last), 0);
        assert_int_equal(is_last, i == rule.burst - 1);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(budget_wait_us(budget, TEXT("sara"), now_us), wait_us);
        assert_int_equal(budget_take(budget, TEXT("sara"), now_us + wait_us - 1, &is_last),
                         1); /* which takes nothing, and lengthens nothing */
        assert_false(is_last);
        now_us += wait_us;
        assert_int_equal(budget_take(budget, TEXT("sara"), now_us, NULL), 0);
        wait_us = wait_us * 2 < rule.longest_wait_us ? wait_us * 2 : rule.longest_wait_us;
        if (wait_us == rule.longest_wait_us) break;
    }
    assert_int_equal(wait_us, rule.longest_wait_us);
    assert_int_equal(budget_wait_us(budget, TEXT("reza"), now_us), 0);
}

/* Behind a wait there is what came back meanwhile: with a quick regain more than one. */
static void what_is_regained_in_a_wait_is_there_behind_it(void **state) {
    (void)state;
    struct budget *budget = make(&quick);
    assert_int_equal(take_all(budget, TEXT("10.0.0.1"), NOW), 600);
    assert_int_equal(take_all(budget, TEXT("10.0.0.1"), NOW + quick.first_wait_us - 1), 0);
    assert_int_equal(take_all(budget, TEXT("10.0.0.1"), NOW + quick.first_wait_us), 50);
    int64_t then_us = NOW + quick.first_wait_us;
    assert_int_equal(budget_wait_us(budget, TEXT("10.0.0.1"), then_us), 2 * quick.first_wait_us);
    assert_int_equal(take_all(budget, TEXT("10.0.0.1"), then_us + 600 * quick.regain_us), 600);
    assert_int_equal(budget_wait_us(budget, TEXT("10.0.0.1"), then_us + 600 * quick.regain_us), quick.first_wait_us); /* begun anew */
}

static void what_is_given_back_was_never_taken(void **state) {
    (void)state;
    struct budget *budget = make(&rule);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(budget_take(budget, TEXT("sara"), NOW, NULL), 0);
        budget_give_back(budget, TEXT("sara"), NOW);
    }
    assert_int_equal(take_all(budget, TEXT("sara"), NOW), 10);
    budget_give_back(budget, TEXT("sara"), NOW); /* the last one: the wait that it began is over, and not counted */
    assert_int_equal(budget_wait_us(budget, TEXT("sara"), NOW), 0);
    assert_int_equal(take_all(budget, TEXT("sara"), NOW), 1);
    assert_int_equal(budget_wait_us(budget, TEXT("sara"), NOW), rule.first_wait_us);
    budget_forget(budget, TEXT("sara"));
    budget_give_back(budget, TEXT("sara"), NOW);
    assert_int_equal(take_all(budget, TEXT("sara"), NOW), 10);
}

static void a_use_is_remembered_for_a_while(void **state) {
    (void)state;
    struct budget *budget = make(&quick);
    assert_false(budget_is_used(budget, TEXT("sara"), CLOCK_SECOND_US, NOW));
    (void)budget_take(budget, TEXT("sara"), NOW, NULL);
    assert_true(budget_is_used(budget, TEXT("sara"), CLOCK_SECOND_US, NOW + CLOCK_SECOND_US - 1));
    assert_false(budget_is_used(budget, TEXT("sara"), CLOCK_SECOND_US, NOW + CLOCK_SECOND_US));
    assert_false(budget_is_used(budget, TEXT("reza"), CLOCK_SECOND_US, NOW));
}

/* More keys than the table has places: it stays bounded, who did nothing waits for nothing, and who comes now is counted. */
static void a_flood_of_keys_stays_bounded(void **state) {
    (void)state;
    struct budget *budget = make(&rule);
    char name[24];
    for (int i = 0; i < 200000; i++) {
        int size = snprintf(name, sizeof name, "u%d", i);
        assert_int_equal(budget_take(budget, (struct text){name, (size_t)size}, NOW + i, NULL), 0);
    }
    for (int i = 0; i < 1000; i++) {
        int size = snprintf(name, sizeof name, "other%d", i);
        assert_int_equal(budget_wait_us(budget, (struct text){name, (size_t)size}, NOW + 200000), 0);
    }
    assert_int_equal(take_all(budget, TEXT("sara"), NOW + 300000), 10);
}

static void seconds_are_rounded_up(void **state) {
    (void)state;
    made = NULL;
    assert_int_equal(budget_wait_s(1), 1);
    assert_int_equal(budget_wait_s(CLOCK_SECOND_US), 1);
    assert_int_equal(budget_wait_s(CLOCK_SECOND_US + 1), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_burst_is_free_and_then_it_waits_longer_each_time, start, drop),
        cmocka_unit_test_setup_teardown(what_is_regained_in_a_wait_is_there_behind_it, start, drop),
        cmocka_unit_test_setup_teardown(what_is_given_back_was_never_taken, start, drop),
        cmocka_unit_test_setup_teardown(a_use_is_remembered_for_a_while, start, drop),
        cmocka_unit_test_setup_teardown(a_flood_of_keys_stays_bounded, start, drop),
        cmocka_unit_test_setup_teardown(seconds_are_rounded_up, start, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
