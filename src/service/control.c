#include "service/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/queue.h"

#define NAME         "control"
#define BACKLOG      8
#define CALL_WAIT_S  5
#define REPLY_WAIT_S 30
#define ARENA_BYTES  (64u * 1024)

struct control {
    int folder, listener;
    struct waker stop;
    pthread_t thread;
    control_handler *handle;
    void *self;
};

/* A path of a data folder may be longer than an address may be: it is named by its descriptor. */
static struct sockaddr_un address_in(int folder) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int printed = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NAME, folder);
    CHECK(printed > 0 && (size_t)printed < sizeof address.sun_path);
    return address;
}

static int open_folder(const char *folder) { return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC); }

static void wait_at_most(int socket, int seconds) {
    const struct timeval wait = {.tv_sec = seconds};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

/* ---- the service's end ---- */

static bool is_owner(int call) {
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof peer;
    bool is_known = getsockopt(call, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (is_known && (peer.uid == geteuid() || peer.uid == 0)) return true;
    LOG(LOG_WARN, "control_refused", LOG_INTEGER("uid", peer.uid));
    return false;
}

static void answer(const struct control *control, int call) {
    char request[CONTROL_MESSAGE_BYTES];
    wait_at_most(call, CALL_WAIT_S);
    ssize_t size = recv(call, request, sizeof request, MSG_TRUNC);
    if (size <= 0 || (size_t)size > sizeof request) return;
    struct arena arena;
    struct buffer reply;
    arena_init(&arena, ARENA_BYTES);
    buffer_init(&reply, &arena, CONTROL_MESSAGE_BYTES);
    control->handle(control->self, (struct text){request, (size_t)size}, &reply);
    if (!reply.failed && send(call, reply.data, reply.size, MSG_NOSIGNAL) < 0)
        LOG(LOG_WARN, "control_not_answered", LOG_STRING("reason", strerror(errno)));
    crypto_wipe(request, sizeof request);
    arena_release(&arena);
}

static void *serve(void *context) {
    const struct control *control = context;
    for (;;) {
        struct pollfd polled[] = {{.fd = control->stop.fd, .events = POLLIN}, {.fd = control->listener, .events = POLLIN}};
        if (poll(polled, ARRAY_COUNT(polled), -1) < 0 && errno != EINTR) break;
        if (polled[0].revents != 0) break;
        int call = polled[1].revents == 0 ? -1 : accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
        if (call < 0) continue;
        if (is_owner(call)) answer(control, call);
        close(call);
    }
    return NULL;
}

static struct result listen_in(struct control *control) {
    const struct sockaddr_un address = address_in(control->folder);
    control->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listener < 0) return result_error(RESULT_FULL);
    unlinkat(control->folder, NAME, 0);
    bool listens = fchmod(control->listener, 0600) == 0 && /* what bind makes gets its mode from it */
                   bind(control->listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
                   listen(control->listener, BACKLOG) == 0;
    return listens ? result_ok() : result_error(RESULT_IO);
}

static struct result begin(struct control *control, const char *folder) {
    control->folder = open_folder(folder);
    if (control->folder < 0) return result_error(RESULT_IO);
    TRY(waker_init(&control->stop));
    TRY(listen_in(control));
    if (pthread_create(&control->thread, NULL, serve, control) != 0) return result_error(RESULT_FULL);
    pthread_setname_np(control->thread, NAME);
    return result_ok();
}

static void release(struct control *control) {
    if (control->listener >= 0) {
        close(control->listener);
        unlinkat(control->folder, NAME, 0);
    }
    if (control->stop.fd >= 0) waker_close(&control->stop);
    if (control->folder >= 0) close(control->folder);
    free(control);
}

struct control *control_start(const char *folder, control_handler *handle, void *self) {
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) return NULL;
    *control = (struct control){.folder = -1, .listener = -1, .stop = {.fd = -1}, .handle = handle, .self = self};
    if (result_is_ok(begin(control, folder))) return control;
    LOG(LOG_WARN, "control_unavailable", LOG_STRING("folder", folder), LOG_STRING("reason", strerror(errno)),
        LOG_STRING("left_out", "commands that need the running service"));
    release(control);
    return NULL;
}

void control_stop(struct control *control) {
    if (control == NULL) return;
    waker_wake(&control->stop);
    pthread_join(control->thread, NULL);
    release(control);
}

/* ---- the command's end ---- */

static struct result ask(int call, const struct sockaddr_un *address, struct text request, char *buffer, struct text *ret_reply) {
    if (connect(call, (const struct sockaddr *)address, sizeof *address) != 0) {
        bool is_there = errno != ENOENT && errno != ECONNREFUSED && errno != ENOTSOCK;
        return result_error(is_there ? RESULT_IO : RESULT_NOT_FOUND);
    }
    wait_at_most(call, REPLY_WAIT_S);
    if (send(call, request.data, request.size, MSG_NOSIGNAL) < 0) return result_error(RESULT_IO);
    ssize_t size = recv(call, buffer, CONTROL_MESSAGE_BYTES, 0);
    if (size <= 0) return result_error(RESULT_IO);
    *ret_reply = (struct text){buffer, (size_t)size};
    return result_ok();
}

struct result control_ask(const char *folder, struct text request, char buffer[CONTROL_MESSAGE_BYTES], struct text *ret_reply) {
    int directory = open_folder(folder);
    if (directory < 0) return result_error(RESULT_NOT_FOUND);
    const struct sockaddr_un address = address_in(directory);
    int call = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct result outcome = call < 0 ? result_error(RESULT_IO) : ask(call, &address, request, buffer, ret_reply);
    if (call >= 0) close(call);
    close(directory);
    return outcome;
}
