/* Each rule of a campaign, broken alone where it can be, and told in its own words: they are what verify says. */
#include "discount/core/campaign.h"

#include "base/limits.h"
#include "discount/core/line.h"
#include "discount/core/reversal.h"
#include "discount/core/settlement.h"

#include "set.h"

static struct redemption *credit(struct campaign_set *set, uint64_t user) {
    struct redemption *redemption = claim(set, user, (unsigned)user, NOW);
    const struct settlement credited = {.redemption_id = redemption->id, .is_credited = true, .transaction_id = make_id(9, user)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    return redemption;
}

/* Four places of five were given out: two are credited, of which one is on its way back, and of two that were reversed one is open again. */
static const struct campaign *with_reversals(struct campaign_set *set) {
    struct campaign *campaign = make_campaign(set, "GIFT", 5);
    static const enum reversal_slot reversed[] = {SLOT_RETURN, SLOT_BURN, SLOT_RETURN};
    for (uint64_t user = 1; user <= 4; user++) {
        struct redemption *redemption = credit(set, user);
        if (user > 3) continue;
        const struct reversal_command command = {redemption->id, reversed[user - 1], TEXT("why")};
        assert_int_equal(campaign_reverse(set, &command, NOW, &redemption), REVERSAL_DONE);
        const struct taken_back back = {.redemption_id = redemption->id, .transaction_id = make_id(8, user)};
        if (user < 3) assert_true(result_is_ok(campaign_take_back(set, &back, NOW)));
    }
    assert_null(campaign_fault(campaign));
    assert_true(campaign->reversed == 2 && campaign->returned == 1 && campaign->credited == 2 && campaign->reversing == 1);
    return campaign;
}

static void expect(const struct campaign *campaign, const char *fault) {
    const char *told = campaign_fault(campaign);
    if (told == NULL || strcmp(told, fault) != 0) fail_msg("told: %s; expected: %s", told == NULL ? "nothing" : told, fault);
}

static void test_more_taken_back_than_given_out(void **state) {
    static const char told[] = "it has taken back more than it has given out", of_credited[] = "it takes back more than it has credited";
    const struct campaign *good = with_reversals(*state);
    struct campaign bad[] = {*good, *good, *good, *good, *good};
    bad[0].returned = -1;
    bad[1].returned = good->reversed + 1;
    bad[2].reversed = good->redeemed + 1;
    bad[3].reversing = -1;
    bad[4].reversing = good->credited + 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(&bad[i], i < 3 ? told : of_credited);
    struct campaign all = *good; /* at the bounds */
    all.returned = all.reversed;
    all.reversing = all.credited;
    assert_null(campaign_fault(&all));
}

static void test_more_returned_of_its_day_than_given_out_in_it(void **state) {
    static const char told[] = "more places were returned of its day than were given out in it";
    struct campaign good = *with_reversals(*state);
    good.returned = 2;
    good.day_before = 2;
    good.day_returned = 2;
    assert_null(campaign_fault(&good));
    struct campaign bad[] = {good, good, good};
    bad[0].day_returned = -1;
    bad[1].returned = 1; /* and of the day more than of all */
    bad[2].day_before = 3;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(&bad[i], told);
}

static void test_a_day_that_is_none(void **state) {
    struct campaign bad = *with_reversals(*state);
    bad.day_returned = 0;
    bad.day_before = bad.redeemed;
    assert_null(campaign_fault(&bad));
    bad.day_before++;
    expect(&bad, "its day is none");
}

static void test_sums_beyond_what_money_can_be(void **state) {
    static const char told[] = "its gifts or orders are worth more than money can be";
    const struct campaign *good = with_reversals(*state);
    struct campaign bad[] = {*good, *good, *good, *good};
    bad[0].spent_minor = -1;
    bad[1].spent_minor = MONEY_AMOUNT_MAX + 1;
    bad[2].ordered_minor = -1;
    bad[3].ordered_minor = MONEY_AMOUNT_MAX + 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(&bad[i], told);
}

static void test_what_the_shop_pays_is_not_credited(void **state) {
    static const char told[] = "it has taken more off orders than they were worth";
    struct campaign good = *with_reversals(*state);
    good.rules.kind = GIFT_AMOUNT_OFF;
    good.fund_confirmed_minor = MONEY_AMOUNT_MAX; /* so that its fund could have paid */
    good.credited = good.reversing = 0;
    good.spent_minor = good.ordered_minor = 7;
    assert_null(campaign_fault(&good));
    struct campaign bad[] = {good, good, good};
    bad[0].credited = 1;
    bad[1].failed = 1;
    bad[2].spent_minor = 8;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect(&bad[i], told);
}

static void test_the_rules_the_approval_and_the_gift_are_asked_too(void **state) {
    const struct campaign *good = with_reversals(*state);
    struct campaign bad[] = {*good, *good, *good, *good, *good};
    bad[3].rules.waiting_list = -1;
    bad[4].rules.waiting_list = LIMIT_CAMPAIGN_PLACES + 1;
    for (size_t i = 3; i < 5; i++) expect(&bad[i], rules_fault(&bad[i].rules));
    bad[4].rules.waiting_list--;
    assert_null(campaign_fault(&bad[4]));
    bad[0].rules.max_per_user = 0;
    expect(&bad[0], rules_fault(&bad[0].rules));
    bad[1].approval.waits = APPROVAL_OF_CREATION;
    expect(&bad[1], approval_fault(&bad[1].approval));
    bad[2].credit.amount_minor = -1;
    expect(&bad[2], "it gives no credit");
}

/* Whoever joins finds no place left: so somebody had one. */
static void test_a_line_is_of_a_campaign_that_had_places(void **state) {
    struct campaign bad = *with_reversals(*state);
    bad.waiting = 1; /* and nobody has joined */
    expect(&bad, "those who wait are not as many as have joined its line and not left it");
    bad = *make_campaign(*state, "LINE", 3);
    bad.lined_up = bad.called = 1;
    expect(&bad, "somebody waits, and no place was ever given out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_more_taken_back_than_given_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_returned_of_its_day_than_given_out_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_day_that_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sums_beyond_what_money_can_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_the_shop_pays_is_not_credited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_is_of_a_campaign_that_had_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_rules_the_approval_and_the_gift_are_asked_too, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
