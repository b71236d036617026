#include "auth/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

static void close_file(const int *fd) {
    if (*fd >= 0) CHECK(close(*fd) == 0 || errno != EBADF);
}

#define CLOSED_AT_END __attribute__((cleanup(close_file)))

static struct result read_all(int fd, char *data, size_t size) {
    size_t have = 0;
    while (have < size) {
        ssize_t got = read(fd, data + have, size - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return result_error(RESULT_IO); /* shorter than it said: it is being changed under us */
        have += (size_t)got;
    }
    return result_ok();
}

static struct result write_all(int fd, struct text content) {
    size_t written = 0;
    while (written < content.size) {
        ssize_t size = write(fd, content.data + written, content.size - written);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return result_error(RESULT_IO);
        written += (size_t)size;
    }
    return fsync(fd) == 0 ? result_ok() : result_error(RESULT_IO);
}

struct result file_read(const char *path, size_t limit_bytes, bool must_be_private, struct arena *arena, struct text *ret_text) {
    /* Non-blocking, so that a FIFO in a file's place cannot hang us. */
    CLOSED_AT_END int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (must_be_private ? O_NOFOLLOW : 0));
    if (fd < 0 && errno == EACCES) return result_error(RESULT_DENIED);
    if (fd < 0) return result_error(errno == ENOENT || errno == ENOTDIR ? RESULT_NOT_FOUND : RESULT_IO);
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return result_error(RESULT_IO);
    if (must_be_private && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) return result_error(RESULT_DENIED);
    if ((uint64_t)status.st_size > limit_bytes) return result_error(RESULT_FULL);
    size_t size = (size_t)status.st_size;
    char *data = arena_take(arena, size + 1);
    if (data == NULL) return result_error(RESULT_FULL);
    TRY(read_all(fd, data, size));
    data[size] = '\0';
    *ret_text = (struct text){data, size};
    return result_ok();
}

struct result file_sync_folder_of(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int size = slash == NULL ? snprintf(folder, sizeof folder, ".") : snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    if (size < 0 || (size_t)size >= sizeof folder) return result_error(RESULT_IO);
    CLOSED_AT_END int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    return fd >= 0 && fsync(fd) == 0 ? result_ok() : result_error(RESULT_IO);
}

static struct result write_new(const char *path, struct text content) {
    if (unlink(path) != 0 && errno != ENOENT) return result_error(RESULT_IO); /* what a crash left behind */
    CLOSED_AT_END int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0) return result_error(RESULT_IO);
    return write_all(fd, content);
}

struct result file_replace(const char *path, struct text content) {
    char fresh[PATH_MAX];
    int size = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof fresh) return result_error(RESULT_IO);
    struct result written = write_new(fresh, content);
    if (result_is_ok(written) && rename(fresh, path) == 0) return file_sync_folder_of(path);
    (void)unlink(fresh); /* best effort: the next attempt removes it first */
    return result_error(RESULT_IO);
}
