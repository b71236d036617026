/* What Wallet has paid and our database does not know is made anew: each way it can go, and each conflict. */
#include "discount/core/rebuild.h"

#include "base/limits.h"

#include "discount/core/settlement.h"
#include "set.h"

/* A UUIDv7 of this millisecond. */
static struct id make_reference(int64_t now_us, uint64_t serial) {
    struct id id = make_id(0, serial);
    for (int i = 0; i < 6; i++) id.bytes[i] = (uint8_t)(now_us / 1000 >> (40 - 8 * i));
    id.bytes[6] = 0x70;
    return id;
}

/* The user's, with the same number of phone, claimed at NOW + n ms and paid half a second later. */
static struct paid_place make_paid(uint64_t n) {
    return (struct paid_place){.id = make_reference(NOW + (int64_t)n * 1000, n),
                               .campaign_number = 1,
                               .user_id = make_id(2, n),
                               .phone = make_phone((unsigned)n),
                               .transaction_id = make_id(9, n),
                               .amount_minor = 1000,
                               .paid_at_us = NOW + (int64_t)n * 1000 + 500000};
}

static struct campaign *make_open(struct campaign_set *set, int64_t places) {
    struct campaign *campaign = make_campaign(set, "GIFT", places);
    fund_all(set);
    return campaign;
}

static void expect(struct campaign_set *set, const struct paid_place *place, enum rebuild_verdict verdict) {
    struct campaign before = set->campaigns[0];
    size_t count_before = set->redemption_count;
    assert_int_equal(campaign_rebuild(set, place, NOW + 7), verdict);
    if (verdict != REBUILD_KNOWN && !rebuild_is_conflict(verdict)) return;
    assert_memory_equal(&before, &set->campaigns[0], sizeof before);
    assert_int_equal(set->redemption_count, count_before);
}

static void settle(struct campaign_set *set, const struct redemption *redemption, bool is_credited) {
    const struct settlement settlement = {.redemption_id = redemption->id,
                                          .is_credited = is_credited,
                                          .transaction_id = make_id(8, (uint64_t)redemption->position),
                                          .settled_at_us = NOW + 5,
                                          .failure = TEXT("account_frozen")};
    assert_true(result_is_ok(campaign_settle(set, &settlement, NOW)));
}

static void test_a_place_is_made_as_it_was(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 3);
    campaign_set_begin(set);
    struct paid_place paid = make_paid(5);
    int64_t sequence = campaign->sequence, version = campaign->version;
    expect(set, &paid, REBUILD_MADE);
    const struct redemption *redemption = redemption_by_id(set, paid.id);
    assert_non_null(redemption);
    assert_ptr_equal(redemption_by_user(set, 1, paid.user_id), redemption);
    assert_ptr_equal(redemption_by_phone(set, 1, &paid.phone), redemption);
    assert_int_equal(redemption->position, 1);
    assert_int_equal(redemption->status, REDEMPTION_CREDITED);
    assert_int_equal(redemption->claimed_at_us, NOW + 5000);
    assert_int_equal(redemption->settled_at_us, paid.paid_at_us);
    assert_true(id_equal(redemption->transaction_id, paid.transaction_id));
    assert_true(redemption->is_new && redemption->is_changed && campaign->is_changed);
    assert_true(id_is_zero(redemption->claimed_as));
    assert_int_equal(campaign->redeemed, 1);
    assert_int_equal(campaign->credited, 1);
    assert_int_equal(campaign->failed, 0);
    assert_int_equal(campaign->settled_position, 1);
    assert_int_equal(campaign->first_redeemed_at_us, NOW + 5000);
    assert_int_equal(campaign->last_redeemed_at_us, NOW + 5000);
    assert_int_equal(campaign->exhausted_at_us, 0);
    assert_int_equal(campaign->sequence, sequence + 2); /* given out, and credited */
    assert_int_equal(campaign->version, version);       /* no admin's business */
    expect(set, &paid, REBUILD_KNOWN);                  /* twice changes nothing */
}

static void test_what_was_open_stays_behind_the_settled_position(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 3);
    (void)claim(set, 1, 1, NOW);
    struct paid_place paid = make_paid(2);
    expect(set, &paid, REBUILD_MADE);
    assert_int_equal(redemption_by_id(set, paid.id)->position, 2);
    assert_int_equal(campaign->settled_position, 0);
}

/* When it was claimed is told by its id, but not before the position ahead of it, nor after it was paid. */
static void test_when_it_was_claimed(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9);
    struct paid_place paid = make_paid(2);
    paid.id.bytes[6] = 0x40; /* says nothing of time */
    expect(set, &paid, REBUILD_MADE);
    assert_int_equal(redemption_by_id(set, paid.id)->claimed_at_us, paid.paid_at_us);
    struct paid_place earlier = make_paid(1);
    expect(set, &earlier, REBUILD_MADE);
    assert_int_equal(redemption_by_id(set, earlier.id)->claimed_at_us, paid.paid_at_us);
    struct paid_place future = make_paid(3);
    future.id = make_reference(NOW + INT64_C(900000000), 3);
    future.paid_at_us = NOW + 800000;
    expect(set, &future, REBUILD_MADE);
    assert_int_equal(redemption_by_id(set, future.id)->claimed_at_us, NOW + 800000);
    struct paid_place undated = make_paid(4);
    undated.id = make_reference(NOW + 900000, 4);
    undated.paid_at_us = 0;
    assert_int_equal(campaign_rebuild(set, &undated, NOW + 850000), REBUILD_MADE);
    assert_int_equal(redemption_by_id(set, undated.id)->claimed_at_us, NOW + 850000);
    assert_int_equal(redemption_by_id(set, undated.id)->settled_at_us, NOW + 850000);
}

static void test_what_is_here_is_credited(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 9);
    struct redemption *claimed = claim(set, 1, 1, NOW), *failed = claim(set, 2, 2, NOW);
    (void)claim(set, 3, 3, NOW);
    settle(set, failed, false);
    claimed->is_changed = false;
    struct paid_place paid = make_paid(1);
    paid.id = claimed->id;
    expect(set, &paid, REBUILD_SETTLED);
    assert_int_equal(claimed->status, REDEMPTION_CREDITED);
    assert_true(id_equal(claimed->transaction_id, paid.transaction_id));
    assert_true(claimed->is_changed);
    assert_int_equal(campaign->credited, 1);
    assert_int_equal(campaign->failed, 1);
    assert_int_equal(campaign->redeemed, 3);
    expect(set, &paid, REBUILD_KNOWN);
}

static void test_what_had_failed_is_credited(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 9);
    struct redemption *failed = claim(set, 2, 2, NOW);
    settle(set, failed, false);
    struct paid_place paid = make_paid(2);
    paid.id = failed->id;
    expect(set, &paid, REBUILD_SETTLED);
    assert_int_equal(failed->status, REDEMPTION_CREDITED);
    assert_int_equal(failed->failure_size, 0);
    assert_int_equal(campaign->credited, 1);
    assert_int_equal(campaign->failed, 0);
}

static void test_a_claim_made_anew_is_the_one_that_was_paid(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 9);
    struct redemption *own = claim(set, 1, 7, NOW);
    struct id anew = own->id;
    struct paid_place paid = make_paid(1);
    expect(set, &paid, REBUILD_RENAMED);
    assert_true(id_equal(own->id, paid.id));
    assert_true(id_equal(own->claimed_as, anew));
    assert_ptr_equal(redemption_by_id(set, paid.id), own);
    assert_ptr_equal(redemption_by_id(set, anew), own);
    assert_ptr_equal(redemption_by_phone(set, 1, &paid.phone), own); /* as it was when it was paid */
    const struct phone typed_anew = make_phone(7);
    assert_null(redemption_by_phone(set, 1, &typed_anew));
    assert_int_equal(own->status, REDEMPTION_CREDITED);
    assert_int_equal(campaign->redeemed, 1);
    assert_int_equal(campaign->credited, 1);
    expect(set, &paid, REBUILD_KNOWN);
    paid.id = anew;
    expect(set, &paid, REBUILD_USER_TAKEN); /* it was never sent under that id */
}

static void test_a_claim_made_anew_keeps_its_phone_when_none_is_known(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9);
    struct redemption *own = claim(set, 1, 1, NOW);
    struct paid_place paid = make_paid(1);
    paid.phone.size = 0;
    expect(set, &paid, REBUILD_RENAMED);
    const struct phone phone = make_phone(1);
    assert_ptr_equal(redemption_by_phone(set, 1, &phone), own);
}

static void test_a_full_campaign_grows_and_no_money_is_asked_for(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 2);
    (void)claim(set, 1, 1, NOW);
    struct paid_place second = make_paid(2), third = make_paid(3);
    int64_t version = campaign->version;
    expect(set, &second, REBUILD_MADE);
    assert_int_equal(campaign->max_redemptions, 2); /* as long as there are places */
    assert_int_equal(campaign->version, version);
    assert_int_equal(campaign->exhausted_at_us, campaign->last_redeemed_at_us);
    expect(set, &third, REBUILD_MADE);
    assert_int_equal(campaign->max_redemptions, 3);
    assert_int_equal(campaign->redeemed, 3);
    assert_int_equal(campaign->exhausted_at_us, campaign->last_redeemed_at_us);
    assert_int_equal(campaign->version, version + 1);
    assert_int_equal(campaign->updated_at_us, NOW + 7);
    assert_int_equal(campaign->fund_step_minor, 0);
    /* the limit as it is asks for it */
    struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 8), CAMPAIGN_DONE);
    assert_int_equal(campaign->fund_step_minor, 1000);
    fund_all(set);
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW + 9), CAMPAIGN_UNCHANGED);
}

static void test_an_amount_of_before_is_taken_while_nothing_was_given(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 4);
    struct paid_place first = make_paid(1), second = make_paid(2), other = make_paid(3);
    first.amount_minor = second.amount_minor = 2000;
    int64_t version = campaign->version;
    expect(set, &first, REBUILD_MADE);
    assert_int_equal(campaign->credit.amount_minor, 2000);
    assert_int_equal(campaign->version, version + 1);
    expect(set, &second, REBUILD_MADE);
    assert_int_equal(campaign->version, version + 1);
    expect(set, &other, REBUILD_OTHER_AMOUNT);
}

static void test_an_amount_that_can_not_be_is_not_taken(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 4);
    struct paid_place paid = make_paid(1);
    paid.amount_minor = MONEY_AMOUNT_MAX / 2;
    expect(set, &paid, REBUILD_OTHER_AMOUNT);
    paid.amount_minor = 0;
    expect(set, &paid, REBUILD_OTHER_AMOUNT);
}

static void test_what_was_never_funded_is_not_made(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1); /* the opening is not confirmed: it may be there all the same */
    struct paid_place first = make_paid(1), second = make_paid(2);
    expect(set, &first, REBUILD_MADE);
    expect(set, &second, REBUILD_NOT_FUNDED);
    fund_all(set);
    expect(set, &second, REBUILD_NOT_FUNDED);
    struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 3};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    expect(set, &second, REBUILD_MADE);
}

static void test_money_is_asked_of_what_is_here_too(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 2);
    struct redemption *known = claim(set, 1, 1, NOW);
    struct paid_place paid = make_paid(1), third = make_paid(3), fourth = make_paid(4), fifth = make_paid(5);
    paid.id = known->id;
    paid.amount_minor = 999;
    expect(set, &paid, REBUILD_OTHER_AMOUNT);
    assert_int_equal(known->status, REDEMPTION_CLAIMED);
    struct redemption *anew = claim(set, 5, 5, NOW);
    fifth.amount_minor = 999;
    expect(set, &fifth, REBUILD_OTHER_AMOUNT);
    assert_int_equal(anew->status, REDEMPTION_CLAIMED);
    expect(set, &third, REBUILD_MADE);
    expect(set, &fourth, REBUILD_MADE);
    paid.amount_minor = fifth.amount_minor = 1000;
    expect(set, &paid, REBUILD_NOT_FUNDED);
    expect(set, &fifth, REBUILD_NOT_FUNDED);
}

static void test_whose_it_is(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9);
    make_campaign(set, "OTHER", 9);
    fund_all(set);
    struct redemption *credited = claim(set, 1, 1, NOW), *open = claim(set, 2, 2, NOW), *failed = claim(set, 3, 3, NOW);
    settle(set, credited, true);
    settle(set, failed, false);
    struct paid_place paid = make_paid(1);
    expect(set, &paid, REBUILD_USER_TAKEN); /* paid twice */
    paid = make_paid(3);
    expect(set, &paid, REBUILD_USER_TAKEN);
    paid = make_paid(4);
    paid.id = open->id;
    expect(set, &paid, REBUILD_USER_TAKEN); /* another one's */
    assert_int_equal(open->status, REDEMPTION_CLAIMED);
    paid = make_paid(2);
    paid.id = open->id;
    paid.campaign_number = 2;
    assert_int_equal(campaign_rebuild(set, &paid, NOW), REBUILD_USER_TAKEN); /* another campaign's */
    assert_int_equal(open->status, REDEMPTION_CLAIMED);
}

static void test_phones(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9);
    (void)claim(set, 2, 2, NOW);
    (void)claim(set, 3, 3, NOW);
    struct paid_place paid = make_paid(1);
    paid.phone = make_phone(2);
    expect(set, &paid, REBUILD_PHONE_TAKEN);
    paid = make_paid(3); /* claimed anew, with another phone than then, which another one has now */
    paid.phone = make_phone(2);
    expect(set, &paid, REBUILD_PHONE_TAKEN);
    paid = make_paid(1);
    paid.phone.size = 0;
    expect(set, &paid, REBUILD_NO_PHONE);
}

/* Who may win several times: each credit that is not known is one more, up to what there may be of the user and of the phone. */
static void test_one_more_of_several(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 9);
    campaign->rules.max_per_user = 2;
    campaign->rules.max_per_phone = 3;
    for (uint64_t n = 1; n <= 4;
         n++) { /* users 1, 1, 2 with one phone; the third of the first is one too many, and so is the fourth of the phone */
        struct paid_place paid = make_paid(n);
        paid.user_id = make_id(2, n < 3 ? 1 : n);
        paid.phone = make_phone(1);
        struct paid_place third = paid;
        third.user_id = make_id(2, 1);
        if (n == 3) expect(set, &third, REBUILD_USER_TAKEN);
        expect(set, &paid, n < 4 ? REBUILD_MADE : REBUILD_PHONE_TAKEN);
    }
    assert_int_equal(campaign_set_tally_of_user(set, 1, make_id(2, 1)), 2);
    assert_int_equal(campaign->redeemed, 3);
}

static void test_one_more_of_several_with_a_phone_of_its_own(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9)->rules.max_per_user = 2;
    struct paid_place paid = make_paid(1), again = make_paid(2);
    expect(set, &paid, REBUILD_MADE);
    again.user_id = paid.user_id;
    again.phone = paid.phone;
    expect(set, &again, REBUILD_PHONE_TAKEN);
    again.phone = make_phone(2);
    expect(set, &again, REBUILD_MADE);
    again = make_paid(3);
    again.user_id = paid.user_id;
    expect(set, &again, REBUILD_USER_TAKEN);
}

/* Of one phone each, who has won with it is found among the redemptions: only where there may be several they are counted. */
static void test_a_phone_of_one_is_found_without_being_counted(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 9);
    (void)claim(set, 1, 1, NOW);
    campaign->rules.max_per_user = 2;
    struct paid_place paid = make_paid(2);
    paid.phone = make_phone(1);
    expect(set, &paid, REBUILD_PHONE_TAKEN);
}

static void test_one_each_with_a_phone_of_several(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9)->rules.max_per_phone = 2;
    for (uint64_t n = 1; n <= 3; n++) {
        struct paid_place paid = make_paid(n);
        paid.phone = make_phone(1);
        expect(set, &paid, n < 3 ? REBUILD_MADE : REBUILD_PHONE_TAKEN);
    }
}

static struct code_set *make_codes(void) {
    static struct code_set codes;
    struct code_batch *batch;
    struct code_batch_create create = {.id = make_id(5, 5), .campaign_number = 1, .count = 3, .max_uses = 2};
    assert_null(pattern_parse(TEXT("GIFT-####-####-####"), &create.pattern));
    assert_true(result_is_ok(code_set_init(&codes, 1, 4)));
    assert_int_equal(code_batch_create(&codes, &create, NOW, &batch), CODE_DONE);
    return &codes;
}

static const struct redemption *make_with_code(struct campaign_set *set, uint64_t n, int64_t index) {
    struct paid_place paid = make_paid(n);
    paid.code_batch = 1;
    paid.code_index = index;
    expect(set, &paid, REBUILD_MADE);
    return redemption_by_id(set, paid.id);
}

static void test_its_code_is_used_up_by_it(void **state) {
    struct campaign_set *set = *state;
    make_open(set, 9);
    assert_int_equal(make_with_code(set, 1, 1)->code_batch, 0); /* nothing is known of codes */
    set->codes = make_codes();
    struct code_entry *entry = code_set_name(set->codes, 1, 1), *revoked = code_set_name(set->codes, 1, 2);
    assert_int_equal(code_revoke(set->codes, revoked), CODE_DONE);
    for (uint64_t n = 2; n <= 3; n++) {
        const struct redemption *redemption = make_with_code(set, n, 1);
        assert_true(redemption->code_batch == 1 && redemption->code_index == 1);
        assert_int_equal(entry->uses, n - 1);
    }
    assert_int_equal(make_with_code(set, 4, 1)->code_batch, 0); /* others have used it since */
    assert_int_equal(make_with_code(set, 5, 2)->code_batch, 0); /* it was revoked */
    assert_int_equal(make_with_code(set, 6, 3)->code_batch, 0); /* it is not there */
    assert_int_equal(entry->uses, 2);
    assert_int_equal(revoked->uses, 0);
    code_set_free(set->codes);
    set->codes = NULL;
}

static void test_what_is_credited_is_saved(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 3);
    struct redemption *claimed = claim(set, 1, 1, NOW);
    campaign->is_changed = claimed->is_changed = false;
    struct paid_place paid = make_paid(1);
    paid.id = claimed->id;
    expect(set, &paid, REBUILD_SETTLED);
    assert_true(campaign->is_changed && claimed->is_changed);
}

static void test_a_limit_that_was_lowered_is_raised_by_what_was_paid(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 3);
    (void)claim(set, 1, 1, NOW);
    (void)claim(set, 2, 2, NOW);
    struct campaign_patch patch = {.has_max_redemptions = true, .max_redemptions = 1};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    assert_int_equal(campaign->over_at, 2);
    struct paid_place paid = make_paid(3);
    expect(set, &paid, REBUILD_MADE);
    assert_true(campaign->over_at == 0 && campaign->max_redemptions == 3);
}

static void test_there_are_no_more_places_than_there_can_be(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 1);
    struct paid_place paid = make_paid(1);
    (void)claim(set, 2, 2, NOW);
    /* as many as there can be, all taken */
    campaign->max_redemptions = campaign->redeemed = LIMIT_CAMPAIGN_PLACES;
    campaign->spent_minor = campaign->redeemed * 1000;
    expect(set, &paid, REBUILD_NO_PLACE);
    campaign->redeemed--; /* the last one is free */
    campaign->spent_minor -= 1000;
    campaign->exhausted_at_us = 0;
    expect(set, &paid, REBUILD_MADE);
}

/* A place more and a gift of before are changes of the campaign itself, each counted. */
static void test_each_change_is_counted(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 1);
    struct paid_place paid = make_paid(1), next = make_paid(2);
    paid.amount_minor = 1; /* the smallest gift */
    next.amount_minor = 1;
    int64_t sequence = campaign->sequence, version = campaign->version;
    expect(set, &paid, REBUILD_MADE);
    assert_int_equal(campaign->credit.amount_minor, 1);
    assert_int_equal(campaign->sequence, sequence + 3);
    assert_int_equal(campaign->version, version + 1);
    expect(set, &next, REBUILD_MADE);
    assert_int_equal(campaign->max_redemptions, 2);
    assert_int_equal(campaign->sequence, sequence + 6);
    assert_int_equal(campaign->version, version + 2);
    assert_int_equal(campaign->exhausted_at_us, campaign->last_redeemed_at_us);
}

static void test_the_last_place_that_money_can_count(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 1);
    struct paid_place paid = make_paid(1);
    paid.amount_minor = campaign->credit.amount_minor = MONEY_AMOUNT_MAX / 2;
    campaign->fund_confirmed_minor = MONEY_AMOUNT_MAX - 1;
    (void)claim(set, 2, 2, NOW);
    expect(set, &paid, REBUILD_MADE);
    paid = make_paid(3);
    paid.amount_minor = campaign->credit.amount_minor;
    expect(set, &paid, REBUILD_NO_PLACE);
}

static void test_there_are_no_more_places_than_money_can_count(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_open(set, 1);
    struct paid_place paid = make_paid(1);
    paid.amount_minor = campaign->credit.amount_minor = MONEY_AMOUNT_MAX;
    campaign->fund_confirmed_minor = MONEY_AMOUNT_MAX;
    (void)claim(set, 2, 2, NOW);
    expect(set, &paid, REBUILD_NO_PLACE);
}

static void test_each_verdict_has_a_name(void **state) {
    (void)state;
    for (enum rebuild_verdict verdict = REBUILD_KNOWN; verdict < REBUILD_VERDICT_COUNT; verdict++) {
        assert_non_null(rebuild_verdict_name(verdict));
        assert_int_equal(rebuild_is_conflict(verdict), verdict >= REBUILD_USER_TAKEN);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_place_is_made_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_open_stays_behind_the_settled_position, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_when_it_was_claimed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_here_is_credited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_had_failed_is_credited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_claim_made_anew_is_the_one_that_was_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_claim_made_anew_keeps_its_phone_when_none_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_campaign_grows_and_no_money_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_amount_of_before_is_taken_while_nothing_was_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_amount_that_can_not_be_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_never_funded_is_not_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_money_is_asked_of_what_is_here_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whose_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_phones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_more_of_several, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_more_of_several_with_a_phone_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_phone_of_one_is_found_without_being_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_each_with_a_phone_of_several, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_code_is_used_up_by_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_credited_is_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_limit_that_was_lowered_is_raised_by_what_was_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_there_are_no_more_places_than_there_can_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_change_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_place_that_money_can_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_there_are_no_more_places_than_money_can_count, set_up, tear_down),
        cmocka_unit_test(test_each_verdict_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
