#include "sim/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "sim/run.h"

#define CHILDREN_MAX  16u
#define WATCH_S       5 /* of CPU time: a step takes microseconds */
#define HANDLER_BYTES 65536

extern int planted_fault;
int planted_fault;

struct slot {
    pid_t pid; /* 0: free */
    struct job job;
    struct outcome *outcome; /* shared with the child */
    int text_fd;
};

static struct slot slots[CHILDREN_MAX];
static struct outcome *current_outcome; /* in a child: its own */
static char handler_stack[HANDLER_BYTES];

/* ---- in the child ---- */

/* The services' own assertions end here, and what the sanitizers find. Only what a handler may do. */
static void die(int number) {
    current_outcome->step = world.step;
    current_outcome->event_count = world.event_count;
    current_outcome->world_us = world.now_us;
    static const char line[] = "the last events:\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    world_print_events(STDERR_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

/* A world's length is bounded in steps (sim/world.h); this finds the step that does not end. However slow the machine is: only CPU time counts, and
 * any step that ended since the last look starts it anew. */
static void watch(int number) {
    static uint64_t step = UINT64_MAX;
    static int64_t now_us;
    if (world.step == step && world.now_us == now_us) die(number);
    step = world.step;
    now_us = world.now_us;
}

static void catch_signals(void) {
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    CHECK(sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_handler = die, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) CHECK(sigaction(numbers[i], &action, NULL) == 0);
    struct sigaction looking = {.sa_handler = watch, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct itimerval interval = {.it_interval = {.tv_sec = WATCH_S}, .it_value = {.tv_sec = WATCH_S}};
    CHECK(sigaction(SIGPROF, &looking, NULL) == 0 && setitimer(ITIMER_PROF, &interval, NULL) == 0);
}

/* What the services' tools say on standard output is for people who call them. */
static void be_silent(void) {
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0);
    close(nowhere);
}

static void fill_outcome(struct outcome *outcome) {
    outcome->step = world.step;
    outcome->event_count = world.event_count;
    outcome->world_us = world.now_us;
    outcome->hash = world.hash;
    memcpy(outcome->fault_counts, world.fault_counts, sizeof outcome->fault_counts);
    memcpy(outcome->failure, world.failure, sizeof outcome->failure);
    for (size_t i = 0; i < ARRAY_COUNT(outcome->reached) && reached[i].name != NULL; i++) {
        snprintf(outcome->reached[i].name, sizeof outcome->reached[i].name, "%s", reached[i].name);
        outcome->reached[i].count = reached[i].count;
    }
    outcome->kind = world.has_failed ? OUTCOME_FAILED : OUTCOME_SOUND;
}

static void live(const struct slot *slot) {
    current_outcome = slot->outcome;
    if (!slot->job.limits.prints_events) be_silent();
    if (!slot->job.limits.prints_events) CHECK(dup2(slot->text_fd, STDERR_FILENO) >= 0);
    catch_signals();
    planted_fault = slot->job.planted;
    run_world(slot->job.seed, &slot->job.limits);
    fill_outcome(slot->outcome);
    if (world.has_failed && !slot->job.limits.prints_events) world_print_events(STDERR_FILENO);
    fflush(stdout);
    _exit(0);
}

/* ---- in the parent ---- */

static void start(struct slot *slot, const struct job *job) {
    if (slot->outcome == NULL) {
        slot->outcome = mmap(NULL, sizeof *slot->outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        slot->text_fd = memfd_create("sim", MFD_CLOEXEC);
        CHECK(slot->outcome != MAP_FAILED && slot->text_fd >= 0);
    }
    CHECK(ftruncate(slot->text_fd, 0) == 0 && lseek(slot->text_fd, 0, SEEK_SET) == 0);
    memset(slot->outcome, 0, sizeof *slot->outcome);
    slot->outcome->kind = OUTCOME_DIED; /* until it says otherwise */
    slot->outcome->seed = job->seed;
    slot->job = *job;
    fflush(stdout);
    slot->pid = fork();
    CHECK(slot->pid >= 0);
    if (slot->pid == 0) live(slot);
}

/* check_failed (base/check.h) has said which one. */
static void name_assertion(struct outcome *outcome, int number) {
    static const char before[] = "\"expression\":\"", after[] = "\",\"file\"";
    const char *start = strstr(outcome->text, before), *end = start == NULL ? NULL : strstr(start, after);
    if (end == NULL) {
        snprintf(outcome->failure, sizeof outcome->failure, "the services' assertions hold: %s", strsignal(number));
        return;
    }
    start += sizeof before - 1;
    snprintf(outcome->failure, sizeof outcome->failure, "the services' assertions hold: %.*s", (int)(end - start), start);
}

static struct slot *await_one(void) {
    int status = 0;
    pid_t pid;
    do {
        pid = wait(&status);
    } while (pid < 0 && errno == EINTR);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct slot *slot = &slots[i];
        if (pid <= 0 || slot->pid != pid) continue;
        struct outcome *outcome = slot->outcome;
        slot->pid = 0;
        ssize_t size = pread(slot->text_fd, outcome->text, sizeof outcome->text - 1, 0);
        outcome->text[size > 0 ? size : 0] = '\0';
        if (WIFSIGNALED(status)) {
            int number = WTERMSIG(status);
            outcome->kind = number == SIGPROF ? OUTCOME_HUNG : OUTCOME_DIED;
            if (number == SIGPROF) {
                snprintf(outcome->failure, sizeof outcome->failure, "a step comes to its end: one took more than %d s of CPU time",
                         WATCH_S);
            } else {
                name_assertion(outcome, number);
            }
        } else if (WEXITSTATUS(status) != 0) {
            snprintf(outcome->failure, sizeof outcome->failure, "the world ended with code %d", WEXITSTATUS(status));
            outcome->kind = OUTCOME_DIED;
        }
        return slot;
    }
    CHECK(false && "a child that is not ours");
    return NULL;
}

void child_run(const struct job *job, struct outcome *ret_outcome) {
    start(&slots[CHILDREN_MAX - 1], job);
    *ret_outcome = *await_one()->outcome;
}

void children_run(const struct children *children) {
    CHECK(children->count >= 1 && children->count < CHILDREN_MAX);
    bool goes_on = true;
    size_t running = 0;
    for (;;) {
        for (size_t i = 0; i < children->count && goes_on; i++) {
            struct job job = {0};
            if (slots[i].pid != 0) continue;
            goes_on = children->next(children->context, &job);
            if (!goes_on) break;
            start(&slots[i], &job);
            running++;
        }
        if (running == 0) return;
        struct slot *slot = await_one();
        running--;
        if (!children->done(children->context, &slot->job, slot->outcome)) goes_on = false;
    }
}
