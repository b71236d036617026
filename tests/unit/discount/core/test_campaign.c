/* Campaigns alone: what their admins and their funds decide. */
#include "discount/core/campaign.h"

#include "base/limits.h"
#include "discount/core/settlement.h"

#include "set.h"

static void test_times(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 5);
    campaign->starts_at_us = NOW + 10;
    struct campaign_patch patch = {.has_ends_at = true, .ends_at_us = NOW + 20};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    be_refused(set, 1, 1, NOW + 9, REFUSED_NOT_STARTED);
    assert_int_equal(campaign_state(campaign, NOW + 9), CAMPAIGN_SCHEDULED);
    assert_int_equal(campaign_pause(campaign, NOW + 9), CAMPAIGN_DONE);
    assert_int_equal(campaign_state(campaign, NOW + 9), CAMPAIGN_PAUSED);
    be_refused(set, 1, 1, NOW + 9, REFUSED_PAUSED);
    assert_int_equal(campaign_resume(campaign, NOW + 9), CAMPAIGN_DONE);
    (void)claim(set, 1, 1, NOW + 10);
    (void)claim(set, 2, 2, NOW + 19);
    be_refused(set, 3, 3, NOW + 20, REFUSED_ENDED);
    assert_int_equal(campaign_expire(campaign, NOW + 19), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_expire(campaign, NOW + 20), CAMPAIGN_DONE);
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 21), CAMPAIGN_STATE_CONFLICT);
}

/* Below what is taken it means over now, until it is raised again. */
static void test_a_limit_below_what_is_taken_is_over_now(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    (void)claim(set, 1, 1, NOW);
    (void)claim(set, 2, 2, NOW);
    struct campaign_patch lowered = {.has_max_redemptions = true, .max_redemptions = 1};
    assert_int_equal(campaign_patch(set, campaign, &lowered, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(campaign->max_redemptions, 1);
    assert_int_equal(campaign->over_at, 2);
    assert_int_equal(campaign_state(campaign, NOW + 1), CAMPAIGN_EXHAUSTED);
    assert_int_equal(campaign_places_left(campaign->max_redemptions, campaign->redeemed), 0);
    be_refused(set, 3, 3, NOW + 1, REFUSED_SOLD_OUT);
    be_refused(set, 1, 1, NOW + 1, REFUSED_ALREADY_REDEEMED);
    struct campaign bad = *campaign;
    bad.over_at = 0; /* nobody lowered it: it has given out too many */
    assert_non_null(campaign_fault(&bad));
    struct campaign_patch raised = {.has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(set, campaign, &raised, NOW + 2), CAMPAIGN_DONE);
    assert_int_equal(campaign->over_at, 0);
    assert_int_equal(campaign->exhausted_at_us, 0);
    (void)claim(set, 3, 3, NOW + 2);
}

static void test_patch(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    struct redemption *redemption;
    redemption = claim(set, 1, 1, NOW);
    redemption = claim(set, 2, 2, NOW);
    assert_int_equal(campaign->exhausted_at_us, NOW);
    struct campaign before = *campaign;
    struct campaign_patch stale = {.version_expected = 7, .has_max_redemptions = true, .max_redemptions = 9};
    assert_int_equal(campaign_patch(set, campaign, &stale, NOW), CAMPAIGN_VERSION_MISMATCH);
    struct campaign_patch started = {.has_starts_at = true, .starts_at_us = NOW + 5};
    assert_int_equal(campaign_patch(set, campaign, &started, NOW), CAMPAIGN_STARTED);
    struct campaign_patch same = {.has_max_redemptions = true, .max_redemptions = 2};
    assert_int_equal(campaign_patch(set, campaign, &same, NOW), CAMPAIGN_UNCHANGED);
    assert_memory_equal(&before, campaign, sizeof before);
    struct campaign_patch raised = {.version_expected = 1, .has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(set, campaign, &raised, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(campaign->version, 2);
    assert_int_equal(campaign->exhausted_at_us, 0);
    struct campaign_patch lowered = {.has_max_redemptions = true, .max_redemptions = 2};
    struct campaign_patch raised_again = {.has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(set, campaign, &lowered, NOW - 5), CAMPAIGN_DONE);
    assert_int_equal(campaign->exhausted_at_us, campaign->last_redeemed_at_us); /* the clock was set back: not before the last winner */
    assert_int_equal(campaign_patch(set, campaign, &raised_again, NOW + 1), CAMPAIGN_DONE);
    redemption = claim(set, 3, 3, NOW + 2);
    assert_int_equal(redemption->position, 3);
}

/* The amount of a step never changes while it waits: it may have been sent. */
static void test_fund_steps(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    assert_int_equal(campaign->fund_step_minor, 10000);
    struct campaign_patch raised = {.has_max_redemptions = true, .max_redemptions = 15};
    assert_int_equal(campaign_patch(set, campaign, &raised, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 10000);
    assert_int_equal(campaign->fund_step_version, 1);
    assert_int_equal(campaign_fund_confirm(campaign, 2, NOW), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_confirmed_minor, 10000);
    assert_int_equal(campaign->fund_step_minor, 5000);
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING);
    assert_int_equal(campaign_fund_confirm(campaign, campaign->fund_step_version, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_OPEN);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_STATE_CONFLICT);
    struct redemption *redemption;
    redemption = claim(set, 1, 1, NOW);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_STATE_CONFLICT); /* a claim is not settled */
    struct settlement credited = {.redemption_id = redemption->id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_RELEASED);
}

static void test_the_end_is_not_before_the_last_place(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    (void)claim(set, 1, 1, NOW + 100);
    assert_int_equal(campaign_end(campaign, NOW + 50), CAMPAIGN_DONE); /* the clock was set back */
    assert_int_equal(campaign->ended_at_us, NOW + 100);
}

static void test_codes_are_unique_and_money_is_bounded(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    struct campaign_create create = {
        .id = make_id(1, 50), .code = make_code("g-i-f-t"), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Again"), .max_redemptions = 1};
    struct campaign *again;
    assert_int_equal(campaign_create(set, &create, NOW, &again), CAMPAIGN_CODE_TAKEN);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_ptr_equal(campaign_by_code(set, &create.code), campaign); /* who types it is told that it is over */
    assert_int_equal(campaign_create(set, &create, NOW, &again), CAMPAIGN_DONE);
    assert_ptr_equal(campaign_by_code(set, &create.code), again);
    create.id = make_id(1, 51);
    create.code = make_code("OTHER");
    create.credit.amount_minor = MONEY_AMOUNT_MAX;
    create.max_redemptions = 2;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_LIMIT_TOO_HIGH);
    create.max_redemptions = 1;
    create.ends_at_us = NOW;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_END_NOT_FUTURE);
    assert_int_equal(set->campaign_count, 2);
}

/* One member after another is set to what no decision makes: each has a rule that says so, and a good campaign breaks none. */
static void test_a_broken_campaign_is_told(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    (void)claim(set, 1, 1, NOW);
    struct settlement credited = {.redemption_id = set->redemptions[0].id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    campaign->fund_confirmed_minor = 0; /* as if Wallet had not confirmed what it has paid out of already */
    campaign->fund_step_minor = 3000;
    campaign->fund_step_version = 1;
    const struct campaign good = *campaign;
    assert_null(campaign_fault(&good));
    struct campaign bad;
#define BREAK(member, value) \
    bad = good;              \
    bad.member = value;      \
    if (campaign_fault(&bad) == NULL) fail_msg("%s = %s is no fault", #member, #value)
    BREAK(number, 0);
    BREAK(credit.amount_minor, 0);
    BREAK(credit.currency, CURRENCY_NONE);
    BREAK(max_redemptions, 0);
    BREAK(max_redemptions, LIMIT_CAMPAIGN_PLACES + 1);
    BREAK(version, 0);
    BREAK(sequence, 0);
    BREAK(redeemed, -1);
    BREAK(redeemed, 4);
    BREAK(redeemed, 3); /* not exhausted */
    BREAK(credited, -1);
    BREAK(credited, 2);
    BREAK(failed, 1);
    BREAK(failed, -1);
    BREAK(settled_position, -1);
    BREAK(settled_position, 2);
    BREAK(first_redeemed_at_us, 0);
    BREAK(first_redeemed_at_us, NOW + 1);
    BREAK(last_redeemed_at_us, 0);
    BREAK(exhausted_at_us, NOW);
    BREAK(fund_confirmed_minor, -1);
    BREAK(fund_confirmed_minor, MONEY_AMOUNT_MAX);
    BREAK(fund_step_minor, 0);
    BREAK(fund_step_minor, -1);
    BREAK(fund_step_minor, 999); /* less than was credited */
    BREAK(fund_step_version, 0);
    BREAK(fund_step_version, 2);
    BREAK(fund_is_released, true);
#undef BREAK
}

/* Whoever ends a campaign may make another one, as long as there is memory for those that have ended. */
static void test_ended_ones_are_not_counted(void **state) {
    (void)state;
    struct campaign_set set;
    struct campaign *campaign;
    assert_true(result_is_ok(campaign_set_init(&set, LIMIT_CAMPAIGNS + 2, 4)));
    struct campaign_create create = {.credit = {1000, CURRENCY_IRT}, .name = TEXT("Gift"), .max_redemptions = 1};
    for (uint64_t i = 1; i <= LIMIT_CAMPAIGNS; i++) {
        create.id = make_id(1, i);
        assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_DONE);
    }
    for (uint64_t i = LIMIT_CAMPAIGNS + 1; i <= LIMIT_CAMPAIGNS + 2; i++) {
        create.id = make_id(1, i);
        assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_TOO_MANY);
        assert_int_equal(campaign_end(&set.campaigns[i - LIMIT_CAMPAIGNS], NOW), CAMPAIGN_DONE);
        assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_DONE);
    }
    create.id = make_id(1, LIMIT_CAMPAIGNS + 3);
    assert_int_equal(campaign_end(&set.campaigns[0], NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_TOO_MANY); /* there is no memory for more */
    campaign_set_free(&set);
}

/* Nor are those that are archived, however many: the bound of all that were ever made is the only one. */
static void test_archived_ones_take_no_place(void **state) {
    (void)state;
    struct campaign_set set;
    struct campaign *campaign;
    assert_true(result_is_ok(campaign_set_init(&set, LIMIT_CAMPAIGNS_KEPT, 4)));
    for (uint64_t i = 0; i < LIMIT_CAMPAIGNS_KEPT - LIMIT_CAMPAIGNS - 1; i++) campaign_set_skip(&set);
    struct campaign_create create = {.credit = {1000, CURRENCY_IRT}, .name = TEXT("Gift"), .max_redemptions = 1};
    for (uint64_t i = 1; i <= LIMIT_CAMPAIGNS; i++) {
        create.id = make_id(1, i);
        assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_DONE);
    }
    create.id = make_id(1, LIMIT_CAMPAIGNS + 1);
    assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_TOO_MANY);
    assert_int_equal(campaign_end(&set.campaigns[0], NOW), CAMPAIGN_DONE);
    campaign_set_drop(&set, &set.campaigns[0]);
    assert_int_equal(campaign_create(&set, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_int_equal(campaign->number, LIMIT_CAMPAIGNS_KEPT);
    assert_ptr_equal(campaign, &set.campaigns[0]);
    campaign_set_free(&set);
}

static void test_it_is_over_when_nothing_is_left_to_be_done(void **state) {
    (void)state;
    static const struct {
        struct campaign campaign;
        bool is_over;
    } rows[] = {
        {{.ended_at_us = NOW, .fund_is_released = true}, true},
        {{.ended_at_us = NOW, .fund_is_released = true, .redeemed = 3, .credited = 2, .failed = 1}, true},
        {{.fund_is_released = true}, false},
        {{.ended_at_us = NOW, .fund_is_released = true, .redeemed = 3, .credited = 2}, false},
        {{.ended_at_us = NOW, .fund_is_released = true, .reversing = 1}, false},
        {{.ended_at_us = NOW, .fund_is_released = true, .fund_step_minor = 1}, false},
        {{.ended_at_us = NOW}, false},
        {{.ended_at_us = NOW, .rules = {.kind = GIFT_AMOUNT_OFF}}, true}, /* it has no fund */
        {{.ended_at_us = NOW, .rules = {.kind = GIFT_PERCENT_OFF}, .redeemed = 3}, true},
        {{.rules = {.kind = GIFT_AMOUNT_OFF}}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_int_equal(campaign_is_over(&rows[i].campaign), rows[i].is_over);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ended_ones_are_not_counted),
        cmocka_unit_test(test_archived_ones_take_no_place),
        cmocka_unit_test(test_it_is_over_when_nothing_is_left_to_be_done),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_limit_below_what_is_taken_is_over_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fund_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_campaign_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_is_not_before_the_last_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_codes_are_unique_and_money_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
