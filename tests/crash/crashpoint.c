/* A crash at the n-th write, fsync, send or receive, for tests of the real programs: a shared library for LD_PRELOAD.
 *
 *   CRASHPOINT_PREFIX   the folder (absolute, without symbolic links) whose regular files count; so do all sockets, and nothing else does
 *   CRASHPOINT_CONTROL  a file of at least CONTROL_BYTES, made by the test before the start and kept outside the folder
 *
 * The control file is mapped, so the test sees and says everything through it (struct control, native integers). Calls are counted while
 * `armed` is 1: what the start did is left out. The call with the number `kill_at` (from 1; 0 is none) ends the process by SIGKILL:
 *   variant 0   before it takes effect
 *   variant 1   after it took effect, before the program learns of it
 *   variant 2   a send of which only the first half left; any other call as in variant 0
 * `kinds` has one letter for each counted call: 'w' write, pwrite, ftruncate; 'f' fsync, fdatasync; 's' sends; 'r' receives. A process cannot
 * forget to write it, as it is in place before the kill.
 *
 * What the programs write into mapped memory (SQLite's -shm, which holds nothing that a crash must leave behind) is no call and has no point. */
#undef _FILE_OFFSET_BITS /* it would rename pwrite to pwrite64, and both are wanted here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONTROL_BYTES 65536
#define PATH_BYTES    4096

enum variant { VARIANT_BEFORE, VARIANT_AFTER, VARIANT_HALF };

struct control {
    _Atomic uint64_t armed;
    _Atomic uint64_t kill_at;
    _Atomic uint64_t variant;
    _Atomic uint64_t call_count;
    char kinds[CONTROL_BYTES - 4 * sizeof(uint64_t)];
};

/* What is to be done with this call. */
struct point {
    bool dies_before, dies_after, sends_half;
};

static struct control *control;
static const char *prefix;
static size_t prefix_size;

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("CRASHPOINT_CONTROL");
    prefix = getenv("CRASHPOINT_PREFIX");
    if (path == NULL || prefix == NULL) return;
    prefix_size = strlen(prefix);
    while (prefix_size > 1 && prefix[prefix_size - 1] == '/') prefix_size--;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) != 0 || file.st_size < CONTROL_BYTES) {
        fprintf(stderr, "crashpoint: %s: not a file of %d bytes\n", path, CONTROL_BYTES);
        abort();
    }
    void *mapped = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) abort();
    close(fd);
    control = mapped;
}

/* dlsym gives an object pointer for a function, which C only allows through memory. */
static void find_next(void *ret_function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    memcpy(ret_function, &found, sizeof found);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause(); /* until the signal has arrived at this thread */
}

static bool is_in_folder(int fd) {
    char link[64];
    char path[PATH_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    return size > (ssize_t)prefix_size && memcmp(path, prefix, prefix_size) == 0 && path[prefix_size] == '/';
}

/* The letter of a call: `on_file` for one on a file of the folder, `on_socket` for one on a socket; 0 if it does not count. */
static char kind_of(int fd, char on_file, char on_socket) {
    struct stat file;
    if (fstat(fd, &file) != 0) return 0;
    if (S_ISSOCK(file.st_mode)) return on_socket;
    return on_file != 0 && S_ISREG(file.st_mode) && is_in_folder(fd) ? on_file : 0;
}

/* Counts a call, and dies here if that is its point. */
static struct point pass(int fd, char on_file, char on_socket) {
    struct point point = {0};
    if (control == NULL || atomic_load(&control->armed) == 0) return point;
    int saved = errno;
    char kind = kind_of(fd, on_file, on_socket);
    errno = saved;
    if (kind == 0) return point;
    uint64_t number = atomic_fetch_add(&control->call_count, 1) + 1;
    if (number < sizeof control->kinds) control->kinds[number - 1] = kind;
    if (number != atomic_load(&control->kill_at)) return point;
    uint64_t variant = atomic_load(&control->variant);
    point.dies_after = variant == VARIANT_AFTER;
    point.sends_half = variant == VARIANT_HALF && kind == 's';
    point.dies_before = !point.dies_after && !point.sends_half;
    if (point.dies_before) die();
    return point;
}

/* Found at the first call, which may be any thread's: they all find the same. */
#define NEXT(function)                                                      \
    static __typeof__(&function) found;                                     \
    __typeof__(&function) next = __atomic_load_n(&found, __ATOMIC_RELAXED); \
    if (next == NULL) {                                                     \
        find_next(&next, #function);                                        \
        __atomic_store_n(&found, next, __ATOMIC_RELAXED);                   \
    }
/* The call itself between its two points; `half` is the same call with half of the bytes. */
#define PASS_HALVED(fd, on_file, on_socket, call, half)           \
    struct point point = pass((fd), (on_file), (on_socket));      \
    __typeof__(call) result = point.sends_half ? (half) : (call); \
    if (point.dies_after || point.sends_half) die();              \
    return result
#define PASS(fd, on_file, on_socket, call) PASS_HALVED(fd, on_file, on_socket, call, call)

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
    PASS_HALVED(fd, 'w', 's', next(fd, data, size), next(fd, data, size / 2));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    NEXT(pwrite);
    PASS(fd, 'w', 0, next(fd, data, size, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    NEXT(pwrite64);
    PASS(fd, 'w', 0, next(fd, data, size, offset));
}

/* The first half of what the parts hold, sent as one or more writes. */
static ssize_t send_half(int fd, const struct iovec *parts, size_t count) {
    NEXT(send);
    size_t left = 0;
    for (size_t i = 0; i < count; i++) left += parts[i].iov_len;
    left /= 2;
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (next(fd, parts[i].iov_base, size, MSG_NOSIGNAL) < 0) break;
        left -= size;
    }
    return 0;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(writev);
    PASS_HALVED(fd, 'w', 's', next(fd, parts, count), send_half(fd, parts, (size_t)count));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    NEXT(pwritev);
    PASS(fd, 'w', 0, next(fd, parts, count, offset));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    NEXT(pwritev64);
    PASS(fd, 'w', 0, next(fd, parts, count, offset));
}

int ftruncate(int fd, off_t size) {
    NEXT(ftruncate);
    PASS(fd, 'w', 0, next(fd, size));
}

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    PASS(fd, 'w', 0, next(fd, size));
}

int fsync(int fd) {
    NEXT(fsync);
    PASS(fd, 'f', 0, next(fd));
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    PASS(fd, 'f', 0, next(fd));
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    NEXT(send);
    PASS_HALVED(fd, 0, 's', next(fd, data, size, flags), next(fd, data, size / 2, flags));
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t address_size) {
    NEXT(sendto);
    PASS_HALVED(fd, 0, 's', next(fd, data, size, flags, address, address_size), next(fd, data, size / 2, flags, address, address_size));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    NEXT(sendmsg);
    PASS_HALVED(fd, 0, 's', next(fd, message, flags), send_half(fd, message->msg_iov, message->msg_iovlen));
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) {
    NEXT(sendfile64);
    PASS_HALVED(to, 0, 's', next(to, from, offset, size), next(to, from, offset, size / 2));
}

ssize_t read(int fd, void *data, size_t size) {
    NEXT(read);
    PASS(fd, 0, 'r', next(fd, data, size));
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
    NEXT(readv);
    PASS(fd, 0, 'r', next(fd, parts, count));
}

ssize_t recv(int fd, void *data, size_t size, int flags) {
    NEXT(recv);
    PASS(fd, 0, 'r', next(fd, data, size, flags));
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address, socklen_t *address_size) {
    NEXT(recvfrom);
    PASS(fd, 0, 'r', next(fd, data, size, flags, address, address_size));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    NEXT(recvmsg);
    PASS(fd, 0, 'r', next(fd, message, flags));
}
