/* From an empty folder to a clean end: what init makes, what serve asks for, and how a signal becomes a drain. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "service/service.h"

#define FOLDER_BYTES        4096u
#define STAGING_DESCRIPTORS 8

static atomic_bool is_fenced; /* of the process: it has one store */

static void stop_signals(sigset_t *ret_set) {
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
}

void service_block_signals(void) {
    sigset_t blocked;
    stop_signals(&blocked);
    sigaddset(&blocked, SIGHUP);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void service_wait_for_stop(void (*hung_up)(void *context), void *context) {
    sigset_t awaited;
    stop_signals(&awaited);
    sigaddset(&awaited, SIGHUP);
    int number = SIGHUP;
    while (number == SIGHUP) {
        if (sigwait(&awaited, &number) == 0 && number == SIGHUP) hung_up(context);
    }
    const char *cause = atomic_load(&is_fenced) ? "fenced" : number == SIGTERM ? "SIGTERM" : "SIGINT";
    LOG(LOG_INFO, "stopping", LOG_STRING("signal", cause));
}

void service_wait_for(int descriptor, int64_t most_ms) {
    sigset_t awaited;
    stop_signals(&awaited);
    int signals = signalfd(-1, &awaited, SFD_CLOEXEC); /* tells of one, and leaves it to service_wait_for_stop */
    struct pollfd polled[] = {{.fd = descriptor, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    while (poll(polled, ARRAY_COUNT(polled), (int)most_ms) < 0 && errno == EINTR) continue;
    if (signals >= 0) close(signals);
}

void service_fenced(void *context) {
    (void)context;
    atomic_store(&is_fenced, true);
    CHECK(kill(getpid(), SIGTERM) == 0); /* blocked in all threads, awaited by the main one */
}

int service_end(struct result outcome) {
    if (atomic_load(&is_fenced)) {
        LOG(LOG_ERROR, "stopped", LOG_STRING("reason", "another process has taken over the database: this one wrote nothing after that"));
        return 1;
    }
    bool is_clean = result_is_ok(outcome);
    LOG(is_clean ? LOG_INFO : LOG_ERROR, "stopped", LOG_STRING("reason", is_clean ? "drained" : result_name(outcome)));
    return is_clean ? 0 : 1;
}

static struct result refuse(FILE *errors, const char *path, const char *reason, enum result_code code) {
    fprintf(errors, "%s %s\n", path, reason);
    return result_error(code);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)kind;
    return at->level == 0 ? 0 : remove(path); /* the folder itself stays: it is what is locked */
}

/* What an init that was killed has left is made anew; one that is still at work holds the lock. Returns the locked folder's descriptor, or -1. */
static int lock_staging(const char *staging, FILE *errors, struct result *ret_outcome) {
    int folder = open(staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *ret_outcome = result_ok();
    if (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) != 0) {
        *ret_outcome = refuse(errors, staging, "is being made by another init", RESULT_CONFLICT);
    } else if (folder < 0 || nftw(staging, remove_entry, STAGING_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(errors, "%s cannot be made anew: %s\n", staging, strerror(errno));
        *ret_outcome = result_error(RESULT_IO);
    }
    if (result_is_ok(*ret_outcome)) return folder;
    if (folder >= 0) close(folder);
    return -1;
}

static struct result make_staging(const char *directory, const char *staging, FILE *errors, int *ret_folder) {
    struct stat status;
    struct result outcome;
    if (lstat(directory, &status) == 0) {
        return refuse(errors, directory, "exists already: init makes a new folder and touches no other", RESULT_CONFLICT);
    }
    if (mkdir(staging, 0700) != 0 && errno != EEXIST) {
        fprintf(errors, "%s cannot be made: %s\n", staging, strerror(errno));
        return result_error(RESULT_IO);
    }
    *ret_folder = lock_staging(staging, errors, &outcome);
    return outcome;
}

static struct result give_name(const char *staging, const char *directory, FILE *errors) {
    if (renameat2(AT_FDCWD, staging, AT_FDCWD, directory, RENAME_NOREPLACE) == 0) return result_ok();
    fprintf(errors, "%s cannot be renamed to %s: %s\n", staging, directory, strerror(errno));
    return result_error(errno == EEXIST ? RESULT_CONFLICT : RESULT_IO);
}

struct result service_create_folder(const char *directory, struct result (*fill)(const char *folder, void *context), void *context,
                                    FILE *errors) {
    char staging[FOLDER_BYTES];
    size_t size = strlen(directory);
    int folder = -1;
    while (size > 1 && directory[size - 1] == '/') size--;
    int printed = snprintf(staging, sizeof staging, "%.*s.new", (int)size, directory);
    if (printed < 0 || (size_t)printed >= sizeof staging) return refuse(errors, directory, "is too long a path", RESULT_INVALID);
    TRY(make_staging(directory, staging, errors, &folder));
    struct result outcome = fill(staging, context);
    if (result_is_ok(outcome)) outcome = give_name(staging, directory, errors);
    close(folder);
    return outcome;
}

struct result service_check_folder(const char *directory, FILE *errors) {
    struct stat status;
    if (stat(directory, &status) == 0 && S_ISDIR(status.st_mode)) return result_ok();
    fprintf(errors, "%s is not an initialised data folder: run init --data %s first\n", directory, directory);
    return result_error(RESULT_NOT_FOUND);
}
