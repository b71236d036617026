#include "sim/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#define WORLDS_MAX    128u /* of one process: some of what a crash leaves in its heap stays there */

int __wrap_planted_fault;

/* One process and its worlds. We hand it a job, it runs the world, fills the outcome in and says so; or it dies, and the pipe that it would have said
 * it by comes to its end. Jobs are handed one by one: no process is left with many while the others have none, and who hunts a fault has it soon. */
struct slot {
    pid_t pid;       /* 0: free */
    struct job job;  /* that it runs now */
    bool is_running; /* it does */
    uint32_t world_count;
    int orders_fd, ended_fd;
    struct outcome *outcome; /* shared with it */
    int text_fd;             /* what the world that runs writes on standard error */
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
    outcome->hash = world_hash();
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

static void live_through(const struct slot *slot, const struct job *job) {
    __wrap_planted_fault = job->planted;
    empty_text(slot->text_fd);
    run_world(job->seed, &job->limits);
    fill_outcome(slot->outcome);
    if (!world.has_failed || job->limits.prints_events) return;
    world_print_events(STDERR_FILENO);
    read_text(slot->text_fd, slot->outcome);
}

static bool take_order(int orders_fd, struct job *ret_job) { return read(orders_fd, ret_job, sizeof *ret_job) == (ssize_t)sizeof *ret_job; }

/* World after world, until one fails or we are gone. */
static void live(const struct slot *slot, int orders_fd, int ended_fd) {
    struct job job;
    bool is_first = true;
    current_outcome = slot->outcome;
    catch_signals();
    while (!world.has_failed && take_order(orders_fd, &job)) {
        if (is_first && !job.limits.prints_events) {
            be_silent();
            CHECK(dup2(slot->text_fd, STDERR_FILENO) >= 0);
        }
        is_first = false;
        live_through(slot, &job);
        fflush(stdout);
        if (write(ended_fd, "", 1) != 1) break;
    }
    _exit(0);
}

/* ---- in the parent ---- */

static void prepare_slot(struct slot *slot) {
    if (slot->outcome != NULL) return;
    slot->outcome = mmap(NULL, sizeof *slot->outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slot->text_fd = memfd_create("sim", MFD_CLOEXEC);
    CHECK(slot->outcome != MAP_FAILED && slot->text_fd >= 0);
}

/* A child has no end of the others' pipes, so that those come to their ends with their owners. */
static void close_those_of_others(void) {
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (slots[i].pid == 0) continue;
        close(slots[i].orders_fd);
        close(slots[i].ended_fd);
    }
}

static void start(struct slot *slot) {
    int orders[2], ended[2];
    prepare_slot(slot);
    CHECK(pipe2(orders, O_CLOEXEC) == 0 && pipe2(ended, O_CLOEXEC) == 0);
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close_those_of_others();
        close(orders[1]);
        close(ended[0]);
        live(slot, orders[0], ended[1]);
    }
    close(orders[0]);
    close(ended[1]);
    slot->pid = pid;
    slot->world_count = 0;
    slot->orders_fd = orders[1];
    slot->ended_fd = ended[0];
}

static void hand(struct slot *slot, const struct job *job) {
    if (slot->pid == 0) start(slot);
    memset(slot->outcome, 0, sizeof *slot->outcome);
    slot->outcome->kind = OUTCOME_DIED; /* until it says otherwise */
    slot->outcome->seed = job->seed;
    slot->job = *job;
    slot->is_running = true;
    slot->world_count++;
    CHECK(write(slot->orders_fd, job, sizeof *job) == (ssize_t)sizeof *job);
}

/* How it ended. */
static int end(struct slot *slot) {
    int status = 0;
    close(slot->orders_fd);
    close(slot->ended_fd);
    while (waitpid(slot->pid, &status, 0) < 0) CHECK(errno == EINTR);
    slot->pid = 0;
    return status;
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

/* Waits for the world that runs there. A process is left when its world has failed, and when it had as many as it may have. */
static void await(struct slot *slot) {
    char word;
    ssize_t size;
    while ((size = read(slot->ended_fd, &word, 1)) < 0) CHECK(errno == EINTR);
    slot->is_running = false;
    if (size == 0) {
        fill_death(slot, slot->outcome, end(slot));
    } else if (slot->outcome->kind != OUTCOME_SOUND || slot->world_count == WORLDS_MAX) {
        (void)end(slot);
    }
}

void child_run(const struct job *job, struct outcome *ret_outcome) {
    struct slot *slot = &slots[CHILDREN_MAX - 1];
    hand(slot, job);
    await(slot);
    if (slot->pid != 0) (void)end(slot);
    *ret_outcome = *slot->outcome;
}

/* A world that failed behind others in one process must fail by itself, or the simulator is what is wrong. */
static void confirm(const struct slot *slot) {
    static struct outcome alone;
    child_run(&slot->job, &alone);
    if (alone.kind != OUTCOME_SOUND) {
        *slot->outcome = alone;
        return;
    }
    snprintf(slot->outcome->failure, sizeof slot->outcome->failure,
             "a world is its own: it failed after another one in the same process, and alone it does not");
}

static struct slot *await_one(size_t count) {
    struct pollfd polled[CHILDREN_MAX];
    for (size_t i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = slots[i].is_running ? slots[i].ended_fd : -1, .events = POLLIN};
    while (poll(polled, count, -1) < 0) CHECK(errno == EINTR);
    for (size_t i = 0; i < count; i++) {
        if (polled[i].revents == 0) continue;
        await(&slots[i]);
        return &slots[i];
    }
    CHECK(false && "poll has found nothing");
    return NULL;
}

void children_run(const struct children *children) {
    CHECK(children->count >= 1 && children->count < CHILDREN_MAX);
    bool goes_on = true;
    for (;;) {
        size_t running = 0;
        for (size_t i = 0; i < children->count; i++) {
            struct job job;
            if (!slots[i].is_running && goes_on) {
                goes_on = children->next(children->context, &job);
                if (goes_on) hand(&slots[i], &job);
            }
            running += slots[i].is_running;
        }
        if (running == 0) break;
        struct slot *slot = await_one(children->count);
        if (slot->outcome->kind != OUTCOME_SOUND && slot->world_count > 1) confirm(slot);
        if (!children->done(children->context, &slot->job, slot->outcome)) goes_on = false;
    }
    for (size_t i = 0; i < children->count; i++) {
        if (slots[i].pid != 0) (void)end(&slots[i]);
    }
}
