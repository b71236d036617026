/* Standard error that nobody reads, or only later. Each story is a process of its own: a writer is started once. */
#include "assertions.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_writer.h"

#define THREADS    4
#define LINES      5000 /* of each thread: many more than the ring and a pipe hold */
#define TEXT_MAX   (4u << 20)
#define PATIENCE_S 60

static char text[TEXT_MAX];

struct child {
    pid_t id;
    int standard_error; /* its reading end */
};

static struct child begin(void (*story)(void)) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct child child = {.id = fork(), .standard_error = ends[0]};
    assert_true(child.id >= 0);
    if (child.id == 0) {
        signal(SIGABRT, SIG_DFL);
        alarm(PATIENCE_S); /* a thread that waits for the pipe ends here */
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        log_init("walletd", LOG_INFO);
        if (!result_is_ok(log_start())) _exit(3);
        story();
        exit(0);
    }
    close(ends[1]);
    return child;
}

static size_t read_all(const struct child *child) {
    size_t size = 0;
    for (ssize_t more; size < TEXT_MAX - 1 && (more = read(child->standard_error, text + size, TEXT_MAX - 1 - size)) > 0;)
        size += (size_t)more;
    close(child->standard_error);
    text[size] = '\0';
    return size;
}

static int status_of(const struct child *child) {
    int status;
    assert_int_equal(waitpid(child->id, &status, 0), child->id);
    return status;
}

static size_t count_of(const char *what) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++) count++;
    return count;
}

static void assert_whole_lines(size_t size) {
    assert_true(size > 0 && text[size - 1] == '\n');
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        assert_memory_equal(line, "{\"time\":\"", 9);
        assert_int_equal(end[-1], '}');
        line = end + 1;
    }
}

static void *say_much(void *context) {
    for (int i = 0; i < LINES; i++) LOG(LOG_INFO, "said", LOG_STRING("by", context), LOG_INTEGER("number", i));
    return NULL;
}

static int gate[2];

/* All threads have said all before anybody has read a byte. */
static void many_say_much(void) {
    pthread_t threads[THREADS];
    char names[THREADS][2] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, say_much, names[i]) != 0) _exit(4);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    if (write(gate[1], "x", 1) != 1) _exit(5);
}

/* Says the next line only when the last one was read, and lives on until the gate says that both were. */
static void says_a_line_at_a_time(void) {
    char read_it;
    LOG(LOG_INFO, "first", LOG_INTEGER("number", 1));
    if (read(gate[0], &read_it, 1) != 1) _exit(6);
    LOG(LOG_INFO, "second", LOG_INTEGER("number", 2));
    if (read(gate[0], &read_it, 1) != 1) _exit(7);
}

static void a_lone_line_comes_while_the_process_lives(void **state) {
    (void)state;
    assert_int_equal(pipe(gate), 0);
    struct child child = begin(says_a_line_at_a_time);
    struct pollfd said = {.fd = child.standard_error, .events = POLLIN};
    for (int line = 0; line < 2; line++) {
        char bytes[4096];
        assert_int_equal(poll(&said, 1, PATIENCE_S * 1000), 1);
        ssize_t size = read(child.standard_error, bytes, sizeof bytes);
        assert_true(size > 0 && bytes[size - 1] == '\n');
        assert_int_equal(write(gate[1], "x", 1), 1);
    }
    close(child.standard_error);
    assert_int_equal(status_of(&child), 0);
}

static void nobody_who_logs_waits_for_a_reader(void **state) {
    (void)state;
    char ready;
    assert_int_equal(pipe(gate), 0);
    struct child child = begin(many_say_much);
    struct pollfd said = {.fd = gate[0], .events = POLLIN};
    assert_int_equal(poll(&said, 1, PATIENCE_S * 1000), 1);
    assert_int_equal(read(gate[0], &ready, 1), 1);
    assert_whole_lines(read_all(&child));
    assert_int_equal(status_of(&child), 0);
    size_t came = count_of("\"event\":\"said\""), lost = 0;
    for (const char *at = text; (at = strstr(at, "\"log_lines_lost\",\"count\":")) != NULL; at++)
        lost += strtoul(strstr(at, "count") + strlen("count\":"), NULL, 10);
    assert_true(lost > 0);
    assert_int_equal(came + lost, THREADS * LINES);
    assert_true(came > 1000);
}

static void end_with_a_full_pipe(void) { say_much("e"); }

static void a_pipe_that_stays_full_does_not_keep_the_process(void **state) {
    (void)state;
    struct child child = begin(end_with_a_full_pipe);
    assert_int_equal(status_of(&child), 0); /* nobody has read anything */
    close(child.standard_error);
}

static void say_and_fail(void) {
    for (int i = 0; i < 100; i++) LOG(LOG_INFO, "before", LOG_INTEGER("number", i));
    CHECK(THREADS == 5);
}

static void a_failed_check_comes_after_what_was_logged(void **state) {
    (void)state;
    struct child child = begin(say_and_fail);
    (void)read_all(&child);
    assert_true(WIFSIGNALED(status_of(&child)));
    assert_int_equal(count_of("\"event\":\"before\""), 100);
    const char *last = strstr(text, "\"event\":\"check_failed\"");
    assert_non_null(last);
    assert_null(strstr(last, "\"event\":\"before\""));
}

static void fail_with_a_full_pipe(void) {
    say_much("f");
    CHECK(THREADS == 5);
}

static void a_failed_check_aborts_though_nobody_reads(void **state) {
    (void)state;
    struct child child = begin(fail_with_a_full_pipe);
    int status = status_of(&child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    close(child.standard_error);
}

static void in_order(void) {
    for (int i = 0; i < 500; i++) LOG(LOG_INFO, "counted", LOG_INTEGER("number", i));
}

static void lines_keep_their_order_and_all_come_at_the_end(void **state) {
    (void)state;
    struct child child = begin(in_order);
    (void)read_all(&child);
    assert_int_equal(status_of(&child), 0);
    const char *at = text;
    for (int i = 0; i < 500; i++) {
        char number[32];
        snprintf(number, sizeof number, "\"number\":%d}", i);
        at = strstr(at, number);
        assert_non_null(at);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_line_comes_while_the_process_lives),
        cmocka_unit_test(nobody_who_logs_waits_for_a_reader),
        cmocka_unit_test(a_pipe_that_stays_full_does_not_keep_the_process),
        cmocka_unit_test(a_failed_check_comes_after_what_was_logged),
        cmocka_unit_test(a_failed_check_aborts_though_nobody_reads),
        cmocka_unit_test(lines_keep_their_order_and_all_come_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
