/* What becomes of a claim. */
#include "discount/core/settlement.h"

#include "base/limits.h"

#include "set.h"

static void test_settling_twice_changes_nothing(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    struct redemption *redemption;
    redemption = claim(set, 1, 1, NOW);
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
    credited.transaction_id = make_id(9, 8); /* another one than was told first */
    assert_int_equal(campaign_settle(set, &credited, NOW).code, RESULT_CONFLICT);
    failed.redemption_id = make_id(7, 7);
    assert_int_equal(campaign_settle(set, &failed, NOW).code, RESULT_NOT_FOUND);
}

/* A failed redemption keeps its place: nobody else gets it, and its user does not get another. */
static void test_a_failure_keeps_its_place(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    struct redemption *redemption;
    redemption = claim(set, 1, 1, NOW);
    struct settlement failed = {.redemption_id = redemption->id, .failure = TEXT("user_not_found")};
    assert_true(result_is_ok(campaign_settle(set, &failed, NOW)));
    assert_int_equal(campaign->failed, 1);
    assert_true(text_equal((struct text){redemption->failure, redemption->failure_size}, TEXT("user_not_found")));
    be_refused(set, 2, 2, NOW, REFUSED_SOLD_OUT);
    be_refused(set, 1, 1, NOW, REFUSED_ALREADY_REDEEMED);
    const struct settlement credited = {.redemption_id = redemption->id, .is_credited = true};
    assert_int_equal(campaign_settle(set, &credited, NOW).code, RESULT_CONFLICT);
    assert_int_equal(redemption->status, REDEMPTION_FAILED);
}

/* What is owed is never before it: it moves when nothing is open, or when somebody has looked. */
static void test_the_settled_position_stays_before_what_is_open(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 9);
    struct settlement settlements[4];
    for (unsigned i = 0; i < 4; i++) {
        settlements[i] = (struct settlement){.redemption_id = claim(set, i, i, NOW)->id,
                                             .is_credited = i != 1,
                                             .transaction_id = make_id(9, i + 1),
                                             .failure = TEXT("frozen")};
    }
    static const unsigned order[] = {2, 0, 3};
    for (size_t i = 0; i < 3; i++) {
        assert_true(result_is_ok(campaign_settle(set, &settlements[order[i]], NOW)));
        assert_int_equal(campaign->settled_position, 0); /* the second is open */
    }
    campaign_note_settled(campaign, 1);
    campaign_note_settled(campaign, 0);
    assert_int_equal(campaign->settled_position, 1);
    assert_true(result_is_ok(campaign_settle(set, &settlements[1], NOW)));
    assert_int_equal(campaign->settled_position, 4);
    (void)claim(set, 7, 7, NOW);
    assert_int_equal(campaign->settled_position, 4);
}

/* Wallet had lost it, or knew better: what it says to what was sent again is so, whatever was so before. */
static void test_what_was_sent_again_takes_wallets_word(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    struct redemption *redemption = claim(set, 1, 1, NOW);
    struct settlement credited = {.redemption_id = redemption->id,
                                  .is_credited = true,
                                  .transaction_id = make_id(9, 9),
                                  .settled_at_us = NOW + 1};
    struct settlement failed = {.redemption_id = redemption->id, .is_again = true, .failure = TEXT("user_not_found")};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    campaign->is_changed = redemption->is_changed = false;
    int64_t sequence = campaign->sequence;
    credited.is_again = true;
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_false(campaign->is_changed); /* it is as it was */
    credited.transaction_id = make_id(9, 8);
    credited.settled_at_us = NOW + 7;
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_true(id_equal(redemption->transaction_id, make_id(9, 8)) && redemption->settled_at_us == NOW + 7);
    assert_true(campaign->is_changed && redemption->is_changed && campaign->sequence == sequence + 1);
    assert_true(campaign->credited == 1 && campaign->failed == 0);
    assert_true(result_is_ok(campaign_settle(set, &failed, NOW + 8)));
    assert_true(redemption->status == REDEMPTION_FAILED && id_is_zero(redemption->transaction_id) && redemption->failure_size == 14);
    assert_true(redemption->settled_at_us == NOW + 8 && campaign->credited == 0 && campaign->failed == 1);
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_true(redemption->status == REDEMPTION_CREDITED && redemption->failure_size == 0);
    assert_true(campaign->credited == 1 && campaign->failed == 0 && campaign->settled_position == 1);
}

/* An admin has repaired what Wallet refused it for. */
static void test_a_failed_one_is_owed_again(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct id ids[3];
    for (unsigned i = 0; i < 3; i++) {
        ids[i] = claim(set, i, i, NOW)->id;
        const struct settlement settled = {.redemption_id = ids[i],
                                           .is_credited = i == 0,
                                           .transaction_id = make_id(9, i + 1),
                                           .failure = TEXT("account_frozen")};
        assert_true(result_is_ok(campaign_settle(set, &settled, NOW)));
    }
    assert_int_equal(campaign->settled_position, 3);
    assert_int_equal(campaign_retry(set, make_id(7, 7)), RETRY_NOT_FOUND);
    assert_int_equal(campaign_retry(set, ids[0]), RETRY_NOT_FAILED);
    campaign->is_changed = false;
    int64_t sequence = campaign->sequence;
    assert_int_equal(campaign_retry(set, ids[2]), RETRY_DONE);
    const struct redemption *redemption = redemption_by_id(set, ids[2]);
    assert_true(redemption->status == REDEMPTION_CLAIMED && redemption->failure_size == 0 && redemption->settled_at_us == 0);
    assert_true(redemption->is_changed && campaign->is_changed && campaign->sequence == sequence + 1);
    assert_true(campaign->failed == 1 && campaign->credited == 1 && campaign->settled_position == 2);
    assert_int_equal(campaign_retry(set, ids[1]), RETRY_DONE);
    assert_int_equal(campaign->settled_position, 1);
    assert_int_equal(campaign_retry(set, ids[1]), RETRY_NOT_FAILED); /* it is owed already */
    const struct settlement again = {.redemption_id = ids[1], .failure = TEXT("account_frozen")};
    assert_true(result_is_ok(campaign_settle(set, &again, NOW)));
    assert_int_equal(campaign->settled_position, 1);
    assert_int_equal(campaign_retry(set, ids[1]), RETRY_DONE); /* behind it already */
    assert_int_equal(campaign->settled_position, 1);
}

static void test_a_released_fund_pays_nobody_again(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    const struct settlement failed = {.redemption_id = claim(set, 1, 1, NOW)->id, .failure = TEXT("account_frozen")};
    assert_true(result_is_ok(campaign_settle(set, &failed, NOW)));
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_retry(set, failed.redemption_id), RETRY_FUND_RELEASED);
    assert_int_equal(campaign->failed, 1);
}

static void test_a_broken_redemption_is_told(void **state) {
    struct campaign_set *set = *state;
    make_campaign(set, "GIFT", 2);
    const struct redemption claimed = *claim(set, 1, 1, NOW);
    struct redemption credited = claimed, failed = claimed, renamed = claimed, bad;
    credited.status = REDEMPTION_CREDITED;
    credited.settled_at_us = NOW;
    credited.transaction_id = make_id(9, 9);
    failed.status = REDEMPTION_FAILED;
    failed.settled_at_us = NOW;
    failed.failure_size = 3;
    assert_null(redemption_fault(&claimed));
    assert_null(redemption_fault(&credited));
    assert_null(redemption_fault(&failed));
#define BREAK(good, member, value) \
    bad = good;                    \
    bad.member = value;            \
    if (redemption_fault(&bad) == NULL) fail_msg("%s = %s is no fault", #member, #value)
    BREAK(claimed, id, (struct id){{0}});
    BREAK(claimed, claimed_as, claimed.id);
    renamed.claimed_as = make_id(7, 7);
    assert_null(redemption_fault(&renamed));
    BREAK(renamed, id, (struct id){{0}});
    BREAK(claimed, campaign_number, 0);
    BREAK(claimed, position, 0);
    BREAK(claimed, position, LIMIT_CAMPAIGN_PLACES + 1);
    BREAK(claimed, phone.size, 0);
    BREAK(claimed, user_id, (struct id){{0}});
    BREAK(claimed, settled_at_us, NOW);
    BREAK(claimed, transaction_id, make_id(9, 9));
    BREAK(claimed, failure_size, 1);
    BREAK(credited, settled_at_us, 0);
    BREAK(credited, transaction_id, (struct id){{0}});
    BREAK(failed, failure_size, 0);
#undef BREAK
    /* and the set takes neither it nor one whose place was never given out */
    campaign_set_begin(set);
    bad = claimed;
    bad.position = 2;
    assert_int_equal(campaign_set_load_redemption(set, &bad).code, RESULT_CORRUPT);
    bad.campaign_number = 2;
    assert_int_equal(campaign_set_load_redemption(set, &bad).code, RESULT_CORRUPT);
    bad = claimed;
    bad.phone.size = 0;
    assert_int_equal(campaign_set_load_redemption(set, &bad).code, RESULT_CORRUPT);
    assert_int_equal(campaign_set_load_redemption(set, &claimed).code, RESULT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_settling_twice_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failure_keeps_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_settled_position_stays_before_what_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_sent_again_takes_wallets_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_one_is_owed_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_released_fund_pays_nobody_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_redemption_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
