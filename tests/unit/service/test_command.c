#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"

static const char *ran;
static const char *ran_name;
static int64_t ran_number;
static int64_t number;

static int run_serve(const char **positional, size_t count) {
    (void)positional;
    assert_int_equal(count, 0);
    ran = "serve";
    ran_number = number;
    return 0;
}

static int run_user_add(const char **positional, size_t count) {
    assert_int_equal(count, 1);
    ran = "user add";
    ran_name = positional[0];
    return 7;
}

static const struct param params[] = {{.name = "number",
                                       .kind = PARAM_INTEGER,
                                       .target = &number,
                                       .default_text = "5",
                                       .min = 1,
                                       .max = 9,
                                       .unit = "things",
                                       .sentence = "How many."}};
static const struct command commands[] = {
    {"serve", "answer requests", params, ARRAY_COUNT(params), 0, NULL, run_serve, false},
    {"user add", "add a user", params, ARRAY_COUNT(params), 1, "NAME", run_user_add, false},
};

#define CALL(...) call((char *[]){"toyd", __VA_ARGS__, NULL})

static int call(char **argv) {
    int argc = 0;
    while (argv[argc] != NULL) argc++;
    ran = NULL;
    return command_main("toyd", "a toy", commands, ARRAY_COUNT(commands), NULL, 0, argc, argv);
}

static void test_commands_are_found_by_their_words(void **state) {
    (void)state;
    assert_int_equal(CALL("serve"), 0);
    assert_string_equal(ran, "serve");
    assert_int_equal(ran_number, 5);
    assert_int_equal(CALL("serve", "--number", "8"), 0);
    assert_int_equal(ran_number, 8);
    assert_int_equal(CALL("user", "add", "sara"), 7);
    assert_string_equal(ran, "user add");
    assert_string_equal(ran_name, "sara");
}

static void test_bad_calls_run_nothing(void **state) {
    (void)state;
    assert_int_equal(CALL("fly"), 2);
    assert_null(ran);
    assert_int_equal(CALL("user"), 2);
    assert_null(ran);
    assert_int_equal(CALL("user", "remove", "sara"), 2);
    assert_null(ran);
    assert_int_equal(CALL("user", "add"), 2);
    assert_null(ran);
    assert_int_equal(CALL("serve", "extra"), 2);
    assert_null(ran);
    assert_int_equal(CALL("serve", "--number", "10"), 2);
    assert_null(ran);
    assert_int_equal(CALL("serve", "--secret", "x"), 2);
    assert_null(ran);
}

static void test_help_runs_nothing(void **state) {
    (void)state;
    assert_int_equal(CALL("serve", "--help"), 0);
    assert_null(ran);
    assert_int_equal(CALL("--help"), 0);
    assert_null(ran);
    assert_int_equal(CALL("--version"), 0);
    assert_null(ran);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_are_found_by_their_words),
        cmocka_unit_test(test_bad_calls_run_nothing),
        cmocka_unit_test(test_help_runs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
