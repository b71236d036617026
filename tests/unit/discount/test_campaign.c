/* The core alone: random sequences against a model that only counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "discount/campaign.h"

#define NOW INT64_C(1800000000000000)

static uint64_t random_state;

/* xorshift64*: a sequence that a seed repeats. */
static uint64_t next_random(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}

static struct id make_id(uint64_t a, uint64_t b) {
    struct id id;
    memcpy(id.bytes, &a, sizeof a);
    memcpy(id.bytes + 8, &b, sizeof b);
    return id;
}

static struct phone make_phone(unsigned number) {
    struct phone phone = {.size = 13};
    memcpy(phone.e164, "+989120000000", 13);
    for (int i = 12; i > 5 && number > 0; i--, number /= 10) phone.e164[i] = (char)('0' + number % 10);
    return phone;
}

static struct code make_code(const char *text) {
    struct code code;
    assert_true(result_is_ok(code_parse(text_of(text), &code)));
    return code;
}

static struct campaign *make_campaign(struct campaign_set *set, const char *code, int64_t places) {
    struct campaign_create create = {.id = make_id(1, set->campaign_count + 1),
                                     .code = make_code(code),
                                     .credit = {1000, CURRENCY_IRT},
                                     .name = TEXT("Gift"),
                                     .max_redemptions = places};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    return campaign;
}

static enum redeem_verdict redeem(struct campaign_set *set, uint64_t user, unsigned phone, int64_t now_us,
                                  struct redemption **ret_redemption) {
    static uint64_t serial;
    struct campaign *campaign;
    struct redeem_request request = {.code = make_code("gift"),
                                     .user_id = make_id(2, user),
                                     .phone = make_phone(phone),
                                     .redemption_id = make_id(3, ++serial)};
    return campaign_redeem(set, &request, now_us, &campaign, ret_redemption);
}

static int set_up(void **state) {
    struct campaign_set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    assert_true(result_is_ok(campaign_set_init(set, 8, 4096)));
    *state = set;
    return 0;
}

static int tear_down(void **state) {
    campaign_set_free(*state);
    free(*state);
    return 0;
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
            enum redeem_verdict verdict = redeem(set, user, phone, NOW + step, &redemption);
            if (won_by_user[user] != 0) {
                assert_int_equal(verdict, REDEEM_REPEATED);
                assert_int_equal(redemption->position, won_by_user[user]);
            } else if (won_by_phone[phone] != 0) {
                assert_int_equal(verdict, REDEEM_PHONE_TAKEN);
            } else if (winners == places) {
                assert_int_equal(verdict, REDEEM_SOLD_OUT);
            } else {
                assert_int_equal(verdict, REDEEM_CLAIMED);
                assert_int_equal(redemption->position, ++winners);
                won_by_user[user] = won_by_phone[phone] = winners;
            }
            if (verdict != REDEEM_CLAIMED) {
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
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIMED);
    assert_int_equal(redeem(set, 2, 1, NOW, &redemption), REDEEM_PHONE_TAKEN); /* before sold out */
    assert_int_equal(redeem(set, 2, 2, NOW, &redemption), REDEEM_SOLD_OUT);
    assert_int_equal(campaign_pause(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(redeem(set, 2, 1, NOW, &redemption), REDEEM_PAUSED);   /* before the phone */
    assert_int_equal(redeem(set, 1, 9, NOW, &redemption), REDEEM_REPEATED); /* before everything */
    struct redeem_request mismatch = {.code = make_code("gift"),
                                      .user_id = make_id(2, 2),
                                      .phone = make_phone(2),
                                      .account_phone = make_phone(3),
                                      .redemption_id = make_id(3, 999999)};
    assert_int_equal(campaign_redeem(set, &mismatch, NOW, &met, &redemption), REDEEM_PHONE_MISMATCH); /* before paused */
    mismatch.code.size = 0;
    assert_int_equal(campaign_redeem(set, &mismatch, NOW, &met, &redemption), REDEEM_CODE_NOT_FOUND);
    assert_null(met);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(redeem(set, 2, 2, NOW, &redemption), REDEEM_ENDED);
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_REPEATED);
    assert_int_equal(campaign_resume(campaign, NOW), CAMPAIGN_STATE_CONFLICT);
}

static void test_times(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 5);
    struct redemption *redemption;
    campaign->starts_at_us = NOW + 10;
    struct campaign_patch patch = {.has_ends_at = true, .ends_at_us = NOW + 20};
    assert_int_equal(campaign_patch(campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_int_equal(redeem(set, 1, 1, NOW + 9, &redemption), REDEEM_NOT_STARTED);
    assert_int_equal(campaign_state(campaign, NOW + 9), CAMPAIGN_SCHEDULED);
    assert_int_equal(campaign_pause(campaign, NOW + 9), CAMPAIGN_DONE);
    assert_int_equal(campaign_state(campaign, NOW + 9), CAMPAIGN_PAUSED);
    assert_int_equal(redeem(set, 1, 1, NOW + 9, &redemption), REDEEM_PAUSED);
    assert_int_equal(campaign_resume(campaign, NOW + 9), CAMPAIGN_DONE);
    assert_int_equal(redeem(set, 1, 1, NOW + 10, &redemption), REDEEM_CLAIMED);
    assert_int_equal(redeem(set, 2, 2, NOW + 19, &redemption), REDEEM_CLAIMED);
    assert_int_equal(redeem(set, 3, 3, NOW + 20, &redemption), REDEEM_ENDED);
    assert_int_equal(campaign_expire(campaign, NOW + 19), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_expire(campaign, NOW + 20), CAMPAIGN_DONE);
    assert_int_equal(campaign_patch(campaign, &patch, NOW + 21), CAMPAIGN_STATE_CONFLICT);
}

static void test_patch(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    struct redemption *redemption;
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIMED);
    assert_int_equal(redeem(set, 2, 2, NOW, &redemption), REDEEM_CLAIMED);
    assert_int_equal(campaign->exhausted_at_us, NOW);
    struct campaign before = *campaign;
    struct campaign_patch too_low = {.has_max_redemptions = true, .max_redemptions = 1};
    assert_int_equal(campaign_patch(campaign, &too_low, NOW), CAMPAIGN_LIMIT_TOO_LOW);
    struct campaign_patch stale = {.version_expected = 7, .has_max_redemptions = true, .max_redemptions = 9};
    assert_int_equal(campaign_patch(campaign, &stale, NOW), CAMPAIGN_VERSION_MISMATCH);
    struct campaign_patch started = {.has_starts_at = true, .starts_at_us = NOW + 5};
    assert_int_equal(campaign_patch(campaign, &started, NOW), CAMPAIGN_STARTED);
    struct campaign_patch same = {.has_max_redemptions = true, .max_redemptions = 2};
    assert_int_equal(campaign_patch(campaign, &same, NOW), CAMPAIGN_UNCHANGED);
    assert_memory_equal(&before, campaign, sizeof before);
    struct campaign_patch raised = {.version_expected = 1, .has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(campaign, &raised, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(campaign->version, 2);
    assert_int_equal(campaign->exhausted_at_us, 0);
    struct campaign_patch lowered = {.has_max_redemptions = true, .max_redemptions = 2};
    struct campaign_patch raised_again = {.has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(campaign, &lowered, NOW - 5), CAMPAIGN_DONE);
    assert_int_equal(campaign->exhausted_at_us, campaign->last_redeemed_at_us); /* the clock was set back: not before the last winner */
    assert_int_equal(campaign_patch(campaign, &raised_again, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(redeem(set, 3, 3, NOW + 2, &redemption), REDEEM_CLAIMED);
    assert_int_equal(redemption->position, 3);
}

/* The amount of a step never changes while it waits: it may have been sent. */
static void test_fund_steps(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    assert_int_equal(campaign->fund_step_minor, 10000);
    struct campaign_patch raised = {.has_max_redemptions = true, .max_redemptions = 15};
    assert_int_equal(campaign_patch(campaign, &raised, NOW), CAMPAIGN_DONE);
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
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIMED);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_STATE_CONFLICT); /* a claim is not settled */
    struct settlement credited = {.redemption_id = redemption->id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_RELEASED);
}

static void test_settling_twice_changes_nothing(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    struct redemption *redemption;
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIMED);
    struct settlement credited = {.redemption_id = redemption->id,
                                  .is_credited = true,
                                  .transaction_id = make_id(9, 9),
                                  .settled_at_us = NOW + 1};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    int64_t sequence = campaign->sequence;
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_int_equal(campaign->credited, 1);
    assert_int_equal(campaign->sequence, sequence);
    struct settlement failed = {.redemption_id = redemption->id, .failure = TEXT("account_frozen")};
    assert_int_equal(campaign_settle(set, &failed, NOW).code, RESULT_CONFLICT);
    assert_int_equal(redemption->status, REDEMPTION_CREDITED);
    failed.redemption_id = make_id(7, 7);
    assert_int_equal(campaign_settle(set, &failed, NOW).code, RESULT_NOT_FOUND);
}

/* A failed redemption keeps its place: nobody else gets it, and its user does not get another. */
static void test_a_failure_keeps_its_place(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    struct redemption *redemption;
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_CLAIMED);
    struct settlement failed = {.redemption_id = redemption->id, .failure = TEXT("user_not_found")};
    assert_true(result_is_ok(campaign_settle(set, &failed, NOW)));
    assert_int_equal(campaign->failed, 1);
    assert_int_equal(redeem(set, 2, 2, NOW, &redemption), REDEEM_SOLD_OUT);
    assert_int_equal(redeem(set, 1, 1, NOW, &redemption), REDEEM_REPEATED);
    assert_int_equal(redemption->status, REDEMPTION_FAILED);
}

static void test_positions_keep_the_order_of_time(void **state) {
    struct campaign_set *set = *state;
    make_campaign(set, "GIFT", 3);
    struct redemption *first, *second;
    assert_int_equal(redeem(set, 1, 1, NOW + 100, &first), REDEEM_CLAIMED);
    assert_int_equal(redeem(set, 2, 2, NOW + 50, &second), REDEEM_CLAIMED); /* the clock was set back */
    assert_int_equal(second->claimed_at_us, NOW + 100);
}

static void test_the_end_is_not_before_the_last_place(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct redemption *redemption;
    assert_int_equal(redeem(set, 1, 1, NOW + 100, &redemption), REDEEM_CLAIMED);
    assert_int_equal(campaign_end(campaign, NOW + 50), CAMPAIGN_DONE); /* the clock was set back */
    assert_int_equal(campaign->ended_at_us, NOW + 100);
}

static void test_codes_are_unique_and_money_is_bounded(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    struct campaign_create create = {
        .id = make_id(1, 50), .code = make_code("g-i-f-t"), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Again"), .max_redemptions = 1};
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_CODE_TAKEN);
    create.code = make_code("OTHER");
    create.credit.amount_minor = MONEY_AMOUNT_MAX;
    create.max_redemptions = 2;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_LIMIT_TOO_HIGH);
    create.max_redemptions = 1;
    create.ends_at_us = NOW;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_END_NOT_FUTURE);
    assert_int_equal(set->campaign_count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_sequences_keep_the_invariants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_order_of_the_checks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fund_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_settling_twice_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failure_keeps_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_positions_keep_the_order_of_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_is_not_before_the_last_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_codes_are_unique_and_money_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
