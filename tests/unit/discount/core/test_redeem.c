/* Who gets a place: random sequences against a model that only counts, and the one decision over facts that may not be known. */
#include "discount/core/redeem.h"

#include "set.h"

static uint64_t random_state;

/* xorshift64*: a sequence that a seed repeats. */
static uint64_t next_random(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}

/* Whatever comes in whatever order: positions 1..n, never beyond the limit, one per user and per phone, and a refusal changes nothing. */
static void test_random_sequences_keep_the_invariants(void **state) {
    struct campaign_set *set = *state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        random_state = seed;
        campaign_set_clear(set);
        int64_t places = (int64_t)(next_random() % 60) + 1;
        struct campaign *campaign = make_campaign(set, "GIFT", places);
        int64_t won_by_user[100] = {0}, won_by_phone[100] = {0}, winners = 0;
        for (int step = 0; step < 600; step++) {
            uint64_t user = next_random() % 100;
            unsigned phone = (unsigned)(next_random() % 100);
            struct redemption *redemption;
            struct campaign before = *campaign;
            size_t count_before = set->redemption_count;
            struct redeem_verdict verdict = redeem(set, user, phone, NOW + step, &redemption);
            if (won_by_user[user] != 0) {
                check_verdict(verdict, REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED);
                assert_int_equal(redemption->position, won_by_user[user]);
            } else if (won_by_phone[phone] != 0) {
                check_verdict(verdict, REDEEM_REFUSE, REFUSED_PHONE_ALREADY_REDEEMED);
            } else if (winners == places) {
                check_verdict(verdict, REDEEM_REFUSE, REFUSED_SOLD_OUT);
            } else {
                check_verdict(verdict, REDEEM_CLAIM, NOT_REFUSED);
                assert_int_equal(redemption->position, ++winners);
                won_by_user[user] = won_by_phone[phone] = winners;
            }
            if (verdict.step != REDEEM_CLAIM) {
                assert_memory_equal(&before, campaign, sizeof before);
                assert_int_equal(set->redemption_count, count_before);
            }
            assert_int_equal(campaign->redeemed, winners);
            assert_true(campaign->redeemed <= campaign->max_redemptions);
        }
    }
}

static void test_the_order_of_the_checks(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1), *met;
    struct redemption *redemption;
    (void)claim(set, 1, 1, NOW);
    be_refused(set, 2, 1, NOW, REFUSED_PHONE_ALREADY_REDEEMED); /* before sold out */
    be_refused(set, 2, 2, NOW, REFUSED_SOLD_OUT);
    assert_int_equal(campaign_pause(campaign, NOW), CAMPAIGN_DONE);
    be_refused(set, 2, 1, NOW, REFUSED_PAUSED);           /* before the phone */
    be_refused(set, 1, 9, NOW, REFUSED_ALREADY_REDEEMED); /* before everything */
    struct redeem_request mismatch = {.code = make_code("gift"),
                                      .user_id = make_id(2, 2),
                                      .phone = make_phone(2),
                                      .account_phone = make_phone(3),
                                      .redemption_id = make_id(3, 999999)};
    /* before paused */
    check_verdict(campaign_redeem(set, &mismatch, NOW, &met, &redemption), REDEEM_REFUSE, REFUSED_PHONE_MISMATCH);
    mismatch.code.size = 0;
    check_verdict(campaign_redeem(set, &mismatch, NOW, &met, &redemption), REDEEM_REFUSE, REFUSED_CODE_NOT_FOUND);
    assert_null(met);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    be_refused(set, 2, 2, NOW, REFUSED_ENDED);
    be_refused(set, 1, 1, NOW, REFUSED_ALREADY_REDEEMED);
    assert_int_equal(campaign_resume(campaign, NOW), CAMPAIGN_STATE_CONFLICT);
}

static void test_no_place_while_winners_are_not_known(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3), *met;
    struct redemption *redemption;
    fund_all(set);
    (void)claim(set, 1, 1, NOW);
    struct redeem_request request = {.code = make_code("gift"),
                                     .user_id = make_id(2, 1),
                                     .phone = make_phone(1),
                                     .account_phone = make_phone(1),
                                     .redemption_id = make_id(3, 999999),
                                     .is_recovering = true};
    check_verdict(campaign_redeem(set, &request, NOW, &met, &redemption), REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED);
    request.user_id = make_id(2, 2);
    check_verdict(campaign_redeem(set, &request, NOW, &met, &redemption), REDEEM_REFUSE,
                  REFUSED_RECOVERING); /* before the phone of another */
    assert_int_equal(campaign->redeemed, 1);
}

static void test_whose_phone_may_be_used(void **state) {
    (void)state;
    struct redeem_request request = {.phone = make_phone(1)};
    assert_int_equal(redeem_phone_refusal(PHONE_OF_ACCOUNT, &request), REFUSED_PHONE_MISSING);
    assert_int_equal(redeem_phone_refusal(PHONE_VERIFIED, &request), REFUSED_PHONE_MISSING);
    assert_int_equal(redeem_phone_refusal(PHONE_ANY, &request), NOT_REFUSED);
    request.account_phone = make_phone(2);
    assert_int_equal(redeem_phone_refusal(PHONE_OF_ACCOUNT, &request), REFUSED_PHONE_MISMATCH);
    assert_int_equal(redeem_phone_refusal(PHONE_VERIFIED, &request), REFUSED_PHONE_MISMATCH);
    assert_int_equal(redeem_phone_refusal(PHONE_ANY, &request), NOT_REFUSED);
    request.account_phone = make_phone(1);
    assert_int_equal(redeem_phone_refusal(PHONE_OF_ACCOUNT, &request), NOT_REFUSED);
    assert_int_equal(redeem_phone_refusal(PHONE_VERIFIED, &request), REFUSED_PHONE_UNVERIFIED);
    request.is_account_phone_verified = true;
    assert_int_equal(redeem_phone_refusal(PHONE_VERIFIED, &request), NOT_REFUSED);
}

static void test_the_rules_for_phones_have_names(void **state) {
    (void)state;
    enum phone_rule rule = PHONE_OF_ACCOUNT, read = PHONE_ANY;
    for (; rule <= PHONE_ANY; rule++) {
        assert_int_equal(phone_rule_named(text_of(phone_rule_name(rule)), &read).code, RESULT_OK);
        assert_int_equal(read, rule);
    }
    assert_int_equal(phone_rule_named(TEXT("Any"), &read).code, RESULT_NOT_FOUND);
}

static void test_positions_keep_the_order_of_time(void **state) {
    struct campaign_set *set = *state;
    make_campaign(set, "GIFT", 3);
    (void)claim(set, 1, 1, NOW + 100);
    const struct redemption *second = claim(set, 2, 2, NOW + 50); /* the clock was set back */
    assert_int_equal(second->claimed_at_us, NOW + 100);
}

/* All that may be published, in its order of saying no: with nothing known it asks for one thing at a time, only for what it depends on, and comes to
 * the answer that it gives when all is known at once. */
static void test_what_is_not_known_is_asked_for(void **state) {
    (void)state;
    static const struct gate_times gates[] = {{.starts_at_us = NOW}, {.starts_at_us = NOW + 1}, {.is_paused = true}, {.ended_at_us = NOW}};
    static const enum refusal gate_refusals[] = {NOT_REFUSED, REFUSED_NOT_STARTED, REFUSED_PAUSED, REFUSED_ENDED};
    for (unsigned way = 0; way < 4 * 16; way++) {
        size_t gate = way / 16;
        bool has_own = way % 2 != 0, may_not_use_phone = way / 2 % 2 != 0, phone_has_won = way / 4 % 2 != 0, is_full = way / 8 % 2 != 0;
        struct redeem_facts facts = {
            .has_campaign = true,
            .phone_refusal = may_not_use_phone ? REFUSED_PHONE_MISSING : NOT_REFUSED,
            .times = gates[gate],
            .limits = {.max_per_user = 1, .max_per_phone = 1, .of_phone = -1, .places = 3, .taken = is_full ? 3 : 2, .funded = 3}};
        check_verdict(redeem_decide(&facts, NOW), REDEEM_ASK_OWN, NOT_REFUSED);
        facts.has_own = has_own ? IS_SO : IS_NOT;
        struct redeem_verdict verdict = redeem_decide(&facts, NOW);
        bool depends_on_phone = !has_own && !may_not_use_phone && gate == 0;
        assert_int_equal(verdict.step == REDEEM_ASK_PHONE, depends_on_phone);
        facts.limits.of_phone = phone_has_won;
        struct redeem_verdict known = redeem_decide(&facts, NOW);
        if (!depends_on_phone) check_verdict(known, verdict.step, verdict.refusal);
        if (has_own)
            check_verdict(known, REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED);
        else if (may_not_use_phone)
            check_verdict(known, REDEEM_REFUSE, REFUSED_PHONE_MISSING);
        else if (gate != 0)
            check_verdict(known, REDEEM_REFUSE, gate_refusals[gate]);
        else if (phone_has_won)
            check_verdict(known, REDEEM_REFUSE, REFUSED_PHONE_ALREADY_REDEEMED);
        else if (is_full)
            check_verdict(known, REDEEM_REFUSE, REFUSED_SOLD_OUT);
        else
            check_verdict(known, REDEEM_CLAIM, NOT_REFUSED);
        facts.is_recovering = true;
        check_verdict(redeem_decide(&facts, NOW), has_own ? known.step : REDEEM_REFUSE, has_own ? known.refusal : REFUSED_RECOVERING);
        facts.is_recovering = false;
        facts.limits.funded = 2;
        bool is_last = known.step == REDEEM_CLAIM;
        check_verdict(redeem_decide(&facts, NOW), is_last ? REDEEM_REFUSE : known.step, is_last ? REFUSED_NOT_FUNDED : known.refusal);
    }
    check_verdict(redeem_decide(&(struct redeem_facts){0}, NOW), REDEEM_REFUSE, REFUSED_CODE_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_sequences_keep_the_invariants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_order_of_the_checks, set_up, tear_down),
        cmocka_unit_test(test_what_is_not_known_is_asked_for),
        cmocka_unit_test_setup_teardown(test_no_place_while_winners_are_not_known, set_up, tear_down),
        cmocka_unit_test(test_whose_phone_may_be_used),
        cmocka_unit_test(test_the_rules_for_phones_have_names),
        cmocka_unit_test_setup_teardown(test_positions_keep_the_order_of_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
