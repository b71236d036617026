/* The seam between what a service asks and where it is kept. Questions are asked together: SQLite answers each as it is asked, PostgreSQL sends
 * all of a trip at once and answers them in batch_run. Whoever asks can't tell: a visitor is called between the ask and the end of the run.
 *
 *   writer:  batch_begin ─▶ batch_ask … ─▶ batch_run ─▶ (decide) ─▶ batch_do … ─▶ batch_commit ─▶ COMMITTED
 *                │              ▲             │                          │            ├─▶ NOT_COMMITTED: nothing of it is in the database
 *                │              └─────────────┘                          │            ├─▶ COMMIT_FENCED: another process is the writer now
 *                └───── a failure: batch_rollback ◀──────────────────────┘            └─▶ COMMIT_DOUBTFUL ─▶ batch_settle until it is known
 *   reader:  batch_ask … ─▶ batch_run, any number of times ─▶ batch_end_round
 *
 * A batch is one connection, used by one thread at a time. Invariants: the questions of one run are answered from one state, never an older one
 * than a commit that had ended before the first of them was asked; the writer's from the state that it alone changes; a failure is kept until
 * batch_run or batch_commit tells it, and after one no visitor is called; a visitor asks nothing. */
#pragma once

#include <stdatomic.h>

#include "base/id.h"
#include "base/text.h"

/* ---- questions: constants of a service's tables.c ---- */

enum column { COLUMN_NONE = 0, COLUMN_INTEGER, COLUMN_TEXT, COLUMN_BYTES, COLUMN_ID };

#define QUESTION_PARAMETERS_MAX 64

/* SELECT, INSERT … VALUES ($1, …) [ON CONFLICT (…) DO … excluded.…], UPDATE … WHERE, DELETE … WHERE. In words that both engines know: $1 and so on,
 * named columns, no ?1, no iif(), no OR REPLACE. Ids are BLOB in SQLite and uuid in PostgreSQL, bytes BLOB and bytea, texts TEXT, all else INTEGER and
 * bigint. PostgreSQL asks many of one question at once, through unnest() around this text (postgres/gather.c); `postgres` is its own text where the
 * dialects differ. A SELECT that looks for one row says LIMIT 1. */
struct question {
    const char *name; /* for logs: "account of a user" */
    const char *sql;
    const char *postgres; /* NULL: sql */
    enum column parameters[QUESTION_PARAMETERS_MAX];
};

struct value {
    enum column column;
    bool is_null;
    union {
        int64_t integer;
        struct text text; /* and bytes */
        struct id id;
    };
};

static inline struct value value_integer(int64_t integer) { return (struct value){.column = COLUMN_INTEGER, .integer = integer}; }
static inline struct value value_text(struct text text) { return (struct value){.column = COLUMN_TEXT, .text = text}; }
static inline struct value value_bytes(const void *data, size_t size) {
    return (struct value){.column = COLUMN_BYTES, .text = {data, size}};
}
static inline struct value value_id(struct id id) { return (struct value){.column = COLUMN_ID, .id = id}; }
static inline struct value value_null(enum column column) { return (struct value){.column = column, .is_null = true}; }
static inline struct value value_id_or_null(struct id id) { return id_is_zero(id) ? value_null(COLUMN_ID) : value_id(id); }

/* ---- rows: good until the visitor returns ---- */

struct row;
/* Columns are numbered from 0. One that has another type than is asked for, or is NULL where 0 or "" would hide it, refuses the row: the visitor gets 0
 * or "", and the run ends with RESULT_CORRUPT and a log line that names question and column. */
int64_t row_integer(const struct row *row, int column);
int64_t row_integer_between(const struct row *row, int column, int64_t min, int64_t max); /* refused outside: gives min */
bool row_boolean(const struct row *row, int column);                                      /* 0 or 1 */
int64_t row_time(const struct row *row, int column); /* µs since 1970, in a year that RFC 3339 can write; refused outside: gives 0 */
struct text row_text(const struct row *row, int column);
struct text row_bytes(const struct row *row, int column);
void row_bytes_into(const struct row *row, int column, void *ret_data, size_t size); /* exactly so many */
struct id row_id(const struct row *row, int column);
bool row_is_null(const struct row *row, int column); /* and then the column may be asked by nothing else but the next three */
int64_t row_integer_or_zero(const struct row *row, int column);
struct text row_text_or_empty(const struct row *row, int column);
struct id row_id_or_zero(const struct row *row, int column);
/* For a rule that only the visitor knows: the same refusal. `why` is a constant phrase. */
void row_refuse(const struct row *row, int column, const char *why);
/* RESULT_CORRUPT when anything of it was refused: what a mapper of rows returns, so that nobody goes on with what it made of such a one. */
struct result row_verdict(const struct row *row) MUST_CHECK;

/* Once for each row, in the order of the question; its failure ends the run. The context lives until then. */
typedef struct result row_visitor(void *context, const struct row *row);

/* ---- connections: store/open.h opens them ---- */

struct batch;

struct migration {
    const char *name;     /* "0001_ledger.sql" */
    const char *sql;      /* NULL: not for SQLite */
    const char *postgres; /* NULL: not for PostgreSQL */
};

struct schema {
    uint32_t application_id;            /* SQLite's; PostgreSQL keeps it in its table of migrations */
    const char *name;                   /* "wallet": PostgreSQL's schema */
    const struct migration *migrations; /* number i+1 at index i */
    size_t count;
};

enum batch_mode {
    BATCH_CREATE, /* must not exist; makes it and runs all migrations */
    BATCH_WRITE,  /* must exist; keeps every other writer away, runs missing migrations */
    BATCH_READ,   /* must exist, read-only, newest schema or RESULT_INVALID */
};

/* Commits made by the writer, for the readers of the same process. */
struct batch_commits {
    _Atomic uint64_t count;
};

/* Where a service's rows are. */
struct place {
    const char *file; /* SQLite's; NULL: PostgreSQL's is meant */
    const char *url;  /* libpq's: postgres://… or "service=…" */
    const struct schema *schema;
    bool keeps_state;              /* a reader's: until batch_end_round all runs are answered from the state of the first */
    struct batch_commits *commits; /* outlives every batch; NULL: readers have no rounds */
};

void batch_close(struct batch *batch);

/* ---- asking ---- */

/* Values: one for each parameter of the question. They are copied; what texts and bytes point to lives until the end of the run, or
 * of the commit. */
void batch_ask(struct batch *batch, const struct question *question, const struct value *values, row_visitor *visit, void *context);
/* RESULT_CORRUPT: a row that breaks its rules; RESULT_UNAVAILABLE, RESULT_TIMEOUT, RESULT_IO, RESULT_FULL; or what a visitor said. A reader is as new
 * afterwards; a writer must roll back. */
struct result batch_run(struct batch *batch) MUST_CHECK;
/* A loop has nothing more to do and is about to wait: the reader's state is given up. Cheap when nothing was read. */
void batch_end_round(struct batch *batch);

/* ---- writing ---- */

#define ROWS_ANY INT64_C(-1)

struct result batch_begin(struct batch *batch) MUST_CHECK;
/* INSERT, UPDATE or DELETE that must touch `rows_due` rows, or ROWS_ANY; another number ends the commit with RESULT_CORRUPT. Writes of one question may be
 * done at once, those of different questions in the order in which each was asked first: none depends on one of its own or of a later question, none names
 * the same row twice. */
void batch_do(struct batch *batch, const struct question *question, const struct value *values, int64_t rows_due);

enum commit_end { COMMITTED, NOT_COMMITTED, COMMIT_FENCED, COMMIT_DOUBTFUL };
/* Durable when COMMITTED. *ret_reason says why not. After NOT_COMMITTED and COMMIT_FENCED nothing is open. */
enum commit_end batch_commit(struct batch *batch, struct result *ret_reason) MUST_CHECK;
/* After COMMIT_DOUBTFUL, again and again with pauses: what became of it. */
enum commit_end batch_settle(struct batch *batch) MUST_CHECK;
void batch_rollback(struct batch *batch); /* safe when nothing is open */

/* A small durable write, between transactions: whether a failed disk or server is back. */
struct result batch_probe(struct batch *batch) MUST_CHECK;
/* Between transactions, about once a second: checkpoint, lease. `is_busy`: operations wait, and what can wait longer than they should. COMMIT_FENCED:
 * as above; NOT_COMMITTED: the server is not to be reached; else COMMITTED. */
enum commit_end batch_tidy(struct batch *batch, bool is_busy);

/* The engine's own check of its files; RESULT_CORRUPT with the first finding in `buffer`. */
struct result batch_verify(struct batch *batch, char *buffer, size_t capacity) MUST_CHECK;
struct metric;
void batch_observe_commits(struct batch *batch, struct metric *metric); /* how long each commit waits for the disk */
