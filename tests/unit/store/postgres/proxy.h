/* Between the driver and its server: a process that passes everything on, and plays one trick on the next COMMIT that comes by. */
#pragma once

#include "cluster.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum trick {
    PASS,
    CUT_BEFORE, /* the trip that holds the COMMIT never arrives */
    CUT_AFTER,  /* it arrives, and its answer does not */
    HOLD,       /* the client is cut off; the trip arrives later, when it is let go */
    HELD,
    LET_GO,
};

#define PROXY_PAIRS_MAX 16

struct proxy {
    char folder[80], socket[104];
    char url[192];
    pid_t process;
    _Atomic int *trick; /* shared with the process */
};

struct proxy_pair {
    int client, server;
};

static inline int proxy_socket(const char *path, bool listens) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    int done =
        listens ? bind(file, (struct sockaddr *)&address, sizeof address) : connect(file, (struct sockaddr *)&address, sizeof address);
    if (done == 0 && (!listens || listen(file, PROXY_PAIRS_MAX) == 0)) return file;
    close(file);
    return -1;
}

static inline void proxy_close(struct proxy_pair *pair) {
    if (pair->client >= 0) close(pair->client);
    if (pair->server >= 0) close(pair->server);
    *pair = (struct proxy_pair){-1, -1};
}

static inline void proxy_send(int file, const char *data, ssize_t size) {
    for (ssize_t done = 0, more; done < size; done += more) {
        more = send(file, data + done, (size_t)(size - done), MSG_NOSIGNAL);
        if (more <= 0) return;
    }
}

static inline void proxy_hold(_Atomic int *trick, struct proxy_pair *pair, char *data, ssize_t size) {
    const struct timespec pause = {.tv_nsec = 1000000};
    close(pair->client);
    pair->client = -1;
    atomic_store(trick, HELD);
    int listener_is_busy = fork(); /* the held trip waits in a process of its own, while others go on */
    if (listener_is_busy != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (atomic_load(trick) != LET_GO) nanosleep(&pause, NULL);
    proxy_send(pair->server, data, size);
    shutdown(pair->server, SHUT_WR);
    while (recv(pair->server, data, 65536, 0) > 0) {
    }
    atomic_store(trick, PASS);
    _exit(0);
}

static inline void proxy_pass_to_server(_Atomic int *trick, struct proxy_pair *pair) {
    char data[65536];
    ssize_t size = recv(pair->client, data, sizeof data, 0);
    int what = atomic_load(trick);
    bool is_commit = size > 0 && memmem(data, (size_t)size, "COMMIT", 6) != NULL;
    if (size <= 0) {
        proxy_close(pair);
    } else if (!is_commit || what == PASS || what == HELD || what == LET_GO) {
        proxy_send(pair->server, data, size);
    } else if (what == HOLD) {
        proxy_hold(trick, pair, data, size);
        proxy_close(pair);
    } else {
        atomic_store(trick, PASS);
        if (what == CUT_AFTER) {
            proxy_send(pair->server, data, size);
            (void)!recv(pair->server, data, sizeof data, 0); /* it has been made when this comes */
        }
        proxy_close(pair);
    }
}

static inline void proxy_pass_to_client(struct proxy_pair *pair) {
    char data[65536];
    ssize_t size = recv(pair->server, data, sizeof data, 0);
    if (size <= 0) {
        proxy_close(pair);
    } else {
        proxy_send(pair->client, data, size);
    }
}

static inline void proxy_accept(int listener, const char *to, struct proxy_pair *pairs) {
    struct proxy_pair pair = {.client = accept(listener, NULL, NULL), .server = proxy_socket(to, false)};
    for (int i = 0; i < PROXY_PAIRS_MAX && pair.server >= 0; i++) {
        if (pairs[i].client >= 0) continue;
        pairs[i] = pair;
        return;
    }
    proxy_close(&pair);
}

static inline void proxy_serve(int listener, const char *to, _Atomic int *trick) {
    struct proxy_pair pairs[PROXY_PAIRS_MAX];
    for (int i = 0; i < PROXY_PAIRS_MAX; i++) pairs[i] = (struct proxy_pair){-1, -1};
    for (;;) {
        struct pollfd files[1 + 2 * PROXY_PAIRS_MAX] = {{.fd = listener, .events = POLLIN}};
        for (int i = 0; i < PROXY_PAIRS_MAX; i++) {
            files[1 + 2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
            files[2 + 2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
        }
        if (poll(files, 1 + 2 * PROXY_PAIRS_MAX, -1) < 0) continue;
        for (int i = 0; i < PROXY_PAIRS_MAX; i++) {
            if (files[1 + 2 * i].revents != 0 && pairs[i].client >= 0) proxy_pass_to_server(trick, &pairs[i]);
            if (files[2 + 2 * i].revents != 0 && pairs[i].server >= 0) proxy_pass_to_client(&pairs[i]);
        }
        if (files[0].revents != 0) proxy_accept(listener, to, pairs);
    }
}

static inline void proxy_start(struct proxy *proxy, const struct cluster *cluster) {
    snprintf(proxy->folder, sizeof proxy->folder, "%s/proxy", cluster->folder);
    snprintf(proxy->url, sizeof proxy->url, "postgresql:///postgres?host=%s&user=hamyan", proxy->folder);
    assert_int_equal(mkdir(proxy->folder, 0700), 0);
    proxy->trick = mmap(NULL, sizeof *proxy->trick, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(proxy->trick, MAP_FAILED);
    snprintf(proxy->socket, sizeof proxy->socket, "%s/.s.PGSQL.5432", proxy->folder);
    int listener = proxy_socket(proxy->socket, true);
    assert_true(listener >= 0);
    proxy->process = fork();
    if (proxy->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGCHLD, SIG_IGN);
        proxy_serve(listener, cluster->socket, proxy->trick);
    }
    close(listener);
}

static inline void proxy_end(struct proxy *proxy) {
    kill(proxy->process, SIGKILL);
    assert_int_equal(waitpid(proxy->process, NULL, 0), proxy->process);
    munmap(proxy->trick, sizeof *proxy->trick);
}
