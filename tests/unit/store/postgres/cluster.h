/* A PostgreSQL cluster of a test program's own by the script `cluster` beside this file; tests/harness/cluster.py is for programs that need not kill it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cluster {
    char folder[64];
    char url[128];
    pid_t server; /* 0: not running */
};

static inline const char *cluster_program(void) {
    const char *program = getenv("HAMYAN_CLUSTER");
    assert_non_null(program); /* meson test sets it */
    return program;
}

static inline pid_t cluster_spawn(const struct cluster *cluster, const char *command, const char *more) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    char log[96];
    snprintf(log, sizeof log, "%s/log", cluster->folder);
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (dup2(file, STDOUT_FILENO) < 0 || dup2(file, STDERR_FILENO) < 0) _exit(126);
    execl(cluster_program(), "cluster", command, cluster->folder, more, NULL);
    _exit(127);
}

static inline int cluster_command(const struct cluster *cluster, const char *command, const char *more) {
    int status = 0;
    pid_t child = cluster_spawn(cluster, command, more);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static inline void cluster_sql(const struct cluster *cluster, const char *statement) {
    assert_int_equal(cluster_command(cluster, "sql", statement), 0);
}

/* Started, or started again, and there. */
static inline void cluster_start(struct cluster *cluster) {
    const struct timespec pause = {.tv_nsec = 20000000};
    cluster->server = cluster_spawn(cluster, "run", NULL);
    for (int i = 0; cluster_command(cluster, "sql", "SELECT 1") != 0; i++) {
        int status = 0;
        if (waitpid(cluster->server, &status, WNOHANG) == cluster->server)
            cluster->server = cluster_spawn(cluster, "run", NULL); /* of a killed one something still ends */
        assert_true(i < 1000);
        nanosleep(&pause, NULL);
    }
}

static inline void cluster_make(struct cluster *cluster) {
    snprintf(cluster->folder, sizeof cluster->folder, "/tmp/hamyan-cluster-XXXXXX");
    assert_non_null(mkdtemp(cluster->folder));
    snprintf(cluster->url, sizeof cluster->url, "postgresql:///postgres?host=%s&user=hamyan", cluster->folder);
    assert_int_equal(cluster_command(cluster, "make", NULL), 0);
    cluster_start(cluster);
}

/* As when its machine fails. */
static inline void cluster_kill(struct cluster *cluster) {
    assert_int_equal(cluster_command(cluster, "kill", NULL), 0);
    assert_int_equal(waitpid(cluster->server, NULL, 0), cluster->server);
    cluster->server = 0;
}

static inline void cluster_remove(struct cluster *cluster) {
    if (cluster->server != 0) cluster_kill(cluster);
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", cluster->folder, NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}
