/* SQLite behind the seam (store/batch.h): each question is answered as it is asked, by a statement that is prepared at its first use.
 *
 *   reader   IDLE ── first ask: database_refresh ──▶ ASKING ── batch_run ──▶ IDLE ── batch_end_round: the read transaction ends
 *   writer   IDLE ── batch_begin ──▶ OPEN ── ask, run, do ──▶ commit or rollback ──▶ IDLE
 *
 * A commit is never doubtful here: SQLite has written it, or rolls it back at the next opening. */
#include "store/sqlite/driver.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "store/driver.h"
#include "store/sqlite/connection.h"

#define CHECKPOINT_PAGES_QUIET 1000u
#define SQL_BYTES_MAX          4096u
#define STATEMENTS_MAX         256u /* a power of two, and twice what a service asks at least */

struct prepared {
    const struct question *question;
    struct statement statement;
};

struct sqlite_batch {
    struct batch batch; /* first */
    struct database *database;
    bool is_asking; /* a reader's run is under way */
    bool is_open;   /* a writer's transaction */
    struct result failure;
    struct row row; /* the visitor's */
    size_t prepared_count;
    struct prepared prepared[STATEMENTS_MAX]; /* by address of the question */
};

static struct sqlite_batch *own(struct batch *batch) { return (struct sqlite_batch *)batch; }

/* ---- statements ---- */

/* To SQLite $2 is a name, and the first name that comes is parameter 1; ?2 is parameter 2. The text is a constant of ours, without quotes around a $. */
static void number_parameters(const char *sql, char text[SQL_BYTES_MAX]) {
    size_t size = strlen(sql);
    CHECK(size < SQL_BYTES_MAX);
    for (size_t i = 0; i <= size; i++) text[i] = sql[i] == '$' ? '?' : sql[i];
}

static struct result prepare(struct sqlite_batch *self, const struct question *question, struct statement **ret_statement) {
    size_t slot = (size_t)(((uintptr_t)question >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 40) % STATEMENTS_MAX;
    while (self->prepared[slot].question != NULL && self->prepared[slot].question != question) slot = (slot + 1) % STATEMENTS_MAX;
    struct prepared *prepared = &self->prepared[slot];
    if (prepared->question == NULL) {
        CHECK(self->prepared_count < STATEMENTS_MAX / 2);
        char text[SQL_BYTES_MAX];
        number_parameters(question->sql, text);
        TRY(statement_prepare(self->database, text, &prepared->statement));
        prepared->question = question;
        self->prepared_count++;
    }
    *ret_statement = &prepared->statement;
    return result_ok();
}

static void bind(struct statement *statement, const struct question *question, const struct value *values) {
    for (int i = 0; i < QUESTION_PARAMETERS_MAX && question->parameters[i] != COLUMN_NONE; i++) {
        const struct value *value = &values[i];
        CHECK(value->column == question->parameters[i]);
        if (value->is_null) continue; /* nothing is bound: NULL */
        switch (value->column) {
        case COLUMN_NONE: break;
        case COLUMN_INTEGER: statement_bind_integer(statement, i + 1, value->integer); break;
        case COLUMN_TEXT: statement_bind_text(statement, i + 1, value->text); break;
        case COLUMN_BYTES: statement_bind_blob(statement, i + 1, value->text.data, value->text.size); break;
        case COLUMN_ID: statement_bind_blob(statement, i + 1, value->id.bytes, sizeof value->id.bytes); break;
        }
    }
}

static void fetch(struct sqlite_batch *self, const struct question *question, struct statement *statement) {
    struct row *row = &self->row;
    row->question = question;
    row->count = statement_column_count(statement);
    CHECK(row->count <= ROW_COLUMNS_MAX);
    for (int i = 0; i < row->count; i++) row->cells[i] = statement_value(statement, i);
}

static struct result visit_rows(struct sqlite_batch *self, const struct question *question, struct statement *statement, row_visitor *visit,
                                void *context) {
    for (;;) {
        bool is_row = false;
        TRY(statement_step(statement, &is_row));
        if (!is_row) return result_ok();
        fetch(self, question, statement);
        TRY(row_visit(&self->row, visit, context));
    }
}

/* ---- asking ---- */

static void fail(struct sqlite_batch *self, struct result failure) {
    if (result_is_ok(self->failure)) self->failure = failure;
}

static struct result ask(struct sqlite_batch *self, const struct question *question, const struct value *values, row_visitor *visit,
                         void *context) {
    struct statement *statement = NULL;
    if (!self->is_asking && !self->is_open) TRY(database_refresh(self->database));
    self->is_asking = true;
    TRY(prepare(self, question, &statement));
    bind(statement, question, values);
    struct result visited = visit_rows(self, question, statement, visit, context);
    statement_reset(statement);
    return visited;
}

static void sqlite_ask(struct batch *batch, const struct question *question, const struct value *values, row_visitor *visit,
                       void *context) {
    struct sqlite_batch *self = own(batch);
    if (result_is_ok(self->failure)) fail(self, ask(self, question, values, visit, context));
}

static struct result sqlite_run(struct batch *batch) {
    struct sqlite_batch *self = own(batch);
    struct result outcome = self->failure;
    self->is_asking = false;
    if (!self->is_open) self->failure = result_ok();
    return outcome;
}

static void sqlite_end_round(struct batch *batch) { database_end_round(own(batch)->database); }

/* ---- writing ---- */

static struct result sqlite_begin(struct batch *batch) {
    struct sqlite_batch *self = own(batch);
    CHECK(!self->is_open);
    self->failure = result_ok();
    TRY(database_begin(self->database));
    self->is_open = true;
    return result_ok();
}

static struct result perform(struct sqlite_batch *self, const struct question *question, const struct value *values, int64_t rows_due) {
    struct statement *statement = NULL;
    TRY(prepare(self, question, &statement));
    bind(statement, question, values);
    TRY(statement_run(statement));
    int64_t touched = database_changes(self->database);
    if (rows_due == ROWS_ANY || touched == rows_due) return result_ok();
    LOG(LOG_ERROR, "rows_missed", LOG_STRING("question", question->name), LOG_INTEGER("due", rows_due), LOG_INTEGER("touched", touched));
    return result_error(RESULT_CORRUPT);
}

static void sqlite_perform(struct batch *batch, const struct question *question, const struct value *values, int64_t rows_due) {
    struct sqlite_batch *self = own(batch);
    CHECK(self->is_open);
    if (result_is_ok(self->failure)) fail(self, perform(self, question, values, rows_due));
}

static void sqlite_rollback(struct batch *batch) {
    struct sqlite_batch *self = own(batch);
    for (size_t i = 0; i < STATEMENTS_MAX; i++) { /* one may have failed half-way */
        if (self->prepared[i].question != NULL) statement_reset(&self->prepared[i].statement);
    }
    database_rollback(self->database);
    self->is_open = self->is_asking = false;
    self->failure = result_ok();
}

static enum commit_end sqlite_commit(struct batch *batch, struct result *ret_reason) {
    struct sqlite_batch *self = own(batch);
    CHECK(self->is_open);
    *ret_reason = self->failure;
    if (result_is_ok(self->failure)) *ret_reason = database_commit(self->database);
    if (!result_is_ok(*ret_reason)) {
        sqlite_rollback(batch);
        return NOT_COMMITTED;
    }
    self->is_open = self->is_asking = false;
    return COMMITTED;
}

static enum commit_end sqlite_settle(struct batch *batch) {
    (void)batch;
    CHECK(false); /* never doubtful */
    return NOT_COMMITTED;
}

static struct result sqlite_probe(struct batch *batch) { return database_probe(own(batch)->database); }

static enum commit_end sqlite_tidy(struct batch *batch, bool is_busy) {
    struct database *database = own(batch)->database;
    database_checkpoint(database, is_busy ? DATABASE_CHECKPOINT_BUSY : CHECKPOINT_PAGES_QUIET);
    if (!is_busy) database_make_room(database);
    return COMMITTED;
}

static struct result sqlite_verify(struct batch *batch, char *buffer, size_t capacity) {
    return database_verify(own(batch)->database, buffer, capacity);
}

static void sqlite_observe_commits(struct batch *batch, struct metric *metric) { database_observe_commits(own(batch)->database, metric); }

/* ---- life ---- */

static void sqlite_close(struct batch *batch) {
    struct sqlite_batch *self = own(batch);
    if (self->database != NULL) database_close(self->database);
    free(self);
}

static const struct batch_driver driver = {
    .close = sqlite_close,
    .ask = sqlite_ask,
    .run = sqlite_run,
    .end_round = sqlite_end_round,
    .begin = sqlite_begin,
    .perform = sqlite_perform,
    .commit = sqlite_commit,
    .settle = sqlite_settle,
    .rollback = sqlite_rollback,
    .probe = sqlite_probe,
    .tidy = sqlite_tidy,
    .verify = sqlite_verify,
    .observe_commits = sqlite_observe_commits,
};

struct result sqlite_batch_open(const struct place *place, enum batch_mode mode, struct batch **ret_batch) {
    static const enum database_mode modes[] = {
        [BATCH_CREATE] = DATABASE_CREATE, [BATCH_WRITE] = DATABASE_WRITE, [BATCH_READ] = DATABASE_READ};
    struct sqlite_batch *self = calloc(1, sizeof *self);
    if (self == NULL) return result_error(RESULT_FULL);
    self->batch.driver = &driver;
    struct result opened = database_open(place->file, modes[mode], place->schema, &self->database);
    if (!result_is_ok(opened)) {
        sqlite_close(&self->batch);
        return opened;
    }
    static const struct batch_commits none = {0}; /* nothing newer is looked for before the round ends */
    const struct batch_commits *followed = place->keeps_state ? &none : place->commits;
    if (followed != NULL && mode == BATCH_READ) database_follow(self->database, followed);
    if (place->commits != NULL && mode != BATCH_READ) database_count_commits(self->database, place->commits);
    *ret_batch = &self->batch;
    return result_ok();
}
