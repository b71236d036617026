/* One connection, opened, kept durable, and closed.
 *
 * What a failed write leaves behind, and why going on is right (SQLite 3.40, WAL mode, read in wal.c and pager.c; tests/unit/store/test_database_faults.c):
 *
 * - A commit appends frames to the WAL (in one write: gather.c), calls fsync, and only then shows the new end of the WAL to everybody (the
 *   wal-index header in shared memory). When a write or the fsync fails, the end stays where it was; the connection forgets its changed pages
 *   once no statement of it is running, hence the resets in database_rollback; and the next transaction writes its frames over the failed ones,
 *   from the same offset.
 * - After a failed fsync Linux marks the dirty pages clean and reports the error once, so a repeated fsync proves nothing ("fsyncgate"). We never
 *   repeat one: all bytes behind the last successful commit are written anew before the next fsync, the page shared with the last commit's
 *   end included, because it is dirtied as a whole; if it had to be read from the disk first, it was durable there, or the read fails.
 *   Frames of a failed commit beyond the new ones cannot come to life: each frame's checksum continues the one before.
 * - If the process dies between the failed fsync and the next commit, recovery may find the failed transaction complete in the WAL and keep it.
 *   Its requests were answered 503, which says nothing about the outcome; they are whole, or not there, and a repeat is harmless.
 * - A checkpoint copies WAL frames into the file, calls fsync on the file, and only then notes how far it has come. When it fails it is repeated
 *   from the old mark, with all bytes written anew. One gap: when a reader holds an old snapshot, SQLite copies a part, notes it, and leaves the
 *   fsync to the checkpoint that reaches the end. If that one's fsync fails, the next would write only what came after the part.
 *   So after a partial checkpoint we call fsync on the file ourselves, and if that fails this connection checkpoints no more: the WAL keeps
 *   everything, and the next start, which finds no mark in shared memory, copies all of it again.
 * - The WAL is lengthened once with zeros (database_make_room): an fsync of bytes that are written over costs half of one that also has to make
 *   the new length of the file durable. If one of those writes fails, nobody has counted on it.
 * - On a full disk a checkpoint may succeed where a commit cannot, and then the WAL is written from its start again, which needs no room:
 *   database_probe tries that first.
 * - On a disk that is nearly full a page finds room where a batch does not: a probe that writes a page would say that all is well, again and again. So
 *   after a write that found no room the probe first makes the WAL longer by what a batch may need, and by more each time that was too little. */
#include "store/sqlite/database.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/sqlite/connection.h"

#define PATH_BYTES         4096
#define BUSY_TIMEOUT_MS    2000                  /* only a foreign writer (the sqlite3 program) or a recovery ever makes us wait */
#define BEGIN_PATIENCE_MS  5000                  /* of a begin, when the last one did not wait in vain */
#define BEGIN_HASTE_MS     500                   /* when it did: those who wait behind shall hear of it */
#define ROOM_BYTES         (INT64_C(128) * 1024) /* that a disk which was full must have before it counts as one again */
#define RELAPSE_US         (60 * CLOCK_SECOND_US)
#define WAL_BYTES_READY    (INT64_C(8) * 1024 * 1024)
#define QUIET_MOMENTS      10u    /* before the WAL is lengthened: a service that was only started to be stopped again does without */
#define WAL_PAGES_ALARMING 65536u /* 256 MiB */
#define WAL_PAGES_PATIENT  8192u  /* 32 MiB */
#define PATIENCE_MS        20     /* many rounds of a loop */
#define WRITER_PRAGMAS                                                                                              \
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;" \
    "PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864;"
#define READER_PRAGMAS "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;"

/* ---- results ---- */

static bool is_no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

struct result connection_translate(struct database *database, int code) {
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return result_ok();
    case SQLITE_FULL:
    case SQLITE_NOMEM: return result_error(RESULT_FULL);
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM || is_no_room(sqlite3_system_errno(database->handle))) return result_error(RESULT_FULL);
        return result_error(RESULT_IO);
    case SQLITE_READONLY: /* the file system went read-only after an error */
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: return result_error(is_no_room(sqlite3_system_errno(database->handle)) ? RESULT_FULL : RESULT_IO);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return result_error(RESULT_CORRUPT);
    case SQLITE_CONSTRAINT: return result_error(RESULT_CONFLICT);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT: return result_error(RESULT_UNAVAILABLE);
    default: return result_error(RESULT_INVALID); /* wrong SQL, a value of a wrong type for a STRICT table */
    }
}

/* Full again soon after there was room: it was too little for what is to be written. */
static void note_full(struct database *database) {
    if (database->is_full) return;
    bool is_relapse = database->had_room_us != 0 && clock_monotonic_us(&clock_system) - database->had_room_us < RELAPSE_US;
    database->is_full = true;
    database->room_bytes = is_relapse ? 2 * database->room_bytes : ROOM_BYTES;
    if (database->room_bytes > WAL_BYTES_READY) database->room_bytes = WAL_BYTES_READY;
}

struct result connection_result(struct database *database, int code, const char *doing) {
    struct result result = connection_translate(database, code);
    if (result.code == RESULT_FULL) note_full(database);
    if (result_is_ok(result) || database->logged_code == code) return result;
    database->logged_code = code;
    LOG(LOG_ERROR, "database_failed", LOG_STRING("doing", doing), LOG_STRING("reason", sqlite3_errmsg(database->handle)),
        LOG_INTEGER("sqlite_code", code), LOG_STRING("result", result_name(result)));
    return result;
}

struct result connection_execute(struct database *database, const char *sql) {
    return connection_result(database, sqlite3_exec(database->handle, sql, NULL, NULL, NULL), "execute SQL");
}

struct result connection_query_integer(struct database *database, const char *sql, int64_t *ret_value) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *ret_value = sqlite3_column_int64(statement, 0);
    struct result result = code == SQLITE_DONE ? result_error(RESULT_NOT_FOUND) : connection_result(database, code, "query");
    sqlite3_finalize(statement);
    return result;
}

/* ---- opening ---- */

static struct result refuse(const char *path, const char *reason, enum result_code code) {
    LOG(LOG_ERROR, "database_open_failed", LOG_STRING("path", path), LOG_STRING("reason", reason));
    return result_error(code);
}

static void prepare_library(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* statistics nobody reads, for one lock around every allocation */
    CHECK(sqlite3_initialize() == SQLITE_OK);
}

/* file: URI, so that the options can be given and no path is taken for something else (RFC 3986, section 2.1). */
static bool make_uri(const char *path, const char *options, char *uri, size_t capacity) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    if (path[0] == '/') {
        while (path[1] == '/') path++; /* two would begin an authority */
    }
    size_t size = (size_t)snprintf(uri, capacity, "file:");
    for (; *path != '\0'; path++) {
        if (size + 4 > capacity) return false;
        bool is_plain = strchr(plain, *path) != NULL;
        size += (size_t)snprintf(uri + size, capacity - size, is_plain ? "%c" : "%%%02X", (unsigned char)*path);
    }
    int rest = snprintf(uri + size, capacity - size, "?%s", options);
    return rest > 0 && (size_t)rest < capacity - size;
}

static int note_wal_pages(void *context, sqlite3 *handle, const char *schema_name, int pages) {
    (void)handle;
    (void)schema_name;
    struct database *database = context;
    database->wal_pages = pages < 0 ? 0 : (uint32_t)pages;
    database->is_wal_moved = false;
    if (!database->is_full) database->logged_code = SQLITE_OK; /* what still fits into a full disk is not its end: a probe's room is */
    if (database->wal_pages < database->wal_pages_tried) database->wal_pages_tried = 0; /* it was begun anew */
    if (database->wal_pages >= database->wal_pages_alarming) {
        LOG(LOG_WARN, "wal_grows", LOG_INTEGER("pages", database->wal_pages));
        database->wal_pages_alarming *= 2;
    }
    return SQLITE_OK;
}

/* Settings that need no look at the file. A connection does not checkpoint on close until close_cleanly decides so: a file that turns out to be
 * somebody else's stays as it was. */
static bool harden(sqlite3 *handle) {
    static const struct {
        int option;
        int value;
    } settings[] = {{SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},      {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}, {SQLITE_DBCONFIG_DQS_DML, 0},   {SQLITE_DBCONFIG_DQS_DDL, 0}};
    for (size_t i = 0; i < ARRAY_COUNT(settings); i++) {
        if (sqlite3_db_config(handle, settings[i].option, settings[i].value, NULL) != SQLITE_OK) return false;
    }
    return sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS) == SQLITE_OK && sqlite3_extended_result_codes(handle, 1) == SQLITE_OK;
}

static struct result connect_handle(struct database *database, const char *path, const char *options) {
    char uri[3 * PATH_BYTES];
    if (!make_uri(path, options, uri, sizeof uri)) return refuse(path, "the path is too long", RESULT_INVALID);
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= database->mode == DATABASE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    /* It relies on the sync of each commit. */
    const char *vfs = database->mode == DATABASE_READ ? NULL : gather_register();
    int code = sqlite3_open_v2(uri, &database->handle, flags, vfs);
    if (code != SQLITE_OK) {
        return database->handle == NULL ? result_error(RESULT_FULL) : connection_result(database, code, "open the database");
    }
    CHECK(harden(database->handle));
    return result_ok();
}

static bool has_wal(const char *path) {
    char wal_path[PATH_BYTES + 8];
    struct stat wal;
    snprintf(wal_path, sizeof wal_path, "%s-wal", path);
    return stat(wal_path, &wal) == 0 && wal.st_size > 0;
}

/* A reader in a folder that may not be written cannot make the shared memory. Without a WAL the file alone is the whole truth, and the shared
 * lock keeps a writer away while it is read so. */
static struct result connect_for_reading(struct database *database, const char *path) {
    TRY(connect_handle(database, path, "mode=ro"));
    int code = sqlite3_exec(database->handle, "PRAGMA user_version", NULL, NULL, NULL);
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY_DIRECTORY && code != SQLITE_READONLY_CANTINIT) {
        return connection_result(database, code, "read the database");
    }
    sqlite3_close(database->handle);
    database->handle = NULL;
    TRY(lock_share(path, &database->lock_fd));
    if (has_wal(path)) {
        return refuse(path, "the folder cannot be written, and the service must start once to recover the database", RESULT_UNAVAILABLE);
    }
    return connect_handle(database, path, "mode=ro&immutable=1");
}

/* Whose file it is, and how new. An empty file and another application's are alike: not ours. */
static struct result identify(struct database *database, const char *path, const struct schema *schema) {
    int64_t application_id = 0;
    int64_t version = 0;
    TRY(connection_query_integer(database, "PRAGMA application_id", &application_id));
    TRY(connection_query_integer(database, "PRAGMA user_version", &version));
    if ((uint32_t)application_id != schema->application_id) return refuse(path, "not a database of this service", RESULT_INVALID);
    if (version < 0 || (size_t)version > schema->count) return refuse(path, "written by a newer version of this service", RESULT_INVALID);
    if (database->mode == DATABASE_READ && (size_t)version < schema->count) {
        return refuse(path, "of an older version: the service must start once to migrate it", RESULT_INVALID);
    }
    return result_ok();
}

static struct result prepare_own_statements(struct database *database) {
    TRY(statement_prepare(database, "BEGIN IMMEDIATE", &database->begin));
    TRY(statement_prepare(database, "BEGIN", &database->begin_read));
    return statement_prepare(database, "COMMIT", &database->commit);
}

static struct result begin_wal(struct database *database, const char *path) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database->handle, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    bool is_wal = code == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    struct result result = connection_result(database, code, "begin the WAL");
    sqlite3_finalize(statement);
    if (!result_is_ok(result)) return result;
    return is_wal ? result_ok() : refuse(path, "the file system does not allow a WAL", RESULT_IO);
}

static struct result set_up_writer(struct database *database, const char *path, const struct schema *schema) {
    TRY(connect_handle(database, path, "mode=rw"));
    TRY(identify(database, path, schema));
    TRY(begin_wal(database, path));
    TRY(connection_execute(database, WRITER_PRAGMAS));
    (void)sqlite3_wal_hook(database->handle, note_wal_pages, database); /* takes the place of SQLite's own checkpoints */
    TRY(prepare_own_statements(database));
    return migrate(database, schema);
}

static struct result set_up_reader(struct database *database, const char *path, const struct schema *schema) {
    TRY(connect_for_reading(database, path));
    TRY(identify(database, path, schema));
    TRY(connection_execute(database, READER_PRAGMAS));
    return prepare_own_statements(database);
}

static struct database *allocate(enum database_mode mode) {
    struct database *database = calloc(1, sizeof *database);
    if (database == NULL) return NULL;
    database->mode = mode;
    database->lock_fd = -1;
    database->wal_pages_alarming = WAL_PAGES_ALARMING;
    database->wal_pages_patient = WAL_PAGES_PATIENT;
    return database;
}

/* ---- making a new one: under another name until it is complete, so that a crash leaves no half database ---- */

static struct result sync_folder(const char *path) {
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return is_synced ? result_ok() : refuse(path, "the folder cannot be synced", RESULT_IO);
}

static void remove_draft(const char *draft) {
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        snprintf(path, sizeof path, "%s%s", draft, endings[i]);
        (void)unlink(path);
    }
}

static struct result fill_draft(const char *draft, const struct schema *schema) {
    int fd = open(draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* SQLite gives its other files the same mode */
    if (fd < 0) return refuse(draft, strerror(errno), is_no_room(errno) ? RESULT_FULL : RESULT_IO);
    close(fd);
    struct database *database = allocate(DATABASE_WRITE);
    if (database == NULL) return result_error(RESULT_FULL);
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %u", schema->application_id);
    struct result outcome = connect_handle(database, draft, "mode=rw");
    if (result_is_ok(outcome)) outcome = connection_execute(database, sql);
    sqlite3_close(database->handle);
    database->handle = NULL;
    if (result_is_ok(outcome)) outcome = set_up_writer(database, draft, schema);
    database_close(database);
    if (result_is_ok(outcome) && has_wal(draft)) outcome = refuse(draft, "the WAL could not be moved into the file", RESULT_IO);
    return outcome;
}

static struct result create_file(const char *path, const struct schema *schema) {
    if (access(path, F_OK) == 0) return refuse(path, "it exists already", RESULT_CONFLICT);
    char draft[PATH_BYTES];
    int size = snprintf(draft, sizeof draft, "%s.new", path);
    if (size < 0 || (size_t)size >= sizeof draft) return refuse(path, "the path is too long", RESULT_INVALID);
    remove_draft(draft); /* of a crashed attempt: we have the lock */
    struct result outcome = fill_draft(draft, schema);
    if (result_is_ok(outcome) && rename(draft, path) != 0) outcome = refuse(path, strerror(errno), RESULT_IO);
    if (!result_is_ok(outcome)) {
        remove_draft(draft);
        return outcome;
    }
    return sync_folder(path);
}

static struct result open_with_lock(struct database *database, const char *path, enum database_mode mode, const struct schema *schema) {
    TRY(lock_take(path, &database->lock_fd));
    if (mode == DATABASE_CREATE) TRY(create_file(path, schema));
    return set_up_writer(database, path, schema);
}

struct result database_open(const char *path, enum database_mode mode, const struct schema *schema, struct database **ret_database) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, prepare_library) == 0);
    if (mode != DATABASE_CREATE && access(path, F_OK) != 0) return refuse(path, strerror(errno), RESULT_NOT_FOUND);
    struct database *database = allocate(mode == DATABASE_READ ? DATABASE_READ : DATABASE_WRITE);
    if (database == NULL) return result_error(RESULT_FULL);
    struct result outcome = mode == DATABASE_READ ? set_up_reader(database, path, schema) : open_with_lock(database, path, mode, schema);
    if (!result_is_ok(outcome)) {
        database_close(database);
        return outcome;
    }
    *ret_database = database;
    return result_ok();
}

/* ---- transactions ---- */

struct result database_begin(struct database *database) {
    CHECK(database->mode == DATABASE_WRITE && sqlite3_get_autocommit(database->handle));
    sqlite3_busy_timeout(database->handle, database->is_contended ? BEGIN_HASTE_MS : BEGIN_PATIENCE_MS);
    struct result begun = statement_run(&database->begin);
    sqlite3_busy_timeout(database->handle, BUSY_TIMEOUT_MS);
    database->is_contended = begun.code == RESULT_UNAVAILABLE;
    return begun;
}

struct result database_commit(struct database *database) {
    CHECK(!sqlite3_get_autocommit(database->handle));
    int64_t before_us = clock_monotonic_us(&clock_system);
    struct result outcome = statement_run(&database->commit);
    if (database->commit_metric != NULL) metric_observe(database->commit_metric, clock_monotonic_us(&clock_system) - before_us);
    if (database->commits_made != NULL) atomic_fetch_add(&database->commits_made->count, 1); /* a failed one too: that costs a look */
    return outcome;
}

/* After a failed write SQLite has often rolled back by itself. A statement that was left unfinished would go on holding the old state, keep
 * the connection in its error state as long as it holds a page, and forbid checkpoints. */
void database_rollback(struct database *database) {
    sqlite3_stmt *statement = NULL;
    while ((statement = sqlite3_next_stmt(database->handle, statement)) != NULL) {
        if (!sqlite3_stmt_busy(statement)) continue;
        (void)sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
    if (!sqlite3_get_autocommit(database->handle)) (void)sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
    CHECK(sqlite3_get_autocommit(database->handle));
}

struct result database_begin_read(struct database *database) {
    CHECK(sqlite3_get_autocommit(database->handle));
    return statement_run(&database->begin_read);
}

void database_end_read(struct database *database) { database_rollback(database); }

void database_observe_commits(struct database *database, struct metric *metric) { database->commit_metric = metric; }

/* ---- checkpoints ---- */

/* Through SQLite's own descriptor: closing another one of this file would drop the process's locks on it. */
static bool sync_after_part(struct database *database) {
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    CHECK(code == SQLITE_OK && file != NULL && file->pMethods != NULL);
    if (file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK) return true;
    database->is_backfill_doubtful = true;
    LOG(LOG_ERROR, "checkpoints_stopped",
        LOG_STRING("reason", "an fsync of the database failed; the WAL keeps everything until the next start"));
    return false;
}

/* The WAL is begun anew by a commit that finds all of it in the file and no reader in it. Loops under load are always in it, each for the moment of
 * a round: they are not waited for until the WAL is large, and then for longer than a round takes. Who reads for minutes (verify, a backup) is
 * waited for again only when the WAL has doubled. */
static int checkpoint_patiently(struct database *database, int *ret_frames, int *ret_moved) {
    sqlite3_busy_timeout(database->handle, PATIENCE_MS);
    int code = sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_RESTART, ret_frames, ret_moved);
    sqlite3_busy_timeout(database->handle, BUSY_TIMEOUT_MS);
    database->wal_pages_patient = code == SQLITE_OK ? WAL_PAGES_PATIENT : 2 * database->wal_pages;
    return code == SQLITE_BUSY ? SQLITE_OK : code; /* what could be moved is moved */
}

static void checkpoint(struct database *database) {
    int frames = 0;
    int moved = 0;
    int code = database->wal_pages >= database->wal_pages_patient
                   ? checkpoint_patiently(database, &frames, &moved)
                   : sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    database->wal_pages_tried = database->wal_pages;
    if (!result_is_ok(connection_result(database, code, "checkpoint"))) return;
    database->is_wal_moved = moved == frames;
    if (moved < frames) (void)sync_after_part(database);
}

void database_checkpoint(struct database *database, uint32_t wal_pages_min) {
    CHECK(database->mode == DATABASE_WRITE && sqlite3_get_autocommit(database->handle));
    if (database->is_backfill_doubtful || database->wal_pages == 0) return;
    if (database->wal_pages - database->wal_pages_tried < wal_pages_min) return;
    checkpoint(database);
}

void database_make_room(struct database *database) {
    CHECK(database->mode == DATABASE_WRITE && sqlite3_get_autocommit(database->handle));
    if (database->wal_pages == 0 || database->quiet_moments > QUIET_MOMENTS) return;
    if (++database->quiet_moments <= QUIET_MOMENTS) return;
    connection_lengthen_wal(database, WAL_BYTES_READY);
}

struct result database_probe(struct database *database) {
    database_checkpoint(database, 0);
    if (database->is_full) TRY(connection_make_wal_room(database, database->room_bytes));
    TRY(database_begin(database));
    /* Writing the number that is there already changes nothing, and still writes a page. */
    int64_t version = 0;
    char sql[64];
    struct result outcome = connection_query_integer(database, "PRAGMA user_version", &version);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)version);
    if (result_is_ok(outcome)) outcome = connection_execute(database, sql);
    if (result_is_ok(outcome)) outcome = database_commit(database);
    if (!result_is_ok(outcome)) {
        database_rollback(database);
    } else if (database->is_full) {
        database->is_full = false;
        database->logged_code = SQLITE_OK;
        database->had_room_us = clock_monotonic_us(&clock_system);
    }
    return outcome;
}

/* ---- proof ---- */

static struct result find_fault(struct database *database, const char *sql, char *buffer, size_t capacity) {
    struct statement statement;
    TRY(statement_prepare(database, sql, &statement));
    bool is_row = false;
    struct result outcome = statement_step(&statement, &is_row);
    if (result_is_ok(outcome) && is_row) {
        struct text finding = statement_text(&statement, 0);
        snprintf(buffer, capacity, "%.*s", (int)finding.size, finding.data);
        outcome = text_equal(finding, TEXT("ok")) ? result_ok() : result_error(RESULT_CORRUPT);
    }
    sqlite3_finalize(statement.handle);
    return outcome;
}

struct result database_verify(struct database *database, char *buffer, size_t capacity) {
    CHECK(capacity > 0);
    buffer[0] = '\0';
    TRY(find_fault(database, "PRAGMA integrity_check(1)", buffer, capacity));
    return find_fault(database,
                      "SELECT 'row ' || ifnull(rowid, '?') || ' of ' || \"table\" || ' refers to a row that ' || parent || ' does not have'"
                      " FROM pragma_foreign_key_check LIMIT 1",
                      buffer, capacity);
}

/* ---- closing ---- */

/* The connection was the writer and is in order: what is in the WAL goes into the file, so that the file alone is a copy worth having. Readers
 * elsewhere may keep a part of it from that; then it stays in the WAL, which is as good. */
static void move_wal_for_good(struct database *database) {
    sqlite3_busy_timeout(database->handle, 0);
    int code = sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (code == SQLITE_OK) sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    if (code == SQLITE_BUSY) (void)sync_after_part(database);
}

void database_close(struct database *database) {
    if (database == NULL) return;
    if (database->handle != NULL) {
        database_rollback(database);
        sqlite3_stmt *statement;
        while ((statement = sqlite3_next_stmt(database->handle, NULL)) != NULL) sqlite3_finalize(statement);
        bool was_set_up = database->commit.handle != NULL;
        if (database->mode == DATABASE_WRITE && was_set_up && !database->is_backfill_doubtful) move_wal_for_good(database);
        CHECK(sqlite3_close(database->handle) == SQLITE_OK);
    }
    if (database->lock_fd >= 0) close(database->lock_fd);
    free(database);
}

int64_t database_changes(const struct database *database) { return sqlite3_changes64(database->handle); }
