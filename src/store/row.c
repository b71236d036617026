/* What a visitor may ask of a row. Stored data is never trusted: what breaks a rule refuses the row, and the run that it belongs to. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/driver.h"

#define KEY_BYTES     (ID_TEXT_BYTES + 1)
#define YEAR_10000_US INT64_C(253402300800000000)

struct result row_visit(struct row *row, row_visitor *visit, void *context) {
    row->is_refused = false;
    struct result visited = visit(context, row);
    return row->is_refused ? result_error(RESULT_CORRUPT) : visited;
}

/* Who asks for it may ask again and again. */
static struct log_burst refused = {.window_us = CLOCK_SECOND_US, .lines_max = 20};

/* The first one that the question reads. */
static struct text table_of(const struct question *question) {
    const char *from = strstr(question->sql, " FROM ");
    if (from == NULL) return TEXT("");
    from += strlen(" FROM ");
    return (struct text){from, strcspn(from, " ,;)")};
}

/* What a question reads first is what its rows are known by: a number or an id. A name is not logged. */
static const char *key_of(const struct row *row, char key[KEY_BYTES]) {
    const struct value *first = row->count == 0 ? NULL : &row->cells[0];
    struct id id;
    key[0] = '\0';
    if (first == NULL || first->is_null) return key;
    if (first->column == COLUMN_INTEGER) {
        snprintf(key, KEY_BYTES, "%lld", (long long)first->integer);
    } else if (first->column == COLUMN_ID || (first->column == COLUMN_BYTES && first->text.size == sizeof id.bytes)) {
        if (first->column == COLUMN_ID)
            id = first->id;
        else
            memcpy(id.bytes, first->text.data, sizeof id.bytes);
        id_format(id, key);
        key[ID_TEXT_BYTES] = '\0';
    }
    return key;
}

void row_refuse(const struct row *row, int column, const char *why) {
    char key[KEY_BYTES];
    if (!row->is_refused) {
        LOG_BURST(&refused, LOG_ERROR, "row_refused", LOG_STRING("question", row->question->name),
                  LOG_TEXT("table", table_of(row->question)), LOG_STRING("key", key_of(row, key)), LOG_INTEGER("column", column),
                  LOG_STRING("reason", why));
    }
    ((struct row *)(uintptr_t)row)->is_refused = true; /* visitors see it as a constant, its driver made it */
}

struct result row_verdict(const struct row *row) {
    return row->is_refused ? result_error(RESULT_CORRUPT) : result_ok();
}

static const struct value *cell(const struct row *row, int column) {
    CHECK(column >= 0 && column < row->count); /* a question and its visitor that do not fit each other */
    return &row->cells[column];
}

static const struct value *cell_of(const struct row *row, int column, enum column type, const char *why) {
    const struct value *value = cell(row, column);
    if (!value->is_null && value->column == type) return value;
    row_refuse(row, column, why);
    return NULL;
}

bool row_is_null(const struct row *row, int column) { return cell(row, column)->is_null; }

int64_t row_integer(const struct row *row, int column) {
    const struct value *value = cell_of(row, column, COLUMN_INTEGER, "not an integer");
    return value == NULL ? 0 : value->integer;
}

int64_t row_integer_between(const struct row *row, int column, int64_t min, int64_t max) {
    int64_t integer = row_integer(row, column);
    if (integer >= min && integer <= max) return integer;
    row_refuse(row, column, "out of its range");
    return min;
}

int64_t row_time(const struct row *row, int column) { return row_integer_between(row, column, 0, YEAR_10000_US - 1); }

bool row_boolean(const struct row *row, int column) { return row_integer_between(row, column, 0, 1) == 1; }

struct text row_text(const struct row *row, int column) {
    const struct value *value = cell_of(row, column, COLUMN_TEXT, "not a text");
    return value == NULL ? TEXT("") : value->text;
}

struct text row_bytes(const struct row *row, int column) {
    const struct value *value = cell_of(row, column, COLUMN_BYTES, "not bytes");
    return value == NULL ? TEXT("") : value->text;
}

void row_bytes_into(const struct row *row, int column, void *ret_data, size_t size) {
    struct text bytes = row_bytes(row, column);
    memset(ret_data, 0, size);
    if (bytes.size != size) {
        row_refuse(row, column, "bytes of another size");
    } else {
        memcpy(ret_data, bytes.data, size);
    }
}

/* SQLite does not know an id from other bytes. */
struct id row_id(const struct row *row, int column) {
    struct id id = {{0}};
    const struct value *value = cell(row, column);
    if (!value->is_null && value->column == COLUMN_ID) return value->id;
    if (!value->is_null && value->column == COLUMN_BYTES && value->text.size == sizeof id.bytes) {
        memcpy(id.bytes, value->text.data, sizeof id.bytes);
    } else {
        row_refuse(row, column, "not an id");
    }
    return id;
}

int64_t row_integer_or_zero(const struct row *row, int column) { return row_is_null(row, column) ? 0 : row_integer(row, column); }
struct text row_text_or_empty(const struct row *row, int column) {
    return row_is_null(row, column) ? TEXT("") : row_text(row, column);
}
struct id row_id_or_zero(const struct row *row, int column) {
    return row_is_null(row, column) ? (struct id){{0}} : row_id(row, column);
}
