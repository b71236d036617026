/* What each decision about a campaign changes, and at which moment it begins to say something else. */
#include "discount/core/campaign.h"

#include "discount/core/settlement.h"

#include "set.h"

static struct campaign_create plan_campaign(const char *code) {
    return (struct campaign_create){
        .id = make_id(1, 77), .code = make_code(code), .credit = {1000, CURRENCY_IRT}, .name = TEXT("Nowruz"), .max_redemptions = 5};
}

static enum campaign_verdict try_dates(struct campaign_set *set, int64_t starts_at_us, int64_t ends_at_us) {
    struct campaign_create create = plan_campaign("DATES");
    struct campaign *campaign = NULL;
    create.starts_at_us = starts_at_us;
    create.ends_at_us = ends_at_us;
    enum campaign_verdict verdict = campaign_create(set, &create, NOW, &campaign);
    assert_true((verdict == CAMPAIGN_DONE) == (campaign != NULL));
    return verdict;
}

static void test_a_new_campaign_is_what_was_asked_for(void **state) {
    struct campaign_set *set = *state;
    struct campaign_create create = plan_campaign("NEW");
    struct campaign *campaign;
    create.starts_at_us = NOW + 5;
    create.ends_at_us = NOW + 6;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_true(id_equal(campaign->id, create.id) && text_equal(campaign_name(campaign), TEXT("Nowruz")));
    assert_int_equal(campaign->number, 1);
    assert_int_equal(campaign->version, 1);
    assert_int_equal(campaign->sequence, 1);
    assert_int_equal(campaign->starts_at_us, NOW + 5);
    assert_int_equal(campaign->ends_at_us, NOW + 6);
    assert_int_equal(campaign->created_at_us, NOW);
    assert_int_equal(campaign->updated_at_us, NOW);
    assert_int_equal(campaign->fund_step_minor, 5000);
    assert_int_equal(campaign->fund_step_version, 1);
    assert_true(campaign->is_new && campaign->is_changed);
}

/* The end is after now, and after the start, if there is one: to the microsecond. */
static void test_dates_at_their_bounds(void **state) {
    assert_int_equal(try_dates(*state, 0, NOW - 1), CAMPAIGN_END_NOT_FUTURE);
    assert_int_equal(try_dates(*state, 0, NOW), CAMPAIGN_END_NOT_FUTURE);
    assert_int_equal(try_dates(*state, NOW + 5, NOW + 4), CAMPAIGN_END_NOT_AFTER_START);
    assert_int_equal(try_dates(*state, NOW + 5, NOW + 5), CAMPAIGN_END_NOT_AFTER_START);
    assert_int_equal(try_dates(*state, 0, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(try_dates(*state, 0, NOW + 1), CAMPAIGN_CODE_TAKEN);
}

static void test_a_full_set_takes_no_more(void **state) {
    static const char *const codes[] = {"AA1", "AA2", "AA3", "AA4", "AA5", "AA6", "AA7", "AA8"};
    struct campaign *campaign;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) (void)make_campaign(*state, codes[i], 1);
    struct campaign_create create = plan_campaign("AA9");
    assert_int_equal(campaign_create(*state, &create, NOW, &campaign), CAMPAIGN_TOO_MANY);
    assert_null(campaign);
}

static enum campaign_verdict patch_at(struct campaign *campaign, struct campaign_patch patch, int64_t now_us) {
    return campaign_patch(NULL, campaign, &patch, now_us);
}

static void test_each_member_is_patched_alone(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 2);
    struct campaign_patch name = {.has_name = true, .name = TEXT("Yalda")};
    assert_int_equal(patch_at(campaign, name, NOW + 1), CAMPAIGN_DONE);
    assert_true(text_equal(campaign_name(campaign), TEXT("Yalda")));
    assert_int_equal(campaign->version, 2);
    assert_int_equal(campaign->sequence, 2);
    assert_int_equal(campaign->updated_at_us, NOW + 1);
    assert_int_equal(patch_at(campaign, name, NOW + 2), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign->updated_at_us, NOW + 1);
    struct campaign_patch end = {.has_ends_at = true, .ends_at_us = NOW + 50};
    assert_int_equal(patch_at(campaign, end, NOW + 2), CAMPAIGN_DONE);
    assert_int_equal(campaign->ends_at_us, NOW + 50);
    assert_int_equal(patch_at(campaign, end, NOW + 2), CAMPAIGN_UNCHANGED);
    struct campaign_patch nothing = {.ends_at_us = NOW + 60, .starts_at_us = NOW + 9, .max_redemptions = 9, .name = TEXT("x")};
    assert_int_equal(patch_at(campaign, nothing, NOW + 2), CAMPAIGN_UNCHANGED);
    struct campaign_patch endless = {.has_ends_at = true};
    assert_int_equal(patch_at(campaign, endless, NOW + 49), CAMPAIGN_DONE);
    assert_int_equal(campaign->ends_at_us, 0);
    struct campaign_patch too_high = {.has_max_redemptions = true, .max_redemptions = MONEY_AMOUNT_MAX / 1000 + 1};
    assert_int_equal(patch_at(campaign, too_high, NOW), CAMPAIGN_LIMIT_TOO_HIGH);
    assert_int_equal(campaign->max_redemptions, 2);
}

/* The start moves until it has come; what says the same as before moves nothing. */
static void test_the_start_moves_until_it_has_come(void **state) {
    struct campaign_create create = plan_campaign("START");
    struct campaign *campaign;
    create.starts_at_us = NOW + 10;
    assert_int_equal(campaign_create(*state, &create, NOW, &campaign), CAMPAIGN_DONE);
    struct campaign_patch later = {.has_starts_at = true, .starts_at_us = NOW + 20}, same = later;
    assert_int_equal(patch_at(campaign, later, NOW + 9), CAMPAIGN_DONE);
    assert_int_equal(campaign->starts_at_us, NOW + 20);
    struct campaign_patch bad_end = {.has_ends_at = true, .ends_at_us = NOW + 20};
    assert_int_equal(patch_at(campaign, bad_end, NOW + 9), CAMPAIGN_END_NOT_AFTER_START);
    later.starts_at_us = NOW + 30;
    assert_int_equal(patch_at(campaign, later, NOW + 20), CAMPAIGN_STARTED);
    assert_int_equal(patch_at(campaign, same, NOW + 21), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_state(campaign, NOW + 19), CAMPAIGN_SCHEDULED);
    assert_int_equal(campaign_state(campaign, NOW + 20), CAMPAIGN_ACTIVE);
}

static void test_switches_say_when_they_stood_so_already(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 2);
    assert_int_equal(campaign_resume(campaign, NOW + 1), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_pause(campaign, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(campaign_pause(campaign, NOW + 2), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign->version, 2);
    assert_int_equal(campaign->updated_at_us, NOW + 1);
    assert_int_equal(campaign_end(campaign, NOW + 3), CAMPAIGN_DONE);
    assert_int_equal(campaign->version, 3);
    assert_int_equal(campaign->ended_at_us, NOW + 3);
    assert_int_equal(campaign->updated_at_us, NOW + 3);
    assert_int_equal(campaign_end(campaign, NOW + 4), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign->ended_at_us, NOW + 3);
    assert_int_equal(campaign_pause(campaign, NOW + 4), CAMPAIGN_STATE_CONFLICT);
    assert_int_equal(campaign_resume(campaign, NOW + 4), CAMPAIGN_STATE_CONFLICT);
    assert_int_equal(campaign->version, 3);
}

static void test_time_ends_it_once_and_is_no_admin(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 2);
    assert_int_equal(campaign_expire(campaign, NOW + 100), CAMPAIGN_UNCHANGED); /* it has no end */
    struct campaign_patch end = {.has_ends_at = true, .ends_at_us = NOW + 50};
    assert_int_equal(patch_at(campaign, end, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_expire(campaign, NOW + 49), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_expire(campaign, NOW + 70), CAMPAIGN_DONE);
    assert_int_equal(campaign->ended_at_us, NOW + 50);
    assert_int_equal(campaign->version, 2);
    assert_int_equal(campaign->sequence, 3);
    assert_int_equal(campaign->updated_at_us, NOW);
    assert_int_equal(campaign_expire(campaign, NOW + 80), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign->sequence, 3);
}

static void test_a_fund_is_confirmed_and_released_once(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_STATE_CONFLICT); /* a step may be on its way */
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->sequence, 3);
    assert_int_equal(campaign_fund_confirm(campaign, 0, NOW), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign->fund_confirmed_minor, 2000);
    campaign->is_changed = false;
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_true(campaign->fund_is_released && campaign->is_changed);
    assert_int_equal(campaign->sequence, 4);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign->sequence, 4);
    assert_int_equal(campaign->version, 2);
}

/* A limit that is lowered leaves the fund as it is; raised again, only what is missing is asked for. */
static void test_the_fund_follows_the_limit_up(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 10);
    struct campaign_patch limit = {.has_max_redemptions = true, .max_redemptions = 7};
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    assert_int_equal(patch_at(campaign, limit, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 0);
    limit.max_redemptions = 10;
    assert_int_equal(patch_at(campaign, limit, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 0);
    limit.max_redemptions = 11;
    assert_int_equal(patch_at(campaign, limit, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 1000);
    assert_int_equal(campaign->fund_step_version, 4);
}

static void test_the_last_place_exhausts_it(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    (void)claim(set, 1, 1, NOW);
    assert_int_equal(campaign_state(campaign, NOW), CAMPAIGN_ACTIVE);
    assert_int_equal(campaign->sequence, 3); /* made, funded, claimed */
    (void)claim(set, 2, 2, NOW + 1);
    assert_int_equal(campaign_state(campaign, NOW), CAMPAIGN_EXHAUSTED);
    assert_int_equal(campaign->sequence, 4);
    assert_int_equal(campaign->exhausted_at_us, NOW + 1);
    struct settlement credited = {.redemption_id = set->redemptions[0].id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_int_equal(campaign->sequence, 5);
}

/* ---- a fund that Wallet refuses ---- */

static void refuse(struct campaign *campaign) {
    int64_t sequence = campaign->sequence;
    enum campaign_verdict verdict =
        campaign_fund_refuse(campaign, campaign->fund_step_version, TEXT("balance_too_large"), TEXT("Too much."), NOW);
    assert_int_equal(verdict, CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_FAILED);
    assert_true(text_equal(campaign_fund_refusal(campaign), TEXT("balance_too_large")));
    assert_true(text_equal(campaign_fund_refusal_detail(campaign), TEXT("Too much.")));
    assert_int_equal(campaign->sequence, sequence + 1);
}

static void test_a_refused_fund_is_changed_and_asked_for_again(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    assert_int_equal(campaign_funded_places(campaign), 0);
    assert_int_equal(campaign_fund_refuse(campaign, 7, TEXT("x"), TEXT(""), NOW), CAMPAIGN_UNCHANGED); /* of another step */
    assert_int_equal(campaign_fund_refuse(NULL, 1, TEXT("x"), TEXT(""), NOW), CAMPAIGN_NOT_FOUND);
    refuse(campaign);
    struct campaign_patch name = {.has_name = true, .name = TEXT("Other")};
    assert_int_equal(patch_at(campaign, name, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_FAILED); /* a name changes nothing of it */
    struct campaign_patch fewer = {.has_max_redemptions = true, .max_redemptions = 4};
    assert_int_equal(patch_at(campaign, fewer, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING);
    assert_int_equal(campaign_fund_refusal_detail(campaign).size, 0);
    assert_int_equal(campaign->fund_step_minor, 4000);
    assert_int_equal(campaign->fund_step_version, campaign->version);
    refuse(campaign);
    assert_int_equal(patch_at(campaign, fewer, NOW), CAMPAIGN_DONE); /* the same again: the operator has repaired something at Wallet */
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING);
    refuse(campaign);
    struct campaign_patch smaller = {.has_credit = true, .credit = {10, CURRENCY_IRT}};
    assert_int_equal(patch_at(campaign, smaller, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 40);
    refuse(campaign);
    assert_int_equal(patch_at(campaign, smaller, NOW), CAMPAIGN_DONE); /* the same again, too */
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING);
    assert_int_equal(campaign_fund_confirm(campaign, campaign->fund_step_version, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_OPEN);
    assert_int_equal(campaign_funded_places(campaign), 4);
    assert_int_equal(patch_at(campaign, smaller, NOW), CAMPAIGN_UNCHANGED);
}

/* Wallet's last word counts, and its words are cut to the room that there is. */
static void test_what_was_refused_and_done_after_all(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    char words[sizeof campaign->fund_refusal_detail + 9];
    memset(words, 'w', sizeof words);
    int64_t step = campaign->fund_step_version;
    assert_int_equal(campaign_fund_refuse(campaign, step, (struct text){words, sizeof words}, (struct text){words, sizeof words}, NOW),
                     CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_refusal(campaign).size, sizeof campaign->fund_refusal);
    assert_int_equal(campaign_fund_refusal_detail(campaign).size, sizeof campaign->fund_refusal_detail);
    assert_int_equal(campaign_fund_confirm(campaign, step, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_OPEN);
    assert_int_equal(campaign_fund_refusal(campaign).size, 0);
    assert_int_equal(campaign_fund_refusal_detail(campaign).size, 0);
    assert_int_equal(campaign_fund_refuse(campaign, campaign->fund_step_version, TEXT("x"), TEXT(""), NOW), CAMPAIGN_UNCHANGED);
    assert_int_equal(campaign_fund_state(campaign), FUND_OPEN); /* there was nothing to refuse */
}

static void test_the_shortest_words_are_kept(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 1);
    refuse(campaign);
    assert_int_equal(campaign_fund_refuse(campaign, campaign->fund_step_version, TEXT("x"), TEXT("y"), NOW), CAMPAIGN_DONE);
    assert_true(text_equal(campaign_fund_refusal(campaign), TEXT("x")));
    assert_true(text_equal(campaign_fund_refusal_detail(campaign), TEXT("y")));
}

static void test_the_smallest_step_may_be_refused(void **state) {
    struct campaign_create create = plan_campaign("GIFT");
    struct campaign *campaign;
    create.max_redemptions = 1;
    create.credit.amount_minor = 1;
    assert_int_equal(campaign_create(*state, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 1);
    refuse(campaign);
}

static void test_another_credit_alone_is_a_change(void **state) {
    struct campaign *campaign = make_campaign(*state, "GIFT", 2);
    assert_int_equal(campaign_fund_confirm(campaign, campaign->fund_step_version, NOW), CAMPAIGN_DONE);
    struct campaign_patch more = {.has_credit = true, .credit = {1500, CURRENCY_IRT}};
    assert_int_equal(patch_at(campaign, more, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->credit.amount_minor, 1500);
    assert_int_equal(campaign->fund_step_minor, 1000);
    assert_int_equal(patch_at(campaign, more, NOW), CAMPAIGN_UNCHANGED);
}

/* A place that was made anew and never paid for: the same limit again asks for its money, be it the smallest. */
static void test_what_is_behind_is_asked_for(void **state) {
    struct campaign_create create = plan_campaign("GIFT");
    struct campaign *campaign;
    create.max_redemptions = 1;
    create.credit.amount_minor = 1;
    assert_int_equal(campaign_create(*state, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_confirm(campaign, campaign->fund_step_version, NOW), CAMPAIGN_DONE);
    campaign->max_redemptions = 2;
    struct campaign_patch same = {.has_max_redemptions = true, .max_redemptions = 2};
    assert_int_equal(patch_at(campaign, same, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 1);
    assert_int_equal(patch_at(campaign, same, NOW), CAMPAIGN_UNCHANGED);
}

static void test_a_refused_raise_leaves_what_there_is(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    (void)claim(set, 1, 1, NOW);
    struct campaign_patch more = {.has_max_redemptions = true, .max_redemptions = 3},
                          less = {.has_max_redemptions = true, .max_redemptions = 1};
    assert_int_equal(patch_at(campaign, more, NOW), CAMPAIGN_DONE);
    refuse(campaign);
    assert_int_equal(campaign_funded_places(campaign), 1);
    struct campaign_patch smaller = {.has_credit = true, .credit = {10, CURRENCY_IRT}};
    assert_int_equal(patch_at(campaign, smaller, NOW), CAMPAIGN_CREDIT_GIVEN);
    assert_int_equal(patch_at(campaign, less, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_OPEN);
    assert_int_equal(campaign->fund_confirmed_minor, 1000);
}

static void test_a_refused_fund_may_end(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10), *timed = make_campaign(set, "TIMED", 10);
    refuse(campaign);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_RELEASED); /* there is nothing to give back */
    assert_int_equal(campaign->fund_step_minor, 0);
    timed->ends_at_us = NOW + 5;
    refuse(timed);
    assert_int_equal(campaign_expire(timed, NOW + 5), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(timed), FUND_RELEASED);
}

/* Places from before funds came first: their money is still owed, and no more than that. */
static void test_a_refused_fund_owes_what_was_given_out(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    (void)claim(set, 1, 1, NOW);
    campaign->fund_confirmed_minor = 0;
    campaign->fund_step_minor = 10000;
    campaign->fund_step_version = 1;
    refuse(campaign);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING);
    assert_int_equal(campaign->fund_step_minor, 1000);
}

static enum campaign_verdict adopt(struct campaign *campaign, int64_t funded_minor, bool is_released) {
    return campaign_fund_adopt(campaign, &(struct fund_said){.funded_minor = funded_minor, .is_released = is_released}, NOW + 5);
}

/* Wallet is an older copy: what it has lost of the fund is owed again. */
static void test_a_fund_that_wallet_has_lost_is_opened_again(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    struct campaign_patch more = {.has_max_redemptions = true, .max_redemptions = 15};
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    assert_int_equal(patch_at(campaign, more, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_confirm(campaign, 2, NOW), CAMPAIGN_DONE);
    assert_int_equal(adopt(campaign, 15000, false), CAMPAIGN_UNCHANGED);
    int64_t sequence = campaign->sequence, version = campaign->version;
    campaign->is_changed = false;
    assert_int_equal(adopt(campaign, 10000, false), CAMPAIGN_DONE);
    assert_true(campaign->is_changed && campaign->sequence == sequence + 1 && campaign->version == version);
    assert_true(campaign->fund_confirmed_minor == 10000 && campaign->fund_step_minor == 5000 && campaign->fund_step_version == version);
    assert_int_equal(adopt(campaign, 0, false), CAMPAIGN_DONE);
    assert_true(campaign->fund_confirmed_minor == 0 && campaign->fund_step_minor == 15000);
    refuse(campaign);
    assert_int_equal(adopt(campaign, 1000, false), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_state(campaign), FUND_PENDING); /* another step than the one that was refused */
    assert_int_equal(campaign->fund_refusal_detail_size, 0);
    assert_int_equal(adopt(campaign, 20000, false), CAMPAIGN_DONE);
    assert_true(campaign->fund_confirmed_minor == 20000 && campaign->fund_step_minor == 0 && campaign->fund_step_version == 0);
    assert_int_equal(campaign->ended_at_us, 0);
}

/* We are the older copy: it is over, and what was not known here can't be given out any more. */
static void test_a_fund_that_wallet_has_released_ends_its_campaign(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    assert_int_equal(adopt(campaign, 10000, true), CAMPAIGN_DONE);
    assert_true(campaign->ended_at_us == NOW + 5 && !campaign->fund_is_released);
    assert_int_equal(adopt(campaign, 10000, true), CAMPAIGN_UNCHANGED);
    assert_int_equal(adopt(campaign, 11000, true), CAMPAIGN_DONE);
    assert_int_equal(campaign->ended_at_us, NOW + 5);
    const struct fund_said later = {.funded_minor = 12000, .is_released = true};
    assert_int_equal(campaign_fund_adopt(campaign, &later, NOW + 9), CAMPAIGN_DONE);
    assert_int_equal(campaign->ended_at_us, NOW + 5); /* it ends once */
}

/* What was credited and has no fund there any more is owed with the rest: that breaks no rule. */
static void test_a_fund_that_has_paid_more_than_is_left_of_it(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    for (uint64_t user = 1; user <= 2; user++) {
        struct settlement credited = {.is_credited = true, .transaction_id = make_id(9, user)};
        credited.redemption_id = claim(set, user, (unsigned)user, NOW)->id;
        assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    }
    assert_int_equal(adopt(campaign, 1000, false), CAMPAIGN_DONE);
    assert_true(campaign->fund_confirmed_minor == 1000 && campaign->fund_step_minor == 2000);
}

static void test_a_release_that_wallet_has_lost_is_owed_again(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 10);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(adopt(campaign, 10000, true), CAMPAIGN_UNCHANGED);
    assert_int_equal(adopt(campaign, 10000, false), CAMPAIGN_DONE);
    assert_false(campaign->fund_is_released);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(adopt(campaign, 0, false), CAMPAIGN_DONE); /* and the fund with it: it paid nobody */
    assert_int_equal(campaign_fund_state(campaign), FUND_RELEASED);
}

/* Whoever says so: nothing is adopted that breaks a rule of ours. */
static void test_what_no_fund_can_be_is_not_adopted(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    struct settlement credited = {.redemption_id = claim(set, 1, 1, NOW)->id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    campaign->is_changed = false;
    assert_int_equal(adopt(campaign, 999, true), CAMPAIGN_STATE_CONFLICT); /* it has paid 1000 */
    assert_true(!campaign->is_changed && campaign->fund_confirmed_minor == 2000);
    assert_int_equal(adopt(NULL, 1, false), CAMPAIGN_NOT_FOUND);
}

/* One rule each, where the others would let it pass. */
static void test_a_broken_fund_is_told(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 5);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    struct campaign bad = *campaign;
    bad.fund_step_minor = -1;
    bad.fund_step_version = 1;
    assert_non_null(campaign_fault(&bad));
    bad.fund_step_minor = 5;
    assert_null(campaign_fault(&bad));
    bad.fund_step_version = -1;
    assert_non_null(campaign_fault(&bad));
    bad.fund_step_version = 1;
    bad.fund_confirmed_minor = MONEY_AMOUNT_MAX - 5;
    assert_null(campaign_fault(&bad));
    bad.fund_confirmed_minor++;
    assert_non_null(campaign_fault(&bad));
    bad = *campaign;
    bad.fund_refusal_size = 1;
    assert_non_null(campaign_fault(&bad)); /* of nothing */
    bad.fund_step_minor = bad.fund_step_version = 1;
    assert_null(campaign_fault(&bad));
}

static void test_a_fund_that_went_back_too_early_is_told(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 5);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    (void)claim(set, 1, 1, NOW);
    struct settlement credited = {.redemption_id = set->redemptions[0].id, .is_credited = true, .transaction_id = make_id(9, 9)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    assert_int_equal(campaign_end(campaign, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_release(campaign, NOW), CAMPAIGN_DONE);
    assert_null(campaign_fault(campaign));
    struct campaign bad = *campaign;
    bad.ended_at_us = 0;
    assert_non_null(campaign_fault(&bad));
    bad = *campaign;
    bad.credited = bad.settled_position = 0; /* a claim waits */
    assert_non_null(campaign_fault(&bad));
    bad = *campaign;
    bad.fund_step_minor = bad.fund_step_version = 1;
    assert_non_null(campaign_fault(&bad));
}

/* Rules that the ones beside them do not keep as well. */
static void test_what_only_one_rule_tells(void **state) {
    struct campaign_set *set = *state;
    struct campaign_create create = plan_campaign("ONE");
    struct campaign *campaign;
    create.credit.amount_minor = 1;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    assert_int_equal(campaign_fund_confirm(campaign, 1, NOW), CAMPAIGN_DONE);
    struct campaign_patch limit = {.has_max_redemptions = true, .max_redemptions = 6};
    assert_int_equal(patch_at(campaign, limit, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 1); /* the smallest step */
    assert_int_equal(campaign_fund_confirm(campaign, 2, NOW), CAMPAIGN_DONE);
    const struct campaign good = *campaign;
    assert_null(campaign_fault(&good));
    struct campaign bad = good;
    bad.id = (struct id){{0}};
    assert_non_null(campaign_fault(&bad));
    bad = good;
    bad.version = 0;
    assert_non_null(campaign_fault(&bad));
    bad = good;
    bad.last_redeemed_at_us = NOW;
    assert_non_null(campaign_fault(&bad));
    bad = good;
    bad.max_redemptions = 0;
    bad.exhausted_at_us = NOW;
    assert_non_null(campaign_fault(&bad));
}

static void test_a_limit_that_is_lowered_exhausts_it_then(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    (void)claim(set, 1, 1, NOW);
    struct campaign_patch limit = {.has_max_redemptions = true, .max_redemptions = 1};
    assert_int_equal(patch_at(campaign, limit, NOW + 1), CAMPAIGN_DONE);
    assert_int_equal(campaign->exhausted_at_us, NOW + 1);
    struct campaign bad = *campaign;
    assert_null(campaign_fault(&bad));
    bad.exhausted_at_us = NOW - 1; /* before its last redemption */
    assert_non_null(campaign_fault(&bad));
}

static void test_nobody_decides_about_what_is_not_there(void **state) {
    (void)state;
    struct campaign_patch patch = {.has_name = true, .name = TEXT("x")};
    assert_int_equal(campaign_patch(NULL, NULL, &patch, NOW), CAMPAIGN_NOT_FOUND);
    assert_int_equal(campaign_pause(NULL, NOW), CAMPAIGN_NOT_FOUND);
    assert_int_equal(campaign_resume(NULL, NOW), CAMPAIGN_NOT_FOUND);
    assert_int_equal(campaign_end(NULL, NOW), CAMPAIGN_NOT_FOUND);
    assert_int_equal(campaign_expire(NULL, NOW), CAMPAIGN_NOT_FOUND);
    assert_int_equal(campaign_fund_confirm(NULL, 1, NOW), CAMPAIGN_NOT_FOUND);
    assert_int_equal(campaign_fund_release(NULL, NOW), CAMPAIGN_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_campaign_is_what_was_asked_for),
        TEST(test_dates_at_their_bounds),
        TEST(test_a_full_set_takes_no_more),
        TEST(test_each_member_is_patched_alone),
        TEST(test_the_start_moves_until_it_has_come),
        TEST(test_switches_say_when_they_stood_so_already),
        TEST(test_time_ends_it_once_and_is_no_admin),
        TEST(test_a_fund_is_confirmed_and_released_once),
        TEST(test_the_fund_follows_the_limit_up),
        TEST(test_the_last_place_exhausts_it),
        TEST(test_a_refused_fund_is_changed_and_asked_for_again),
        TEST(test_what_was_refused_and_done_after_all),
        TEST(test_the_shortest_words_are_kept),
        TEST(test_the_smallest_step_may_be_refused),
        TEST(test_another_credit_alone_is_a_change),
        TEST(test_what_is_behind_is_asked_for),
        TEST(test_a_refused_raise_leaves_what_there_is),
        TEST(test_a_refused_fund_may_end),
        TEST(test_a_refused_fund_owes_what_was_given_out),
        TEST(test_a_fund_that_wallet_has_lost_is_opened_again),
        TEST(test_a_fund_that_wallet_has_released_ends_its_campaign),
        TEST(test_a_fund_that_has_paid_more_than_is_left_of_it),
        TEST(test_a_release_that_wallet_has_lost_is_owed_again),
        TEST(test_what_no_fund_can_be_is_not_adopted),
        TEST(test_a_broken_fund_is_told),
        TEST(test_a_fund_that_went_back_too_early_is_told),
        TEST(test_what_only_one_rule_tells),
        TEST(test_a_limit_that_is_lowered_exhausts_it_then),
        TEST(test_nobody_decides_about_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
