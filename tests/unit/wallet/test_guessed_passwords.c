#include "wallet/guessed_passwords.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_without_regard_to_case_width_and_script(void **state) {
    (void)state;
    static const char *const common[] = {"password1",
                                         "PASSWORD1",
                                         "12345678",
                                         "qwertyuiop",
                                         "\xef\xbd\x90"
                                         "assword1",
                                         "\xdb\xb1"
                                         "2345678",
                                         "pass\xe2\x80\x8bword1"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) assert_true(password_is_common(text_of(common[i])));
}

static void test_nothing_else(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "password1 ",
                                       "correct horse battery",
                                       "12345678x9",
                                       "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
                                       "\xff\xfe"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_false(password_is_common(text_of(good[i])));
}

/* The first and the last of a search by halves. */
static void test_the_ends_of_the_list(void **state) {
    (void)state;
    extern const char *const guessed_passwords[];
    extern const size_t guessed_passwords_count;
    assert_true(guessed_passwords_count > 10000);
    assert_true(password_is_common(text_of(guessed_passwords[0])));
    assert_true(password_is_common(text_of(guessed_passwords[guessed_passwords_count - 1])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_regard_to_case_width_and_script),
        cmocka_unit_test(test_nothing_else),
        cmocka_unit_test(test_the_ends_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
