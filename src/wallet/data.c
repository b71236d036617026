#include "wallet/data.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "service/service.h"
#include "wallet/rows.h"
#include "wallet/rows_read.h"
#include "wallet_schema.h"

struct result data_paths_of(const char *directory, struct data_paths *ret_paths) {
    int database = snprintf(ret_paths->database, sizeof ret_paths->database, "%s/wallet.db", directory);
    int keys = snprintf(ret_paths->keys, sizeof ret_paths->keys, "%s/keys", directory);
    bool fits = database > 0 && (size_t)database < sizeof ret_paths->database && keys > 0 && (size_t)keys < sizeof ret_paths->keys;
    return fits ? result_ok() : result_error(RESULT_INVALID);
}

static struct result insert_meta(struct database *database, enum currency currency, int64_t now_us) {
    struct id_source ids;
    uint8_t secret[CRYPTO_HASH_BYTES];
    struct statement statement;
    id_source_init_system(&ids);
    crypto_random(secret, sizeof secret);
    TRY(statement_prepare(database, "INSERT INTO meta VALUES (1, ?1, ?2, ?3, ?4)", &statement));
    statement_bind_id(&statement, 1, id_make(&ids, now_us));
    statement_bind_text(&statement, 2, text_of(currency_code(currency)));
    statement_bind_blob(&statement, 3, secret, sizeof secret);
    statement_bind_integer(&statement, 4, now_us);
    TRY(statement_run(&statement));
    crypto_wipe(secret, sizeof secret);

    struct rows_sqlite *sqlite = NULL;
    struct rows rows;
    TRY(rows_sqlite_create(database, &sqlite));
    rows_sqlite_bind(sqlite, &rows);
    struct account issuance = account_new(1, id_make(&ids, now_us), ACCOUNT_ISSUANCE, (struct id){{0}}, currency, now_us);
    struct result written = rows.write_account(rows.self, &issuance);
    rows_sqlite_free(sqlite);
    return written;
}

static struct result fill_database(const char *path, enum currency currency, int64_t now_us) {
    struct database *database = NULL;
    TRY(database_open(path, DATABASE_CREATE, &wallet_schema, &database));
    struct result outcome = database_begin(database);
    if (result_is_ok(outcome)) outcome = insert_meta(database, currency, now_us);
    if (result_is_ok(outcome)) outcome = database_commit(database);
    database_close(database);
    return outcome;
}

struct creation {
    enum currency currency;
    enum key_algorithm algorithm;
    int64_t now_us;
};

static struct result fill_folder(const char *folder, void *context) {
    const struct creation *creation = context;
    struct data_paths paths;
    TRY(data_paths_of(folder, &paths));
    if (mkdir(paths.keys, 0700) != 0) {
        fprintf(stderr, "%s cannot be made: %s\n", paths.keys, strerror(errno));
        return result_error(RESULT_IO);
    }
    struct result outcome = key_generate(paths.keys, creation->algorithm, creation->now_us);
    if (result_is_ok(outcome)) outcome = fill_database(paths.database, creation->currency, creation->now_us);
    if (!result_is_ok(outcome)) fprintf(stderr, "%s cannot be initialised: %s\n", folder, result_name(outcome));
    return outcome;
}

struct result data_create(const char *directory, enum currency currency, enum key_algorithm algorithm, int64_t now_us) {
    struct creation creation = {.currency = currency, .algorithm = algorithm, .now_us = now_us};
    return service_create_folder(directory, fill_folder, &creation, stderr);
}

struct result data_open(const char *directory, enum database_mode mode, struct database **ret_database) {
    struct data_paths paths;
    TRY(data_paths_of(directory, &paths));
    TRY(service_check_folder(directory, stderr));
    struct result opened = database_open(paths.database, mode, &wallet_schema, ret_database);
    if (result_is_ok(opened)) return opened;
    if (opened.code == RESULT_NOT_FOUND) {
        fprintf(stderr, "%s was not initialised: run walletd init --data %s first\n", directory, directory);
    } else if (opened.code == RESULT_CONFLICT) {
        fprintf(stderr, "%s is in use by another process\n", directory);
    } else {
        fprintf(stderr, "%s cannot be opened: %s\n", paths.database, result_name(opened));
    }
    return opened;
}

struct result data_read_meta(struct database *database, struct data_meta *ret_meta) {
    struct statement statement;
    bool found = false;
    TRY(statement_prepare(database, "SELECT instance_id, currency, idempotency_secret, created_at FROM meta", &statement));
    struct result stepped = statement_step(&statement, &found);
    if (result_is_ok(stepped) && !found) stepped = result_error(RESULT_CORRUPT);
    if (result_is_ok(stepped)) {
        struct text secret = statement_blob(&statement, 2);
        ret_meta->instance_id = statement_id(&statement, 0);
        ret_meta->currency = rows_read_currency(&statement, 1);
        ret_meta->created_at_us = statement_integer(&statement, 3);
        if (secret.size == sizeof ret_meta->idempotency_secret) {
            memcpy(ret_meta->idempotency_secret, secret.data, secret.size);
        } else {
            stepped = result_error(RESULT_CORRUPT);
        }
    }
    statement_reset(&statement);
    return stepped;
}
