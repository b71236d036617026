/* Between batch.c and the drivers, sqlite/ and postgres/: nobody else includes this. */
#pragma once

#include "store/batch.h"

struct batch_driver {
    void (*close)(struct batch *batch);
    void (*ask)(struct batch *batch, const struct question *question, const struct value *values, row_visitor *visit, void *context);
    struct result (*run)(struct batch *batch);
    void (*end_round)(struct batch *batch);
    struct result (*begin)(struct batch *batch);
    void (*perform)(struct batch *batch, const struct question *question, const struct value *values, int64_t rows_due);
    enum commit_end (*commit)(struct batch *batch, struct result *ret_reason);
    enum commit_end (*settle)(struct batch *batch);
    void (*rollback)(struct batch *batch);
    struct result (*probe)(struct batch *batch);
    enum commit_end (*tidy)(struct batch *batch, bool is_busy);
    struct result (*verify)(struct batch *batch, char *buffer, size_t capacity);
    void (*observe_commits)(struct batch *batch, struct metric *metric);
};

/* The first member of each driver's own. */
struct batch {
    const struct batch_driver *driver;
};

/* ---- rows: a driver makes the cells, row.c reads them ---- */

#define ROW_COLUMNS_MAX 80

struct row {
    const struct question *question;
    struct value cells[ROW_COLUMNS_MAX]; /* NULL: is_null, and any column type */
    int count;
    bool is_refused; /* a cell was not what the visitor asked for */
};

/* Calls the visitor; its failure, or RESULT_CORRUPT when it refused the row. */
struct result row_visit(struct row *row, row_visitor *visit, void *context) MUST_CHECK;

size_t question_parameter_count(const struct question *question);
