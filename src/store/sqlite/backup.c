#include "store/sqlite/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define PAGES_AT_ONCE   1024
#define BUSY_TIMEOUT_MS 5000
#define PATH_BYTES      4200u

static void close_handle(sqlite3 **handle) { (void)sqlite3_close(*handle); }
static void finish_statement(sqlite3_stmt **statement) { (void)sqlite3_finalize(*statement); }

#define CLOSED_AT_END   __attribute__((cleanup(close_handle)))
#define FINISHED_AT_END __attribute__((cleanup(finish_statement)))

static struct result fail(const char *path, int code, const char *what) {
    LOG(LOG_ERROR, "backup_failed", LOG_STRING("path", path), LOG_STRING("step", what), LOG_STRING("reason", sqlite3_errstr(code)));
    switch (code & 0xff) {
    case SQLITE_FULL: return result_error(RESULT_FULL);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return result_error(RESULT_UNAVAILABLE);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return result_error(RESULT_CORRUPT);
    default: return result_error(RESULT_IO);
    }
}

static struct result execute(sqlite3 *handle, const char *path, const char *sql) {
    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? result_ok() : fail(path, code, sql);
}

static struct result open_file(const char *path, int flags, sqlite3 **ret_handle) {
    int code = sqlite3_open_v2(path, ret_handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) return fail(path, code, "open");
    (void)sqlite3_busy_timeout(*ret_handle, BUSY_TIMEOUT_MS);
    return result_ok();
}

static void remove_copy(const char *path) {
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    char whole[PATH_BYTES];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        int size = snprintf(whole, sizeof whole, "%s%s", path, endings[i]);
        if (size > 0 && (size_t)size < sizeof whole) (void)unlink(whole);
    }
}

/* The source stays at the state of its first page: a backup whose source moves on would begin anew at each commit of the service. */
static struct result copy_pages(sqlite3 *from, sqlite3 *to, const char *path, void (*progress)(void *context, int percent), void *context) {
    TRY(execute(from, path, "BEGIN; SELECT count(*) FROM sqlite_schema"));
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL) return fail(path, sqlite3_errcode(to), "begin the copy");
    int code = SQLITE_OK, percent = -1;
    while (code == SQLITE_OK) {
        code = sqlite3_backup_step(backup, PAGES_AT_ONCE);
        int count = sqlite3_backup_pagecount(backup);
        int done = count > 0 ? (int)((int64_t)(count - sqlite3_backup_remaining(backup)) * 100 / count) : 0;
        if (done > percent && progress != NULL && (code == SQLITE_OK || code == SQLITE_DONE)) progress(context, done);
        percent = done;
    }
    (void)sqlite3_backup_finish(backup);
    return code == SQLITE_DONE ? result_ok() : fail(path, code, "copy");
}

static struct result fill(const char *from, const char *to, void (*progress)(void *context, int percent), void *context) {
    CLOSED_AT_END sqlite3 *source = NULL;
    CLOSED_AT_END sqlite3 *target = NULL;
    TRY(open_file(from, SQLITE_OPEN_READONLY, &source));
    TRY(open_file(to, SQLITE_OPEN_READWRITE, &target));
    TRY(copy_pages(source, target, from, progress, context));
    return execute(target, to, "PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE");
}

struct result database_copy(const char *from, const char *to, void (*progress)(void *context, int percent), void *context) {
    if (access(from, R_OK) != 0) {
        LOG(LOG_ERROR, "backup_failed", LOG_STRING("path", from), LOG_STRING("reason", strerror(errno)));
        return result_error(RESULT_NOT_FOUND);
    }
    remove_copy(to);
    int fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        LOG(LOG_ERROR, "backup_failed", LOG_STRING("path", to), LOG_STRING("reason", strerror(errno)));
        return result_error(errno == ENOSPC || errno == EDQUOT ? RESULT_FULL : RESULT_IO);
    }
    struct result filled = fill(from, to, progress, context);
    bool is_synced = fsync(fd) == 0;
    (void)close(fd);
    if (result_is_ok(filled) && !is_synced) filled = fail(to, SQLITE_IOERR_FSYNC, "sync");
    if (!result_is_ok(filled)) remove_copy(to);
    return filled;
}

struct result database_put_file(const char *path, struct text name, struct text content) {
    CLOSED_AT_END sqlite3 *handle = NULL;
    FINISHED_AT_END sqlite3_stmt *statement = NULL;
    TRY(open_file(path, SQLITE_OPEN_READWRITE, &handle));
    TRY(execute(handle, path, "CREATE TABLE IF NOT EXISTS backup_file (name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT"));
    int code = sqlite3_prepare_v2(handle, "INSERT INTO backup_file VALUES (?1, ?2)", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text64(statement, 1, name.data, name.size, SQLITE_STATIC, SQLITE_UTF8);
    if (code == SQLITE_OK) code = sqlite3_bind_blob64(statement, 2, content.data, content.size, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    return code == SQLITE_DONE ? result_ok() : fail(path, code, "add a file");
}

static struct result visit_files(sqlite3 *handle, const char *path,
                                 struct result (*visit)(void *context, struct text name, struct text content), void *context) {
    FINISHED_AT_END sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, "SELECT name, content FROM backup_file", -1, &statement, NULL);
    if (code != SQLITE_OK) {
        LOG(LOG_ERROR, "backup_failed", LOG_STRING("path", path), LOG_STRING("reason", "it is no backup of this program"));
        return result_error(RESULT_CORRUPT);
    }
    for (code = sqlite3_step(statement); code == SQLITE_ROW; code = sqlite3_step(statement)) {
        struct text name = {(const char *)sqlite3_column_text(statement, 0), (size_t)sqlite3_column_bytes(statement, 0)};
        struct text content = {sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1)};
        TRY(visit(context, name, content));
    }
    return code == SQLITE_DONE ? result_ok() : fail(path, code, "read the files");
}

struct result database_take_files(const char *path, struct result (*visit)(void *context, struct text name, struct text content),
                                  void *context) {
    CLOSED_AT_END sqlite3 *handle = NULL;
    TRY(open_file(path, SQLITE_OPEN_READWRITE, &handle));
    TRY(visit_files(handle, path, visit, context));
    return execute(handle, path, "PRAGMA secure_delete = ON; DROP TABLE backup_file");
}
