/* Days, places and sums of a campaign to the microsecond and to the place, and what its fund is asked for when there is little to ask for. */
#include "discount/core/campaign.h"

#include "base/limits.h"
#include "discount/core/settlement.h"

#include "set.h"

static struct campaign *of_orders(struct campaign_set *set, int64_t amount_minor, int64_t places) {
    struct campaign_create create = {.id = make_id(1, 77),
                                     .code = make_code("ORDER"),
                                     .credit = {amount_minor, CURRENCY_IRT},
                                     .name = TEXT("Order"),
                                     .max_redemptions = places,
                                     .rules = {.kind = GIFT_AMOUNT_OFF}};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    return campaign;
}

static void give(struct campaign *campaign, int64_t starts_at_us, int64_t ends_at_us, int64_t now_us) {
    const struct given given = {.gift_minor = 4, .order_minor = 10, .day = {starts_at_us, ends_at_us}};
    (void)campaign_give_place(campaign, &given, now_us);
    campaign->settled_position = campaign->redeemed;
    assert_null(campaign_fault(campaign));
}

static void expect_day(const struct campaign *campaign, int64_t starts_at_us, int64_t ends_at_us, int64_t before) {
    assert_int_equal(campaign->day_starts_at_us, starts_at_us);
    assert_int_equal(campaign->day_ends_at_us, ends_at_us);
    assert_int_equal(campaign->day_before, before);
}

static void test_a_day_lasts_to_its_last_microsecond(void **state) {
    struct campaign *campaign = of_orders(*state, 4, 9);
    give(campaign, NOW - 10, NOW + 20, NOW);
    expect_day(campaign, NOW - 10, NOW + 20, 0);
    give(campaign, NOW + 1, NOW + 90, NOW + 19); /* it is the same day: another one is not looked at */
    expect_day(campaign, NOW - 10, NOW + 20, 0);
    give(campaign, NOW + 20, NOW + 40, NOW + 20);
    expect_day(campaign, NOW + 20, NOW + 40, 2);
}

static void test_a_day_that_nobody_knows_is_over_at_once(void **state) {
    struct campaign *campaign = of_orders(*state, 4, 9);
    give(campaign, NOW, NOW + 1, NOW); /* from its first microsecond, which is its last */
    expect_day(campaign, NOW, NOW + 1, 0);
    give(campaign, NOW, NOW + 5, NOW + 5); /* over */
    expect_day(campaign, NOW + 5, NOW + 6, 1);
    give(campaign, NOW + 8, NOW + 90, NOW + 7); /* not begun */
    expect_day(campaign, NOW + 7, NOW + 8, 2);
    give(campaign, 0, 0, NOW + 9);
    expect_day(campaign, NOW + 9, NOW + 10, 3);
}

/* Else what was given out before would be of two days. */
static void test_a_day_begins_behind_the_last_place_of_the_one_before(void **state) {
    struct campaign *campaign = of_orders(*state, 4, 9);
    give(campaign, 0, 0, NOW + 5);
    give(campaign, NOW, NOW + 7, NOW + 6);
    expect_day(campaign, NOW + 5, NOW + 7, 1);
    give(campaign, NOW + 7, NOW + 9, NOW + 7); /* a microsecond behind it */
    expect_day(campaign, NOW + 7, NOW + 9, 2);
}

static void test_what_is_given_back_counts_in_its_own_day(void **state) {
    struct campaign *campaign = of_orders(*state, 4, 9);
    for (int i = 0; i < 2; i++) give(campaign, NOW, NOW + 10, NOW);
    for (int i = 0; i < 2; i++) give(campaign, NOW + 10, NOW + 20, NOW + 10);
    struct given_back back = {.position = 2, .gift_minor = 4, .order_minor = 10, .is_open = true};
    campaign_give_back(campaign, &back);
    assert_int_equal(campaign->day_returned, 0); /* of the day before */
    back.position = 3;
    campaign_give_back(campaign, &back);
    assert_int_equal(campaign->day_returned, 1);
    assert_true(campaign->returned == 2 && campaign->spent_minor == 8 && campaign->ordered_minor == 20);
    assert_null(campaign_fault(campaign));
    give(campaign, NOW + 20, NOW + 30, NOW + 20);
    assert_int_equal(campaign->day_returned, 0);
    (void)campaign_pass_place(campaign, NOW + 21);
    assert_int_equal(campaign->day_returned, 1);
}

/* A position that was passed comes behind what exhausted the campaign, unless a limit was lowered later still. */
static void test_a_passed_place_moves_the_moment_of_the_last_one(void **state) {
    struct campaign *campaign = of_orders(*state, 4, 1);
    give(campaign, NOW, NOW + 100, NOW);
    assert_int_equal(campaign->exhausted_at_us, NOW);
    (void)campaign_pass_place(campaign, NOW + 5);
    assert_int_equal(campaign->exhausted_at_us, NOW + 5);
    campaign->exhausted_at_us = NOW + 10;
    (void)campaign_pass_place(campaign, NOW + 7);
    assert_int_equal(campaign->exhausted_at_us, NOW + 10);
}

static void test_places_at_their_bounds(void **state) {
    (void)state;
    assert_int_equal(campaign_places_left(3, 2), 1);
    assert_int_equal(campaign_places_left(3, 3), 0);
    assert_int_equal(campaign_places_left(3, 4), 0);
    assert_int_equal(campaign_taken_today(5, 3, NOW, NOW - 1), 2);
    assert_int_equal(campaign_taken_today(5, 3, NOW, NOW), 0);
    /* There are no more positions than so many: then all places count as taken, whatever was returned. */
    const int64_t most = LIMIT_CAMPAIGN_PLACES;
    assert_int_equal(campaign_counted_places(most, most - 1, 5), most - 6);
    assert_int_equal(campaign_counted_places(most, most, 5), most);
    assert_int_equal(campaign_counted_places(most - 6, most, 5), most - 5); /* the limit was lowered below them */
    assert_int_equal(campaign_counted_places(10, most, 5), most - 5);
}

static void test_each_act_and_each_place_is_a_change(void **state) {
    struct campaign *campaign = of_orders(*state, 4, 9);
    int64_t sequence = campaign->sequence, version = campaign->version;
    campaign->is_changed = false;
    campaign_note_act(campaign);
    assert_true(campaign->is_changed && campaign->sequence == sequence + 1 && campaign->version == version);
    campaign->is_changed = false;
    give(campaign, NOW, NOW + 10, NOW);
    assert_true(campaign->is_changed && campaign->sequence == sequence + 2);
}

/* ---- its fund ---- */

static enum campaign_verdict limit_to(struct campaign_set *set, struct campaign *campaign, int64_t places) {
    const struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = places};
    return campaign_patch(set, campaign, &patch, NOW);
}

static void test_the_shop_pays_for_orders(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = of_orders(set, MONEY_AMOUNT_MAX, 2); /* more than any fund could hold: there is none */
    assert_true(campaign->fund_step_minor == 0 && campaign_fund_state(campaign) == FUND_OPEN);
    assert_int_equal(limit_to(set, campaign, 2), CAMPAIGN_UNCHANGED);
    assert_int_equal(limit_to(set, campaign, 3), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 0);
    give(campaign, NOW, NOW + 10, NOW);
    assert_true(campaign_is_settled(campaign)); /* at once */
    campaign_set_clear(set);
    assert_int_equal(limit_to(set, of_orders(set, 4, 3), 3), CAMPAIGN_UNCHANGED); /* nor is what a fund could hold behind */
}

static void test_a_fund_that_is_lost_owes_all_that_was_given_out(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    for (unsigned user = 1; user <= 2; user++) {
        const struct settlement credited = {.redemption_id = claim(set, user, user, NOW)->id,
                                            .is_credited = true,
                                            .transaction_id = make_id(9, user)};
        assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    }
    assert_int_equal(limit_to(set, campaign, 1), CAMPAIGN_DONE); /* below what is taken */
    const struct fund_said nothing = {0};
    assert_int_equal(campaign_fund_adopt(campaign, &nothing, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 2000);
}

static void test_what_wallet_has_refused_is_not_awaited(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 3);
    assert_true(campaign_awaits_fund(campaign));
    assert_int_equal(campaign_fund_refuse(campaign, 1, TEXT("x"), TEXT(""), NOW), CAMPAIGN_DONE);
    assert_false(campaign_awaits_fund(campaign));
}

static void test_a_fund_is_not_behind_before_it_is_approved(void **state) {
    struct campaign_set *set = *state;
    struct campaign_create create = {.id = make_id(1, 77),
                                     .code = make_code("GIFT"),
                                     .credit = {1000, CURRENCY_IRT},
                                     .name = TEXT("Gift"),
                                     .max_redemptions = 3,
                                     .rules = {.needs_approval = 1},
                                     .by = make_id(5, 5)};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_int_equal(limit_to(set, campaign, 3), CAMPAIGN_UNCHANGED);
}

/* ---- what may change ---- */

static void test_words_alone_are_a_change(void **state) {
    struct campaign_set *set = *state;
    struct campaign_create create = {.id = make_id(1, 77),
                                     .code = make_code("GIFT"),
                                     .credit = {1000, CURRENCY_IRT},
                                     .name = TEXT("Gift"),
                                     .max_redemptions = 3,
                                     .words = {.time_zone_size = 3, .time_zone = "UTC"}};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_true(text_equal(words_time_zone(&campaign->words), TEXT("UTC")));
    struct campaign_patch patch = {.rules_given = GIVEN_METADATA, .words = {.metadata_size = 2, .metadata = "{}"}};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_true(text_equal(words_metadata(&campaign->words), TEXT("{}")));
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_UNCHANGED);
}

static void test_the_gift_stays_once_somebody_has_it(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    (void)claim(set, 1, 1, NOW);
    struct campaign_patch same = {.has_credit = true, .credit = campaign->credit};
    assert_int_equal(campaign_patch(set, campaign, &same, NOW), CAMPAIGN_UNCHANGED);
    same.credit.amount_minor++;
    assert_int_equal(campaign_patch(set, campaign, &same, NOW), CAMPAIGN_CREDIT_GIVEN);
}

static void test_the_discount_stays_once_somebody_has_it(void **state) {
    struct campaign_set *set = *state;
    struct campaign_create create = {.id = make_id(1, 77),
                                     .code = make_code("SHARE"),
                                     .credit = {0, CURRENCY_IRT},
                                     .name = TEXT("Share"),
                                     .max_redemptions = 3,
                                     .rules = {.kind = GIFT_PERCENT_OFF, .percent = 1000, .discount_max_minor = 500}};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    struct campaign_patch patch = {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 2000, .discount_max_minor = 700}};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE); /* nobody has come */
    give(campaign, NOW, NOW + 10, NOW);
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_UNCHANGED);
    patch.rules.percent = 2001;
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_USED);
    patch.rules.percent = 2000;
    patch.rules.discount_max_minor = 701;
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_USED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_day_lasts_to_its_last_microsecond),
        TEST(test_a_day_that_nobody_knows_is_over_at_once),
        TEST(test_a_day_begins_behind_the_last_place_of_the_one_before),
        TEST(test_what_is_given_back_counts_in_its_own_day),
        TEST(test_a_passed_place_moves_the_moment_of_the_last_one),
        TEST(test_places_at_their_bounds),
        TEST(test_each_act_and_each_place_is_a_change),
        TEST(test_the_shop_pays_for_orders),
        TEST(test_a_fund_that_is_lost_owes_all_that_was_given_out),
        TEST(test_what_wallet_has_refused_is_not_awaited),
        TEST(test_a_fund_is_not_behind_before_it_is_approved),
        TEST(test_words_alone_are_a_change),
        TEST(test_the_gift_stays_once_somebody_has_it),
        TEST(test_the_discount_stays_once_somebody_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
