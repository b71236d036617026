/* SQLite, wrapped: sqlite3.h is included in this folder only.
 *
 * One writer connection per process and folder, guarded by a lock file; it alone writes and checkpoints. Readers are read-only, never
 * checkpoint, and do not checkpoint on close (before 3.51.3 two checkpointing connections can corrupt a WAL). WAL, synchronous=FULL,
 * foreign_keys, STRICT tables, application_id, user_version = number of the newest migration. */
#pragma once

#include "base/crypto.h"
#include "base/id.h"
#include "base/text.h"
#include "store/batch.h"

struct database;

enum database_mode {
    DATABASE_CREATE, /* must not exist; makes it and runs all migrations */
    DATABASE_WRITE,  /* must exist; takes the lock, runs missing migrations */
    DATABASE_READ,   /* must exist, read-only, newest schema or RESULT_INVALID */
};

/* `path` is the file; beside it stand PATH-wal, PATH-shm and PATH.lock, all 0600. RESULT_CONFLICT: exists already (CREATE), or another process holds the lock (WRITE). RESULT_NOT_FOUND, RESULT_CORRUPT,
 * RESULT_INVALID (another application's file, a newer schema, or, for READ, an older one), RESULT_UNAVAILABLE (READ, after a crash, in a folder
 * that may not be written: the writer must start first), RESULT_FULL, RESULT_IO. Each failure is logged once with its reason. */
struct result database_open(const char *path, enum database_mode mode, const struct schema *schema,
                            struct database **ret_database) MUST_CHECK;
void database_close(struct database *database);

struct result database_begin(struct database *database) MUST_CHECK;  /* BEGIN IMMEDIATE */
struct result database_commit(struct database *database) MUST_CHECK; /* durable when OK */
void database_rollback(struct database *database);                   /* safe when no transaction is open */
/* A read transaction for several statements that must see one state. */
struct result database_begin_read(struct database *database) MUST_CHECK;
void database_end_read(struct database *database);

/* ---- reading in rounds: one read transaction for all that a loop reads between two waits, and never an old state (round.c) ---- */

/* From now on the writer counts there, when a commit is visible and nobody knows of it yet. `commits` outlives the writer. */
void database_count_commits(struct database *database, struct batch_commits *commits);
/* The reader reads in rounds; NULL: not, each statement is a transaction of its own. `commits` outlives the reader. */
void database_follow(struct database *database, const struct batch_commits *commits);
/* Before each question, which may take several statements; no statement is in use. What is read next is one state, with every commit that ended
 * before this call. For a reader that follows nobody it does nothing. */
struct result database_refresh(struct database *database) MUST_CHECK;
/* When the loop has nothing more to do and before it waits; no statement is in use. Cheap when nothing was read. */
void database_end_round(struct database *database);
/* The writer, between transactions: moves the WAL into the file when it has grown by `wal_pages_min` pages (of 4 KiB) since the last time;
 * never blocks readers. 0: whenever there is something in it. A failure is logged and loses nothing. */
void database_checkpoint(struct database *database, uint32_t wal_pages_min);
#define DATABASE_CHECKPOINT_BUSY 8192u /* `wal_pages_min` while operations wait: 32 MiB, of which a page that changes often is moved once */
/* The writer, between transactions, at each quiet moment: at the tenth after the first commit it makes the WAL as long as a busy second needs it,
 * because commits that write over old bytes are twice as fast. Once; a failure (a full disk) changes nothing. */
void database_make_room(struct database *database);
/* A small durable write, for struct store_engine: whether a failed disk is back. First moves the WAL into the file, because on a full disk that
 * makes its room free for new commits. Between transactions. */
struct result database_probe(struct database *database) MUST_CHECK;
int64_t database_changes(const struct database *database); /* rows that the last INSERT, UPDATE or DELETE touched */
/* PRAGMA integrity_check and foreign_key_check; RESULT_CORRUPT with the first finding in `buffer`. */
struct result database_verify(struct database *database, char *buffer, size_t capacity) MUST_CHECK;
/* fsync time of commits goes to this metric. */
struct metric;
void database_observe_commits(struct database *database, struct metric *metric);

/* ---- statements: prepared once, kept with the connection; one user at a time ---- */
#define STATEMENT_IDS 4
struct statement {
    struct database *database;
    void *handle;
    size_t id_count;
    struct id ids[STATEMENT_IDS]; /* bound since the last reset: the statement is not moved meanwhile */
};

/* RESULT_INVALID when the SQL is wrong (logged): a mistake in our code. The statement lives until database_close. */
struct result statement_prepare(struct database *database, const char *sql, struct statement *ret_statement) MUST_CHECK;
/* Parameters are numbered from 1, columns from 0. Bound texts and blobs must live until statement_reset. */
void statement_bind_integer(struct statement *statement, int parameter, int64_t value);
void statement_bind_text(struct statement *statement, int parameter, struct text value);
void statement_bind_blob(struct statement *statement, int parameter, const void *data, size_t size);
void statement_bind_id(struct statement *statement, int parameter, struct id id);
void statement_bind_null(struct statement *statement, int parameter);
/* *ret_row: a row is there. Errors: FULL (disk), IO, CORRUPT, CONFLICT (a constraint). */
struct result statement_step(struct statement *statement, bool *ret_row) MUST_CHECK;
/* Steps once, expects no row, resets. */
struct result statement_run(struct statement *statement) MUST_CHECK;
void statement_reset(struct statement *statement); /* also unbinds; always after the last step */
int64_t statement_integer(const struct statement *statement, int column);
struct text statement_text(const struct statement *statement, int column); /* valid until the next step or reset */
struct text statement_blob(const struct statement *statement, int column);
struct id statement_id(const struct statement *statement, int column); /* zero for NULL */
/* Any column, as what it is: COLUMN_INTEGER, COLUMN_TEXT, COLUMN_BYTES, or NULL; a real number, which no table of ours may hold, is COLUMN_NONE. */
struct value statement_value(const struct statement *statement, int column);
int statement_column_count(const struct statement *statement);
bool statement_is_null(const struct statement *statement, int column);
