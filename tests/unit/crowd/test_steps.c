#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "crowd/crowd.h"

#define FIRST_ID  "019a9c00-0000-7000-8000-000000000001"
#define SECOND_ID "019a9c00-0000-7000-8000-000000000002"

static struct user user_with_phone(size_t index) {
    struct user user = {.index = index, .phone = {.e164 = "+989123456789", .size = 13}};
    return user;
}

static void test_each_way_of_typing_is_the_same_phone(void **state) {
    (void)state;
    char typed[3][TYPED_PHONE_BYTES];
    for (size_t i = 0; i < 3; i++) {
        struct user user = user_with_phone(i);
        struct phone phone;
        user_type_phone(&user, typed[i]);
        assert_true(result_is_ok(phone_parse(text_of(typed[i]), "IR", &phone)));
        assert_true(phone_equal(&phone, &user.phone));
    }
    assert_string_equal(typed[0], "+989123456789");
    assert_string_equal(typed[1], "0912 345 6789");
    assert_string_equal(typed[2], "\u06F0\u06F9\u06F1\u06F2\u06F3\u06F4\u06F5\u06F6\u06F7\u06F8\u06F9");
}

static enum step answer(struct user *user, const char *reply) {
    user->call.reply = text_of(reply);
    return user_take_redemption(user);
}

static void test_a_redemption_is_taken(void **state) {
    (void)state;
    struct user user = user_with_phone(0);
    assert_int_equal(answer(&user, "{\"id\":\"" FIRST_ID "\",\"position\":7,\"status\":\"claimed\"}"), STEP_DONE);
    assert_string_equal(user.redemption_id, FIRST_ID);
    assert_int_equal(user.position, 7);
    assert_int_equal(user.state, USER_CLAIMED);
    assert_int_equal(answer(&user, "{\"id\":\"" FIRST_ID "\",\"position\":7,\"status\":\"credited\"}"), STEP_DONE);
    assert_int_equal(user.state, USER_CREDITED);
}

static void test_what_is_taken_off_an_order_is_told_with_the_place(void **state) {
    (void)state;
    struct user user = user_with_phone(0);
    assert_int_equal(answer(&user, "{\"id\":\"" FIRST_ID
                                   "\",\"position\":7,\"status\":\"applied\",\"discount\":{\"amount\":12,\"final_amount\":88}}"),
                     STEP_DONE);
    assert_int_equal(user.state, USER_APPLIED);
    assert_int_equal(user.discount, 12);
    assert_int_equal(user.final_amount, 88);
    user = user_with_phone(0);
    assert_int_equal(answer(&user, "{\"id\":\"" FIRST_ID "\",\"position\":7,\"status\":\"applied\"}"), STEP_DONE);
    assert_int_equal(user.discount, -1);
    assert_int_equal(user.final_amount, -1);
}

static void test_what_is_no_redemption_is_not_taken(void **state) {
    (void)state;
    static const char *const replies[] = {
        "",
        "not JSON",
        "[]",
        "{}",
        "{\"id\":\"short\",\"position\":7,\"status\":\"credited\"}",
        "{\"id\":\"" FIRST_ID "\",\"position\":0,\"status\":\"credited\"}",
        "{\"id\":\"" FIRST_ID "\",\"position\":\"7\",\"status\":\"credited\"}",
        "{\"id\":\"" FIRST_ID "\",\"position\":7,\"status\":\"failed\"}",
        "{\"id\":\"" FIRST_ID "\",\"position\":7}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(replies); i++) {
        struct user user = user_with_phone(0);
        assert_int_equal(answer(&user, replies[i]), STEP_FAILED);
        assert_int_equal(user.redemption_id[0], '\0');
        assert_int_equal(user.state, USER_WAITING);
    }
}

static void test_an_answer_that_says_something_else_than_before_is_not_taken(void **state) {
    (void)state;
    struct user user = user_with_phone(0);
    assert_int_equal(answer(&user, "{\"id\":\"" FIRST_ID "\",\"position\":7,\"status\":\"claimed\"}"), STEP_DONE);
    assert_int_equal(answer(&user, "{\"id\":\"" SECOND_ID "\",\"position\":7,\"status\":\"credited\"}"), STEP_FAILED);
    assert_int_equal(answer(&user, "{\"id\":\"" FIRST_ID "\",\"position\":8,\"status\":\"credited\"}"), STEP_FAILED);
    assert_string_equal(user.redemption_id, FIRST_ID);
    assert_int_equal(user.position, 7);
    assert_int_equal(user.state, USER_CLAIMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_way_of_typing_is_the_same_phone),
        cmocka_unit_test(test_a_redemption_is_taken),
        cmocka_unit_test(test_what_is_taken_off_an_order_is_told_with_the_place),
        cmocka_unit_test(test_what_is_no_redemption_is_not_taken),
        cmocka_unit_test(test_an_answer_that_says_something_else_than_before_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
