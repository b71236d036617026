#include "assertions.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* Runs a false check in a child and gives back what it wrote. */
static size_t fail_in_child(char *written, size_t capacity, int *ret_status) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        const char *name = "x";
        CHECK(strcmp(name, "a\\b") == 0);
        _exit(0);
    }
    close(ends[1]);
    size_t size = 0;
    for (ssize_t got; size < capacity && (got = read(ends[0], written + size, capacity - size)) > 0;) size += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(child, ret_status, 0), child);
    return size;
}

static void a_false_check_tells_its_place_and_aborts(void **state) {
    (void)state;
    char written[2048] = {0};
    int status = 0;
    size_t size = fail_in_child(written, sizeof written - 1, &status);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(written, "\"event\":\"check_failed\""));
    assert_non_null(strstr(written, "\"expression\":\"strcmp(name, \\\"a\\\\\\\\b\\\") == 0\""));
    assert_non_null(strstr(written, "test_check.c\""));
    assert_int_equal(written[size - 1], '\n');
    assert_ptr_equal(strchr(written, '\n'), written + size - 1); /* one line */
}

static void a_true_check_is_silent_and_evaluates_once(void **state) {
    (void)state;
    int evaluations = 0;
    CHECK(++evaluations == 1);
    assert_int_equal(evaluations, 1);
}

struct holder {
    int before;
    int member;
};

static void a_member_leads_to_its_struct(void **state) {
    (void)state;
    struct holder holder;
    assert_ptr_equal(CONTAINER_OF(&holder.member, struct holder, member), &holder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_false_check_tells_its_place_and_aborts),
        cmocka_unit_test(a_true_check_is_silent_and_evaluates_once),
        cmocka_unit_test(a_member_leads_to_its_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
