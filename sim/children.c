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
#define WORLDS_MAX    64u /* of one process: what a crash leaves in its heap stays there */

int __wrap_planted_fault;

/* What a child says, in memory that it shares with us. */
struct report {
    uint32_t ended_count;
    struct outcome outcomes[WORLDS_MAX];
};

struct slot {
    pid_t pid; /* 0: free */
    struct job jobs[WORLDS_MAX];
    uint32_t job_count;
    struct report *report;
    int text_fd; /* what the world that runs writes on standard error */
};

static struct slot slots[CHILDREN_MAX];
static struct outcome *current_outcome; /* in a child: of the world that runs */
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

static void empty_text(int fd) { CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0); }

static void read_text(int fd, struct outcome *outcome) {
    ssize_t size = pread(fd, outcome->text, sizeof outcome->text - 1, 0);
    outcome->text[size > 0 ? size : 0] = '\0';
}

static void live_through(const struct slot *slot, const struct job *job, struct outcome *outcome) {
    current_outcome = outcome;
    __wrap_planted_fault = job->planted;
    run_world(job->seed, &job->limits);
    fill_outcome(outcome);
    if (!world.has_failed || job->limits.prints_events) return;
    world_print_events(STDERR_FILENO);
    read_text(slot->text_fd, outcome);
}

/* World after world, until one fails. */
static void live(const struct slot *slot) {
    struct report *report = slot->report;
    if (!slot->jobs[0].limits.prints_events) {
        be_silent();
        CHECK(dup2(slot->text_fd, STDERR_FILENO) >= 0);
    }
    current_outcome = &report->outcomes[0];
    catch_signals();
    for (uint32_t i = 0; i < slot->job_count && !world.has_failed; i++) {
        empty_text(slot->text_fd);
        live_through(slot, &slot->jobs[i], &report->outcomes[i]);
        report->ended_count = i + 1;
    }
    fflush(stdout);
    _exit(0);
}

/* ---- in the parent ---- */

static void prepare_slot(struct slot *slot) {
    if (slot->report != NULL) return;
    slot->report = mmap(NULL, sizeof *slot->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slot->text_fd = memfd_create("sim", MFD_CLOEXEC);
    CHECK(slot->report != MAP_FAILED && slot->text_fd >= 0);
}

static void start(struct slot *slot) {
    prepare_slot(slot);
    memset(slot->report, 0, sizeof *slot->report);
    for (uint32_t i = 0; i < slot->job_count; i++) {
        slot->report->outcomes[i].kind = OUTCOME_DIED; /* until it says otherwise */
        slot->report->outcomes[i].seed = slot->jobs[i].seed;
    }
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

/* The world in which the child died. */
static void fill_death(const struct slot *slot, struct outcome *outcome, int status) {
    read_text(slot->text_fd, outcome);
    outcome->kind = OUTCOME_DIED;
    if (!WIFSIGNALED(status)) {
        snprintf(outcome->failure, sizeof outcome->failure, "the world ended with code %d", WEXITSTATUS(status));
    } else if (WTERMSIG(status) == SIGPROF) {
        outcome->kind = OUTCOME_HUNG;
        snprintf(outcome->failure, sizeof outcome->failure, "a step comes to its end: one took more than %d s of CPU time", WATCH_S);
    } else {
        name_assertion(outcome, WTERMSIG(status));
    }
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
        slot->pid = 0;
        struct report *report = slot->report;
        bool has_died = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
        if (has_died && report->ended_count < slot->job_count) fill_death(slot, &report->outcomes[report->ended_count++], status);
        return slot;
    }
    CHECK(false && "a child that is not ours");
    return NULL;
}

void child_run(const struct job *job, struct outcome *ret_outcome) {
    struct slot *slot = &slots[CHILDREN_MAX - 1];
    slot->jobs[0] = *job;
    slot->job_count = 1;
    start(slot);
    int status = 0;
    pid_t pid;
    do {
        pid = waitpid(slot->pid, &status, 0);
    } while (pid < 0 && errno == EINTR);
    CHECK(pid == slot->pid);
    slot->pid = 0;
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) fill_death(slot, &slot->report->outcomes[0], status);
    *ret_outcome = slot->report->outcomes[0];
}

/* A world that failed behind others in one process must fail by itself, or the simulator is what is wrong. */
static void confirm(const struct job *job, struct outcome *outcome) {
    static struct outcome alone;
    child_run(job, &alone);
    if (alone.kind == OUTCOME_SOUND) {
        snprintf(outcome->failure, sizeof outcome->failure,
                 "a world is its own: it failed after another one in the same process, and alone it does not");
        return;
    }
    *outcome = alone;
}

/* Takes the outcomes, and keeps the jobs that have none. Whether to go on. */
static bool take_outcomes(const struct children *children, struct slot *slot) {
    struct report *report = slot->report;
    bool goes_on = true;
    for (uint32_t i = 0; i < report->ended_count && goes_on; i++) {
        if (report->outcomes[i].kind != OUTCOME_SOUND && i > 0) confirm(&slot->jobs[i], &report->outcomes[i]);
        goes_on = children->done(children->context, &slot->jobs[i], &report->outcomes[i]);
    }
    slot->job_count -= report->ended_count;
    memmove(slot->jobs, slot->jobs + report->ended_count, slot->job_count * sizeof *slot->jobs);
    if (!goes_on) slot->job_count = 0;
    return goes_on;
}

/* Few at first: who looks for a failure often finds it soon. */
static uint32_t batch_size(uint64_t started_count, size_t child_count) {
    uint64_t size = started_count / (2 * child_count) + 1;
    return size < WORLDS_MAX ? (uint32_t)size : WORLDS_MAX;
}

void children_run(const struct children *children) {
    CHECK(children->count >= 1 && children->count < CHILDREN_MAX);
    bool goes_on = true;
    size_t running = 0;
    uint64_t started_count = 0;
    for (;;) {
        for (size_t i = 0; i < children->count; i++) {
            struct slot *slot = &slots[i];
            if (slot->pid != 0) continue;
            uint32_t wanted = slot->job_count > 0 ? slot->job_count : batch_size(started_count, children->count);
            while (goes_on && slot->job_count < wanted) {
                goes_on = children->next(children->context, &slot->jobs[slot->job_count]);
                slot->job_count += goes_on;
                started_count += goes_on;
            }
            if (slot->job_count == 0) continue;
            start(slot);
            running++;
        }
        if (running == 0) return;
        struct slot *slot = await_one();
        running--;
        if (!take_outcomes(children, slot)) goes_on = false;
    }
}
