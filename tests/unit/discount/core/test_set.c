/* The working set: what comes into it, and what is found there. */
#include "discount/core/set.h"

#include "../../base/memory_ends.h"
#include "set.h"

/* A campaign as it comes from the disk: sound, and the next one by number. */
static struct campaign stored_campaign(struct campaign_set *set, const char *code) {
    struct campaign campaign = *make_campaign(set, code, 3);
    campaign_set_clear(set);
    campaign.is_new = campaign.is_changed = false;
    return campaign;
}

static void test_a_campaign_comes_in_by_its_number_and_once(void **state) {
    struct campaign_set *set = *state;
    struct campaign first = stored_campaign(set, "ONE"), second = stored_campaign(set, "TWO");
    second.id = make_id(1, 2);
    assert_int_equal(campaign_set_load(set, &first).code, RESULT_OK);
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_CORRUPT); /* it says it is the first as well */
    second.number = 3;
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_CORRUPT);
    second.number = 2;
    struct campaign bad = second;
    bad.id = first.id;
    assert_int_equal(campaign_set_load(set, &bad).code, RESULT_CORRUPT);
    bad = second;
    bad.redeemed = -1;
    assert_int_equal(campaign_set_load(set, &bad).code, RESULT_CORRUPT);
    assert_int_equal(set->campaign_count, 1);
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_OK);
    assert_ptr_equal(campaign_by_code(set, &second.code), campaign_by_number(set, 2));
    assert_ptr_equal(campaign_by_id(set, second.id), campaign_by_number(set, 2));
    assert_ptr_equal(campaign_by_number(set, 1), &set->campaigns[0]);
    assert_null(campaign_by_number(set, 0));
    assert_null(campaign_by_number(set, 3));
    assert_null(campaign_by_code(set, &(struct code){0}));
}

static void test_a_code_of_one_letter_is_found(void **state) {
    struct campaign_set *set = *state;
    struct campaign short_one = stored_campaign(set, "X");
    assert_int_equal(campaign_set_load(set, &short_one).code, RESULT_OK);
    assert_ptr_equal(campaign_by_code(set, &short_one.code), campaign_by_number(set, 1));
}

static void test_a_set_has_its_bounds(void **state) {
    struct campaign_set *set = *state;
    struct campaign_set small;
    struct campaign campaign = stored_campaign(set, "ONE"), next = stored_campaign(set, "TWO");
    assert_int_equal(campaign_set_init(&small, 1, 1).code, RESULT_OK);
    assert_int_equal(campaign_set_load(&small, &campaign).code, RESULT_OK);
    next.number = 2;
    next.id = make_id(1, 2);
    assert_int_equal(campaign_set_load(&small, &next).code, RESULT_FULL);
    small.campaigns[0].redeemed = 2;
    small.campaigns[0].first_redeemed_at_us = small.campaigns[0].last_redeemed_at_us = NOW;
    struct redemption one = {.id = make_id(3, 1), .campaign_number = 1, .user_id = make_id(2, 1), .phone = make_phone(1), .position = 1};
    one.status = REDEMPTION_CLAIMED;
    one.claimed_at_us = NOW;
    struct redemption two = one;
    two.id = make_id(3, 2);
    two.user_id = make_id(2, 2);
    two.phone = make_phone(2);
    two.position = 2;
    assert_int_equal(campaign_set_load_redemption(&small, &one).code, RESULT_OK);
    assert_int_equal(campaign_set_load_redemption(&small, &one).code, RESULT_OK); /* it is there: nothing to do */
    assert_int_equal(small.redemption_count, 1);
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_FULL);
    campaign_set_begin(&small);
    assert_int_equal(small.redemption_count, 0);
    assert_null(redemption_by_id(&small, one.id));
    two.position = 3; /* of two */
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_CORRUPT);
    two.position = 2;
    two.campaign_number = 2;
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_CORRUPT);
    two.campaign_number = 1;
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_OK);
    assert_ptr_equal(redemption_by_user(&small, 1, two.user_id), redemption_by_id(&small, two.id));
    assert_ptr_equal(redemption_by_phone(&small, 1, &two.phone), redemption_by_id(&small, two.id));
    assert_null(redemption_by_user(&small, 2, two.user_id));
    assert_null(redemption_by_phone(&small, 2, &two.phone));
    campaign_set_free(&small);
}

static void test_without_memory_there_is_no_set(void **state) {
    (void)state;
    struct campaign_set none;
    struct result outcome = result_error(RESULT_FULL);
    size_t objects = 0;
    for (; !result_is_ok(outcome); objects++) {
        objects_left = objects;
        outcome = campaign_set_init(&none, 1, 1);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
    }
    objects_left = SIZE_MAX;
    assert_true(objects > 7); /* two arrays and five maps */
    assert_non_null(none.campaigns);
    assert_non_null(none.redemptions);
    campaign_set_free(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_campaign_comes_in_by_its_number_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_code_of_one_letter_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_set_has_its_bounds, set_up, tear_down),
        cmocka_unit_test(test_without_memory_there_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
