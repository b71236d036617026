#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/connection.h"

static sqlite3_stmt *handle_of(const struct statement *statement) {
    CHECK(statement->handle != NULL);
    return statement->handle;
}

struct result statement_prepare(struct database *database, const char *sql, struct statement *ret_statement) {
    sqlite3_stmt *handle = NULL;
    const char *tail = NULL;
    *ret_statement = (struct statement){.database = database};
    int code = sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, &tail);
    if (code != SQLITE_OK) {
        LOG(LOG_ERROR, "statement_refused", LOG_STRING("sql", sql), LOG_STRING("reason", sqlite3_errmsg(database->handle)));
        return connection_translate(database, code);
    }
    while (isspace((unsigned char)*tail)) tail++;
    if (handle == NULL || *tail != '\0') {
        sqlite3_finalize(handle);
        LOG(LOG_ERROR, "statement_refused", LOG_STRING("sql", sql), LOG_STRING("reason", "not exactly one statement"));
        return result_error(RESULT_INVALID);
    }
    ret_statement->handle = handle;
    return result_ok();
}

/* A parameter that does not exist, or a statement that was not reset, is a mistake in our code. */
void statement_bind_integer(struct statement *statement, int parameter, int64_t value) {
    CHECK(sqlite3_bind_int64(handle_of(statement), parameter, value) == SQLITE_OK);
}

void statement_bind_text(struct statement *statement, int parameter, struct text value) {
    const char *data = value.data == NULL ? "" : value.data; /* NULL would bind the SQL value NULL */
    CHECK(sqlite3_bind_text64(handle_of(statement), parameter, data, value.size, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
}

void statement_bind_blob(struct statement *statement, int parameter, const void *data, size_t size) {
    CHECK(sqlite3_bind_blob64(handle_of(statement), parameter, data == NULL ? "" : data, size, SQLITE_STATIC) == SQLITE_OK);
}

/* The id is a value of this call: the statement keeps a few, which costs less than a copy that SQLite allocates. */
void statement_bind_id(struct statement *statement, int parameter, struct id id) {
    bool has_room = statement->id_count < STATEMENT_IDS;
    struct id *kept = has_room ? &statement->ids[statement->id_count++] : &id;
    *kept = id;
    CHECK(sqlite3_bind_blob64(handle_of(statement), parameter, kept->bytes, sizeof kept->bytes,
                              has_room ? SQLITE_STATIC : SQLITE_TRANSIENT) == SQLITE_OK);
}

void statement_bind_null(struct statement *statement, int parameter) {
    CHECK(sqlite3_bind_null(handle_of(statement), parameter) == SQLITE_OK);
}

struct result statement_step(struct statement *statement, bool *ret_row) {
    int code = sqlite3_step(handle_of(statement));
    *ret_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) return result_ok();
    return connection_result(statement->database, code, "run a statement");
}

struct result statement_run(struct statement *statement) {
    bool is_row = false;
    struct result outcome = statement_step(statement, &is_row);
    CHECK(!is_row);
    statement_reset(statement);
    return outcome;
}

void statement_reset(struct statement *statement) {
    sqlite3_stmt *handle = handle_of(statement);
    (void)sqlite3_reset(handle); /* its code repeats the last step's, which the caller has */
    sqlite3_clear_bindings(handle);
    statement->id_count = 0;
}

int64_t statement_integer(const struct statement *statement, int column) { return sqlite3_column_int64(handle_of(statement), column); }

struct text statement_text(const struct statement *statement, int column) {
    const unsigned char *data = sqlite3_column_text(handle_of(statement), column);
    if (data == NULL) return TEXT("");
    return (struct text){(const char *)data, (size_t)sqlite3_column_bytes(handle_of(statement), column)};
}

struct text statement_blob(const struct statement *statement, int column) {
    const void *data = sqlite3_column_blob(handle_of(statement), column);
    if (data == NULL) return TEXT("");
    return (struct text){data, (size_t)sqlite3_column_bytes(handle_of(statement), column)};
}

struct id statement_id(const struct statement *statement, int column) {
    struct id id = {0};
    struct text bytes = statement_blob(statement, column);
    if (bytes.size == sizeof id.bytes) memcpy(id.bytes, bytes.data, sizeof id.bytes);
    return id;
}

bool statement_is_null(const struct statement *statement, int column) {
    return sqlite3_column_type(handle_of(statement), column) == SQLITE_NULL;
}

int statement_column_count(const struct statement *statement) { return sqlite3_column_count(handle_of(statement)); }

struct value statement_value(const struct statement *statement, int column) {
    sqlite3_stmt *handle = handle_of(statement);
    switch (sqlite3_column_type(handle, column)) {
    case SQLITE_INTEGER: return value_integer(sqlite3_column_int64(handle, column));
    case SQLITE_TEXT: return value_text(statement_text(statement, column));
    case SQLITE_BLOB: return (struct value){.column = COLUMN_BYTES, .text = statement_blob(statement, column)};
    case SQLITE_NULL: return value_null(COLUMN_NONE);
    default: return (struct value){.column = COLUMN_NONE};
    }
}
