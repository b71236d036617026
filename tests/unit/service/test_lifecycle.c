#include "service/service.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../base/folder.h"

static char home[FOLDER_BYTES];
static char directory[256], staging[256], said[512];
static int filled;

static int begin(void **state) {
    (void)state;
    folder_create(home, "lifecycle-test");
    snprintf(directory, sizeof directory, "%s/data", home);
    snprintf(staging, sizeof staging, "%s/data.new", home);
    filled = 0;
    return 0;
}

static int end(void **state) {
    (void)state;
    return folder_remove(home) ? 0 : -1;
}

static bool exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

static struct result fill_well(const char *folder, void *context) {
    assert_string_equal(folder, staging);
    assert_ptr_equal(context, &filled);
    assert_false(exists(directory)); /* nobody sees it half made */
    filled++;
    return result_ok();
}

static enum result_code create(const char *path, struct result (*fill)(const char *, void *)) {
    memset(said, 0, sizeof said);
    FILE *errors = fmemopen(said, sizeof said - 1, "w");
    assert_non_null(errors);
    struct result created = service_create_folder(path, fill, &filled, errors);
    fclose(errors);
    return created.code;
}

static void test_a_folder_is_made_whole(void **state) {
    (void)state;
    struct stat status;
    assert_int_equal(create(directory, fill_well), RESULT_OK);
    assert_int_equal(filled, 1);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_false(exists(staging));
    assert_int_equal(create(directory, fill_well), RESULT_CONFLICT);
    assert_non_null(strstr(said, "exists already"));
    assert_int_equal(filled, 1);
}

static void test_a_slash_at_the_end_is_the_same_folder(void **state) {
    (void)state;
    char slashed[300];
    snprintf(slashed, sizeof slashed, "%s//", directory);
    assert_int_equal(create(slashed, fill_well), RESULT_OK);
    assert_true(exists(directory));
}

static struct result fill_halfway(const char *folder, void *context) {
    char path[300];
    (void)context;
    snprintf(path, sizeof path, "%s/keys", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/keys/one", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    return result_error(RESULT_IO);
}

static struct result fill_within(const char *folder, void *context) {
    (void)folder;
    (void)context;
    assert_int_equal(create(directory, fill_well), RESULT_CONFLICT);
    assert_non_null(strstr(said, "another init"));
    return result_ok();
}

static void test_what_did_not_end_is_made_anew(void **state) {
    char path[300];
    (void)state;
    assert_int_equal(create(directory, fill_halfway), RESULT_IO);
    assert_false(exists(directory));
    assert_int_equal(create(directory, fill_well), RESULT_OK);
    snprintf(path, sizeof path, "%s/keys", directory);
    assert_false(exists(path));
}

static void test_two_do_not_make_the_same_folder(void **state) {
    (void)state;
    assert_int_equal(create(directory, fill_within), RESULT_OK);
    assert_int_equal(filled, 0);
}

static void test_folders_that_can_not_be_made(void **state) {
    (void)state;
    static char long_path[5000];
    snprintf(staging, sizeof staging, "%s/none/data", home);
    assert_int_equal(create(staging, fill_well), RESULT_IO);
    memset(long_path, 'a', sizeof long_path - 1);
    assert_int_equal(create(long_path, fill_well), RESULT_INVALID);
    assert_int_equal(filled, 0);
}

static int hangups;
static void note_hangup(void *context) {
    (void)context;
    hangups++;
    if (hangups < 3) assert_int_equal(kill(getpid(), SIGHUP), 0);
    if (hangups == 3) assert_int_equal(kill(getpid(), SIGTERM), 0);
}

static void test_a_hangup_ends_nothing(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        service_block_signals();
        assert_int_equal(kill(getpid(), SIGHUP), 0);
        service_wait_for_stop(note_hangup, NULL);
        _exit(hangups);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

/* In a process of its own: the flag is the process's. */
static void test_who_is_fenced_ends_with_a_failure(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        service_block_signals();
        service_fenced(NULL);
        service_wait_for_stop(note_hangup, NULL); /* comes back by itself */
        _exit(service_end(result_ok()));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_folder_is_made_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_a_slash_at_the_end_is_the_same_folder, begin, end),
        cmocka_unit_test_setup_teardown(test_what_did_not_end_is_made_anew, begin, end),
        cmocka_unit_test_setup_teardown(test_two_do_not_make_the_same_folder, begin, end),
        cmocka_unit_test(test_a_hangup_ends_nothing),
        cmocka_unit_test(test_who_is_fenced_ends_with_a_failure),
        cmocka_unit_test_setup_teardown(test_folders_that_can_not_be_made, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
