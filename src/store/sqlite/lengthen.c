/* The WAL made longer before it is needed (why: database.c). */
#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/connection.h"

/* Zeros behind the end of the WAL: no frame there has a checksum that continues the one before, so that they are as good as nothing. After a
 * failure the file is as long as it was. */
static bool lengthen(sqlite3_file *file, sqlite3_int64 size, sqlite3_int64 wanted) {
    static const char zeros[64 * 1024];
    bool is_written = true;
    for (sqlite3_int64 at = size; at < wanted && is_written; at += (sqlite3_int64)sizeof zeros)
        is_written = file->pMethods->xWrite(file, zeros, (int)sizeof zeros, at) == SQLITE_OK;
    if (is_written && file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK) return true;
    (void)file->pMethods->xTruncate(file, size);
    return false;
}

void connection_lengthen_wal(struct database *database, int64_t bytes) {
    sqlite3_file *wal = NULL;
    sqlite3_int64 size = 0;
    int code = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    CHECK(code == SQLITE_OK && wal != NULL && wal->pMethods != NULL);
    if (wal->pMethods->xFileSize(wal, &size) != SQLITE_OK || size >= bytes) return;
    if (!lengthen(wal, size, bytes)) LOG(LOG_WARN, "wal_not_lengthened", LOG_INTEGER("bytes", size));
}
