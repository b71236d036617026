/* What may change of a campaign by which redemptions were made, and what its sums and its day must be. */
#include "discount/core/campaign.h"

#include "set.h"

static enum campaign_verdict patch(struct campaign_set *set, struct campaign *campaign, const struct campaign_patch *patch) {
    enum campaign_verdict verdict = campaign_patch(set, campaign, patch, NOW + 1);
    if (verdict == CAMPAIGN_DONE) assert_true(campaign->is_changed);
    return verdict;
}

static void test_a_code_changes_until_it_was_used(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    assert_int_equal(campaign_end(make_campaign(set, "OVER", 3), NOW), CAMPAIGN_DONE);
    make_campaign(set, "TAKEN", 3);
    struct campaign_patch change = {.has_code = true, .code = make_code("TAKEN")};
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_CODE_TAKEN);
    change.code = make_code("OVER");
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_DONE);
    assert_ptr_equal(campaign_by_code(set, &change.code), campaign);
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_UNCHANGED);
    change.code = make_code("GIFT");
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_DONE);
    (void)claim(set, 1, 1, NOW);
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_UNCHANGED);
    change.code = make_code("OTHER");
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_USED);
}

static void test_whose_phones_changes_until_one_was_asked(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct campaign_patch change = {.has_phone_rule = true, .phone_rule = PHONE_ANY};
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_DONE);
    assert_int_equal(campaign->phone_rule, PHONE_ANY);
    (void)claim(set, 1, 1, NOW);
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_UNCHANGED);
    change.phone_rule = PHONE_OF_ACCOUNT;
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_USED);
}

/* Once somebody has won, there may be more of each, and never fewer. */
static void test_who_has_come_loses_nothing(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 9);
    struct campaign_patch change = {.rules_given = GIVEN_PER_USER | GIVEN_PER_PHONE, .rules = {.max_per_user = 3, .max_per_phone = 3}};
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_DONE);
    change.rules.max_per_user = change.rules.max_per_phone = 2;
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_DONE);
    (void)claim(set, 1, 1, NOW);
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_UNCHANGED);
    change.rules.max_per_user = 1;
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_USED);
    change.rules.max_per_user = 2;
    change.rules.max_per_phone = 1;
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_USED);
    change.rules.max_per_user = change.rules.max_per_phone = 3;
    assert_int_equal(patch(set, campaign, &change), CAMPAIGN_DONE);
    assert_true(campaign->rules.max_per_user == 3 && campaign->rules.max_per_phone == 3 && campaign->has_new_rules);
}

/* One of orders, with one redemption: 4 of 10 were taken off. */
static struct campaign of_orders(struct campaign_set *set) {
    struct campaign campaign = *make_campaign(set, "GIFT", 3);
    campaign.rules.kind = GIFT_AMOUNT_OFF;
    campaign.fund_step_minor = campaign.fund_step_version = 0;
    campaign.redeemed = campaign.settled_position = 1;
    campaign.first_redeemed_at_us = campaign.last_redeemed_at_us = NOW;
    campaign.spent_minor = 4;
    campaign.ordered_minor = 10;
    campaign.day_starts_at_us = NOW;
    campaign.day_ends_at_us = NOW + 1;
    return campaign;
}

static void test_sums_and_days_that_may_be(void **state) {
    const struct campaign sound = of_orders(*state);
    struct campaign good[] = {sound, sound, sound, sound};
    good[0].spent_minor = 10;
    good[1].spent_minor = good[1].ordered_minor = MONEY_AMOUNT_MAX;
    good[2].day_before = 1;
    good[3].day_starts_at_us = good[3].day_ends_at_us;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (campaign_fault(&good[i]) != NULL) fail_msg("%zu: %s", i, campaign_fault(&good[i]));
    }
}

static void test_sums_and_days_that_can_not_be(void **state) {
    struct campaign_set *set = *state;
    const struct campaign sound = of_orders(set);
    struct campaign bad[] = {sound, sound, sound, sound, sound, sound, sound, sound, sound, sound, sound};
    bad[0].spent_minor = -1;
    bad[1].ordered_minor = MONEY_AMOUNT_MAX + 1;
    bad[2].spent_minor = 11;
    bad[3].credited = 1;
    bad[4].failed = 1;
    bad[5].day_before = -1;
    bad[6].day_before = 2;
    bad[7].day_starts_at_us = bad[7].day_ends_at_us + 1;
    bad[8].over_at = 1;
    bad[9].credit.amount_minor = 0; /* of no share */
    bad[10] = *make_campaign(set, "OTHER", 3);
    bad[10].spent_minor = 1; /* and nobody has come */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (campaign_fault(&bad[i]) == NULL) fail_msg("taken: %zu", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_code_changes_until_it_was_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whose_phones_changes_until_one_was_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_has_come_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sums_and_days_that_may_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sums_and_days_that_can_not_be, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
