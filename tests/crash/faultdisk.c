/* A disk that fails on command, for tests of the real programs: a shared library for LD_PRELOAD.
 *
 *   FAULTDISK_PREFIX   the folder (absolute, without symbolic links) whose regular files are concerned; nothing else ever is
 *   FAULTDISK_CONTROL  a file of at least 4096 bytes, made by the test before the start and best kept outside the folder
 *
 * The control file is mapped by every process that has the library, so a byte written by the test holds from the next call on. Its first
 * byte is the mode; the rest of the word is for people:
 *   none     everything works
 *   full     ENOSPC where a file would grow, as on a full disk; what is there can be overwritten
 *   quota    ENOSPC for every write (a file system that never overwrites in place)
 *   sync     EIO for fsync and fdatasync; the writes before went well
 *   write    EIO for every write
 *   kill     SIGKILL to the own process instead of the next fsync or fdatasync
 * At offset 16 may stand the end of a path ("wallet.db"): then only files that end so are concerned.
 * At offset 8 stands, as a native 64-bit integer, how many calls have been failed: a test waits for it to rise.
 *
 * Sanitizers: this file is built without them and calls the next definition in line, theirs or libc's. gcc's AddressSanitizer wants to come
 * first in LD_PRELOAD, or ASAN_OPTIONS=verify_asan_link_order=0; clang's and gcc's ThreadSanitizer need nothing. */
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
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONTROL_BYTES 4096
#define PATH_BYTES    4096

struct control {
    _Atomic char mode;
    char rest_of_word[7];
    _Atomic uint64_t failed_calls;
    char path_end[64]; /* terminated; set it while the mode is none */
};

static struct control *control;
static const char *prefix;
static size_t prefix_size;

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("FAULTDISK_CONTROL");
    prefix = getenv("FAULTDISK_PREFIX");
    if (path == NULL || prefix == NULL) return;
    prefix_size = strlen(prefix);
    while (prefix_size > 1 && prefix[prefix_size - 1] == '/') prefix_size--;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) != 0 || file.st_size < CONTROL_BYTES) {
        fprintf(stderr, "faultdisk: %s: not a file of %d bytes\n", path, CONTROL_BYTES);
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

static char mode_now(void) {
    if (control == NULL) return 'n';
    char mode = atomic_load(&control->mode);
    return mode == '\0' ? 'n' : mode;
}

static bool is_concerned(int fd, struct stat *file) {
    if (fstat(fd, file) != 0 || !S_ISREG(file->st_mode)) return false;
    char link[64];
    char path[PATH_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= (ssize_t)prefix_size || memcmp(path, prefix, prefix_size) != 0 || path[prefix_size] != '/') return false;
    size_t end_size = strnlen(control->path_end, sizeof control->path_end);
    return end_size <= (size_t)size && memcmp(path + size - end_size, control->path_end, end_size) == 0;
}

static int fail(int error) {
    atomic_fetch_add(&control->failed_calls, 1);
    return error;
}

/* 0, or the error of a write that ends at this offset; -1 stands for the current position (or the end, when appending) plus the size. */
static int write_error(int fd, off_t offset, size_t size) {
    char mode = mode_now();
    struct stat file;
    if (mode != 'f' && mode != 'q' && mode != 'w') return 0;
    int saved = errno;
    bool concerned = is_concerned(fd, &file);
    if (concerned && mode == 'f' && offset < 0) {
        bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
        offset = appends ? file.st_size : lseek(fd, 0, SEEK_CUR);
    }
    errno = saved;
    if (!concerned) return 0;
    if (mode == 'w') return fail(EIO);
    if (mode == 'q') return fail(ENOSPC);
    return offset + (off_t)size > file.st_size ? fail(ENOSPC) : 0;
}

static int sync_error(int fd) {
    char mode = mode_now();
    struct stat file;
    if (mode != 's' && mode != 'k') return 0;
    int saved = errno;
    bool concerned = is_concerned(fd, &file);
    errno = saved;
    if (!concerned) return 0;
    if (mode == 'k') {
        fail(0);
        kill(getpid(), SIGKILL);
    }
    return fail(EIO);
}

/* Found at the first call, which may be any thread's: they all find the same. */
#define NEXT(function)                                                      \
    static __typeof__(&function) found;                                     \
    __typeof__(&function) next = __atomic_load_n(&found, __ATOMIC_RELAXED); \
    if (next == NULL) {                                                     \
        find_next(&next, #function);                                        \
        __atomic_store_n(&found, next, __ATOMIC_RELAXED);                   \
    }
#define REFUSE(error)         \
    do {                      \
        int error_ = (error); \
        if (error_ != 0) {    \
            errno = error_;   \
            return -1;        \
        }                     \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
    REFUSE(write_error(fd, -1, size));
    return next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    NEXT(pwrite);
    REFUSE(write_error(fd, offset, size));
    return next(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    NEXT(pwrite64);
    REFUSE(write_error(fd, offset, size));
    return next(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(writev);
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    REFUSE(write_error(fd, -1, size));
    return next(fd, parts, count);
}

int ftruncate(int fd, off_t size) {
    NEXT(ftruncate);
    REFUSE(write_error(fd, size, 0));
    return next(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    REFUSE(write_error(fd, size, 0));
    return next(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
    NEXT(fallocate);
    REFUSE(write_error(fd, offset, (size_t)size));
    return next(fd, mode, offset, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
    NEXT(fallocate64);
    REFUSE(write_error(fd, offset, (size_t)size));
    return next(fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size) {
    NEXT(posix_fallocate);
    int error = write_error(fd, offset, (size_t)size);
    return error != 0 ? error : next(fd, offset, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size) {
    NEXT(posix_fallocate64);
    int error = write_error(fd, offset, (size_t)size);
    return error != 0 ? error : next(fd, offset, size);
}

int fsync(int fd) {
    NEXT(fsync);
    REFUSE(sync_error(fd));
    return next(fd);
}

int fdatasync(int fd) {
    NEXT(fdatasync);
    REFUSE(sync_error(fd));
    return next(fd);
}
