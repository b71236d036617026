/* Who is in conflict, and that each campaign has its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "discount/settle/conflicts.h"

static struct conflicts conflicts;

static struct conflict conflict_of(uint32_t campaign_number, uint8_t user, const char *phone) {
    struct conflict conflict = {.campaign_number = campaign_number, .user_id = {{user}}};
    assert_true(phone == NULL || phone_of_e164(text_of(phone), &conflict.phone));
    return conflict;
}

static bool have(uint32_t campaign_number, uint8_t user, const char *phone) {
    struct conflict asked = conflict_of(campaign_number, user, phone);
    return conflicts_have(&conflicts, &asked);
}

static void add(uint32_t campaign_number, uint8_t user, const char *phone) {
    struct conflict conflict = conflict_of(campaign_number, user, phone);
    assert_true(conflicts_add(&conflicts, &conflict));
}

static int set_up(void **state) {
    (void)state;
    conflicts = (struct conflicts){.count = 0};
    return 0;
}

static void test_user_and_phone_are_in_conflict_of_their_campaign(void **state) {
    (void)state;
    assert_false(have(1, 1, "+989120000001"));
    add(1, 1, "+989120000001");
    assert_true(have(1, 1, "+989120000002"));
    assert_true(have(1, 2, "+989120000001"));
    assert_false(have(1, 2, "+989120000002"));
    assert_false(have(2, 1, "+989120000001"));
}

/* Nobody's phone is not everybody's. */
static void test_a_phone_that_is_not_known_is_in_no_conflict(void **state) {
    (void)state;
    add(1, 1, NULL);
    assert_false(have(1, 2, NULL));
    assert_false(have(1, 2, "+989120000001"));
    assert_true(have(1, 1, NULL));
}

static void test_a_campaigns_are_forgotten(void **state) {
    (void)state;
    add(1, 1, NULL);
    add(2, 2, NULL);
    add(1, 3, NULL);
    add(3, 4, NULL);
    conflicts_forget(&conflicts, 1);
    assert_int_equal(conflicts.count, 2);
    assert_true(have(2, 2, NULL) && have(3, 4, NULL));
    assert_false(have(1, 1, NULL) || have(1, 3, NULL));
}

static void test_there_is_room_for_so_many(void **state) {
    (void)state;
    for (size_t i = 0; i < CONFLICTS_MAX; i++) add(1 + (uint32_t)(i % 2), (uint8_t)i, NULL);
    struct conflict more = conflict_of(3, 1, NULL);
    assert_false(conflicts_add(&conflicts, &more));
    conflicts_forget(&conflicts, 2);
    assert_true(conflicts_add(&conflicts, &more));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_user_and_phone_are_in_conflict_of_their_campaign, set_up),
        cmocka_unit_test_setup(test_a_phone_that_is_not_known_is_in_no_conflict, set_up),
        cmocka_unit_test_setup(test_a_campaigns_are_forgotten, set_up),
        cmocka_unit_test_setup(test_there_is_room_for_so_many, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
