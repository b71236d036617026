#include "store/postgres/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "store/postgres/lease.h"

#define MIGRATIONS_TABLE                                                                                       \
    "CREATE TABLE migrations (number bigint PRIMARY KEY, name text NOT NULL, application_id bigint NOT NULL, " \
    "made_at timestamptz NOT NULL DEFAULT clock_timestamp());"

static struct result query_integer(struct backend *backend, const char *sql, const char *parameter, int64_t *ret_value) {
    PGresult *answer = NULL;
    TRY(backend_query(backend, sql, 1, &parameter, &answer));
    *ret_value = backend_integer(answer, 0);
    PQclear(answer);
    return result_ok();
}

/* ---- one at a time ---- */

static struct result call_with_id(struct backend *backend, const char *sql) {
    char id[32];
    snprintf(id, sizeof id, "%" PRIu32, backend->schema->application_id);
    return backend_query(backend, sql, 1, (const char *const[]){id}, NULL);
}

struct result migrate_lock(struct backend *backend) {
    return call_with_id(backend, "SELECT pg_advisory_lock($1::bigint)");
}
struct result migrate_unlock(struct backend *backend) {
    return call_with_id(backend, "SELECT pg_advisory_unlock($1::bigint)");
}

/* ---- running ---- */

static struct result run_one(struct backend *backend, const struct migration *migration, size_t number) {
    char sql[256];
    if (migration->postgres != NULL) TRY(backend_execute(backend, migration->postgres));
    CHECK(strpbrk(migration->name, "'\\") == NULL);
    snprintf(sql, sizeof sql, "INSERT INTO migrations (number, name, application_id) VALUES (%zu, '%s', %" PRIu32 ")", number,
             migration->name, backend->schema->application_id);
    return backend_execute(backend, sql);
}

static struct result end_transaction(struct backend *backend, struct result outcome) {
    if (result_is_ok(outcome) && PQtransactionStatus(backend->handle) != PQTRANS_INTRANS) {
        LOG(LOG_ERROR, "migration_ends_transaction", LOG_STRING("schema", backend->schema->name));
        outcome = result_error(RESULT_INVALID);
    }
    if (result_is_ok(outcome)) return backend_execute(backend, "COMMIT");
    struct result undone = backend_execute(backend, "ROLLBACK");
    if (!result_is_ok(undone)) backend_close(backend);
    return outcome;
}

struct result migrate_run(struct backend *backend, size_t version) {
    const struct schema *schema = backend->schema;
    struct result outcome = backend_execute(backend, "SET statement_timeout TO 0");
    for (size_t i = version; i < schema->count && result_is_ok(outcome); i++) {
        TRY(backend_execute(backend, "BEGIN"));
        outcome = end_transaction(backend, run_one(backend, &schema->migrations[i], i + 1));
        LOG(result_is_ok(outcome) ? LOG_INFO : LOG_ERROR, result_is_ok(outcome) ? "migrated" : "migration_failed",
            LOG_STRING("name", schema->migrations[i].name), LOG_INTEGER("version", i + 1));
    }
    TRY(outcome);
    return backend_execute(backend, "SET statement_timeout TO '20s'");
}

/* ---- creating and looking ---- */

static struct result make_tables(struct backend *backend, bool makes_schema) {
    char sql[128];
    const struct schema *schema = backend->schema;
    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", schema->name);
    if (makes_schema) TRY(backend_execute(backend, sql));
    TRY(backend_execute(backend, MIGRATIONS_TABLE LEASE_TABLE));
    for (size_t i = 0; i < schema->count; i++) TRY(run_one(backend, &schema->migrations[i], i + 1));
    return result_ok();
}

/* An empty schema is taken for ours: a role that may not make one is given one by its administrator. */
struct result migrate_create(struct backend *backend) {
    const struct schema *schema = backend->schema;
    int64_t schemas = 0, relations = 0;
    if (schema->count == 0 || schema->migrations[schema->count - 1].postgres == NULL) {
        LOG(LOG_ERROR, "database_refused", LOG_STRING("reason", "this service has no tables for PostgreSQL"));
        return result_error(RESULT_INVALID);
    }
    TRY(query_integer(backend, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema->name, &schemas));
    TRY(query_integer(backend, "SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)",
                      schema->name, &relations));
    if (relations != 0) {
        LOG(LOG_ERROR, "database_exists", LOG_STRING("schema", schema->name));
        return result_error(RESULT_CONFLICT);
    }
    TRY(backend_execute(backend, "BEGIN"));
    return end_transaction(backend, make_tables(backend, schemas == 0));
}

struct result migrate_look(struct backend *backend, size_t *ret_version) {
    const struct schema *schema = backend->schema;
    char table[96], id[32];
    int64_t tables = 0, version = 0, foreign = 0;
    snprintf(table, sizeof table, "%s.migrations", schema->name);
    snprintf(id, sizeof id, "%" PRIu32, schema->application_id);
    TRY(query_integer(backend, "SELECT count(to_regclass($1))", table, &tables));
    if (tables == 0) {
        LOG(LOG_ERROR, "database_missing", LOG_STRING("schema", schema->name));
        return result_error(RESULT_NOT_FOUND);
    }
    TRY(query_integer(backend, "SELECT count(*) FROM migrations WHERE application_id <> $1::bigint", id, &foreign));
    TRY(query_integer(backend, "SELECT coalesce(max(number), 0) FROM migrations WHERE application_id = $1::bigint", id, &version));
    const char *reason = foreign != 0                                     ? "another application's"
                         : version < 1 || (size_t)version > schema->count ? "of another version"
                                                                          : NULL;
    if (reason != NULL) {
        LOG(LOG_ERROR, "database_refused", LOG_STRING("schema", schema->name), LOG_STRING("reason", reason),
            LOG_INTEGER("version", version));
        return result_error(RESULT_INVALID);
    }
    *ret_version = (size_t)version;
    return result_ok();
}
