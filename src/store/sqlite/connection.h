/* A connection as this folder's files see it; nobody else includes this. */
#pragma once

#include <sqlite3.h>

#include "store/sqlite/database.h"

struct database {
    sqlite3 *handle;
    enum database_mode mode; /* WRITE or READ: a created one is opened for writing */
    int lock_fd;             /* -1 for readers, but for those in a folder that may not be written */
    struct statement begin;
    struct statement begin_read;
    struct statement commit;
    struct metric *commit_metric; /* may be NULL */

    struct batch_commits *commits_made;           /* the writer's; may be NULL */
    const struct batch_commits *commits_followed; /* a reader's; NULL: it does not read in rounds */
    uint64_t commits_seen;                        /* their count before the transaction that is open */

    uint32_t wal_pages;          /* in the WAL after the newest commit */
    uint32_t wal_pages_tried;    /* of these, what the last checkpoint has seen */
    bool is_wal_moved;           /* all of it is in the file, as the last checkpoint has found */
    uint32_t wal_pages_alarming; /* the next size that is worth a warning */
    uint32_t wal_pages_patient;  /* from this size on a checkpoint waits a little for readers */
    bool is_full;                /* a write found no room: a probe must first make some */
    int64_t room_bytes;          /* how much */
    int64_t had_room_us;         /* monotonic: when a probe last had it; 0: never */
    bool is_contended;           /* another program had the write lock for longer than the patience of a begin */
    uint32_t quiet_moments;      /* offered to database_make_room so far */
    bool is_backfill_doubtful;   /* see database.c: no more checkpoints by this connection */
    int logged_code;             /* the last error that was logged, so that a failing disk does not fill the log; reset by a write */
};

/* SQLite's answer in our words, without a log line. */
struct result connection_translate(struct database *database, int code);
/* The same; logs what went wrong with `doing` (a constant phrase), once per kind until a write has reached the disk again. */
struct result connection_result(struct database *database, int code, const char *doing);
/* Runs SQL without parameters and rows of interest. `sql` may hold several statements. */
struct result connection_execute(struct database *database, const char *sql) MUST_CHECK;
/* The first column of the first row. RESULT_NOT_FOUND: no row. */
struct result connection_query_integer(struct database *database, const char *sql, int64_t *ret_value) MUST_CHECK;

/* Writes and syncs zeros behind the end of the WAL until it has so many bytes; a failure is logged, and leaves it as long as it was. */
void connection_lengthen_wal(struct database *database, int64_t bytes);

/* Makes the WAL so much longer than its frames are, if it is not, so that commits of so many bytes need no more of the disk. RESULT_FULL: there is no room,
 * and the WAL is as long as it was. */
struct result connection_make_wal_room(struct database *database, int64_t bytes) MUST_CHECK;

/* The name of the VFS that gathers what a commit writes (gather.c), over the one that is the default now. */
const char *gather_register(void);

/* Takes the lock file for as long as the descriptor is open; the kernel gives it back however the process ends. RESULT_CONFLICT: another
 * process (or another descriptor of ours) has it. RESULT_FULL, RESULT_IO: the file cannot be made. */
struct result lock_take(const char *database_path, int *ret_fd) MUST_CHECK;
/* Keeps a writer away, in a folder that may not be written. RESULT_UNAVAILABLE: there is one. *ret_fd is -1 where no lock file is. */
struct result lock_share(const char *database_path, int *ret_fd) MUST_CHECK;

/* Runs the migrations from user_version on, each in one transaction. Between transactions. */
struct result migrate(struct database *database, const struct schema *schema) MUST_CHECK;
