/* The working set: what comes into it, and what is found there. */
#include "discount/core/set.h"

#include <stdio.h>

#include "../../base/memory_ends.h"
#include "set.h"

/* A campaign as it comes from the disk: sound, and the next one by number. */
static struct campaign stored_campaign(struct campaign_set *set, const char *code) {
    struct campaign campaign = *make_campaign(set, code, 3);
    campaign_set_clear(set);
    campaign.is_new = campaign.is_changed = false;
    return campaign;
}

static void test_a_campaign_comes_in_by_its_number_and_once(void **state) {
    struct campaign_set *set = *state;
    struct campaign first = stored_campaign(set, "ONE"), second = stored_campaign(set, "TWO");
    second.id = make_id(1, 2);
    assert_int_equal(campaign_set_load(set, &first).code, RESULT_OK);
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_CORRUPT); /* it says it is the first as well */
    second.number = 3;
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_CORRUPT);
    second.number = 2;
    struct campaign bad = second;
    bad.id = first.id;
    assert_int_equal(campaign_set_load(set, &bad).code, RESULT_CORRUPT);
    bad = second;
    bad.redeemed = -1;
    assert_int_equal(campaign_set_load(set, &bad).code, RESULT_CORRUPT);
    assert_int_equal(set->campaign_count, 1);
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_OK);
    assert_ptr_equal(campaign_by_code(set, &second.code), campaign_by_number(set, 2));
    assert_ptr_equal(campaign_by_id(set, second.id), campaign_by_number(set, 2));
    assert_ptr_equal(campaign_by_number(set, 1), &set->campaigns[0]);
    assert_null(campaign_by_number(set, 0));
    assert_null(campaign_by_number(set, 3));
    assert_null(campaign_by_code(set, &(struct code){0}));
}

static void test_a_code_of_one_letter_is_found(void **state) {
    struct campaign_set *set = *state;
    struct campaign short_one = stored_campaign(set, "X");
    assert_int_equal(campaign_set_load(set, &short_one).code, RESULT_OK);
    assert_ptr_equal(campaign_by_code(set, &short_one.code), campaign_by_number(set, 1));
}

static void test_campaigns_leave_and_come_back(void **state) {
    struct campaign_set *set = *state;
    struct campaign first = stored_campaign(set, "ONE"), second = stored_campaign(set, "TWO");
    second.id = make_id(1, 2);
    second.number = 2;
    assert_int_equal(campaign_set_load(set, &first).code, RESULT_OK);
    assert_int_equal(campaign_set_load(set, &second).code, RESULT_OK);
    struct campaign *kept = campaign_by_number(set, 1);
    campaign_note_changed(kept);
    campaign_set_drop(set, kept);
    campaign_set_begin(set); /* of one that has left there is nothing to forget */
    assert_null(campaign_by_number(set, 1));
    assert_null(campaign_by_id(set, first.id));
    assert_null(campaign_by_code(set, &first.code));
    assert_int_equal(set->campaign_count, 2);
    campaign_set_skip(set);
    assert_null(campaign_by_number(set, 3));
    struct campaign *fourth = make_campaign(set, "ONE", 3); /* its code is free */
    assert_int_equal(fourth->number, 4);
    assert_ptr_equal(fourth, kept); /* and so is its place */
    assert_int_equal(campaign_set_bring(set, &first, false).code, RESULT_OK);
    assert_int_equal(campaign_set_bring(set, &first, false).code, RESULT_OK);
    assert_ptr_equal(campaign_by_id(set, first.id), campaign_by_number(set, 1));
    assert_ptr_equal(campaign_by_code(set, &first.code), fourth);
    campaign_set_drop(set, campaign_by_number(set, 1));
    assert_ptr_equal(campaign_by_code(set, &first.code), fourth);
    struct campaign bad = first;
    bad.number = 5;
    assert_int_equal(campaign_set_bring(set, &bad, false).code, RESULT_CORRUPT);
    bad.number = 3;
    bad.id = second.id;
    assert_int_equal(campaign_set_bring(set, &bad, false).code, RESULT_CORRUPT);
    bad.number = 0;
    assert_int_equal(campaign_set_bring(set, &bad, false).code, RESULT_CORRUPT);
    campaign_set_drop(set, fourth);
    assert_int_equal(campaign_set_bring(set, &first, true).code, RESULT_OK);
    assert_ptr_equal(campaign_by_code(set, &first.code), campaign_by_number(set, 1));
    campaign_set_clear(set);
    for (uint32_t number = 1; number <= 4; number++) assert_null(campaign_by_number(set, number));
}

static void test_a_set_has_its_bounds(void **state) {
    struct campaign_set *set = *state;
    struct campaign_set small;
    struct campaign campaign = stored_campaign(set, "ONE"), next = stored_campaign(set, "TWO");
    assert_int_equal(campaign_set_init(&small, 1, 1).code, RESULT_OK);
    assert_int_equal(campaign_set_load(&small, &campaign).code, RESULT_OK);
    next.number = 2;
    next.id = make_id(1, 2);
    assert_int_equal(campaign_set_load(&small, &next).code, RESULT_FULL);
    small.campaigns[0].redeemed = 2;
    small.campaigns[0].first_redeemed_at_us = small.campaigns[0].last_redeemed_at_us = NOW;
    struct redemption one = {.id = make_id(3, 1), .campaign_number = 1, .user_id = make_id(2, 1), .phone = make_phone(1), .position = 1};
    one.status = REDEMPTION_CLAIMED;
    one.claimed_at_us = NOW;
    struct redemption two = one;
    two.id = make_id(3, 2);
    two.user_id = make_id(2, 2);
    two.phone = make_phone(2);
    two.position = 2;
    assert_int_equal(campaign_set_load_redemption(&small, &one).code, RESULT_OK);
    assert_int_equal(campaign_set_load_redemption(&small, &one).code, RESULT_OK); /* it is there: nothing to do */
    assert_int_equal(small.redemption_count, 1);
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_FULL);
    campaign_set_begin(&small);
    assert_int_equal(small.redemption_count, 0);
    assert_null(redemption_by_id(&small, one.id));
    two.position = 3; /* of two */
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_CORRUPT);
    two.position = 2;
    two.campaign_number = 2;
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_CORRUPT);
    two.campaign_number = 1;
    assert_int_equal(campaign_set_load_redemption(&small, &two).code, RESULT_OK);
    assert_ptr_equal(redemption_by_user(&small, 1, two.user_id), redemption_by_id(&small, two.id));
    assert_ptr_equal(redemption_by_phone(&small, 1, &two.phone), redemption_by_id(&small, two.id));
    assert_null(redemption_by_user(&small, 2, two.user_id));
    assert_null(redemption_by_phone(&small, 2, &two.phone));
    campaign_set_clear(&small);
    assert_null(campaign_by_number(&small, 1));
    campaign_set_free(&small);
}

static void test_what_comes_in_changed_is_noted_here(void **state) {
    struct campaign_set *set = *state;
    struct campaign first = stored_campaign(set, "ONE");
    campaign_set_begin(set);
    first.changes = NULL;
    first.is_noted = false;
    campaign_note_changed(&first); /* of no set: it is marked, and there is nobody to tell */
    assert_true(first.is_changed && !first.is_noted);
    first.is_noted = true; /* where it comes from */
    assert_int_equal(campaign_set_load(set, &first).code, RESULT_OK);
    assert_int_equal(set->changes.count, 1);
    assert_int_equal(set->changes.numbers[0], 1);
    assert_true(campaign_by_number(set, 1)->is_noted);
}

static void test_the_next_batch_begins_without_marks(void **state) {
    struct campaign_set *set = *state;
    for (size_t i = 0; i < set->campaign_capacity; i++) {
        const char code[] = {(char)('A' + i), '\0'};
        make_campaign(set, code, 3)->has_new_rules = true;
    }
    campaign_set_begin(set);
    assert_int_equal(set->campaign_count, set->campaign_capacity);
    for (size_t i = 0; i < set->campaign_count; i++) {
        const struct campaign *campaign = &set->campaigns[i];
        assert_false(campaign->is_new || campaign->is_changed || campaign->has_new_rules);
    }
}

static struct result load_tallies(struct campaign_set *set, unsigned number, int64_t count) {
    const struct phone phone = make_phone(number);
    TRY(campaign_set_load_tally_of_user(set, 1, make_id(2, number), count));
    return campaign_set_load_tally_of_phone(set, 1, &phone, count);
}

static void expect_tallies(const struct campaign_set *set, unsigned number, int64_t count) {
    const struct phone phone = make_phone(number);
    assert_int_equal(campaign_set_tally_of_user(set, 1, make_id(2, number)), count);
    assert_int_equal(campaign_set_tally_of_phone(set, 1, &phone), count);
    assert_int_equal(campaign_set_tally_of_user(set, 2, make_id(2, number)), 0);
    assert_int_equal(campaign_set_tally_of_phone(set, 2, &phone), 0);
}

/* What is on disk, said first, and what was added since; until the next batch begins. */
static void test_tallies_count_what_was_there_and_what_comes(void **state) {
    (void)state;
    struct campaign_set small;
    assert_true(result_is_ok(campaign_set_init(&small, 1, 1)));
    for (unsigned turn = 0; turn < 2; turn++) {
        expect_tallies(&small, 1, 0);
        assert_int_equal(load_tallies(&small, 1, 5).code, RESULT_OK);
        assert_int_equal(load_tallies(&small, 1, 9).code, RESULT_OK); /* it is there */
        expect_tallies(&small, 1, 5);
        const struct redemption redemption = {.campaign_number = 1, .user_id = make_id(2, 1), .phone = make_phone(1)};
        campaign_set_count(&small, &redemption);
        expect_tallies(&small, 1, 6);
        assert_int_equal(load_tallies(&small, 2, 5).code, RESULT_FULL); /* two for each redemption that there is room for */
        campaign_set_begin(&small);
    }
    assert_int_equal(campaign_set_load_tally_of_user(&small, 1, make_id(2, 1), 5).code, RESULT_OK);
    campaign_set_begin(&small);
    expect_tallies(&small, 1, 0); /* also one alone */
    campaign_set_free(&small);
}

/* Campaigns as they come from the disk, one after the other, all of one code: who is found by it. */
static void expect_holder(struct campaign_set *set, const struct gate_times *times, size_t count, uint32_t holder) {
    campaign_set_clear(set);
    struct campaign campaign = stored_campaign(set, "GIFT");
    for (uint32_t number = 1; number <= count; number++) {
        campaign.number = number;
        campaign.id = make_id(1, number);
        campaign.ends_at_us = times[number - 1].ends_at_us;
        campaign.ended_at_us = times[number - 1].ended_at_us;
        assert_int_equal(campaign_set_load(set, &campaign).code, RESULT_OK);
    }
    assert_int_equal(campaign_by_code(set, &campaign.code)->number, holder);
}

static void test_a_code_is_of_who_has_not_ended_or_ends_last_or_came_last(void **state) {
    static const struct {
        struct gate_times times[2];
        uint32_t holder;
    } cases[] = {{{{.ended_at_us = NOW}, {0}}, 2},
                 {{{0}, {.ended_at_us = NOW}}, 1},
                 {{{.ended_at_us = NOW + 2}, {.ended_at_us = NOW + 1}}, 2},
                 {{{.ends_at_us = NOW + 5, .ended_at_us = NOW + 2}, {.ends_at_us = NOW + 4, .ended_at_us = NOW + 1}}, 2},
                 {{{.ends_at_us = NOW + 1}, {.ends_at_us = NOW + 2}}, 2},
                 {{{.ends_at_us = NOW + 2}, {.ends_at_us = NOW + 1}}, 1},
                 {{{.ends_at_us = NOW + 1}, {.ends_at_us = NOW + 1}}, 2},
                 {{{.ends_at_us = NOW + 1}, {0}}, 2},
                 {{{0}, {.ends_at_us = NOW + 1}}, 1},
                 {{{0}, {0}}, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect_holder(*state, cases[i].times, 2, cases[i].holder);
}

static void test_a_campaign_is_found_by_its_new_code_alone(void **state) {
    struct campaign_set *set = *state;
    struct campaign *first = make_campaign(set, "ONE", 3);
    const struct code one = make_code("ONE"), two = make_code("TWO"), three = make_code("THREE");
    campaign_set_recode(set, first, &two);
    assert_true(code_equal(&first->code, &two));
    assert_ptr_equal(campaign_by_code(set, &two), first);
    assert_null(campaign_by_code(set, &one));
    assert_int_equal(campaign_end(first, NOW), CAMPAIGN_DONE);
    struct campaign *second = make_campaign(set, "TWO", 3); /* of one that has ended */
    campaign_set_recode(set, first, &three);
    assert_ptr_equal(campaign_by_code(set, &two), second);
    assert_ptr_equal(campaign_by_code(set, &three), first);
    for (unsigned i = 0; i < 100; i++) { /* however often */
        char text[8];
        snprintf(text, sizeof text, "A%u", i);
        const struct code code = make_code(text);
        campaign_set_recode(set, second, &code);
    }
    campaign_set_recode(set, second, &three);
    assert_ptr_equal(campaign_by_code(set, &three), second);
    assert_null(campaign_by_code(set, &two));
}

static void test_without_memory_there_is_no_set(void **state) {
    (void)state;
    struct campaign_set none;
    struct result outcome = result_error(RESULT_FULL);
    size_t objects = 0;
    for (; !result_is_ok(outcome); objects++) {
        objects_left = objects;
        outcome = campaign_set_init(&none, 1, 1);
        if (!result_is_ok(outcome)) assert_int_equal(outcome.code, RESULT_FULL);
    }
    objects_left = SIZE_MAX;
    assert_true(objects > 7); /* two arrays and five maps */
    assert_non_null(none.campaigns);
    assert_non_null(none.redemptions);
    campaign_set_free(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_campaign_comes_in_by_its_number_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_code_of_one_letter_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_campaigns_leave_and_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_set_has_its_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_in_changed_is_noted_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_next_batch_begins_without_marks, set_up, tear_down),
        cmocka_unit_test(test_tallies_count_what_was_there_and_what_comes),
        cmocka_unit_test_setup_teardown(test_a_code_is_of_who_has_not_ended_or_ends_last_or_came_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_campaign_is_found_by_its_new_code_alone, set_up, tear_down),
        cmocka_unit_test(test_without_memory_there_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
