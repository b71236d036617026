/* A PostgreSQL cluster of a test program's own, which tests/harness/cluster.py keeps: a process that obeys until we end. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cluster {
    char folder[64], socket[96]; /* the server's, in the folder */
    char url[128];
    pid_t keeper;
    int keeper_fd;
};

static inline void cluster_hear(const struct cluster *cluster, char *line, size_t capacity) {
    size_t size = 0;
    do {
        assert_true(size + 1 < capacity);
        assert_int_equal(read(cluster->keeper_fd, &line[size], 1), 1); /* it ends when something fails, and has said what */
    } while (line[size++] != '\n');
    line[size] = '\0';
}

static inline void cluster_order(const struct cluster *cluster, const char *order, const char *text) {
    char line[1024];
    int size = snprintf(line, sizeof line, "%s %s\n", order, text);
    assert_true(size > 0 && (size_t)size < sizeof line);
    assert_int_equal(write(cluster->keeper_fd, line, (size_t)size), size);
    cluster_hear(cluster, line, sizeof line);
    assert_string_equal(line, "done\n");
}

static inline void cluster_sql(const struct cluster *cluster, const char *statement) { cluster_order(cluster, "sql", statement); }
/* As when its machine fails; and there again. */
static inline void cluster_kill(const struct cluster *cluster) { cluster_order(cluster, "kill", ""); }
static inline void cluster_start(const struct cluster *cluster) { cluster_order(cluster, "start", ""); }

static inline void cluster_make(struct cluster *cluster) {
    const char *program = getenv("HAMYAN_CLUSTER"); /* meson test sets it */
    char line[256];
    int ends[2], port;
    assert_non_null(program);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    cluster->keeper = fork();
    assert_true(cluster->keeper >= 0);
    if (cluster->keeper == 0) {
        if (dup2(ends[1], STDIN_FILENO) < 0 || dup2(ends[1], STDOUT_FILENO) < 0) _exit(126);
        execl(program, program, "--obey", NULL);
        _exit(127);
    }
    close(ends[1]);
    cluster->keeper_fd = ends[0];
    cluster_hear(cluster, line, sizeof line);
    assert_int_equal(sscanf(line, "%63s %d", cluster->folder, &port), 2);
    snprintf(cluster->socket, sizeof cluster->socket, "%s/.s.PGSQL.%d", cluster->folder, port);
    snprintf(cluster->url, sizeof cluster->url, "postgresql:///postgres?host=%s&port=%d&user=hamyan", cluster->folder, port);
}

static inline void cluster_remove(struct cluster *cluster) {
    int status = -1;
    close(cluster->keeper_fd); /* it has no more orders */
    assert_int_equal(waitpid(cluster->keeper, &status, 0), cluster->keeper);
    assert_int_equal(status, 0);
}
