/* One transaction per migration, with its number as user_version: after a crash the database is at one of the numbers, never between two.
 * Foreign keys are off meanwhile, as SQLite demands for rebuilding a table, and checked before each commit. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/connection.h"

static struct result run_one(struct database *database, const struct migration *migration, size_t number) {
    TRY(connection_execute(database, migration->sql));
    if (sqlite3_get_autocommit(database->handle)) {
        LOG(LOG_ERROR, "migration_ends_transaction", LOG_STRING("name", migration->name));
        return result_error(RESULT_INVALID);
    }
    int64_t broken = 0;
    struct result found = connection_query_integer(database, "SELECT count(*) FROM pragma_foreign_key_check", &broken);
    if (!result_is_ok(found)) return found;
    if (broken != 0) {
        LOG(LOG_ERROR, "migration_breaks_foreign_keys", LOG_STRING("name", migration->name), LOG_INTEGER("rows", broken));
        return result_error(RESULT_CONFLICT);
    }
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %zu", number);
    return connection_execute(database, sql);
}

static struct result run_missing(struct database *database, const struct schema *schema, size_t version) {
    for (size_t i = version; i < schema->count; i++) {
        TRY(database_begin(database));
        struct result outcome = run_one(database, &schema->migrations[i], i + 1);
        if (result_is_ok(outcome)) outcome = database_commit(database);
        if (!result_is_ok(outcome)) {
            database_rollback(database);
            LOG(LOG_ERROR, "migration_failed", LOG_STRING("name", schema->migrations[i].name), LOG_STRING("result", result_name(outcome)));
            return outcome;
        }
        LOG(LOG_INFO, "migrated", LOG_STRING("name", schema->migrations[i].name), LOG_INTEGER("version", i + 1));
    }
    return result_ok();
}

struct result migrate(struct database *database, const struct schema *schema) {
    int64_t version = 0;
    TRY(connection_query_integer(database, "PRAGMA user_version", &version));
    CHECK(version >= 0 && (size_t)version <= schema->count); /* the opener has compared them */
    TRY(connection_execute(database, "PRAGMA foreign_keys = OFF"));
    struct result outcome = run_missing(database, schema, (size_t)version);
    struct result guarded = connection_execute(database, "PRAGMA foreign_keys = ON");
    return result_is_ok(outcome) ? guarded : outcome;
}
