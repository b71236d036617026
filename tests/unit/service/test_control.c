#include "service/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../base/folder.h"

/* Longer than the address of a socket may be. */
static char folder[256], path[300], home[FOLDER_BYTES];
static char reply[CONTROL_MESSAGE_BYTES];
static int calls;

static int begin(void **state) {
    (void)state;
    folder_create(home, "control-test");
    snprintf(folder, sizeof folder, "%s/%0150d", home, 0);
    snprintf(path, sizeof path, "%s/control", folder);
    calls = 0;
    return mkdir(folder, 0700);
}

static int end(void **state) {
    (void)state;
    return folder_remove(home) ? 0 : -1;
}

/* Says what it was told, twice; nothing when that was nothing. */
static void echo(void *self, struct text request, struct buffer *buffer) {
    assert_ptr_equal(self, &calls);
    calls++;
    buffer_append(buffer, request);
    buffer_append(buffer, request);
}

static enum result_code ask(struct text request, struct text *ret_reply) { return control_ask(folder, request, reply, ret_reply).code; }

static void test_a_message_there_and_one_back(void **state) {
    (void)state;
    struct text answer;
    struct stat status;
    assert_int_equal(ask(TEXT("a"), &answer), RESULT_NOT_FOUND);
    struct control *control = control_start(folder, echo, &calls);
    assert_non_null(control);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(ask(TEXT("{\"act\":1}"), &answer), RESULT_OK);
        assert_true(text_equal(answer, TEXT("{\"act\":1}{\"act\":1}")));
        assert_int_equal(calls, i);
    }
    control_stop(control);
    assert_int_not_equal(stat(path, &status), 0);
    assert_int_equal(ask(TEXT("a"), &answer), RESULT_NOT_FOUND);
}

static void test_what_is_too_long_is_not_answered(void **state) {
    (void)state;
    static char much[CONTROL_MESSAGE_BYTES + 1];
    struct text answer;
    struct control *control = control_start(folder, echo, &calls);
    assert_int_equal(ask((struct text){much, sizeof much}, &answer), RESULT_IO);
    assert_int_equal(ask((struct text){much, 0}, &answer), RESULT_IO);
    assert_int_equal(calls, 0);
    assert_int_equal(ask((struct text){much, sizeof much / 2}, &answer), RESULT_OK);
    assert_int_equal(answer.size, sizeof much - 1);
    control_stop(control);
}

static void test_what_a_killed_process_left_is_taken_over(void **state) {
    (void)state;
    struct text answer;
    FILE *left = fopen(path, "w");
    assert_non_null(left);
    fclose(left);
    assert_int_equal(ask(TEXT("a"), &answer), RESULT_NOT_FOUND);
    struct control *control = control_start(folder, echo, &calls);
    assert_int_equal(ask(TEXT("a"), &answer), RESULT_OK);
    control_stop(control);
}

static void test_without_a_folder_there_is_none(void **state) {
    (void)state;
    struct text answer;
    assert_int_equal(rmdir(folder), 0);
    assert_null(control_start(folder, echo, &calls));
    assert_int_equal(ask(TEXT("a"), &answer), RESULT_NOT_FOUND);
    control_stop(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_message_there_and_one_back, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_too_long_is_not_answered, begin, end),
        cmocka_unit_test_setup_teardown(test_what_a_killed_process_left_is_taken_over, begin, end),
        cmocka_unit_test_setup_teardown(test_without_a_folder_there_is_none, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
