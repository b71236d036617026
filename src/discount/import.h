/* What an administrator brings in one body of up to 1 MiB, line by line: CSV, or JSON with an array for each kind of value. All of it or nothing, or, with
 * on_error=skip, without the lines that are bad; each of those is told by its number and its reason. */
#pragma once

#include "base/buffer.h"
#include "base/json/json.h"
#include "http/exchange.h"

#define IMPORT_SKIPPED_MAX 1000u /* lines that are told one by one; the others are counted */

struct import_column {
    const char *member;  /* the array in JSON: "users" */
    const char *heading; /* the column in CSV: "user_id" */
    /* Takes one value; NULL, or why not, as a constant phrase: "must be …". */
    const char *(*take)(void *context, struct text value);
};

struct import {
    const struct import_column *columns;
    size_t column_count;
    void *context; /* of `take` */
    bool skips;
    int64_t skipped;
    struct buffer told; /* of those: items of a JSON array */
    struct json_writer told_writer;
};

/* Reads query and body, and gives every value to its column. False: the answer is set. */
bool import_read(struct exchange *exchange, struct import *import);
/* Its Idempotency-Key: with it is kept what the body was as a whole, not line by line. False: the answer is set. */
struct operation;
bool import_read_key(struct exchange *exchange, struct operation *operation);
/* Members of the answer: "skipped", and "errors" with a line of each. */
void import_write_skipped(const struct import *import, struct json_writer *writer);
