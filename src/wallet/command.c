#include "wallet/command.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "service/serve.h"
#include "service/service.h"
#include "wallet/books.h"
#include "wallet/data.h"
#include "wallet/problems.h"
#include "wallet/users.h"
#include "wallet/verify.h"
#include "wallet/wallet.h"

#define DATA_DEFAULT        "data/wallet"
#define PASSWORD_LINE_BYTES (4u * LIMIT_PASSWORD_CHARACTERS + 3u) /* with CR, LF and NUL */

/* ---- init ---- */

static struct { const char *data, *store_url, *currency, *algorithm; } init_settings;

static const struct param init_params[] = {
    DATA_PARAM(&init_settings.data, DATA_DEFAULT),
    STORE_PARAM(&init_settings.store_url),
    {.name = "currency",
     .kind = PARAM_CHOICE,
     .target = &init_settings.currency,
     .default_text = "IRT",
     .choices = "IRT|IRR",
     .sentence = "Currency of all wallets; it can't be changed later"},
    {.name = "algorithm",
     .kind = PARAM_CHOICE,
     .target = &init_settings.algorithm,
     .default_text = "RS256",
     .choices = "RS256|ES256",
     .sentence = "Algorithm of the key that signs access tokens"},
};

static int run_init(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    enum currency currency = CURRENCY_NONE;
    struct result parsed = currency_parse(text_of(init_settings.currency), &currency);
    CHECK(result_is_ok(parsed)); /* one of the choices */
    enum key_algorithm algorithm = strcmp(init_settings.algorithm, "ES256") == 0 ? KEY_ES256 : KEY_RS256;
    struct result created = data_create(init_settings.data, init_settings.store_url, currency, algorithm, clock_now_us(&clock_system));
    if (!result_is_ok(created)) return 1;
    printf("%s is ready\n", init_settings.data);
    return 0;
}

/* ---- user add ---- */

static struct {
    const char *data, *store_url, *phone, *region;
    bool is_admin;
} user_settings;

static const struct param user_params[] = {
    DATA_PARAM(&user_settings.data, DATA_DEFAULT),
    STORE_PARAM(&user_settings.store_url),
    {.name = "admin",
     .kind = PARAM_FLAG,
     .target = &user_settings.is_admin,
     .default_text = "no",
     .sentence = "Gives the user the scope admin"},
    {.name = "phone", .kind = PARAM_TEXT, .target = &user_settings.phone, .optional = true, .sentence = "Phone number of the user"},
    REGION_PARAM(&user_settings.region),
};

static struct result read_password(char *buffer, size_t capacity, struct text *ret_password) {
    if (fgets(buffer, (int)capacity, stdin) == NULL) buffer[0] = '\0';
    struct text password = text_of(buffer);
    if (password.size > 0 && password.data[password.size - 1] == '\n') {
        password.size--;
        if (password.size > 0 && password.data[password.size - 1] == '\r') password.size--; /* a file with CRLF lines */
    }
    size_t characters = 0;
    struct result counted = text_count_characters(password, &characters);
    if (!result_is_ok(counted) || characters < 8 || characters > LIMIT_PASSWORD_CHARACTERS) {
        fprintf(stderr, "the password, the first line of standard input, must be 8 to %u characters\n", LIMIT_PASSWORD_CHARACTERS);
        return result_error(RESULT_INVALID);
    }
    *ret_password = password;
    return result_ok();
}

/* The same rules as over HTTP; `folded` has room for the longest name. */
static struct result read_name(const char *typed, char folded[LIMIT_USERNAME_BYTES], struct text *ret_name) {
    size_t size = strlen(typed);
    bool is_valid = size >= 3 && size <= LIMIT_USERNAME_BYTES;
    for (size_t i = 0; is_valid && i < size; i++) {
        char byte = typed[i] >= 'A' && typed[i] <= 'Z' ? (char)(typed[i] + ('a' - 'A')) : typed[i];
        is_valid = strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", byte) != NULL;
        folded[i] = byte;
    }
    if (!is_valid) {
        fprintf(stderr, "NAME must be 3 to 32 of the characters a-z 0-9 . _ -\n");
        return result_error(RESULT_INVALID);
    }
    *ret_name = (struct text){folded, size};
    return result_ok();
}

static struct result done_outcome;
static void registered(struct store_operation *operation, struct result outcome) {
    (void)operation;
    done_outcome = outcome;
}

static struct result run_operation(struct batch *batch, struct operation *operation) {
    struct data_meta meta;
    struct books *books = NULL;
    struct store *store = NULL;
    struct store_engine engine;
    struct id_source ids;
    id_source_init_system(&ids);
    TRY(data_read_meta(batch, &meta));
    struct books_options options = {.currency = meta.currency, .ids = &ids};
    struct store_options store_options = {.name = "walletd", .clock = &clock_system};
    struct result outcome = books_create(&options, batch, &clock_system, &books);
    if (result_is_ok(outcome)) {
        books_bind(books, &engine);
        outcome = store_create(&engine, &store_options, &store);
    }
    operation->store.done = registered;
    if (result_is_ok(outcome)) outcome = store_submit(store, &operation->store);
    if (result_is_ok(outcome)) {
        while (store_run_batch(store)) continue;
        outcome = done_outcome;
    }
    if (store != NULL) store_free(store);
    books_free(books);
    return outcome;
}

static int add_user(struct registration *registration) {
    struct data data;
    struct batch *batch = NULL;
    struct result outcome = data_at(user_settings.data, user_settings.store_url, NULL, &data);
    if (result_is_ok(outcome)) outcome = data_open(user_settings.data, &data, BATCH_WRITE, &batch);
    if (!result_is_ok(outcome)) return 1;
    outcome = run_operation(batch, &registration->operation);
    batch_close(batch);
    if (!result_is_ok(outcome)) {
        fprintf(stderr, "the user could not be saved: %s\n", result_name(outcome));
        return 1;
    }
    if (registration->outcome != LEDGER_APPLIED) {
        fprintf(stderr, "%s\n", problem_detail_of_outcome(registration->outcome));
        return 1;
    }
    char id[ID_TEXT_BYTES];
    id_format(registration->user.id, id);
    printf("%.*s\n", (int)sizeof id, id);
    return 0;
}

static int run_user_add(const char **positional, size_t count) {
    CHECK(count == 1);
    char line[PASSWORD_LINE_BYTES], name[LIMIT_USERNAME_BYTES], hash[CRYPTO_PASSWORD_HASH_BYTES];
    struct text password;
    struct registration registration = {.operation = {.action = &register_action, .store = {.weight = register_action.weight}}};
    struct register_command *command = &registration.command;
    command->is_admin = user_settings.is_admin;
    if (!result_is_ok(read_name(positional[0], name, &command->name))) return 1;
    if (user_settings.phone != NULL && !result_is_ok(phone_parse(text_of(user_settings.phone), user_settings.region, &command->phone))) {
        fprintf(stderr, "--phone must be a phone number, like 09121234567 or +989121234567\n");
        return 1;
    }
    if (!result_is_ok(read_password(line, sizeof line, &password))) return 1;
    struct result hashed = crypto_password_hash(password, CRYPTO_COST_STANDARD, hash);
    crypto_wipe(line, sizeof line);
    if (!result_is_ok(hashed)) {
        fprintf(stderr, "there is no memory to hash a password\n");
        return 1;
    }
    command->password_hash = hash;
    return add_user(&registration);
}

/* ---- verify and keys ---- */

static const char *verify_data;
static const char *verify_store_url;
static const struct param verify_params[] = {DATA_PARAM(&verify_data, DATA_DEFAULT), STORE_PARAM(&verify_store_url)};

static int run_verify(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    struct data data;
    struct batch *batch = NULL;
    struct batch_commits commits = {0}; /* followed, so that all is read from one state; nobody counts there */
    struct result opened = data_at(verify_data, verify_store_url, &commits, &data);
    data.place.keeps_state = true;
    if (result_is_ok(opened)) opened = data_open(verify_data, &data, BATCH_READ, &batch);
    if (!result_is_ok(opened)) return 1;
    struct verify_report report;
    struct result verified = verify_books(batch, &report);
    batch_close(batch);
    if (!result_is_ok(verified)) {
        fprintf(stderr, "the books could not be read to their end: %s\n", result_name(verified));
        return 1;
    }
    verify_print(&report, stdout);
    return report.is_sound ? 0 : 1;
}

static const char *keys_data;
static const struct param keys_params[] = {DATA_PARAM(&keys_data, DATA_DEFAULT)};

static int run_keys(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    struct data data;
    struct key_ring *ring = NULL;
    struct result loaded = data_at(keys_data, NULL, NULL, &data);
    if (result_is_ok(loaded)) loaded = service_check_folder(keys_data, stderr);
    if (result_is_ok(loaded)) loaded = key_ring_load(data.keys, &ring);
    if (!result_is_ok(loaded)) {
        fprintf(stderr, "%s: its keys cannot be read: %s\n", keys_data, result_name(loaded));
        return 1;
    }
    struct arena arena;
    struct buffer buffer;
    arena_init(&arena, LIMIT_ARENA_BYTES);
    buffer_init(&buffer, &arena, ARENA_CHUNK_BYTES);
    key_ring_write_jwks(ring, &buffer);
    printf("%.*s\n", (int)buffer.size, buffer.data);
    arena_release(&arena);
    key_ring_free(ring);
    return 0;
}

/* ---- serve ---- */

static struct serve_settings serve_settings;

static const struct param serve_params[] = {
    DATA_PARAM(&serve_settings.data, DATA_DEFAULT),
    STORE_PARAM(&serve_settings.store_url),
    SERVE_PARAMS(&serve_settings.common, "127.0.0.1:8080"),
    {.name = "trust-service",
     .kind = PARAM_LIST,
     .target = &serve_settings.trusted_services,
     .optional = true,
     .unit = "NAME=FILE_OR_URL[,SCOPE…]",
     .sentence = "A service whose tokens are trusted, where its public keys (JWKS) are, and all that it may be granted: credits:write, "
                 "credits:issue "
                 "(to credit without a fund), funds:write; none named: credits:write and funds:write"},
    {.name = "password-cost",
     .kind = PARAM_CHOICE,
     .target = &serve_settings.password_cost,
     .default_text = "standard",
     .choices = "standard|low",
     .sentence = "Cost of a password's hash; low is for test crowds, and refused unless the listener is on loopback"},
    {.name = "password-threads",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.password_thread_count,
     .default_text = "2",
     .min = 1,
     .max = 64,
     .unit = "threads",
     .sentence = "Threads that hash and compare passwords"},
    {.name = "access-token-lifetime",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.access_lifetime_s,
     .default_text = "900",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .sentence = "How long an access token is good"},
    {.name = "refresh-token-lifetime",
     .kind = PARAM_INTEGER,
     .target = &serve_settings.refresh_lifetime_s,
     .default_text = "2592000",
     .min = 1,
     .max = 31536000,
     .unit = "s",
     .sentence = "How long a refresh token is good"},
};

static int run_serve(const char **positional, size_t count) {
    (void)positional;
    (void)count;
    return serve_run(&serve_settings);
}

#define COMMAND(name_, summary_, params_, run_) \
    { .name = (name_), .summary = (summary_), .params = (params_), .param_count = ARRAY_COUNT(params_), .run = (run_) }

static const struct command commands[] = {
    COMMAND("init", "Make a new data folder with a database and a signing key", init_params, run_init),
    COMMAND("serve", "Serve the API until SIGTERM", serve_params, run_serve),
    {.name = "user add",
     .summary = "Register a user while the service is stopped; the password is the first line of standard input",
     .params = user_params,
     .param_count = ARRAY_COUNT(user_params),
     .positional_max = 1,
     .positional_names = "NAME",
     .run = run_user_add},
    COMMAND("verify", "Prove the books, of a running or a stopped service", verify_params, run_verify),
    COMMAND("keys", "Print the public keys (JWKS)", keys_params, run_keys),
};

int wallet_main(int argc, char **argv) {
    log_init("walletd", LOG_WARN);
    crypto_init();
    return command_main("walletd", "users, their wallets, and the ledger beneath", commands, ARRAY_COUNT(commands), wallet_routes,
                        wallet_route_count, argc, argv);
}
