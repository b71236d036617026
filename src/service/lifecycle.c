/* From an empty folder to a clean end: what init makes, what serve asks for, and how a signal becomes a drain. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "service/service.h"

#define FOLDER_BYTES 4096u

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

void service_wait_for_stop(void) {
    sigset_t awaited;
    stop_signals(&awaited);
    int number = 0;
    while (sigwait(&awaited, &number) != 0) continue;
    const char *cause = atomic_load(&is_fenced) ? "fenced" : number == SIGTERM ? "SIGTERM" : "SIGINT";
    LOG(LOG_INFO, "stopping", LOG_STRING("signal", cause));
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

static struct result make_staging(const char *directory, const char *staging, FILE *errors) {
    struct stat status;
    if (lstat(directory, &status) == 0) {
        return refuse(errors, directory, "exists already: init makes a new folder and touches no other", RESULT_CONFLICT);
    }
    if (mkdir(staging, 0700) == 0) return result_ok();
    if (errno == EEXIST) return refuse(errors, staging, "was left by an init that did not end: remove it first", RESULT_CONFLICT);
    fprintf(errors, "%s cannot be made: %s\n", staging, strerror(errno));
    return result_error(RESULT_IO);
}

struct result service_create_folder(const char *directory, struct result (*fill)(const char *folder, void *context), void *context,
                                    FILE *errors) {
    char staging[FOLDER_BYTES];
    size_t size = strlen(directory);
    while (size > 1 && directory[size - 1] == '/') size--;
    int printed = snprintf(staging, sizeof staging, "%.*s.new", (int)size, directory);
    if (printed < 0 || (size_t)printed >= sizeof staging) return refuse(errors, directory, "is too long a path", RESULT_INVALID);
    TRY(make_staging(directory, staging, errors));
    TRY(fill(staging, context));
    if (renameat2(AT_FDCWD, staging, AT_FDCWD, directory, RENAME_NOREPLACE) == 0) return result_ok();
    fprintf(errors, "%s cannot be renamed to %s: %s\n", staging, directory, strerror(errno));
    return result_error(errno == EEXIST ? RESULT_CONFLICT : RESULT_IO);
}

struct result service_check_folder(const char *directory, FILE *errors) {
    struct stat status;
    if (stat(directory, &status) == 0 && S_ISDIR(status.st_mode)) return result_ok();
    fprintf(errors, "%s is not an initialised data folder: run init --data %s first\n", directory, directory);
    return result_error(RESULT_NOT_FOUND);
}
