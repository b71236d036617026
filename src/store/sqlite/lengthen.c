/* The WAL made longer before it is needed (why: database.c). */
#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/connection.h"

/* https://sqlite.org/fileformat2.html, "The WAL File Format": a header, then a header and a page for each frame. */
#define WAL_HEADER_BYTES INT64_C(32)
#define WAL_FRAME_BYTES  INT64_C(4120)

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

static sqlite3_file *wal_of(struct database *database) {
    sqlite3_file *wal = NULL;
    int code = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    CHECK(code == SQLITE_OK && wal != NULL && wal->pMethods != NULL);
    return wal;
}

struct result connection_make_wal_room(struct database *database, int64_t bytes) {
    sqlite3_file *wal = wal_of(database);
    sqlite3_int64 size = 0;
    if (wal->pMethods->xFileSize(wal, &size) != SQLITE_OK) return result_error(RESULT_IO);
    int64_t frames = database->is_wal_moved ? 0 : database->wal_pages; /* all in the file: the next commit begins it anew */
    int64_t wanted = WAL_HEADER_BYTES + frames * WAL_FRAME_BYTES + bytes;
    return size >= wanted || lengthen(wal, size, wanted) ? result_ok() : result_error(RESULT_FULL);
}

void connection_lengthen_wal(struct database *database, int64_t bytes) {
    sqlite3_file *wal = wal_of(database);
    sqlite3_int64 size = 0;
    if (wal->pMethods->xFileSize(wal, &size) != SQLITE_OK || size >= bytes) return;
    if (!lengthen(wal, size, bytes)) LOG(LOG_WARN, "wal_not_lengthened", LOG_INTEGER("bytes", size));
}
