/* The frames of one commit reach the WAL in one write.
 *
 * SQLite writes each page of a commit with two calls, its header and its content, one right behind the other. This VFS lies over the default one
 * and keeps such a run of writes back until something else happens to the file: at the latest the sync of the commit, so that it is written
 * before anybody counts on it. All other files, and all readers, use the default VFS directly.
 *
 * Why nobody sees the difference (SQLite 3.40, wal.c): with synchronous=FULL the frames of a commit are synced before the wal-index shows them to
 * other connections; frames without a commit are read by the connection that wrote them alone, through this file, whose reads write first. A
 * write that fails says so at the sync, and the commit fails as if it had failed at once: what was kept back is forgotten, as SQLite forgets it,
 * and the next commit begins at the same offset. */
#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "store/sqlite/connection.h"

/* The unix VFS writes fewer than 128 KiB in one call, and cuts more without a word (os_unix.c, seekAndWriteFd). A longer run is several writes. */
#define GATHER_BYTES (124 * 1024)
_Static_assert(GATHER_BYTES < 0x1ffff, "the unix VFS would cut it");

struct gather_file {
    sqlite3_file file; /* first: SQLite's view of it */
    sqlite3_file *real;
    char *kept; /* [GATHER_BYTES] */
    int kept_size;
    sqlite3_int64 kept_offset;
};

static sqlite3_vfs *default_vfs;
static sqlite3_vfs gather_vfs;
static pthread_mutex_t registration = PTHREAD_MUTEX_INITIALIZER;

static struct gather_file *gather_of(sqlite3_file *file) { return (struct gather_file *)file; }

static int write_kept(struct gather_file *gather) {
    if (gather->kept_size == 0) return SQLITE_OK;
    int size = gather->kept_size;
    gather->kept_size = 0;
    return gather->real->pMethods->xWrite(gather->real, gather->kept, size, gather->kept_offset);
}

static int gather_close(sqlite3_file *file) {
    struct gather_file *gather = gather_of(file);
    int written = write_kept(gather); /* of a commit that was given up, if at all */
    sqlite3_free(gather->kept);
    int closed = gather->real->pMethods->xClose(gather->real);
    return closed != SQLITE_OK ? closed : written;
}

static int gather_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset) {
    struct gather_file *gather = gather_of(file);
    int written = write_kept(gather);
    return written != SQLITE_OK ? written : gather->real->pMethods->xRead(gather->real, data, size, offset);
}

static int gather_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset) {
    struct gather_file *gather = gather_of(file);
    bool continues = gather->kept_size > 0 && offset == gather->kept_offset + gather->kept_size && size <= GATHER_BYTES - gather->kept_size;
    if (!continues) {
        int written = write_kept(gather);
        if (written != SQLITE_OK) return written;
        if (size > GATHER_BYTES) return gather->real->pMethods->xWrite(gather->real, data, size, offset);
        gather->kept_offset = offset;
    }
    memcpy(gather->kept + gather->kept_size, data, (size_t)size);
    gather->kept_size += size;
    return SQLITE_OK;
}

static int gather_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct gather_file *gather = gather_of(file);
    int written = write_kept(gather);
    return written != SQLITE_OK ? written : gather->real->pMethods->xTruncate(gather->real, size);
}

static int gather_sync(sqlite3_file *file, int flags) {
    struct gather_file *gather = gather_of(file);
    int written = write_kept(gather);
    return written != SQLITE_OK ? written : gather->real->pMethods->xSync(gather->real, flags);
}

static int gather_file_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
    struct gather_file *gather = gather_of(file);
    int written = write_kept(gather);
    return written != SQLITE_OK ? written : gather->real->pMethods->xFileSize(gather->real, ret_size);
}

/* Locks are not taken on a WAL. */
static int gather_lock(sqlite3_file *file, int level) {
    struct gather_file *gather = gather_of(file);
    return gather->real->pMethods->xLock(gather->real, level);
}

static int gather_unlock(sqlite3_file *file, int level) {
    struct gather_file *gather = gather_of(file);
    return gather->real->pMethods->xUnlock(gather->real, level);
}

static int gather_check_reserved_lock(sqlite3_file *file, int *ret_is_taken) {
    struct gather_file *gather = gather_of(file);
    return gather->real->pMethods->xCheckReservedLock(gather->real, ret_is_taken);
}

static int gather_file_control(sqlite3_file *file, int operation, void *argument) {
    struct gather_file *gather = gather_of(file);
    return gather->real->pMethods->xFileControl(gather->real, operation, argument);
}

static int gather_sector_size(sqlite3_file *file) {
    struct gather_file *gather = gather_of(file);
    return gather->real->pMethods->xSectorSize(gather->real);
}

static int gather_device(sqlite3_file *file) {
    struct gather_file *gather = gather_of(file);
    return gather->real->pMethods->xDeviceCharacteristics(gather->real);
}

static const sqlite3_io_methods methods = {.iVersion = 1,
                                           .xClose = gather_close,
                                           .xRead = gather_read,
                                           .xWrite = gather_write,
                                           .xTruncate = gather_truncate,
                                           .xSync = gather_sync,
                                           .xFileSize = gather_file_size,
                                           .xLock = gather_lock,
                                           .xUnlock = gather_unlock,
                                           .xCheckReservedLock = gather_check_reserved_lock,
                                           .xFileControl = gather_file_control,
                                           .xSectorSize = gather_sector_size,
                                           .xDeviceCharacteristics = gather_device};

static int gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0) return default_vfs->xOpen(default_vfs, name, file, flags, ret_flags);
    struct gather_file *gather = gather_of(file);
    *gather = (struct gather_file){.real = (sqlite3_file *)(gather + 1), .kept = sqlite3_malloc(GATHER_BYTES)};
    if (gather->kept == NULL) return SQLITE_NOMEM;
    gather->real->pMethods = NULL;
    int code = default_vfs->xOpen(default_vfs, name, gather->real, flags, ret_flags);
    if (code == SQLITE_OK) {
        gather->file.pMethods = &methods;
    } else {
        sqlite3_free(gather->kept);
    }
    return code;
}

const char *gather_register(void) {
    CHECK(pthread_mutex_lock(&registration) == 0);
    sqlite3_vfs *now = sqlite3_vfs_find(NULL);
    CHECK(now != NULL && now != &gather_vfs);
    if (now != default_vfs) { /* a simulation brings its own */
        if (default_vfs != NULL) CHECK(sqlite3_vfs_unregister(&gather_vfs) == SQLITE_OK);
        default_vfs = now;
        gather_vfs = *now; /* everything but the opening of files is the default's, with what it keeps in its structure */
        gather_vfs.pNext = NULL;
        gather_vfs.zName = "gather";
        gather_vfs.szOsFile = (int)sizeof(struct gather_file) + now->szOsFile;
        gather_vfs.xOpen = gather_open;
        CHECK(sqlite3_vfs_register(&gather_vfs, 0) == SQLITE_OK);
    }
    CHECK(pthread_mutex_unlock(&registration) == 0);
    return gather_vfs.zName;
}
