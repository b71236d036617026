/* A folder of its own for one test, and a small database in it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/folder.h"
#include "base/check.h"
#include "store/sqlite/database.h"

#define FOLDER_PATH_BYTES 256

struct folder {
    char path[FOLDER_PATH_BYTES];
    char database[FOLDER_PATH_BYTES + 16];
};

static const struct migration folder_migrations[] = {
    {.name = "0001_first.sql",
     .sql = "CREATE TABLE owners (id INTEGER PRIMARY KEY) STRICT;\n"
            "CREATE TABLE things (number INTEGER PRIMARY KEY, name TEXT, body BLOB, owner INTEGER REFERENCES owners (id)) STRICT;\n"
            "CREATE UNIQUE INDEX things_by_name ON things (name);\n",
     .postgres = "CREATE TABLE owners (id bigint PRIMARY KEY);\n"
                 "CREATE TABLE things (number bigint PRIMARY KEY, name text, body bytea, owner bigint REFERENCES owners (id));\n"
                 "CREATE UNIQUE INDEX things_by_name ON things (name);\n"},
};
static const struct schema folder_schema = {.application_id = 0x54455354, .name = "things", .migrations = folder_migrations, .count = 1};

static inline void folder_make(struct folder *folder, const char *parent) {
    snprintf(folder->path, sizeof folder->path, "%s/hamyan-test-XXXXXX", parent);
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->database, sizeof folder->database, "%s/test.db", folder->path);
}

static inline void folder_file(const struct folder *folder, const char *ending, char path[FOLDER_PATH_BYTES + 32]) {
    snprintf(path, FOLDER_PATH_BYTES + 32, "%s%s", folder->database, ending);
}

static inline off_t folder_file_size(const struct folder *folder, const char *ending) {
    char path[FOLDER_PATH_BYTES + 32];
    struct stat file;
    folder_file(folder, ending, path);
    return stat(path, &file) == 0 ? file.st_size : -1;
}

static inline void folder_drop(struct folder *folder) {
    assert_int_equal(chmod(folder->path, 0700), 0);
    DIR *listing = opendir(folder->path);
    assert_non_null(listing);
    struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.') assert_int_equal(unlinkat(dirfd(listing), entry->d_name, 0), 0);
    }
    closedir(listing);
    assert_int_equal(rmdir(folder->path), 0);
}

static inline struct database *folder_open(const struct folder *folder, enum database_mode mode) {
    struct database *database = NULL;
    assert_int_equal(database_open(folder->database, mode, &folder_schema, &database).code, RESULT_OK);
    return database;
}

static inline int64_t query_integer(struct database *database, const char *sql) {
    struct statement statement;
    bool is_row = false;
    assert_int_equal(statement_prepare(database, sql, &statement).code, RESULT_OK);
    assert_int_equal(statement_step(&statement, &is_row).code, RESULT_OK);
    int64_t value = is_row ? statement_integer(&statement, 0) : -1;
    statement_reset(&statement);
    return value;
}

static inline int64_t count_things(struct database *database) { return query_integer(database, "SELECT count(*) FROM things"); }

static inline struct result run_sql(struct database *database, const char *sql) {
    struct statement statement;
    struct result prepared = statement_prepare(database, sql, &statement);
    return result_is_ok(prepared) ? statement_run(&statement) : prepared;
}

/* Numbers first .. first+count-1, each with a body of this size, in one transaction. After a failure nothing of it is left. */
static inline struct result insert_things(struct database *database, int64_t first, int64_t count, int body_bytes) {
    struct statement insert;
    TRY(statement_prepare(database, "INSERT INTO things (number, name, body) VALUES (?1, 'thing ' || ?1, zeroblob(?2))", &insert));
    struct result outcome = database_begin(database);
    for (int64_t i = first; i < first + count && result_is_ok(outcome); i++) {
        statement_bind_integer(&insert, 1, i);
        statement_bind_integer(&insert, 2, body_bytes);
        outcome = statement_run(&insert);
    }
    if (result_is_ok(outcome)) outcome = database_commit(database);
    if (!result_is_ok(outcome)) database_rollback(database);
    return outcome;
}

static inline void assert_verified(struct database *database) {
    char finding[256];
    assert_int_equal(database_verify(database, finding, sizeof finding).code, RESULT_OK);
}
