/* From an empty folder to a clean end: what init makes, what serve asks for, and how a signal becomes a drain. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/log.h"
#include "service/service.h"

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
    LOG(LOG_INFO, "stopping", LOG_STRING("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
}

struct result service_create_folder(const char *directory, FILE *errors) {
    if (mkdir(directory, 0700) == 0) return result_ok();
    if (errno == EEXIST) {
        fprintf(errors, "%s exists already: init makes a new folder and touches no other\n", directory);
        return result_error(RESULT_CONFLICT);
    }
    fprintf(errors, "%s cannot be made: %s\n", directory, strerror(errno));
    return result_error(RESULT_IO);
}

struct result service_check_folder(const char *directory, FILE *errors) {
    struct stat status;
    if (stat(directory, &status) == 0 && S_ISDIR(status.st_mode)) return result_ok();
    fprintf(errors, "%s is not an initialised data folder: run init --data %s first\n", directory, directory);
    return result_error(RESULT_NOT_FOUND);
}
