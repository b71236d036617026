/* The lock is on an open file description (F_OFD_SETLK), not on the process: the old fcntl locks are dropped as soon as any descriptor of the
 * file is closed anywhere in the process, and don't keep one process from opening the same folder twice. The file stays when the lock goes:
 * removing it would let a third process lock a new file while a second still holds the old one. The pid in it is for people. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "store/sqlite/connection.h"

#define LOCK_PATH_BYTES 4096

static struct result refuse(const char *path, const char *reason, enum result_code code) {
    LOG(LOG_ERROR, "database_lock_failed", LOG_STRING("path", path), LOG_STRING("reason", reason));
    return result_error(code);
}

static void log_holder(const char *path, int fd) {
    char holder[24] = "";
    ssize_t size = pread(fd, holder, sizeof holder - 1, 0);
    while (size > 0 && (holder[size - 1] < '0' || holder[size - 1] > '9')) size--;
    struct text pid = {holder, size > 0 ? (size_t)size : 0};
    LOG(LOG_ERROR, "database_locked", LOG_STRING("path", path), LOG_TEXT("holder_pid", pid));
}

static void write_pid(int fd) {
    char pid[24];
    int size = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* On a full disk the old text stays: the lock holds without it. */
    if (pwrite(fd, pid, (size_t)size, 0) == size && ftruncate(fd, size) != 0) return;
}

struct result lock_take(const char *database_path, int *ret_fd) {
    char path[LOCK_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s.lock", database_path);
    if (size < 0 || (size_t)size >= sizeof path) return refuse(database_path, "the path is too long", RESULT_INVALID);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        if (errno == ENOENT) return refuse(path, "no such folder", RESULT_NOT_FOUND);
        if (errno == ENOSPC || errno == EDQUOT) return refuse(path, "the disk is full", RESULT_FULL);
        return refuse(path, "the file cannot be opened for writing", RESULT_IO);
    }
    struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole_file) != 0) {
        int error = errno;
        if (error == EAGAIN || error == EACCES) {
            log_holder(path, fd);
            close(fd);
            return result_error(RESULT_CONFLICT);
        }
        close(fd);
        return refuse(path, "the file system has no locks", RESULT_IO);
    }
    write_pid(fd);
    *ret_fd = fd;
    return result_ok();
}

struct result lock_share(const char *database_path, int *ret_fd) {
    char path[LOCK_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s.lock", database_path);
    if (size < 0 || (size_t)size >= sizeof path) return refuse(database_path, "the path is too long", RESULT_INVALID);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *ret_fd = fd;
    if (fd < 0) return errno == ENOENT ? result_ok() : refuse(path, "the file cannot be opened", RESULT_IO);
    struct flock whole_file = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole_file) == 0) return result_ok();
    log_holder(path, fd);
    return result_error(RESULT_UNAVAILABLE); /* the caller closes *ret_fd */
}
