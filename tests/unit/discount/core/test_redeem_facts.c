/* Each fact that a decision depends on, and how the facts of orders, codes and accounts come about. */
#include "discount/core/redeem.h"

#include "set.h"

static const struct redeem_facts good = {.has_campaign = true,
                                         .has_own = IS_NOT,
                                         .times = {.starts_at_us = NOW},
                                         .limits = {.max_per_user = 1, .max_per_phone = 1, .places = 1, .funded = 1}};

static void test_each_fact_alone_refuses(void **state) {
    (void)state;
    struct redeem_facts facts[6] = {good, good, good, good, good, good};
    static const enum refusal refusals[] = {REFUSED_CODE_NOT_FOUND, REFUSED_NOT_STARTED,  REFUSED_ORDER_MISSING,
                                            REFUSED_NOT_ELIGIBLE,   REFUSED_NOT_ELIGIBLE, REFUSED_RECOVERING};
    check_verdict(redeem_decide(&good, NOW), REDEEM_CLAIM, NOT_REFUSED);
    facts[0].is_code_dead = true;
    facts[1].opens_at_us = NOW + 1;
    facts[2].order_refusal = REFUSED_ORDER_MISSING;
    facts[3].is_too_young = true;
    facts[4].has_list = true;
    facts[4].is_listed = IS_NOT;
    facts[5].is_recovering = true;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) check_verdict(redeem_decide(&facts[i], NOW), REDEEM_REFUSE, refusals[i]);
}

static void test_whether_one_is_listed_is_asked_where_there_is_a_list(void **state) {
    (void)state;
    struct redeem_facts facts = good;
    facts.is_listed = IS_NOT; /* on none */
    check_verdict(redeem_decide(&facts, NOW), REDEEM_CLAIM, NOT_REFUSED);
    facts.has_list = true;
    facts.is_listed = NOT_KNOWN;
    check_verdict(redeem_decide(&facts, NOW), REDEEM_ASK_LISTED, NOT_REFUSED);
    facts.is_listed = IS_SO;
    check_verdict(redeem_decide(&facts, NOW), REDEEM_CLAIM, NOT_REFUSED);
}

/* Who has won hears of it by the very code of then, dead or not, and by no other one that is dead. */
static void test_who_has_won_is_told_so(void **state) {
    (void)state;
    struct redeem_facts facts = good;
    facts.is_another_order = true; /* than none */
    check_verdict(redeem_decide(&facts, NOW), REDEEM_CLAIM, NOT_REFUSED);
    facts.has_own = IS_SO;
    check_verdict(redeem_decide(&facts, NOW), REDEEM_REFUSE, REFUSED_USER_LIMIT);
    facts.is_another_order = false;
    check_verdict(redeem_decide(&facts, NOW), REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED);
    facts.is_code_dead = true;
    check_verdict(redeem_decide(&facts, NOW), REDEEM_REFUSE, REFUSED_CODE_NOT_FOUND);
    facts.is_own_code = true;
    check_verdict(redeem_decide(&facts, NOW), REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED);
    facts.has_own = IS_NOT; /* somebody else's was made with it */
    check_verdict(redeem_decide(&facts, NOW), REDEEM_REFUSE, REFUSED_CODE_NOT_FOUND);
}

static void test_an_order_is_asked_for_where_it_is_needed(void **state) {
    (void)state;
    struct campaign_rules rules = {.kind = GIFT_CREDIT};
    struct redeem_request request = {.order_currency = CURRENCY_IRT};
    assert_int_equal(redeem_order_refusal(&rules, CURRENCY_IRT, &request), NOT_REFUSED);
    rules.min_order_minor = 1;
    assert_int_equal(redeem_order_refusal(&rules, CURRENCY_IRT, &request), REFUSED_ORDER_MISSING);
    for (rules.kind = GIFT_AMOUNT_OFF, rules.min_order_minor = 0; rules.kind <= GIFT_PERCENT_OFF; rules.kind++)
        assert_int_equal(redeem_order_refusal(&rules, CURRENCY_IRT, &request), REFUSED_ORDER_MISSING);
    rules.kind = GIFT_CREDIT;
    request.order.reference_size = 1;
    assert_int_equal(redeem_order_refusal(&rules, CURRENCY_IRT, &request), NOT_REFUSED);
    assert_int_equal(redeem_order_refusal(&rules, CURRENCY_IRR, &request), REFUSED_ORDER_CURRENCY);
}

static void test_two_orders_are_others_by_their_references(void **state) {
    (void)state;
    const struct order none = {0}, a = {.reference_size = 1, .reference = "a"}, b = {.reference_size = 1, .reference = "b"};
    assert_true(redeem_is_another_order(&a, &b));
    assert_false(redeem_is_another_order(&a, &a));
    assert_false(redeem_is_another_order(&a, &none) || redeem_is_another_order(&none, &b) || redeem_is_another_order(&none, &none));
}

/* A user's id says when the account was opened, if it is one of ours. */
static void test_an_account_is_old_enough_at_its_second(void **state) {
    (void)state;
    struct campaign_rules rules = {.account_age_min_s = 10};
    struct id user = {.bytes = {[6] = 0x70}};
    for (int i = 0; i < 6; i++) user.bytes[i] = (uint8_t)(NOW / 1000 >> (40 - 8 * i));
    assert_true(redeem_is_too_young(&rules, user, NOW + 10 * 1000000 - 1));
    assert_false(redeem_is_too_young(&rules, user, NOW + 10 * 1000000));
    rules.account_age_min_s = 1000000;
    assert_false(redeem_is_too_young(&rules, user, NOW + INT64_C(1000000) * 1000000));
    user.bytes[6] = 0x40; /* says nothing of time */
    assert_true(redeem_is_too_young(&rules, user, INT64_MAX));
    rules.account_age_min_s = 0;
    assert_false(redeem_is_too_young(&rules, user, NOW));
}

static void test_a_redemption_is_by_its_batch_and_index(void **state) {
    (void)state;
    const struct redemption redemption = {.code_batch = 2, .code_index = 3};
    assert_true(redeem_is_by(&redemption, &(struct code_found){.batch = 2, .index = 3}));
    assert_false(redeem_is_by(&redemption, &(struct code_found){.batch = 1, .index = 3}));
    assert_false(redeem_is_by(&redemption, &(struct code_found){.batch = 2, .index = 4}));
}

static void test_who_is_too_young_is_refused(void **state) {
    struct campaign_set *set = *state;
    make_campaign(set, "GIFT", 3)->rules.account_age_min_s = 10; /* of no age is an account whose id says nothing of time */
    be_refused(set, 1, 1, NOW, REFUSED_NOT_ELIGIBLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fact_alone_refuses),
        cmocka_unit_test(test_whether_one_is_listed_is_asked_where_there_is_a_list),
        cmocka_unit_test(test_who_has_won_is_told_so),
        cmocka_unit_test(test_an_order_is_asked_for_where_it_is_needed),
        cmocka_unit_test(test_two_orders_are_others_by_their_references),
        cmocka_unit_test(test_an_account_is_old_enough_at_its_second),
        cmocka_unit_test_setup_teardown(test_who_is_too_young_is_refused, set_up, tear_down),
        cmocka_unit_test(test_a_redemption_is_by_its_batch_and_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
