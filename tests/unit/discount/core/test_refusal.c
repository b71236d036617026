/* The one table: each refusal has a code of its own, a sentence, and a status that fits what is kept. */
#include "discount/core/refusal.h"

#include "set.h"

static void test_each_refusal_is_whole_and_found_by_its_code(void **state) {
    (void)state;
    for (enum refusal refusal = NOT_REFUSED + 1; refusal < REFUSAL_COUNT; refusal++) {
        const struct refusal_rule *rule = refusal_rule(refusal);
        assert_true(rule->code[0] != '\0' && rule->title[0] != '\0' && rule->detail[0] != '\0');
        assert_true(rule->status == 200 ? refusal == REFUSED_ALREADY_REDEEMED : rule->status >= 400 && rule->status < 500);
        assert_int_equal(refusal_named(text_of(rule->code)), refusal);
    }
    assert_int_equal(refusal_named(TEXT("")), NOT_REFUSED);
    assert_int_equal(refusal_named(TEXT("nothing_like_it")), NOT_REFUSED);
}

static void test_what_took_nothing_and_may_change_is_decided_anew(void **state) {
    (void)state;
    static const enum refusal passing[] = {REFUSED_SOLD_OUT, REFUSED_NOT_STARTED,    REFUSED_PAUSED,
                                           REFUSED_ENDED,    REFUSED_CODE_NOT_FOUND, REFUSED_RECOVERING};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        assert_false(refusal_rule(passing[i])->is_kept);
        assert_true(refusal_rule(passing[i])->is_answered_by_loop); /* and so costs the same with a key as without */
    }
    assert_true(refusal_rule(REFUSED_PHONE_MISMATCH)->is_kept);
    assert_false(refusal_rule(REFUSED_CODE_NOT_FOUND)->is_counted); /* of which campaign? */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_refusal_is_whole_and_found_by_its_code),
        cmocka_unit_test(test_what_took_nothing_and_may_change_is_decided_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
