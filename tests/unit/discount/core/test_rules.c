/* What an administrator sets of a campaign: what is left out, what is taken over from a change, what no campaign may have, and what a gift amounts to. */
#include "discount/core/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct campaign_rules one_each = {.kind = GIFT_CREDIT, .max_per_user = 1, .max_per_phone = 1};
static const struct campaign_rules some_share = {
    .kind = GIFT_PERCENT_OFF, .percent = 1250, .discount_max_minor = 500, .max_per_user = 1, .max_per_phone = 1};

static void test_each_kind_of_gift_has_its_name(void **state) {
    (void)state;
    static const char *const names[] = {"wallet_credit", "amount_off", "percent_off"};
    for (enum gift_kind kind = GIFT_CREDIT; kind <= GIFT_PERCENT_OFF; kind++) {
        enum gift_kind read;
        assert_string_equal(gift_kind_name(kind), names[kind - GIFT_CREDIT]);
        assert_int_equal(gift_kind_named(text_of(names[kind - GIFT_CREDIT]), &read).code, RESULT_OK);
        assert_int_equal(read, kind);
    }
    enum gift_kind none;
    assert_int_equal(gift_kind_named(TEXT("percent"), &none).code, RESULT_NOT_FOUND);
}

static void test_what_is_left_out_is_one_credit_each(void **state) {
    (void)state;
    struct campaign_rules nothing = {0}, said = {.kind = GIFT_AMOUNT_OFF, .max_per_user = 2, .max_per_phone = 3};
    rules_complete(&nothing);
    assert_memory_equal(&nothing, &one_each, sizeof nothing);
    const struct campaign_rules before = said;
    rules_complete(&said);
    assert_memory_equal(&said, &before, sizeof said);
}

/* A member that a change may give, and what gives it. */
struct member {
    uint32_t given;
    size_t at;
    const char *name;
};
#define MEMBER(flag, member) \
    { GIVEN_##flag, offsetof(struct campaign_rules, member), #member }
static const struct member members[] = {
    MEMBER(DISCOUNT, percent),
    MEMBER(DISCOUNT, discount_max_minor),
    MEMBER(MIN_ORDER, min_order_minor),
    MEMBER(PER_USER, max_per_user),
    MEMBER(PER_PHONE, max_per_phone),
    MEMBER(PER_DAY, max_per_day),
    MEMBER(BUDGET, budget_minor),
    MEMBER(SCHEDULE, schedule.days),
    MEMBER(SCHEDULE, schedule.from_minute),
    MEMBER(SCHEDULE, schedule.to_minute),
    MEMBER(PUBLIC, is_public),
    MEMBER(ELIGIBILITY, has_list),
    MEMBER(ELIGIBILITY, account_age_min_s),
    MEMBER(APPROVAL, needs_approval),
    MEMBER(WAITING_LIST, waiting_list),
};

/* Each member alone is another one in the change: whoever is given it has it then, and knows that something is new; nobody else has or does. */
static void test_a_change_is_of_what_it_gives_and_nothing_else(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct campaign_rules change = some_share;
        ((uint8_t *)&change)[members[i].at] ^= 1;
        for (uint32_t given = 1; given <= GIVEN_LAST; given <<= 1) {
            struct campaign_rules rules = some_share;
            bool is_its_own = given == members[i].given;
            if (rules_adopt(&rules, &change, given) != is_its_own) fail_msg("%s, given %x", members[i].name, given);
            assert_memory_equal(&rules, is_its_own ? &change : &some_share, sizeof rules);
        }
    }
}

static void test_words_are_taken_over_when_they_are_given_and_differ(void **state) {
    (void)state;
    static const struct rule_words before = {4, "Asia", 2, "{}"}, after = {11, "Asia/Tehran", 7, "{\"a\":1}"};
    struct rule_words words = before;
    assert_false(words_adopt(&words, &after, ~(uint32_t)(GIVEN_SCHEDULE | GIVEN_METADATA)));
    assert_false(words_adopt(&words, &before, GIVEN_SCHEDULE | GIVEN_METADATA));
    assert_memory_equal(&words, &before, sizeof words);
    assert_true(words_adopt(&words, &after, GIVEN_SCHEDULE));
    assert_true(text_equal(words_time_zone(&words), TEXT("Asia/Tehran")) && text_equal(words_metadata(&words), TEXT("{}")));
    assert_false(words_adopt(&words, &after, GIVEN_SCHEDULE));
    assert_true(words_adopt(&words, &after, GIVEN_METADATA));
    assert_true(text_equal(words_time_zone(&words), TEXT("Asia/Tehran")) && text_equal(words_metadata(&words), TEXT("{\"a\":1}")));
}

static void check_faults(const struct campaign_rules *good, size_t good_count, const struct campaign_rules *bad, size_t bad_count) {
    for (size_t i = 0; i < good_count; i++) {
        if (rules_fault(&good[i]) != NULL) fail_msg("good %zu: %s", i, rules_fault(&good[i]));
    }
    for (size_t i = 0; i < bad_count; i++) {
        if (rules_fault(&bad[i]) == NULL) fail_msg("taken: %zu", i);
    }
}

static void test_each_number_has_its_bounds(void **state) {
    (void)state;
    const struct campaign_rules share = some_share;
    struct campaign_rules good[] = {one_each, one_each, one_each, share, share, share, share};
    good[0].max_per_user = good[1].max_per_phone = LIMIT_REDEMPTIONS_EACH;
    good[2].min_order_minor = good[2].budget_minor = MONEY_AMOUNT_MAX;
    good[3].percent = 100 * PERCENT_SCALE;
    good[4].percent = 1;
    good[5].discount_max_minor = MONEY_AMOUNT_MAX;
    good[6].discount_max_minor = 0;
    struct campaign_rules bad[20];
    for (size_t i = 0; i < 11; i++) bad[i] = one_each;
    for (size_t i = 11; i < 20; i++) bad[i] = share;
    bad[0].kind = 0;
    bad[1].percent = 1; /* of no share */
    bad[2].discount_max_minor = 1;
    bad[3].max_per_user = 0;
    bad[4].max_per_user = LIMIT_REDEMPTIONS_EACH + 1;
    bad[5].max_per_phone = 0;
    bad[6].max_per_phone = LIMIT_REDEMPTIONS_EACH + 1;
    bad[7].max_per_day = -1;
    bad[8].account_age_min_s = -1;
    bad[9].min_order_minor = MONEY_AMOUNT_MAX + 1;
    bad[10].budget_minor = MONEY_AMOUNT_MAX + 1;
    bad[11] = one_each, bad[11].kind = GIFT_PERCENT_OFF + 1;
    bad[12].percent = 0; /* of a share */
    bad[13].percent = -1;
    bad[14].percent = 100 * PERCENT_SCALE + 1;
    bad[15].discount_max_minor = -1;
    bad[16].discount_max_minor = MONEY_AMOUNT_MAX + 1;
    bad[17].min_order_minor = -1;
    bad[18].budget_minor = -1;
    bad[19].schedule.to_minute = 1; /* of no day */
    check_faults(good, sizeof good / sizeof good[0], bad, sizeof bad / sizeof bad[0]);
}

static void test_a_schedule_has_days_and_hours_of_a_day(void **state) {
    (void)state;
    static const struct schedule good[] = {{0}, {1, 0, 0}, {EVERY_DAY, MINUTES_PER_DAY - 1, MINUTES_PER_DAY}, {1 << 6, 1, 1}};
    static const struct schedule bad[] = {{EVERY_DAY + 1, 0, 0},      {0, 1, 0}, {0, 0, 1}, {1, -1, 0}, {1, 0, -1}, {1, MINUTES_PER_DAY, 0},
                                          {1, 0, MINUTES_PER_DAY + 1}};
    struct campaign_rules rules = one_each;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        rules.schedule = good[i];
        if (rules_fault(&rules) != NULL) fail_msg("good %zu: %s", i, rules_fault(&rules));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rules.schedule = bad[i];
        if (rules_fault(&rules) == NULL) fail_msg("taken: %zu", i);
    }
}

static void test_a_gift_is_at_most_the_order_and_its_highest_discount(void **state) {
    (void)state;
    const struct money amount = {1000, CURRENCY_IRT};
    const struct campaign_rules off = {.kind = GIFT_AMOUNT_OFF};
    struct campaign_rules share = some_share; /* 12.5 %, 500 at most */
    assert_int_equal(rules_gift_minor(&one_each, amount, 0), 1000);
    assert_int_equal(rules_gift_minor(&one_each, amount, 5), 1000); /* a credit is paid beside the order, not out of it */
    assert_int_equal(rules_gift_minor(&off, amount, 1001), 1000);
    assert_int_equal(rules_gift_minor(&off, amount, 999), 999);
    assert_int_equal(rules_gift_minor(&off, amount, 1), 1);
    assert_int_equal(rules_gift_minor(&share, amount, 7), 0);
    assert_int_equal(rules_gift_minor(&share, amount, 8), 1);
    assert_int_equal(rules_gift_minor(&share, amount, 4007), 500);
    assert_int_equal(rules_gift_minor(&share, amount, 4008), 500);
    share.discount_max_minor = 1;
    assert_int_equal(rules_gift_minor(&share, amount, 4008), 1);
    share.discount_max_minor = 0;
    assert_int_equal(rules_gift_minor(&share, amount, 4008), 501);
    share.percent = 100 * PERCENT_SCALE;
    assert_int_equal(rules_gift_minor(&share, amount, MONEY_AMOUNT_MAX), MONEY_AMOUNT_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_gift_has_its_name),
        cmocka_unit_test(test_what_is_left_out_is_one_credit_each),
        cmocka_unit_test(test_a_change_is_of_what_it_gives_and_nothing_else),
        cmocka_unit_test(test_words_are_taken_over_when_they_are_given_and_differ),
        cmocka_unit_test(test_each_number_has_its_bounds),
        cmocka_unit_test(test_a_schedule_has_days_and_hours_of_a_day),
        cmocka_unit_test(test_a_gift_is_at_most_the_order_and_its_highest_discount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
