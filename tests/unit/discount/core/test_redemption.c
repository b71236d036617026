/* What must be true of a redemption by itself. */
#include "discount/core/redemption.h"

#include "base/money.h"

#include "set.h"

static struct redemption claimed(void) {
    return (struct redemption){.id = make_id(3, 1),
                               .campaign_number = 1,
                               .position = 1,
                               .user_id = make_id(2, 1),
                               .phone = make_phone(1),
                               .status = REDEMPTION_CLAIMED,
                               .claimed_at_us = NOW};
}

static struct redemption applied(void) {
    struct redemption redemption = claimed();
    redemption.status = REDEMPTION_APPLIED;
    redemption.settled_at_us = NOW;
    redemption.order.reference_size = 1;
    redemption.order.amount_minor = 10;
    redemption.discount_minor = 4;
    return redemption;
}

static void test_each_status_has_its_name(void **state) {
    (void)state;
    for (enum redemption_status status = REDEMPTION_CLAIMED; status <= REDEMPTION_APPLIED; status++) {
        enum redemption_status read;
        assert_int_equal(redemption_status_named(text_of(redemption_status_name(status)), &read).code, RESULT_OK);
        assert_int_equal(read, status);
    }
    enum redemption_status none;
    assert_int_equal(redemption_status_named(TEXT("unknown"), &none).code, RESULT_NOT_FOUND);
}

static void test_what_may_be(void **state) {
    (void)state;
    struct redemption good[] = {claimed(), applied(), claimed(), applied(), applied(), applied()};
    good[2].code_batch = 1;
    good[2].code_index = 1;
    good[3].discount_minor = 0;
    good[4].discount_minor = good[4].order.amount_minor;
    good[5].order.amount_minor = MONEY_AMOUNT_MAX;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (redemption_fault(&good[i]) != NULL) fail_msg("%zu: %s", i, redemption_fault(&good[i]));
    }
}

static void test_what_can_not_be(void **state) {
    (void)state;
    struct redemption bad[18];
    for (size_t i = 0; i < 10; i++) bad[i] = claimed();
    for (size_t i = 10; i < 18; i++) bad[i] = applied();
    bad[0].id = (struct id){{0}};
    bad[1].campaign_number = 0;
    bad[2].position = 0;
    bad[3].phone.size = 0;
    bad[4].user_id = (struct id){{0}};
    bad[5].code_batch = 1; /* which code of it? */
    bad[6].code_index = 1; /* of which batch? */
    bad[7].code_batch = 1, bad[7].code_index = -1;
    bad[8].claimed_as = bad[8].id;
    bad[9].discount_minor = 1, bad[9].order = bad[10].order; /* taken off, and not applied */
    bad[10].order.reference_size = 0;
    bad[11].order.amount_minor = 0, bad[11].discount_minor = 0;
    bad[12].order.amount_minor = -1, bad[12].discount_minor = -1;
    bad[13].order.amount_minor = MONEY_AMOUNT_MAX + 1;
    bad[14].discount_minor = -1;
    bad[15].discount_minor = 11;
    bad[16].settled_at_us++; /* later */
    bad[17].order = (struct order){0}, bad[17].discount_minor = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (redemption_fault(&bad[i]) == NULL) fail_msg("taken: %zu", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_status_has_its_name),
        cmocka_unit_test(test_what_may_be),
        cmocka_unit_test(test_what_can_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
