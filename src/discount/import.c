#include "discount/import.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crypto.h"
#include "base/csv_reader.h"
#include "http/media.h"
#include "http/problem.h"
#include "http/query.h"
#include "http/route.h"
#include "service/operation.h"
#include "service/request.h"

#define TOLD_BYTES 256u

static const char code_of_bad_lines[] = "invalid_format";

/* `line` counts from 1: a line of CSV, or an item of its array. */
static void tell(struct import *import, struct faults *faults, const char *field, int64_t line, const char *reason) {
    if (!import->skips) {
        faults_add(faults, field, code_of_bad_lines, "%s", reason);
        return;
    }
    if (import->skipped++ >= IMPORT_SKIPPED_MAX) return;
    struct json_writer *writer = &import->told_writer;
    json_begin_object(writer);
    json_integer_member(writer, "line", line);
    json_text_member(writer, "field", text_of(field));
    json_text_member(writer, "code", text_of(code_of_bad_lines));
    json_text_member(writer, "detail", text_of(reason));
    json_end_object(writer);
}

/* ---- JSON ---- */

static void read_array(struct import *import, const struct import_column *column, const struct json_value *array, struct faults *faults) {
    size_t count = json_array_count(array);
    for (size_t i = 0; i < count; i++) {
        char field[48];
        struct text value = json_text(json_array_item(array, i));
        const char *reason = value.data == NULL ? "must be a text" : column->take(import->context, value);
        if (reason == NULL) continue;
        snprintf(field, sizeof field, "%s[%zu]", column->member, i);
        tell(import, faults, field, (int64_t)i + 1, reason);
    }
}

static bool read_json(struct exchange *exchange, struct import *import, struct faults *faults) {
    struct faults of_body;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *arrays[4] = {NULL};
    struct json_member members[4];
    bool has_some = false;
    CHECK(import->column_count <= ARRAY_COUNT(arrays));
    const struct json_value *root = request_open_body(exchange, &of_body, &document);
    if (root == NULL) return false;
    for (size_t i = 0; i < import->column_count; i++)
        members[i] = (struct json_member){.name = import->columns[i].member, .kind = JSON_ARRAY, .target = &arrays[i]};
    json_read(root, "", members, import->column_count, &of_body);
    for (size_t i = 0; i < import->column_count; i++) has_some = has_some || arrays[i] != NULL;
    if (!has_some && !faults_any(&of_body)) faults_add(&of_body, import->columns[0].member, "required", "is required");
    if (request_refuse_faults(exchange, &of_body)) return false;
    for (size_t i = 0; i < import->column_count; i++) read_array(import, &import->columns[i], arrays[i], faults);
    return true;
}

/* ---- CSV ---- */

/* Which column each cell is of, when the first line says so: headings that are all known. */
static bool read_headings(const struct import *import, const struct csv_row *row, const struct import_column *ret_columns[CSV_CELLS_MAX]) {
    for (size_t i = 0; i < row->count; i++) {
        ret_columns[i] = NULL;
        for (size_t k = 0; k < import->column_count; k++) {
            if (text_equal_ignoring_case(row->cells[i], text_of(import->columns[k].heading))) ret_columns[i] = &import->columns[k];
        }
        if (ret_columns[i] == NULL) return false;
    }
    return row->fault == NULL;
}

/* Without a heading a value is what it can be. */
static const char *take_any(const struct import *import, struct text value) {
    const char *reason = NULL;
    for (size_t i = 0; i < import->column_count; i++) {
        reason = import->columns[i].take(import->context, value);
        if (reason == NULL) return NULL;
    }
    return reason;
}

static const char *take_row(const struct import *import, const struct csv_row *row, const struct import_column *const *headed,
                            size_t headed_count) {
    const char *reason = row->fault;
    if (reason == NULL && headed_count > 0 && row->count > headed_count) return "has more cells than the first line";
    for (size_t i = 0; i < row->count && reason == NULL; i++) {
        struct text value = row->cells[i];
        if (value.size == 0) continue;
        reason = headed_count > 0 ? headed[i]->take(import->context, value) : take_any(import, value);
    }
    return reason;
}

static void read_csv(struct exchange *exchange, struct import *import, struct faults *faults) {
    const struct import_column *headed[CSV_CELLS_MAX];
    size_t headed_count = 0;
    struct csv_reader reader;
    struct csv_row row;
    csv_reader_begin(&reader, exchange->body);
    while (csv_read_row(&reader, &row)) {
        if (reader.line == 1 && read_headings(import, &row, headed)) {
            headed_count = row.count;
            continue;
        }
        const char *reason = take_row(import, &row, headed, headed_count);
        char field[32];
        if (reason == NULL) continue;
        snprintf(field, sizeof field, "line %" PRId64, reader.line);
        tell(import, faults, field, reader.line, reason);
    }
}

/* ---- both ---- */

static bool read_query(struct exchange *exchange, struct import *import, struct faults *faults) {
    struct text on_error = {0};
    const struct query_member members[] = {
        {.name = "on_error", .kind = QUERY_CHOICE, .target = &on_error, .choices = "refuse|skip"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), faults);
    import->skips = text_equal(on_error, TEXT("skip"));
    return !request_refuse_faults(exchange, faults);
}

bool import_read(struct exchange *exchange, struct import *import) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    buffer_init(&import->told, &exchange->arena, TOLD_BYTES);
    import->told_writer = (struct json_writer){.buffer = &import->told};
    if (!read_query(exchange, import, &faults)) return false;
    if (media_is_csv(exchange->content_type))
        read_csv(exchange, import, &faults);
    else if (!read_json(exchange, import, &faults))
        return false;
    return !request_refuse_faults(exchange, &faults);
}

bool import_read_key(struct exchange *exchange, struct operation *operation) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    char digest[64];
    faults_init(&faults, &exchange->arena);
    route_check_headers(exchange, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    struct hash hash = crypto_hash(exchange->body);
    CHECK(crypto_base64url_size(sizeof hash.bytes) <= sizeof digest);
    crypto_base64url(hash.bytes, sizeof hash.bytes, digest);
    struct text body = arena_print(&exchange->arena, "{\"body\":\"%.*s\"}", (int)crypto_base64url_size(sizeof hash.bytes), digest);
    if (body.data == NULL || !result_is_ok(json_open(&exchange->arena, body, &faults, &document))) {
        request_refuse_memory(exchange);
        return false;
    }
    operation_read_key(operation, json_root(document));
    return true;
}

void import_write_skipped(const struct import *import, struct json_writer *writer) {
    json_integer_member(writer, "skipped", import->skipped);
    json_key(writer, "errors");
    json_begin_array(writer);
    if (import->told.size > 0) json_put_raw(writer, buffer_text(&import->told));
    json_end_array(writer);
}
