/* verify, reconcile, backup, restore, keys and health: what can be asked of a data folder or of who serves it. */
#include <stdio.h>

#include "base/check.h"
#include "discount/code_key.h"
#include "discount/program.h"
#include "discount/reconcile.h"
#include "discount/verify.h"
#include "discount_schema.h"
#include "service/backup.h"
#include "service/keys.h"

static struct result data_paths(char database[PATH_BYTES], char keys[PATH_BYTES]) {
    TRY(service_check_folder(settings.data, stderr));
    TRY(program_path(settings.data, "discount.db", database));
    return program_path(settings.data, "keys", keys);
}

static struct result prove(const struct place *place) {
    struct progress progress = {.out = stderr, .clock = &clock_system};
    return verify_database(place, &progress, stdout);
}

int command_verify(const char **positional, size_t count) {
    char database[PATH_BYTES], keys[PATH_BYTES];
    (void)positional;
    (void)count;
    if (!result_is_ok(data_paths(database, keys))) return 1;
    const struct place place = program_place(database, NULL);
    struct result outcome = prove(&place);
    if (!result_is_ok(outcome) && outcome.code != RESULT_CORRUPT) printf("could not be verified: %s\n", result_name(outcome));
    return result_is_ok(outcome) ? 0 : 1;
}

/* False: it could not be tried. */
static bool repair(const char *wallet_url) {
    struct result outcome = program_repair(wallet_url);
    if (result_is_ok(outcome)) return true;
    if (outcome.code != RESULT_CONFLICT) printf("could not be repaired: %s\n", result_name(outcome));
    if (outcome.code == RESULT_CONFLICT) puts("discountd is running, and repairs by itself within a minute: this is how things stand now");
    return outcome.code == RESULT_CONFLICT;
}

int command_reconcile(const char **positional, size_t count) {
    char database[PATH_BYTES], keys[PATH_BYTES];
    struct key_ring *ring;
    (void)positional;
    (void)count;
    const char *wallet_url = program_wallet_url();
    if (wallet_url == NULL) return 2;
    if (!result_is_ok(data_paths(database, keys))) return 1;
    if (settings.is_repair_wanted && !repair(wallet_url)) return 1;
    const struct place place = program_place(database, NULL);
    struct result outcome = key_ring_load(keys, &ring);
    if (result_is_ok(outcome)) {
        outcome = reconcile_services(&place, wallet_url, ring, stdout);
        key_ring_free(ring);
    }
    if (!result_is_ok(outcome) && outcome.code != RESULT_CONFLICT) printf("could not be reconciled: %s\n", result_name(outcome));
    return result_is_ok(outcome) ? 0 : 1;
}

int command_health(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    return service_health(&settings.common.listen, &settings.common.operations_listen);
}

/* ---- backup and restore ---- */

static struct result verify_file(const char *file) {
    const struct place place = {.file = file, .schema = &discount_schema};
    return prove(&place);
}

static const struct backup discount_backup = {.program = "discountd",
                                              .database_name = "discount.db",
                                              .schema = &discount_schema,
                                              .secret_name = CODE_KEY_FILE,
                                              .verify = verify_file};

int command_backup(const char **positional, size_t count) {
    CHECK(count == 1);
    return backup_make(&discount_backup, settings.data, settings.store_url, positional[0]);
}

int command_restore(const char **positional, size_t count) {
    CHECK(count == 1);
    return backup_restore(&discount_backup, positional[0], settings.data);
}

/* ---- keys ---- */

int command_keys(const char **positional, size_t count) {
    char database[PATH_BYTES], keys[PATH_BYTES];
    (void)positional;
    (void)count;
    return result_is_ok(data_paths(database, keys)) ? keys_print("discountd", keys) : 1;
}

int command_keys_list(const char **positional, size_t count) {
    char database[PATH_BYTES], keys[PATH_BYTES];
    (void)positional;
    (void)count;
    return result_is_ok(data_paths(database, keys)) ? keys_list("discountd", keys) : 1;
}

int command_keys_rotate(const char **positional, size_t count) {
    char database[PATH_BYTES], keys[PATH_BYTES];
    (void)positional;
    (void)count;
    return result_is_ok(data_paths(database, keys)) ? keys_rotate("discountd", keys) : 1;
}

int command_keys_retire(const char **positional, size_t count) {
    char database[PATH_BYTES], keys[PATH_BYTES];
    CHECK(count == 1);
    return result_is_ok(data_paths(database, keys)) ? keys_retire("discountd", keys, positional[0], TOKEN_SERVICE_LIFETIME_US) : 1;
}
