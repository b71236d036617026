#include "discount/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "discount_schema.h"
#include "http/client.h"
#include "service/currencies.h"

struct settings settings;

#define DATA_DEFAULT   "data/discount"
#define LISTEN_DEFAULT "127.0.0.1:8081"
#define WALLET_PARAM                                                                                     \
    {                                                                                                    \
        .name = "wallet", .kind = PARAM_TEXT, .target = &settings.wallet_url, .unit = "URL",             \
        .sentence = "Base URL of Wallet, http://… or https://…; its public keys come from there too" \
    }
#define WALLET_FILE_PARAM(name_, target_, sentence_) \
    { .name = (name_), .kind = PARAM_TEXT, .target = (target_), .optional = true, .unit = "FILE", .sentence = (sentence_) }
#define WALLET_PARAMS                                                                                                                   \
    WALLET_PARAM, WALLET_FILE_PARAM("wallet-ca", &settings.wallet_ca, "Authorities (PEM) that may vouch for Wallet, not the system's"), \
        WALLET_FILE_PARAM("wallet-certificate", &settings.wallet_certificate, "Certificate (PEM) to show to Wallet or its proxy"),      \
        WALLET_FILE_PARAM("wallet-key", &settings.wallet_key, "Private key (PEM) of --wallet-certificate")

static const struct param keys_params[] = {DATA_PARAM(&settings.data, DATA_DEFAULT)};
static const struct param data_params[] = {DATA_PARAM(&settings.data, DATA_DEFAULT), STORE_PARAM(&settings.store_url)};
static const struct param reconcile_params[] = {
    DATA_PARAM(&settings.data, DATA_DEFAULT),
    STORE_PARAM(&settings.store_url),
    WALLET_PARAMS,
    {.name = "repair",
     .kind = PARAM_FLAG,
     .target = &settings.is_repair_wanted,
     .default_text = "no",
     .sentence = "While discountd is stopped: first reads back who has won, and sends what is owed, as it does by itself when it runs"},
};
static const struct param health_params[] = {LISTEN_PARAM(&settings.common.listen, LISTEN_DEFAULT),
                                             OPERATIONS_LISTEN_PARAM(&settings.common.operations_listen)};
#define CODES_PARAMS                                                                                                                 \
    {.name = "discount",                                                                                                             \
     .kind = PARAM_URL,                                                                                                              \
     .target = &settings.codes.url,                                                                                                  \
     .default_text = "http://" LISTEN_DEFAULT,                                                                                       \
     .sentence = "Base URL of the discountd that runs, as an administrator reaches it"},                                             \
        {.name = "discount-ca",                                                                                                      \
         .kind = PARAM_TEXT,                                                                                                         \
         .target = &settings.codes.ca,                                                                                               \
         .optional = true,                                                                                                           \
         .unit = "FILE",                                                                                                             \
         .sentence = "Authorities (PEM) that may vouch for it, not the system's"},                                                   \
    {                                                                                                                                \
        .name = "campaign", .kind = PARAM_TEXT, .target = &settings.codes.campaign, .unit = "ID", .sentence = "Whose codes they are" \
    }
static const struct param codes_import_params[] = {
    CODES_PARAMS,
    {.name = "on-error",
     .kind = PARAM_CHOICE,
     .target = &settings.codes.on_error,
     .default_text = "refuse",
     .choices = "refuse|skip",
     .sentence = "Whether a bad line refuses its part of the file, or is left out and told"},
    {.name = "part",
     .kind = PARAM_INTEGER,
     .target = &settings.codes.part_kib,
     .default_text = "1024",
     .min = 4,
     .max = LIMIT_BATCH_BODY_BYTES / 1024,
     .unit = "KiB",
     .sentence = "How much of the file is sent at once: each part is a batch, and holds up redemptions while it is saved"},
};
static const struct param codes_export_params[] = {
    CODES_PARAMS,
    {.name = "batch", .kind = PARAM_TEXT, .target = &settings.codes.batch, .unit = "ID", .sentence = "Which of its batches"},
    {.name = "state",
     .kind = PARAM_CHOICE,
     .target = &settings.codes.state,
     .default_text = "any",
     .choices = "any|active|used|expired|revoked",
     .sentence = "Which of its codes"},
    {.name = "for-spreadsheet",
     .kind = PARAM_FLAG,
     .target = &settings.codes.is_for_spreadsheet,
     .default_text = "no",
     .sentence = "With a byte order mark, and texts that stay texts"},
};
static const struct param trust_params[] = {DATA_PARAM(&settings.data, DATA_DEFAULT), WALLET_PARAMS};
static const struct param serve_params[] = {
    DATA_PARAM(&settings.data, DATA_DEFAULT),
    STORE_PARAM(&settings.store_url),
    WALLET_PARAMS,
    SERVE_PARAMS(&settings.common, LISTEN_DEFAULT),
    {.name = "init",
     .kind = PARAM_FLAG,
     .target = &settings.is_init_wanted,
     .default_text = "no",
     .sentence = "Makes the data folder when it is not there yet"},
    {.name = "settle-wait",
     .kind = PARAM_INTEGER,
     .target = &settings.settle_wait_ms,
     .default_text = "2000",
     .min = 0,
     .max = 60000,
     .unit = "ms",
     .sentence = "How long a redemption waits for Wallet before it is answered 202"},
    {.name = "archive-after",
     .kind = PARAM_INTEGER,
     .target = &settings.archive_after_s,
     .default_text = "604800",
     .min = 0,
     .max = 10 * 366 * 86400,
     .unit = "s",
     .sentence = "How long after its end a campaign for which nothing is left to be done stays in memory as a whole"},
    CURRENCY_PARAM(&settings.currencies, "Wallet's main currency, IRT when none is named: of a campaign that names no amount; and with an "
                                         "exponent, one more currency that Wallet "
                                         "knows, which campaigns may be in, beside IRT and IRR"),
    TIME_ZONE_PARAM(&settings.time_zone),
};

static const struct command commands[] = {
    {.name = "init",
     .summary = "Make a new data folder with a database and a signing key",
     .params = data_params,
     .param_count = ARRAY_COUNT(data_params),
     .run = command_init},
    {.name = "serve",
     .summary = "Serve the API until SIGTERM",
     .params = serve_params,
     .param_count = ARRAY_COUNT(serve_params),
     .run = command_serve,
     .errors_are_log = true},
    {.name = "verify",
     .summary = "Prove that places, positions and counts are right; exit code 1 and the first broken row if not",
     .params = data_params,
     .param_count = ARRAY_COUNT(data_params),
     .run = command_verify},
    {.name = "reconcile",
     .summary = "Prove that every credit here is one transaction in Wallet, and the other way round",
     .params = reconcile_params,
     .param_count = ARRAY_COUNT(reconcile_params),
     .run = command_reconcile},
    {.name = "backup",
     .summary = "Write the database and the keys, of a running or a stopped service, into one file, and prove it",
     .params = data_params,
     .param_count = ARRAY_COUNT(data_params),
     .positional_max = 1,
     .positional_names = "FILE",
     .run = command_backup},
    {.name = "restore",
     .summary = "Make a new data folder of such a file, and prove it",
     .params = keys_params,
     .param_count = ARRAY_COUNT(keys_params),
     .positional_max = 1,
     .positional_names = "FILE",
     .run = command_restore},
    {.name = "health",
     .summary = "Ask the running service whether it is ready; exit code 0 if so",
     .params = health_params,
     .param_count = ARRAY_COUNT(health_params),
     .run = command_health},
    {.name = "trust-wallet",
     .summary = "Take the Wallet at this address for the right one, although it is another than the one that has the funds",
     .params = trust_params,
     .param_count = ARRAY_COUNT(trust_params),
     .run = command_trust_wallet},
    {.name = "codes import",
     .summary = "Import a file of foreign codes (CSV of any length, or JSON) into the service that runs; an administrator's token is the "
                "first line "
                "of standard input",
     .params = codes_import_params,
     .param_count = ARRAY_COUNT(codes_import_params),
     .positional_max = 1,
     .positional_names = "FILE",
     .run = command_codes_import},
    {.name = "codes export",
     .summary = "Write the codes of a batch as CSV into a new file, or - for standard output; an administrator's token is the first line "
                "of standard "
                "input",
     .params = codes_export_params,
     .param_count = ARRAY_COUNT(codes_export_params),
     .positional_max = 1,
     .positional_names = "FILE",
     .run = command_codes_export},
    {.name = "codes rotate-key",
     .summary = "Make a new master key for the unique codes of batches to come; those of before keep theirs",
     .params = keys_params,
     .param_count = ARRAY_COUNT(keys_params),
     .run = command_codes_rotate_key},
    {.name = "keys list",
     .summary = "List the signing keys, newest first",
     .params = keys_params,
     .param_count = ARRAY_COUNT(keys_params),
     .run = command_keys_list},
    {.name = "keys rotate",
     .summary = "Make a new signing key; the older ones stay published",
     .params = keys_params,
     .param_count = ARRAY_COUNT(keys_params),
     .run = command_keys_rotate},
    {.name = "keys retire",
     .summary = "Remove a signing key: it is published and trusted no more",
     .params = keys_params,
     .param_count = ARRAY_COUNT(keys_params),
     .positional_max = 1,
     .positional_names = "KID",
     .run = command_keys_retire},
    {.name = "keys",
     .summary = "Print the public keys (JWKS)",
     .params = keys_params,
     .param_count = ARRAY_COUNT(keys_params),
     .run = command_keys},
};

struct place program_place(const char *file, struct batch_commits *commits) {
    struct place place = {.schema = &discount_schema, .commits = commits};
    if (settings.store_url == NULL) place.file = file;
    if (settings.store_url != NULL) place.url = settings.store_url;
    return place;
}

struct result program_path(const char *folder, const char *name, char path[PATH_BYTES]) {
    int size = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    if (size > 0 && (size_t)size < PATH_BYTES) return result_ok();
    fputs("discountd: the path of the data folder is too long\n", service_errors());
    return result_error(RESULT_INVALID);
}

static bool can_read(const char *parameter, const char *path) {
    if (path == NULL || access(path, R_OK) == 0) return true;
    fprintf(service_errors(), "discountd: --%s %s: %s\n", parameter, path, strerror(errno));
    return false;
}

static bool use_wallet_tls(bool is_https) {
    if ((settings.wallet_certificate == NULL) != (settings.wallet_key == NULL)) {
        fputs("discountd: --wallet-certificate and --wallet-key go together\n", service_errors());
        return false;
    }
    if (!is_https && (settings.wallet_ca != NULL || settings.wallet_certificate != NULL)) {
        fputs("discountd: --wallet-ca and --wallet-certificate are for --wallet https://…\n", service_errors());
        return false;
    }
    if (!can_read("wallet-ca", settings.wallet_ca) || !can_read("wallet-certificate", settings.wallet_certificate) ||
        !can_read("wallet-key", settings.wallet_key))
        return false;
    const struct http_tls tls = {.ca = settings.wallet_ca, .certificate = settings.wallet_certificate, .key = settings.wallet_key};
    http_client_use_tls(&tls);
    return true;
}

const char *program_wallet_url(void) {
    static char url[PATH_BYTES];
    struct text given = text_of(settings.wallet_url);
    bool is_url = text_starts_with(given, TEXT("http://")) || text_starts_with(given, TEXT("https://"));
    while (given.size > 0 && given.data[given.size - 1] == '/') given.size--;
    if (!is_url || given.size >= sizeof url) {
        fputs("discountd: --wallet must be a URL like http://127.0.0.1:8080\n", service_errors());
        return NULL;
    }
    memcpy(url, given.data, given.size);
    url[given.size] = '\0';
    return use_wallet_tls(text_starts_with(given, TEXT("https://"))) ? url : NULL;
}

int discount_main(int argc, char **argv) {
    crypto_init();
    log_init("discountd", LOG_WARN);
    return command_main("discountd", "who gets a place: campaigns and their redemptions", commands, ARRAY_COUNT(commands), discount_routes,
                        discount_route_count, argc, argv);
}
