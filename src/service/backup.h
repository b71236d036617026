/* `PROGRAM backup FILE` and `PROGRAM restore FILE`: the database and the keys of a data folder as one file (store/sqlite/backup.h), of a service that runs
 * or not. Neither says that it is done before the copy was proven as `verify` proves it. With PostgreSQL the rows are the server's to back up. */
#pragma once

#include "service/service.h"

struct schema;

struct backup {
    const char *program;
    const char *database_name; /* "wallet.db" */
    const struct schema *schema;
    const char *secret_name; /* a file beside the database that belongs to it, if it is there; NULL: there is none */
    /* Proves the rows of a SQLite file, and prints what it found. RESULT_CORRUPT: a rule is broken; other errors: it could not be read. */
    struct result (*verify)(const char *file);
};

/* Both say what they do and why not, and return the exit code. */
int backup_make(const struct backup *backup, const char *data, const char *store_url, const char *file);
int backup_restore(const struct backup *backup, const char *file, const char *data);
