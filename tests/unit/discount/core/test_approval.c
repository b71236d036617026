/* Two persons for what costs money: what waits, who may approve it, and what becomes of it when the campaign changes meanwhile. */
#include "discount/core/approval.h"

#include "set.h"

#define ANNA make_id(9, 1)
#define OMID make_id(9, 2)

static struct campaign *make(struct campaign_set *set, enum gift_kind kind) {
    bool is_share = kind == GIFT_PERCENT_OFF;
    struct campaign_create create = {.id = make_id(1, set->campaign_count + 1),
                                     .code = make_code("GIFT"),
                                     .credit = {is_share ? 0 : 1000, CURRENCY_IRT},
                                     .name = TEXT("Gift"),
                                     .max_redemptions = 10,
                                     .rules = {.kind = kind,
                                               .percent = is_share ? 1000 : 0,
                                               .discount_max_minor = is_share ? 500 : 0,
                                               .budget_minor = 20000,
                                               .needs_approval = 1},
                                     .by = ANNA};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    return campaign;
}

static struct campaign *make_approved(struct campaign_set *set, enum gift_kind kind) {
    struct campaign *campaign = make(set, kind);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW), CAMPAIGN_DONE);
    fund_all(set);
    return campaign;
}

static void test_a_creation_opens_no_fund_before_it_is_approved(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make(set, GIFT_CREDIT);
    struct redemption *redemption;
    assert_int_equal(campaign->fund_step_minor, 0);
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING);
    assert_false(campaign_awaits_fund(campaign));
    check_verdict(redeem(set, 1, 1, NOW, &redemption), REDEEM_REFUSE, REFUSED_UNAPPROVED);
    assert_int_equal(campaign_approve(set, campaign, ANNA, NOW), CAMPAIGN_OWN_REQUEST);
    assert_int_equal(campaign->approval.waits, APPROVAL_OF_CREATION);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW), CAMPAIGN_DONE);
    assert_true(campaign_awaits_fund(campaign));
    assert_int_equal(campaign->fund_step_minor, 10000);
    check_verdict(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIM, NOT_REFUSED);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_approve(set, campaign, ANNA, NOW), CAMPAIGN_UNCHANGED);
}

static const struct raise {
    enum gift_kind kind;
    struct campaign_patch patch;
    bool is_due;
} raises[] = {
    {GIFT_CREDIT, {.has_max_redemptions = true, .max_redemptions = 11}, true},
    {GIFT_CREDIT, {.has_max_redemptions = true, .max_redemptions = 10}, false},
    {GIFT_CREDIT, {.has_max_redemptions = true, .max_redemptions = 9}, false},
    {GIFT_CREDIT, {.has_credit = true, .credit = {1001, CURRENCY_IRT}}, true},
    {GIFT_CREDIT, {.has_credit = true, .credit = {999, CURRENCY_IRT}}, false},
    {GIFT_AMOUNT_OFF, {.has_credit = true, .credit = {1001, CURRENCY_IRT}}, true},
    {GIFT_CREDIT, {.rules_given = GIVEN_BUDGET, .rules = {.budget_minor = 20001}}, true},
    {GIFT_CREDIT, {.rules_given = GIVEN_BUDGET, .rules = {.budget_minor = 0}}, true},
    {GIFT_CREDIT, {.rules_given = GIVEN_BUDGET, .rules = {.budget_minor = 19999}}, false},
    {GIFT_CREDIT, {.rules_given = GIVEN_APPROVAL, .rules = {.needs_approval = 0}}, true},
    {GIFT_CREDIT, {.rules_given = GIVEN_APPROVAL, .rules = {.needs_approval = 1}}, false},
    {GIFT_PERCENT_OFF, {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 1001, .discount_max_minor = 500}}, true},
    {GIFT_PERCENT_OFF, {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 1000, .discount_max_minor = 501}}, true},
    {GIFT_PERCENT_OFF, {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 1000, .discount_max_minor = 0}}, true},
    {GIFT_PERCENT_OFF, {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 999, .discount_max_minor = 499}}, false},
    {GIFT_CREDIT, {.has_ends_at = true, .ends_at_us = NOW + 1000000}, false},
    {GIFT_CREDIT, {.rules_given = GIVEN_PER_USER | GIVEN_PUBLIC, .rules = {.max_per_user = 5, .is_public = 1}}, false},
};

static void test_what_costs_more_waits_and_nothing_else(void **state) {
    struct campaign_set *set = *state;
    for (size_t i = 0; i < sizeof raises / sizeof raises[0]; i++) {
        campaign_set_clear(set);
        struct campaign *campaign = make_approved(set, raises[i].kind);
        struct campaign before = *campaign;
        struct campaign_patch patch = raises[i].patch;
        patch.by = ANNA;
        assert_int_equal(approval_is_due(campaign, &patch), raises[i].is_due);
        enum campaign_verdict verdict = campaign_patch(set, campaign, &patch, NOW + 1);
        if (!raises[i].is_due) {
            assert_true(verdict == CAMPAIGN_DONE || verdict == CAMPAIGN_UNCHANGED);
            assert_int_equal(campaign->approval.waits, APPROVAL_NONE);
            continue;
        }
        assert_int_equal(verdict, CAMPAIGN_HELD);
        assert_int_equal(campaign->max_redemptions, before.max_redemptions);
        assert_true(money_equal(campaign->credit, before.credit));
        assert_memory_equal(&campaign->rules, &before.rules, sizeof before.rules);
        assert_int_equal(campaign->fund_step_minor, 0);
        assert_int_equal(campaign->version, before.version + 1);
        assert_int_equal(campaign_approve(set, campaign, ANNA, NOW + 2), CAMPAIGN_OWN_REQUEST);
        assert_int_equal(campaign_approve(set, campaign, OMID, NOW + 2), CAMPAIGN_DONE);
        if (patch.has_max_redemptions) assert_int_equal(campaign->max_redemptions, patch.max_redemptions);
        if (patch.has_credit) assert_true(money_equal(campaign->credit, patch.credit));
        struct campaign_rules due = before.rules;
        (void)rules_adopt(&due, &patch.rules, patch.rules_given);
        assert_memory_equal(&campaign->rules, &due, sizeof due);
    }
}

/* The rest of such a patch is done at once. */
static void test_the_rest_is_done_at_once(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_approved(set, GIFT_CREDIT);
    struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 20, .has_name = true, .name = TEXT("Other"), .by = OMID};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 1), CAMPAIGN_HELD);
    assert_true(text_equal(campaign_name(campaign), TEXT("Other")));
    assert_int_equal(campaign->max_redemptions, 10);
    int64_t version = campaign->version;
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 2), CAMPAIGN_HELD_ALREADY);
    assert_int_equal(campaign->version, version);
    patch.by = ANNA;
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 2), CAMPAIGN_APPROVAL_PENDING);
    patch.by = OMID;
    patch.max_redemptions = 21;
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 2), CAMPAIGN_APPROVAL_PENDING);
    assert_int_equal(campaign->approval.raise.max_redemptions, 20);
    assert_int_equal(campaign_approve(set, campaign, ANNA, NOW + 3), CAMPAIGN_DONE);
    assert_int_equal(campaign->max_redemptions, 20);
    assert_int_equal(campaign->fund_step_minor, 10000);
}

static void test_what_waits_can_be_taken_back(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_approved(set, GIFT_CREDIT);
    struct campaign_patch raise = {.has_max_redemptions = true, .max_redemptions = 20, .by = ANNA}, back = raise;
    struct campaign_patch rename = {.has_name = true, .name = TEXT("Other"), .by = ANNA};
    back.max_redemptions = 10;
    assert_int_equal(campaign_patch(set, campaign, &raise, NOW), CAMPAIGN_HELD);
    assert_int_equal(campaign_patch(set, campaign, &rename, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->approval.waits, APPROVAL_OF_CHANGE);
    assert_int_equal(campaign_patch(set, campaign, &back, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->approval.waits, APPROVAL_NONE);
    assert_int_equal(campaign_patch(set, campaign, &raise, NOW), CAMPAIGN_HELD);
    assert_int_equal(campaign_end(campaign, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(campaign->approval.waits, APPROVAL_NONE);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW + 2), CAMPAIGN_STATE_CONFLICT);
}

static void test_an_expired_one_waits_no_more(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make(set, GIFT_CREDIT);
    struct campaign_patch patch = {.has_ends_at = true, .ends_at_us = NOW + 10, .by = ANNA};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->approval.waits, APPROVAL_OF_CREATION);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW + 10), CAMPAIGN_STATE_CONFLICT);
    campaign_set_begin(set);
    assert_int_equal(campaign_expire(campaign, NOW + 10), CAMPAIGN_DONE);
    assert_int_equal(campaign->approval.waits, APPROVAL_NONE);
    assert_true(campaign->has_new_rules);
    assert_int_equal(campaign_fund_state(campaign), FUND_RELEASED);
}

static void test_who_made_it_dearer_last_has_asked_for_it(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make(set, GIFT_CREDIT);
    struct campaign_patch raise = {.has_max_redemptions = true, .max_redemptions = 20, .by = OMID};
    assert_int_equal(campaign_patch(set, campaign, &raise, NOW + 5), CAMPAIGN_DONE);
    assert_int_equal(campaign->max_redemptions, 20);
    assert_int_equal(campaign->fund_step_minor, 0);
    assert_int_equal(campaign->approval.requested_at_us, NOW + 5);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW), CAMPAIGN_OWN_REQUEST);
    assert_int_equal(campaign_approve(set, campaign, ANNA, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 20000);
}

static void test_what_can_not_be_any_more_is_refused(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_approved(set, GIFT_CREDIT);
    struct redemption *redemption;
    struct campaign_patch patch = {.has_credit = true, .credit = {2000, CURRENCY_IRT}, .by = ANNA};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_HELD);
    check_verdict(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIM, NOT_REFUSED);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW), CAMPAIGN_CREDIT_GIVEN);
    assert_int_equal(campaign->approval.waits, APPROVAL_OF_CHANGE);
    assert_int_equal(campaign->credit.amount_minor, 1000);
    assert_int_equal(campaign_approve(set, NULL, OMID, NOW), CAMPAIGN_NOT_FOUND);
}

/* Each of what a change may cost makes it another one than that which waits, and each takes it back. */
static void test_what_waits_is_told_apart_and_taken_back_by_each_of_its_parts(void **state) {
    struct campaign_set *set = *state;
    struct campaign_patch asked[] = {
        {.has_credit = true, .credit = {1500, CURRENCY_IRT}},
        {.rules_given = GIVEN_BUDGET, .rules = {.budget_minor = 30000}},
        {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 1500, .discount_max_minor = 500}},
        {.rules_given = GIVEN_DISCOUNT, .rules = {.percent = 1000, .discount_max_minor = 900}},
    };
    struct campaign_patch other[] = {asked[0], asked[1], asked[2], asked[3]}, back[] = {asked[0], asked[1], asked[2], asked[3]};
    other[0].credit.amount_minor++;
    other[1].rules.budget_minor++;
    other[2].rules.percent++;
    other[3].rules.discount_max_minor++;
    back[0].credit.amount_minor = 1000;
    back[1].rules.budget_minor = 20000;
    back[2].rules.percent = 1000;
    back[3].rules.discount_max_minor = 500;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        campaign_set_clear(set);
        struct campaign *campaign = make_approved(set, i < 2 ? GIFT_CREDIT : GIFT_PERCENT_OFF);
        asked[i].by = other[i].by = back[i].by = ANNA;
        assert_int_equal(campaign_patch(set, campaign, &asked[i], NOW), CAMPAIGN_HELD);
        assert_int_equal(campaign_patch(set, campaign, &asked[i], NOW), CAMPAIGN_HELD_ALREADY);
        assert_int_equal(campaign_patch(set, campaign, &other[i], NOW), CAMPAIGN_APPROVAL_PENDING);
        assert_int_equal(campaign_patch(set, campaign, &back[i], NOW), CAMPAIGN_DONE);
        assert_int_equal(campaign->approval.waits, APPROVAL_NONE);
    }
}

/* Its creation waits still, whether what comes after it would need an approval or not. */
static void test_who_drops_the_approval_of_a_creation_has_asked_for_it(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make(set, GIFT_CREDIT);
    struct campaign_patch drop = {.rules_given = GIVEN_APPROVAL, .by = ANNA};
    assert_int_equal(campaign_patch(set, campaign, &drop, NOW), CAMPAIGN_DONE);
    assert_true(campaign->rules.needs_approval == 0 && campaign->approval.waits == APPROVAL_OF_CREATION);
    drop.by = OMID; /* nothing is left to drop */
    assert_int_equal(campaign_patch(set, campaign, &drop, NOW), CAMPAIGN_UNCHANGED);
    assert_true(id_equal(campaign->approval.requested_by, ANNA));
    struct campaign_patch raise = {.has_max_redemptions = true, .max_redemptions = 20, .by = OMID};
    assert_int_equal(campaign_patch(set, campaign, &raise, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_approve(set, campaign, OMID, NOW), CAMPAIGN_OWN_REQUEST);
    assert_int_equal(campaign_approve(set, campaign, ANNA, NOW), CAMPAIGN_DONE);
}

/* Made by another program (the first 7 bytes of BLAKE2b-256, behind a 1): another check would refuse every row that there is. */
static void test_the_check_is_what_databases_hold(void **state) {
    (void)state;
    const struct approval approval = {APPROVAL_OF_CHANGE, ANNA, NOW, {20, 1500, 250, 99, 30000, true}};
    assert_int_equal(approval_check(7, true, &approval), INT64_C(0x01D8932BE12B7676));
}

static void test_faults_and_the_check(void **state) {
    (void)state;
    const struct approval none = {.waits = APPROVAL_NONE};
    const struct approval creation = {.waits = APPROVAL_OF_CREATION, .requested_by = ANNA, .requested_at_us = NOW};
    struct approval change = creation;
    change.waits = APPROVAL_OF_CHANGE;
    assert_non_null(approval_fault(&change));
    change.raise.max_redemptions = 1;
    assert_null(approval_fault(&none));
    assert_null(approval_fault(&creation));
    assert_null(approval_fault(&change));
    struct approval wrong[] = {none,   none,   creation, creation, creation, change, change,
                               change, change, change,   change,   change,   change, change};
    wrong[0].requested_by = ANNA;
    wrong[1].requested_at_us = NOW;
    wrong[2].requested_by = (struct id){{0}};
    wrong[3].requested_at_us = 0;
    wrong[4].raise.drops_approval = true;
    wrong[5].raise.max_redemptions = LIMIT_CAMPAIGN_PLACES + 1;
    wrong[6].raise.amount_minor = -1;
    wrong[7].raise.percent = 100 * PERCENT_SCALE + 1;
    wrong[8].raise.discount_max_minor = -1;
    wrong[9].raise.budget_minor = MONEY_AMOUNT_MAX + 1;
    wrong[10].raise.percent = -1;
    wrong[11].raise.amount_minor = MONEY_AMOUNT_MAX + 1;
    wrong[12].raise.discount_max_minor = MONEY_AMOUNT_MAX + 1;
    wrong[13].raise.budget_minor = -1;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_non_null(approval_fault(&wrong[i]));
    int64_t check = approval_check(1, true, &change);
    assert_true(check > 0);
    assert_int_equal(check, approval_check(1, true, &change));
    assert_int_not_equal(check, approval_check(2, true, &change));
    assert_int_not_equal(check, approval_check(1, false, &change));
    for (size_t i = 5; i < sizeof wrong / sizeof wrong[0]; i++) assert_int_not_equal(check, approval_check(1, true, &wrong[i]));
    struct approval other = change;
    other.raise.drops_approval = true;
    assert_int_not_equal(check, approval_check(1, true, &other));
    other = change;
    other.requested_by = OMID;
    assert_int_not_equal(check, approval_check(1, true, &other));
    other = change;
    other.requested_at_us++;
    assert_int_not_equal(check, approval_check(1, true, &other));
    other = change;
    other.waits = APPROVAL_OF_CREATION;
    assert_int_not_equal(check, approval_check(1, true, &other));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_creation_opens_no_fund_before_it_is_approved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_costs_more_waits_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_rest_is_done_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waits_can_be_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_expired_one_waits_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_made_it_dearer_last_has_asked_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_not_be_any_more_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waits_is_told_apart_and_taken_back_by_each_of_its_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_drops_the_approval_of_a_creation_has_asked_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_check_is_what_databases_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_and_the_check, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
