#include "../../base/fake_log.h"

#include "base/check.h"
#include "discount/settle/instance.h"

#define OURS    "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"
#define ANOTHER "019aab20-4c00-7a31-9f00-5b1e2c3d4e02"
#define ZERO    "00000000-0000-0000-0000-000000000000"

static struct id id_of(const char *text) {
    struct id id;
    assert_true(result_is_ok(id_parse(text_of(text), &id)));
    return id;
}

static void test_the_first_that_answers_well_is_ours(void **state) {
    (void)state;
    struct instance instance = {0};
    assert_true(instance_may_answer(&instance, text_of(ANOTHER), 401)); /* it says nothing that could be believed */
    assert_true(instance_may_answer(&instance, text_of(""), 201));      /* from before Wallets had names */
    assert_false(instance_may_answer(&instance, text_of("nonsense"), 200));
    assert_false(instance_may_answer(&instance, text_of(ZERO), 200));
    assert_true(id_is_zero(instance.ours) && !instance.must_keep);
    assert_true(instance_may_answer(&instance, text_of(OURS), 200));
    assert_true(id_equal(instance.ours, id_of(OURS)));
    assert_true(instance.must_keep);
}

static void test_what_may_be_believed_once_one_is_ours(void **state) {
    (void)state;
    static const struct {
        const char *header;
        int status;
        bool is_believed, is_another;
    } rows[] = {
        {OURS, 200, true, false},        {OURS, 404, true, false},        {OURS, 503, true, false},  {ANOTHER, 200, false, true},
        {ANOTHER, 409, false, true},     {ANOTHER, 503, false, true},     {"", 200, false, false},   {"", 204, false, false},
        {"", 199, true, false},          {"", 300, true, false},          {"", 502, true, false},    {"", 413, true, false},
        {"nonsense", 200, false, false}, {"nonsense", 404, false, false}, {ZERO, 200, false, false}, {ZERO, 500, false, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct instance instance = {.ours = id_of(OURS)};
        assert_int_equal(instance_may_answer(&instance, text_of(rows[i].header), rows[i].status), rows[i].is_believed);
        assert_int_equal(instance_is_another(&instance), rows[i].is_another);
        assert_true(id_equal(instance.ours, id_of(OURS)));
        assert_false(instance.must_keep);
    }
}

static void test_another_one_stays_until_ours_is_back_or_the_operator_trusts_it(void **state) {
    (void)state;
    struct instance instance = {.ours = id_of(OURS)};
    assert_false(instance_may_answer(&instance, text_of(ANOTHER), 200));
    assert_int_equal(atomic_load(&instance_metric_another.value), 1);
    expect_logged(LOG_ERROR, "wallet_is_another");
    assert_false(instance_may_answer(&instance, text_of(ANOTHER), 200));
    expect_nothing_logged();                                       /* once */
    assert_true(instance_may_answer(&instance, text_of(""), 502)); /* says nothing about who is behind */
    assert_true(instance_is_another(&instance));
    assert_true(instance_may_answer(&instance, text_of(OURS), 200));
    assert_false(instance_is_another(&instance));
    assert_int_equal(atomic_load(&instance_metric_another.value), 0);
    expect_logged(LOG_INFO, "wallet_is_ours_again");
    assert_false(instance_may_answer(&instance, text_of(ANOTHER), 200));
    instance_trust(&instance, id_of(ANOTHER));
    assert_false(instance_is_another(&instance));
    assert_true(instance.must_keep);
    assert_true(instance_may_answer(&instance, text_of(ANOTHER), 200));
    assert_false(instance_may_answer(&instance, text_of(OURS), 200));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_that_answers_well_is_ours),
        cmocka_unit_test(test_what_may_be_believed_once_one_is_ours),
        cmocka_unit_test(test_another_one_stays_until_ours_is_back_or_the_operator_trusts_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
