/* What a reversal leaves behind of limits, codes, orders and rows; and what the set keeps of it from one batch of the store to the next. */
#include "discount/core/reversal.h"

#include "discount/core/rebuild.h"
#include "discount/core/settlement.h"

#include "set.h"

static struct redemption *credit(struct campaign_set *set, uint64_t user) {
    struct redemption *redemption = claim(set, user, (unsigned)user, NOW);
    const struct settlement credited = {.redemption_id = redemption->id, .is_credited = true, .transaction_id = make_id(9, user + 1)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    return redemption;
}

static struct redemption *reverse(struct campaign_set *set, struct id id) {
    const struct reversal_command command = {id, SLOT_RETURN, TEXT("why")};
    struct redemption *redemption = NULL;
    assert_int_equal(campaign_reverse(set, &command, NOW + 5, &redemption), REVERSAL_DONE);
    assert_non_null(redemption);
    return redemption;
}

static void take_back(struct campaign_set *set, struct id id, struct text refusal) {
    const struct taken_back taken_back = {.redemption_id = id,
                                          .is_refused = refusal.size > 0,
                                          .transaction_id = make_id(8, 8),
                                          .refusal = refusal};
    assert_true(result_is_ok(campaign_take_back(set, &taken_back, NOW + 6)));
}

/* ---- rows ---- */

static void unmark(struct campaign_set *set, struct redemption *redemption) {
    set->campaigns[0].is_changed = redemption->is_changed = false;
    struct reversal *reversal = reversal_of(set, redemption->id);
    if (reversal != NULL) reversal->is_changed = false;
}

static void test_each_step_writes_its_rows(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct redemption *redemption = credit(set, 1);
    unmark(set, redemption);
    assert_ptr_equal(reverse(set, redemption->id), redemption);
    assert_true(campaign->is_changed && redemption->is_changed && reversal_of(set, redemption->id)->is_changed);
    unmark(set, redemption);
    take_back(set, redemption->id, TEXT(""));
    assert_true(campaign->is_changed && redemption->is_changed && reversal_of(set, redemption->id)->is_changed);
}

static void test_a_refusal_writes_its_rows(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    struct redemption *redemption = credit(set, 1);
    reverse(set, redemption->id);
    unmark(set, redemption);
    reversal_of(set, redemption->id)->is_changed = true;
    int64_t sequence = campaign->sequence;
    char words[REDEMPTION_FAILURE_BYTES + 3];
    memset(words, 'w', sizeof words);
    take_back(set, redemption->id, (struct text){words, sizeof words});
    assert_true(campaign->is_changed && redemption->is_changed && campaign->sequence == sequence + 1);
    assert_int_equal(redemption->failure_size, REDEMPTION_FAILURE_BYTES);
    assert_memory_equal(redemption->failure, words, REDEMPTION_FAILURE_BYTES);
    assert_false(set->reversals[0].is_changed); /* the row is no more, and nothing is written of it */
}

/* ---- orders ---- */

static struct campaign *of_orders(struct campaign_set *set) {
    struct campaign_create create = {.id = make_id(1, 1),
                                     .code = make_code("GIFT"),
                                     .credit = {4, CURRENCY_IRT},
                                     .name = TEXT("Order"),
                                     .max_redemptions = 3,
                                     .rules = {.kind = GIFT_AMOUNT_OFF}};
    struct campaign *campaign;
    assert_int_equal(campaign_create(set, &create, NOW, &campaign), CAMPAIGN_DONE);
    return campaign;
}

static struct redemption *order(struct campaign_set *set, uint64_t user, const char *reference) {
    struct redeem_request request = {.code = make_code("gift"),
                                     .user_id = make_id(2, user),
                                     .phone = make_phone((unsigned)user),
                                     .account_phone = make_phone((unsigned)user),
                                     .redemption_id = make_id(4, user),
                                     .order = {.reference_size = (uint8_t)strlen(reference), .amount_minor = 10},
                                     .order_currency = CURRENCY_IRT};
    memcpy(request.order.reference, reference, strlen(reference));
    struct campaign *campaign;
    struct redemption *redemption;
    check_verdict(campaign_redeem(set, &request, NOW, &campaign, &redemption), REDEEM_CLAIM, NOT_REFUSED);
    return redemption;
}

static void test_an_order_is_reversed_at_once(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = of_orders(set);
    struct redemption *redemption = order(set, 1, "a");
    assert_true(redemption->status == REDEMPTION_APPLIED && campaign->settled_position == 1);
    assert_true(campaign->spent_minor == 4 && campaign->ordered_minor == 10);
    reverse(set, redemption->id);
    const struct reversal *reversal = reversal_of(set, redemption->id);
    assert_true(redemption->status == REDEMPTION_REVERSED && reversal->reversed_at_us == NOW + 5 && reversal->is_changed);
    assert_true(campaign->spent_minor == 0 && campaign->ordered_minor == 0 && campaign->returned == 1 && campaign->reversed == 1);
    assert_int_equal(order(set, 2, "b")->position, 2);
    assert_int_equal(campaign->settled_position, 2); /* what is reversed is settled, too */
}

/* ---- limits above one ---- */

static void test_what_is_given_back_counts_no_more(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 9);
    const struct campaign_patch patch = {.rules_given = GIVEN_PER_USER | GIVEN_PER_PHONE, .rules = {.max_per_user = 2, .max_per_phone = 3}};
    assert_int_equal(campaign_patch(set, campaign, &patch, NOW), CAMPAIGN_DONE);
    const struct phone phone = make_phone(1);
    const struct id user = make_id(2, 1);
    assert_true(result_is_ok(campaign_set_load_tally_of_user(set, 1, user, 0)));
    assert_true(result_is_ok(campaign_set_load_tally_of_phone(set, 1, &phone, 0)));
    struct redemption *first = credit(set, 1);
    (void)credit(set, 1);
    assert_int_equal(campaign_set_tally_of_user(set, 1, user), 2);
    be_refused(set, 1, 1, NOW, REFUSED_USER_LIMIT);
    reverse(set, first->id);
    take_back(set, first->id, TEXT(""));
    assert_int_equal(campaign_set_tally_of_user(set, 1, user), 1);
    assert_int_equal(campaign_set_tally_of_phone(set, 1, &phone), 1);
}

/* ---- codes ---- */

static void test_a_code_may_be_used_once_more(void **state) {
    struct campaign_set *set = *state;
    struct code_set codes;
    assert_true(result_is_ok(code_set_init(&codes, 1, 4)));
    set->codes = &codes;
    (void)make_campaign(set, "OTHER", 9);
    fund_all(set);
    struct code_batch_create create = {.id = make_id(5, 5), .campaign_number = 1, .count = 3, .max_uses = 1};
    struct code_batch *batch;
    assert_int_equal(code_batch_create(&codes, &create, NOW, &batch), CODE_DONE);
    struct code_entry *entry = code_set_name(&codes, 1, 2);
    struct redeem_request request = {.found = {.batch = 1, .campaign_number = 1, .index = 2},
                                     .user_id = make_id(2, 1),
                                     .phone = make_phone(1),
                                     .account_phone = make_phone(1),
                                     .redemption_id = make_id(4, 1)};
    struct campaign *campaign;
    struct redemption *redemption;
    check_verdict(campaign_redeem(set, &request, NOW, &campaign, &redemption), REDEEM_CLAIM, NOT_REFUSED);
    assert_true(entry->uses == 1 && batch->used == 1 && redemption->code_batch == 1 && redemption->code_index == 2);
    /* Whoever has it is told so by the code that is used up now; another one's is none that he has. */
    struct redemption *again;
    check_verdict(campaign_redeem(set, &request, NOW, &campaign, &again), REDEEM_REPEAT, REFUSED_ALREADY_REDEEMED);
    assert_ptr_equal(again, redemption);
    struct code_entry *other = code_set_name(&codes, 1, 3);
    other->is_revoked = true;
    request.found.index = 3;
    check_verdict(campaign_redeem(set, &request, NOW, &campaign, &again), REDEEM_REFUSE, REFUSED_CODE_NOT_FOUND);
    assert_null(again);
    const struct settlement credited = {.redemption_id = redemption->id, .is_credited = true, .transaction_id = make_id(9, 1)};
    assert_true(result_is_ok(campaign_settle(set, &credited, NOW)));
    reverse(set, redemption->id);
    take_back(set, redemption->id, TEXT(""));
    assert_true(entry->uses == 0 && batch->used == 0 && entry->is_given_back);
    set->codes = NULL;
    code_set_free(&codes);
}

/* ---- the set ---- */

static const struct reversal some = {
    .redemption_id = {{1}}, .campaign_number = 1, .position = 1, .slot = SLOT_BURN, .reason_size = 1, .reason = "x", .asked_at_us = 1};

static void test_the_set_forgets_them_with_the_batch(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 3);
    campaign->line_asked = 7;                                          /* that much of its line was asked for */
    assert_true(result_is_ok(campaign_set_load_reversal(set, &some))); /* one alone */
    campaign_set_begin(set);
    assert_null(reversal_of(set, some.redemption_id));
    assert_int_equal(set->reversal_count, 0);
    assert_int_equal(campaign->line_asked, 0);
    assert_true(result_is_ok(campaign_set_load_reversal(set, &some)));
    assert_non_null(reversal_of(set, some.redemption_id));
}

static void test_the_set_refuses_what_it_can_not_keep(void **state) {
    (void)state;
    struct campaign_set set;
    assert_true(result_is_ok(campaign_set_init(&set, 1, 2)));
    struct reversal bad = some, other = some;
    bad.reason_size = 0;
    assert_int_equal(campaign_set_load_reversal(&set, &bad).code, RESULT_CORRUPT);
    assert_true(result_is_ok(campaign_set_load_reversal(&set, &some)));
    assert_true(result_is_ok(campaign_set_load_reversal(&set, &some)) && set.reversal_count == 1); /* once is enough */
    other.redemption_id.bytes[0] = 2;
    assert_true(result_is_ok(campaign_set_load_reversal(&set, &other)));
    other.redemption_id.bytes[0] = 3;
    assert_int_equal(campaign_set_load_reversal(&set, &other).code, RESULT_FULL);
    assert_int_equal(set.reversal_count, 2);
    other.redemption_id.bytes[0] = 1;
    other.slot = SLOT_RETURN;
    assert_int_equal(campaign_set_put_reversal(&set, &other)->slot, SLOT_RETURN); /* in the place of the one that there is */
    assert_int_equal(set.reversal_count, 2);
    campaign_set_free(&set);
}

/* A phone's living redemption is found, whether a reversed one with the same phone is loaded before it or behind it. */
static void test_who_is_reversed_stands_in_nobodys_way(void **state) {
    struct campaign_set *set = *state;
    make_campaign(set, "GIFT", 9)->redeemed = 4;
    struct redemption living = {.id = make_id(4, 1),
                                .campaign_number = 1,
                                .position = 1,
                                .user_id = make_id(2, 1),
                                .phone = make_phone(1),
                                .status = REDEMPTION_CREDITED,
                                .claimed_at_us = NOW,
                                .settled_at_us = NOW,
                                .transaction_id = make_id(9, 1)};
    struct redemption reversed = living;
    reversed.id = make_id(4, 2);
    reversed.user_id = make_id(2, 2);
    reversed.position = 2;
    reversed.status = REDEMPTION_REVERSED;
    assert_true(result_is_ok(campaign_set_load_redemption(set, &living)));
    assert_true(result_is_ok(campaign_set_load_redemption(set, &reversed)));
    assert_true(id_equal(redemption_by_phone(set, 1, &living.phone)->id, living.id));
    living.phone = reversed.phone = make_phone(7);
    reversed.id = make_id(4, 3);
    reversed.user_id = make_id(2, 3);
    reversed.position = 3;
    living.id = make_id(4, 4);
    living.user_id = make_id(2, 4);
    living.position = 4;
    assert_true(result_is_ok(campaign_set_load_redemption(set, &reversed)));
    assert_true(result_is_ok(campaign_set_load_redemption(set, &living)));
    assert_true(id_equal(redemption_by_phone(set, 1, &living.phone)->id, living.id));
}

/* ---- made anew, as Wallet says ---- */

static void test_what_was_reversed_in_wallet_says_why_and_when(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    fund_all(set);
    struct paid_place place = {.id = make_id(3, 70),
                               .campaign_number = 1,
                               .user_id = make_id(2, 1),
                               .phone = make_phone(1),
                               .transaction_id = make_id(9, 1),
                               .amount_minor = 1000,
                               .paid_at_us = NOW + 1,
                               .is_reversed = true};
    assert_int_equal(campaign_rebuild(set, &place, NOW + 9), REBUILD_REVERSED);
    assert_int_equal(redemption_by_id(set, place.id)->settled_at_us, NOW + 1);
    assert_true(text_equal(reversal_reason(reversal_of(set, place.id)), TEXT("It was taken back in Wallet.")));
    assert_int_equal(campaign->settled_position, 1); /* nothing else is open */
    place.id = make_id(3, 71);
    place.paid_at_us = 0; /* nobody knows */
    assert_int_equal(campaign_rebuild(set, &place, NOW + 9), REBUILD_REVERSED);
    assert_int_equal(redemption_by_id(set, place.id)->settled_at_us, NOW + 9);
    (void)claim(set, 5, 5, NOW + 10);
    int64_t settled = campaign->settled_position;
    place.id = make_id(3, 72);
    assert_int_equal(campaign_rebuild(set, &place, NOW + 11), REBUILD_REVERSED);
    assert_int_equal(campaign->settled_position, settled); /* a claim is open ahead of it */
}

/* It goes its way: what Wallet says of it is known. */
static void test_what_is_on_its_way_back_is_known(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 2);
    const struct redemption *redemption = credit(set, 1);
    reverse(set, redemption->id);
    const struct paid_place place = {.id = redemption->id,
                                     .campaign_number = 1,
                                     .user_id = redemption->user_id,
                                     .phone = redemption->phone,
                                     .transaction_id = redemption->transaction_id,
                                     .amount_minor = 1000,
                                     .paid_at_us = NOW,
                                     .is_reversed = true};
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_KNOWN);
    assert_true(redemption->status == REDEMPTION_REVERSING && campaign->reversing == 1);
}

static void test_no_position_is_left(void **state) {
    struct campaign_set *set = *state;
    struct campaign *campaign = make_campaign(set, "GIFT", 1);
    fund_all(set);
    campaign->redeemed = campaign->reversed = campaign->returned = campaign->settled_position = LIMIT_CAMPAIGN_PLACES;
    campaign->first_redeemed_at_us = campaign->last_redeemed_at_us = NOW;
    assert_null(campaign_fault(campaign));
    const struct paid_place place = {.id = make_id(3, 70),
                                     .campaign_number = 1,
                                     .user_id = make_id(2, 1),
                                     .phone = make_phone(1),
                                     .transaction_id = make_id(9, 1),
                                     .amount_minor = 1000,
                                     .paid_at_us = NOW,
                                     .is_reversed = true};
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_NO_PLACE);
    campaign->redeemed = campaign->reversed = campaign->returned = campaign->settled_position = LIMIT_CAMPAIGN_PLACES - 1;
    assert_int_equal(campaign_rebuild(set, &place, NOW), REBUILD_REVERSED); /* the last one */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_each_step_writes_its_rows),
        TEST(test_a_refusal_writes_its_rows),
        TEST(test_an_order_is_reversed_at_once),
        TEST(test_what_is_given_back_counts_no_more),
        TEST(test_a_code_may_be_used_once_more),
        TEST(test_the_set_forgets_them_with_the_batch),
        TEST(test_the_set_refuses_what_it_can_not_keep),
        TEST(test_who_is_reversed_stands_in_nobodys_way),
        TEST(test_what_was_reversed_in_wallet_says_why_and_when),
        TEST(test_what_is_on_its_way_back_is_known),
        TEST(test_no_position_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
