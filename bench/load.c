/* Fills a wallet's folder for the benchmark, through the ledger's own code and the store's own commits: what it leaves is what the service
 * would have left, and `walletd verify` says so.
 *
 *   load users DATA COUNT         registers bench0000000, bench0000001, …; prints "id phone" of each
 *   load transfers DATA COUNT     credits random ones of the users whose ids stand on standard input until there are COUNT more transfers */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "service/service.h"
#include "wallet/books.h"
#include "wallet/credits.h"
#include "wallet/data.h"
#include "wallet/users.h"

#define PASSWORD      "correct horse battery"
#define USERS_MAX     1000000u
#define USERS_AT_ONCE 1024u
#define BATCHES       4u
#define CALLER        "bench"

struct target {
    struct data data;
    struct batch *batch;
    struct books *books;
    struct store *store;
    struct id_source ids;
};

static void die(const char *what, struct result outcome) {
    fprintf(stderr, "load: %s: %s\n", what, result_name(outcome));
    exit(1);
}

static void done(struct store_operation *operation, struct result outcome) {
    (void)operation;
    if (!result_is_ok(outcome)) die("commit", outcome);
}

static struct result open_target(const char *directory, struct target *target) {
    struct data_meta meta;
    struct store_engine store_engine;
    id_source_init_system(&target->ids);
    TRY(data_at(directory, NULL, NULL, &target->data));
    TRY(data_open(directory, &target->data, BATCH_WRITE, &target->batch));
    TRY(data_read_meta(target->batch, &meta));
    struct books_options options = {.currency = meta.currency, .ids = &target->ids};
    TRY(books_create(&options, target->batch, &clock_system, &target->books));
    books_bind(target->books, &store_engine);
    struct store_options store_options = {.name = "walletd", .clock = &clock_system};
    return store_create(&store_engine, &store_options, &target->store);
}

static void close_target(struct target *target) {
    store_free(target->store);
    books_free(target->books);
    batch_close(target->batch);
}

static void submit(struct target *target, struct operation *operation) {
    operation->store.done = done;
    struct result submitted = store_submit(target->store, &operation->store);
    if (!result_is_ok(submitted)) die("submit", submitted);
}

static void run_all(struct target *target) {
    while (store_run_batch(target->store)) continue;
}

/* ---- users ---- */

struct newcomer {
    struct registration registration;
    char name[32];
};

static void prepare(struct newcomer *newcomer, size_t number, const char *password_hash) {
    struct register_command *command = &newcomer->registration.command;
    *newcomer = (struct newcomer){.registration.operation = {.action = &register_action, .store = {.weight = register_action.weight}}};
    snprintf(newcomer->name, sizeof newcomer->name, "bench%07zu", number);
    char phone[24];
    snprintf(phone, sizeof phone, "+98912%07zu", number);
    struct result parsed = phone_parse(text_of(phone), "IR", &command->phone);
    CHECK(result_is_ok(parsed));
    command->name = text_of(newcomer->name);
    command->password_hash = password_hash;
}

/* One hash for all: each would cost a production's tens of milliseconds. */
static void load_users(struct target *target, size_t count) {
    static struct newcomer newcomers[USERS_AT_ONCE];
    char hash[CRYPTO_PASSWORD_HASH_BYTES];
    struct result hashed = crypto_password_hash(TEXT(PASSWORD), CRYPTO_COST_STANDARD, hash);
    if (!result_is_ok(hashed)) die("hash", hashed);
    for (size_t first = 0; first < count; first += USERS_AT_ONCE) {
        size_t some = count - first < USERS_AT_ONCE ? count - first : USERS_AT_ONCE;
        for (size_t i = 0; i < some; i++) {
            prepare(&newcomers[i], first + i, hash);
            submit(target, &newcomers[i].registration.operation);
        }
        run_all(target);
        for (size_t i = 0; i < some; i++) {
            const struct registration *registration = &newcomers[i].registration;
            CHECK(registration->outcome == LEDGER_APPLIED);
            char id[ID_TEXT_BYTES];
            id_format(registration->user.id, id);
            struct text phone = phone_text(&registration->command.phone);
            printf("%.*s %.*s\n", ID_TEXT_BYTES, id, (int)phone.size, phone.data);
        }
    }
}

/* ---- transfers ---- */

struct many {
    struct credits credits;
    struct credit_item items[LIMIT_CREDIT_ITEMS];
    struct credit_outcome outcomes[LIMIT_CREDIT_ITEMS];
    char references[LIMIT_CREDIT_ITEMS][ID_TEXT_BYTES];
};

static size_t read_users(struct id *users) {
    char line[128];
    size_t count = 0;
    while (count < USERS_MAX && fgets(line, sizeof line, stdin) != NULL) {
        struct result parsed = id_parse((struct text){line, ID_TEXT_BYTES}, &users[count++]);
        if (!result_is_ok(parsed)) die("a line without an id", parsed);
    }
    return count;
}

/* xorshift64 (Marsaglia, 2003): which user is paid next need not be unguessable, only the same in each run. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill(struct target *target, struct many *many, size_t count, const struct id *users, size_t user_count, uint64_t *random) {
    memset(&many->credits, 0, sizeof many->credits);
    for (size_t i = 0; i < count; i++) {
        id_format(id_make(&target->ids, clock_now_us(&clock_system)), many->references[i]);
        many->items[i] = (struct credit_item){.reference = {many->references[i], ID_TEXT_BYTES},
                                              .user_id = users[next_random(random) % user_count],
                                              .amount = {.amount_minor = 1000, .currency = CURRENCY_IRT},
                                              .fund = TEXT(""),
                                              .description = TEXT(""),
                                              .metadata = TEXT("")};
    }
    many->credits = (struct credits){.operation = {.action = &credits_action, .store = {.weight = (uint32_t)count}},
                                     .caller = TEXT(CALLER),
                                     .items = many->items,
                                     .outcomes = many->outcomes,
                                     .count = count};
    submit(target, &many->credits.operation);
}

static void load_transfers(struct target *target, size_t count) {
    static struct many many[BATCHES];
    static struct id users[USERS_MAX];
    size_t user_count = read_users(users), loaded = 0;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    CHECK(user_count > 0);
    while (loaded < count) {
        for (size_t i = 0; i < BATCHES && loaded < count; i++) {
            size_t some = count - loaded < LIMIT_CREDIT_ITEMS ? count - loaded : LIMIT_CREDIT_ITEMS;
            fill(target, &many[i], some, users, user_count, &random);
            loaded += some;
        }
        run_all(target);
        for (size_t i = 0; i < many[0].credits.count; i++) CHECK(many[0].outcomes[i].outcome == LEDGER_APPLIED);
        if (loaded % 400000 == 0) fprintf(stderr, "load: %zu of %zu transfers\n", loaded, count);
    }
}

int main(int argc, char **argv) {
    char *end = NULL;
    size_t count = argc == 4 ? strtoul(argv[3], &end, 10) : 0;
    bool is_users = argc == 4 && strcmp(argv[1], "users") == 0;
    if (count == 0 || *end != '\0' || (!is_users && strcmp(argv[1], "transfers") != 0) || (is_users && count > USERS_MAX)) {
        fprintf(stderr, "usage: load users|transfers DATA COUNT\n");
        return 2;
    }
    log_init("load", LOG_WARN);
    crypto_init();
    struct target target = {0};
    struct result opened = open_target(argv[2], &target);
    if (!result_is_ok(opened)) die(argv[2], opened);
    if (is_users)
        load_users(&target, count);
    else
        load_transfers(&target, count);
    close_target(&target);
    return 0;
}
