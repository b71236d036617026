#include "wallet/user_add.h"

#include <string.h>

#include "auth/opaque.h"
#include "base/check.h"
#include "service/service.h"
#include "wallet/books.h"
#include "wallet/data.h"
#include "wallet/problems.h"
#include "wallet/users.h"

#define PASSWORD_LINE_BYTES (4u * LIMIT_PASSWORD_CHARACTERS + 3u) /* with CR, LF and NUL */

static struct result read_password(FILE *file, char *buffer, size_t capacity, struct text *ret_password) {
    if (fgets(buffer, (int)capacity, file) == NULL) buffer[0] = '\0';
    struct text password = text_of(buffer);
    if (password.size > 0 && password.data[password.size - 1] == '\n') {
        password.size--;
        if (password.size > 0 && password.data[password.size - 1] == '\r') password.size--; /* a file with CRLF lines */
    }
    char prepared_buffer[OPAQUE_BYTES_MAX];
    struct text prepared = {0};
    size_t characters = 0;
    struct result counted = opaque_prepare(password, prepared_buffer, &prepared);
    if (result_is_ok(counted)) counted = text_count_characters(prepared, &characters);
    crypto_wipe(prepared_buffer, sizeof prepared_buffer);
    if (!result_is_ok(counted) || characters < 8 || characters > LIMIT_PASSWORD_CHARACTERS) {
        fprintf(service_errors(), "the password, the first line of what is read, must be 8 to %u characters that can be seen\n",
                LIMIT_PASSWORD_CHARACTERS);
        return result_error(RESULT_INVALID);
    }
    *ret_password = password;
    return result_ok();
}

struct result user_add_read_name(const char *typed, char folded[LIMIT_USERNAME_BYTES], struct text *ret_name) {
    size_t size;
    if (username_normalize(text_of(typed), folded, &size) != USERNAME_GOOD) {
        fprintf(service_errors(), "NAME must be 3 to 32 of the characters a-z 0-9 . _ -\n");
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

static struct result say(const char *what, enum result_code code) {
    fprintf(service_errors(), "%s\n", what);
    return result_error(code);
}

static struct result save(const struct user_to_add *user, struct registration *registration) {
    struct data data;
    struct batch *batch = NULL;
    TRY(data_at(user->data, user->store_url, NULL, &data));
    TRY(data_open(user->data, &data, BATCH_WRITE, &batch));
    struct result outcome = run_operation(batch, &registration->operation);
    batch_close(batch);
    if (!result_is_ok(outcome)) {
        fprintf(service_errors(), "the user could not be saved: %s\n", result_name(outcome));
    } else if (registration->outcome != LEDGER_APPLIED) {
        outcome = say(problem_detail_of_outcome(registration->outcome), RESULT_CONFLICT);
    }
    return outcome;
}

struct result user_add(const struct user_to_add *user, FILE *password_file, struct id *ret_id) {
    char line[PASSWORD_LINE_BYTES], name[LIMIT_USERNAME_BYTES], hash[CRYPTO_PASSWORD_HASH_BYTES];
    struct text password;
    struct registration registration = {.operation = {.action = &register_action, .store = {.weight = register_action.weight}}};
    struct register_command *command = &registration.command;
    command->is_admin = user->is_admin;
    TRY(user_add_read_name(user->name, name, &command->name));
    if (user->phone != NULL && !result_is_ok(phone_parse(text_of(user->phone), user->region, &command->phone))) {
        return say("--phone must be a phone number, like 09121234567 or +989121234567", RESULT_INVALID);
    }
    TRY(read_password(password_file, line, sizeof line, &password));
    struct result hashed = opaque_hash(password, CRYPTO_COST_STANDARD, hash);
    crypto_wipe(line, sizeof line);
    if (!result_is_ok(hashed)) return say("there is no memory to hash a password", RESULT_FULL);
    command->password_hash = hash;
    TRY(save(user, &registration));
    *ret_id = registration.user.id;
    return result_ok();
}
