#include "wallet/command.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "service/backup.h"
#include "service/currencies.h"
#include "service/keys.h"
#include "service/serve.h"
#include "service/service.h"
#include "store/open.h"
#include "wallet/data.h"
#include "wallet/tables.h"
#include "wallet/user_command.h"
#include "wallet/verify.h"
#include "wallet/wallet.h"
#include "wallet_schema.h"

#define DATA_DEFAULT   "data/wallet"
#define LISTEN_DEFAULT "127.0.0.1:8080"

/* What can't be changed once the folder is made. */
#define BOOKS_PARAMS(settings_)                                                                                                         \
    CURRENCY_PARAM(                                                                                                                     \
        &(settings_).currencies,                                                                                                        \
        "The main currency, which every user's first wallet is in and which can't be changed later: IRT, or another one that is "       \
        "known; and with an exponent, from 0 to 8 digits behind the point, one more currency that is known beside IRT and IRR. One "    \
        "that an account was opened in stays known, with its exponent"),                                                                \
    {                                                                                                                                   \
        .name = "algorithm", .kind = PARAM_CHOICE, .target = &(settings_).algorithm, .default_text = "RS256", .choices = "RS256|ES256", \
        .sentence = "Algorithm of the key that signs access tokens"                                                                     \
    }

#define ACCESS_LIFETIME_PARAM(target_)                                                                                              \
    {                                                                                                                               \
        .name = "access-token-lifetime", .kind = PARAM_INTEGER, .target = (target_), .default_text = "900", .min = 1, .max = 86400, \
        .unit = "s", .sentence = "How long an access token is good"                                                                 \
    }

/* ---- init ---- */

static struct first_start init_settings;

static const struct param init_params[] = {
    DATA_PARAM(&init_settings.data, DATA_DEFAULT),
    STORE_PARAM(&init_settings.store_url),
    BOOKS_PARAMS(init_settings),
};

static int run_init(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    if (!result_is_ok(first_start_create(&init_settings))) return 1;
    printf("%s is ready\n", init_settings.data);
    return 0;
}

/* ---- user ---- */

static struct user_command user;

static const struct param user_add_params[] = {
    DATA_PARAM(&user.data, DATA_DEFAULT),
    STORE_PARAM(&user.store_url),
    {.name = "admin", .kind = PARAM_FLAG, .target = &user.is_admin, .default_text = "no", .sentence = "Gives the user the scope admin"},
    {.name = "phone", .kind = PARAM_TEXT, .target = &user.phone, .optional = true, .sentence = "Phone number of the user"},
    REGION_PARAM(&user.region),
};
static const struct param user_params[] = {DATA_PARAM(&user.data, DATA_DEFAULT), STORE_PARAM(&user.store_url)};
static const struct param user_list_params[] = {
    DATA_PARAM(&user.data, DATA_DEFAULT),
    STORE_PARAM(&user.store_url),
    {.name = "admin",
     .kind = PARAM_FLAG,
     .target = &user.is_admin,
     .default_text = "no",
     .sentence = "Lists those only who have the scope admin"},
};

static int run_user(enum user_act_kind kind, const char **positional, size_t count, FILE *password) {
    struct id id;
    char id_text[ID_TEXT_BYTES];
    CHECK(count == 1);
    user.name = positional[0];
    if (!result_is_ok(user_command_run(&user, kind, password, &id))) return 1;
    id_format(id, id_text);
    printf("%.*s\n", (int)sizeof id_text, id_text);
    return 0;
}

static int run_user_add(const char **positional, size_t count) { return run_user(USER_ADD, positional, count, stdin); }
static int run_user_set_password(const char **positional, size_t count) { return run_user(USER_SET_PASSWORD, positional, count, stdin); }
static int run_user_make_admin(const char **positional, size_t count) { return run_user(USER_MAKE_ADMIN, positional, count, NULL); }
static int run_user_remove_admin(const char **positional, size_t count) { return run_user(USER_REMOVE_ADMIN, positional, count, NULL); }

static int run_user_list(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    return result_is_ok(user_command_list(&user)) ? 0 : 1;
}

/* ---- verify ---- */

static const char *verify_data;
static const char *verify_store_url;
static const struct param verify_params[] = {DATA_PARAM(&verify_data, DATA_DEFAULT), STORE_PARAM(&verify_store_url)};

/* Prints what it found. RESULT_CORRUPT: a rule is broken. */
static struct result prove(struct batch *batch) {
    struct verify_report report;
    struct progress progress = {.out = stderr, .clock = &clock_system};
    struct audit_report audit;
    struct result verified = verify_books(batch, &progress, &report);
    if (result_is_ok(verified)) verified = audit_verify(batch, &table_audit, &audit);
    if (!result_is_ok(verified)) {
        fprintf(stderr, "the books could not be read to their end: %s\n", result_name(verified));
        return verified;
    }
    verify_print(&report, stdout);
    bool is_kept = audit_report_print(&audit, stdout);
    return report.is_sound && is_kept ? result_ok() : result_error(RESULT_CORRUPT);
}

static int run_verify(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    struct data data;
    struct batch *batch = NULL;
    struct result opened = data_at(verify_data, verify_store_url, NULL, &data);
    data.place.keeps_state = true;
    if (result_is_ok(opened)) opened = data_open(verify_data, &data, BATCH_READ, &batch);
    if (!result_is_ok(opened)) return 1;
    struct result proven = prove(batch);
    batch_close(batch);
    return result_is_ok(proven) ? 0 : 1;
}

/* ---- backup and restore ---- */

static struct result verify_file(const char *file) {
    const struct place place = {.file = file, .schema = &wallet_schema, .keeps_state = true};
    struct batch *batch = NULL;
    TRY(batch_open(&place, BATCH_READ, &batch));
    struct result proven = prove(batch);
    batch_close(batch);
    return proven;
}

static const struct backup wallet_backup = {.program = "walletd",
                                            .database_name = "wallet.db",
                                            .schema = &wallet_schema,
                                            .verify = verify_file};
static const char *backup_data, *backup_store_url;
static const struct param backup_params[] = {DATA_PARAM(&backup_data, DATA_DEFAULT), STORE_PARAM(&backup_store_url)};
static const struct param restore_params[] = {DATA_PARAM(&backup_data, DATA_DEFAULT)};

static int run_backup(const char **positional, size_t count) {
    CHECK(count == 1);
    return backup_make(&wallet_backup, backup_data, backup_store_url, positional[0]);
}

static int run_restore(const char **positional, size_t count) {
    CHECK(count == 1);
    return backup_restore(&wallet_backup, positional[0], backup_data);
}

/* ---- keys ---- */

static const char *keys_data;
static int64_t keys_lifetime_s;
static const struct param keys_params[] = {DATA_PARAM(&keys_data, DATA_DEFAULT)};
static const struct param retire_params[] = {DATA_PARAM(&keys_data, DATA_DEFAULT), ACCESS_LIFETIME_PARAM(&keys_lifetime_s)};

static struct result find_keys(struct data *ret_data) {
    TRY(service_check_folder(keys_data, stderr));
    return data_at(keys_data, NULL, NULL, ret_data);
}

static int run_keys(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    struct data data;
    return result_is_ok(find_keys(&data)) ? keys_print("walletd", data.keys) : 1;
}

static int run_keys_list(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    struct data data;
    return result_is_ok(find_keys(&data)) ? keys_list("walletd", data.keys) : 1;
}

static int run_keys_rotate(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    struct data data;
    return result_is_ok(find_keys(&data)) ? keys_rotate("walletd", data.keys) : 1;
}

static int run_keys_retire(const char **positional, size_t count) {
    CHECK(count == 1);
    struct data data;
    if (!result_is_ok(find_keys(&data))) return 1;
    return keys_retire("walletd", data.keys, positional[0], keys_lifetime_s * CLOCK_SECOND_US);
}

/* ---- health ---- */

static struct param_address health_listen, health_operations_listen;
static const struct param health_params[] = {LISTEN_PARAM(&health_listen, LISTEN_DEFAULT),
                                             OPERATIONS_LISTEN_PARAM(&health_operations_listen)};

static int run_health(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    return service_health(&health_listen, &health_operations_listen);
}

/* ---- serve ---- */

static struct serve_settings serve_settings;

static const struct param serve_params[] = {
    DATA_PARAM(&serve_settings.data, DATA_DEFAULT),
    STORE_PARAM(&serve_settings.store_url),
    SERVE_PARAMS(&serve_settings.common, LISTEN_DEFAULT),
    {.name = "trust-service",
     .kind = PARAM_LIST,
     .target = &serve_settings.trusted_services,
     .optional = true,
     .unit = "NAME=FILE_OR_URL[,SCOPE…]",
     .sentence = "A service whose tokens are trusted, where its public keys (JWKS) are, and all that it may be granted: credits:write, "
                 "credits:issue "
                 "(to credit without a fund), funds:write, holds:write, payments:write, reversals:write, users:write; none named: "
                 "credits:write and "
                 "funds:write"},
    {.name = "trust-ca",
     .kind = PARAM_TEXT,
     .target = &serve_settings.trust_ca,
     .optional = true,
     .unit = "FILE",
     .sentence = "Authorities (PEM) that may vouch for the https:// addresses of --trust-service, not the system's"},
    {.name = "init",
     .kind = PARAM_FLAG,
     .target = &serve_settings.first.is_wanted,
     .default_text = "no",
     .sentence = "Makes the data folder, and the administrator, when they are not there yet"},
    {.name = "admin-name",
     .kind = PARAM_TEXT,
     .target = &serve_settings.first.admin_name,
     .default_text = "admin",
     .unit = "NAME",
     .sentence = "The administrator whom --init makes"},
    {.name = "admin-password-file",
     .kind = PARAM_TEXT,
     .target = &serve_settings.first.admin_password_file,
     .optional = true,
     .unit = "FILE",
     .sentence = "The first line is the administrator's password; without it --init makes none"},
    BOOKS_PARAMS(serve_settings.first),
    TIME_ZONE_PARAM(&serve_settings.time_zone),
    {.name = "password-cost",
     .kind = PARAM_CHOICE,
     .target = &serve_settings.password_cost,
     .default_text = "standard",
     .choices = "standard|low",
     .sentence = "Cost of a password's hash; low is for test crowds: it switches the budgets of passwords and registrations off, and is "
                 "refused unless "
                 "the listener is on loopback"},
    {.name = "password-threads",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.password_thread_count,
     .default_text = "2",
     .min = 1,
     .max = 64,
     .unit = "threads",
     .sentence = "Threads that hash and compare passwords"},
    ACCESS_LIFETIME_PARAM(&serve_settings.access_lifetime_s),
    {.name = "refresh-token-lifetime",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.refresh_lifetime_s,
     .default_text = "2592000",
     .min = 1,
     .max = 31536000,
     .unit = "s",
     .sentence = "How long a refresh token is good"},
    {.name = "refresh-reuse-interval",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.reuse_interval_s,
     .default_text = "10",
     .min = 0,
     .max = 300,
     .unit = "s",
     .sentence = "How long a refresh token may be used again, by another tab or after a lost answer; later it ends the session"},
    {.name = "log-transfers-from",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.transfer_told_minor,
     .default_text = "10000000",
     .min = 1,
     .max = MONEY_AMOUNT_MAX,
     .unit = "units",
     .sentence = "What moves at least so much (the currency's smallest unit) is a line large_transfer of the log"},
};

static int run_serve(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    return serve_run(&serve_settings);
}

#define COMMAND(name_, summary_, params_, run_) \
    { .name = (name_), .summary = (summary_), .params = (params_), .param_count = ARRAY_COUNT(params_), .run = (run_) }

#define USER_COMMAND(name_, summary_, params_, run_)                                                                           \
    {                                                                                                                          \
        .name = (name_), .summary = (summary_), .params = (params_), .param_count = ARRAY_COUNT(params_), .positional_max = 1, \
        .positional_names = "NAME", .run = (run_)                                                                              \
    }

static const struct command commands[] = {
    COMMAND("init", "Make a new data folder with a database and a signing key", init_params, run_init),
    {.name = "serve",
     .summary = "Serve the API until SIGTERM",
     .params = serve_params,
     .param_count = ARRAY_COUNT(serve_params),
     .run = run_serve,
     .errors_are_log = true},
    USER_COMMAND("user add", "Register a user, also while the service runs; the password is the first line of standard input",
                 user_add_params, run_user_add),
    COMMAND("user list", "List the users, oldest first", user_list_params, run_user_list),
    USER_COMMAND("user set-password", "Give a user another password, the first line of standard input; all sessions of the user end",
                 user_params, run_user_set_password),
    USER_COMMAND("user make-admin", "Give a user the scope admin, from the next login or refresh on", user_params, run_user_make_admin),
    USER_COMMAND("user remove-admin", "Take the scope admin away; all sessions of the user end", user_params, run_user_remove_admin),
    COMMAND("verify", "Prove the books, of a running or a stopped service", verify_params, run_verify),
    {.name = "backup",
     .summary = "Write the database and the keys, of a running or a stopped service, into one file, and prove it",
     .params = backup_params,
     .param_count = ARRAY_COUNT(backup_params),
     .positional_max = 1,
     .positional_names = "FILE",
     .run = run_backup},
    {.name = "restore",
     .summary = "Make a new data folder of such a file, and prove it",
     .params = restore_params,
     .param_count = ARRAY_COUNT(restore_params),
     .positional_max = 1,
     .positional_names = "FILE",
     .run = run_restore},
    COMMAND("health", "Ask the running service whether it is ready; exit code 0 if so", health_params, run_health),
    COMMAND("keys list", "List the signing keys, newest first", keys_params, run_keys_list),
    COMMAND("keys rotate", "Make a new signing key; the older ones stay published", keys_params, run_keys_rotate),
    {.name = "keys retire",
     .summary = "Remove a signing key: it is published and trusted no more",
     .params = retire_params,
     .param_count = ARRAY_COUNT(retire_params),
     .positional_max = 1,
     .positional_names = "KID",
     .run = run_keys_retire},
    COMMAND("keys", "Print the public keys (JWKS)", keys_params, run_keys),
};

int wallet_main(int argc, char **argv) {
    log_init("walletd", LOG_WARN);
    crypto_init();
    return command_main("walletd", "users, their wallets, and the ledger beneath", commands, ARRAY_COUNT(commands), wallet_routes,
                        wallet_route_count, argc, argv);
}
