#include "wallet/user_command.h"

#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "auth/opaque.h"
#include "base/check.h"
#include "base/log.h"
#include "service/service.h"
#include "wallet/books.h"
#include "wallet/data.h"
#include "wallet/guessed_passwords.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/user_acts.h"
#include "wallet/users.h"

#define DETAIL_BYTES        256u
#define TRIES_MAX           20 /* while the service starts or stops: it has the database, and does not listen */
#define PAUSE_US            INT64_C(250000)
#define LIST_PAGE           INT64_C(500)
#define PASSWORD_LINE_BYTES (4u * LIMIT_PASSWORD_CHARACTERS + 3u) /* with CR, LF and NUL */

/* What is typed at a terminal is not shown. */
static void read_line(FILE *file, char *buffer, size_t capacity) {
    struct termios shown, hidden;
    bool is_terminal = tcgetattr(fileno(file), &shown) == 0;
    if (is_terminal) {
        fprintf(stderr, "Password: ");
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(file), TCSAFLUSH, &hidden);
    }
    if (fgets(buffer, (int)capacity, file) == NULL) buffer[0] = '\0';
    if (is_terminal) {
        tcsetattr(fileno(file), TCSAFLUSH, &shown);
        fprintf(stderr, "\n");
    }
}

static struct result read_password(FILE *file, char *buffer, size_t capacity, struct text *ret_password) {
    read_line(file, buffer, capacity);
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
    if (password_is_common(password)) {
        fprintf(service_errors(), "the password is one of those that are tried first: choose another one\n");
        return result_error(RESULT_INVALID);
    }
    *ret_password = password;
    return result_ok();
}

struct result user_command_read_name(const char *typed, char folded[LIMIT_USERNAME_BYTES], struct text *ret_name) {
    size_t size;
    if (username_normalize(text_of(typed), folded, &size) != USERNAME_GOOD) {
        fprintf(service_errors(), "NAME must be 3 to 32 of the characters a-z 0-9 . _ -\n");
        return result_error(RESULT_INVALID);
    }
    *ret_name = (struct text){folded, size};
    return result_ok();
}

/* ---- by this process, while the service is stopped ---- */

static struct result done_outcome;
static void done(struct store_operation *operation, struct result outcome) {
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
    const struct zone *zone = NULL;
    TRY(data_read_meta(batch, &meta));
    TRY(zone_find(text_of(meta.time_zone), &zone));
    struct books_options options = {.currency = meta.currency, .ids = &ids, .zone = zone};
    struct store_options store_options = {.name = "walletd", .clock = &clock_system};
    struct result outcome = books_create(&options, batch, &clock_system, &books);
    if (result_is_ok(outcome)) {
        books_bind(books, &engine);
        outcome = store_create(&engine, &store_options, &store);
    }
    operation->store.done = done;
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

/* ---- by whoever is there ---- */

/* RESULT_NOT_FOUND: no service listens. All else was said. */
static struct result ask_service(const struct user_command *command, struct user_act *act) {
    char reply_buffer[CONTROL_MESSAGE_BYTES], detail[DETAIL_BYTES];
    struct text reply;
    struct arena arena;
    struct buffer message;
    arena_init(&arena, 2u * CONTROL_MESSAGE_BYTES);
    buffer_init(&message, &arena, CONTROL_MESSAGE_BYTES);
    user_act_write(act, &message);
    struct result asked =
        message.failed ? result_error(RESULT_FULL) : control_ask(command->data, buffer_text(&message), reply_buffer, &reply);
    if (message.data != NULL) crypto_wipe(message.data, message.size);
    arena_release(&arena);
    if (asked.code == RESULT_NOT_FOUND) return asked;
    if (!result_is_ok(asked)) return say("the service that runs there did not answer: whether it was done is not known", RESULT_IO);
    struct result outcome = user_act_read_reply(reply, act, detail, sizeof detail);
    return result_is_ok(outcome) ? outcome : say(detail, outcome.code);
}

/* RESULT_CONFLICT: another process has the database, which is not said. All else was. */
static struct result run_here(const struct user_command *command, struct user_act *act) {
    struct data data;
    struct batch *batch = NULL;
    TRY(data_at(command->data, command->store_url, NULL, &data));
    TRY(data_open_unless_taken(command->data, &data, &batch));
    struct result outcome = run_operation(batch, &act->operation);
    batch_close(batch);
    if (!result_is_ok(outcome)) {
        fprintf(service_errors(), "it could not be saved: %s\n", result_name(outcome));
        return result_error(RESULT_IO);
    }
    const char *refusal = user_act_refusal(act);
    return refusal == NULL ? outcome : say(refusal, RESULT_INVALID);
}

static void pause_a_moment(void) {
    const struct timespec time = {.tv_nsec = PAUSE_US * 1000};
    nanosleep(&time, NULL);
}

/* A service that starts or stops has the database, and does not listen: it is asked again. */
static struct result perform(const struct user_command *command, struct user_act *act) {
    for (int i = 0; i < TRIES_MAX; i++) {
        struct result asked = ask_service(command, act);
        if (asked.code != RESULT_NOT_FOUND) return asked;
        struct result here = run_here(command, act);
        if (here.code != RESULT_CONFLICT) return here;
        pause_a_moment();
    }
    fprintf(service_errors(),
            "%s is in use by another process, which can not be asked here: run this where the service runs, with its --data\n",
            command->data);
    return result_error(RESULT_CONFLICT);
}

static struct result hash_password(FILE *file, char hash[CRYPTO_PASSWORD_HASH_BYTES]) {
    char line[PASSWORD_LINE_BYTES];
    struct text password;
    struct result read = read_password(file, line, sizeof line, &password);
    struct result hashed = result_is_ok(read) ? opaque_hash(password, CRYPTO_COST_STANDARD, hash) : read;
    crypto_wipe(line, sizeof line);
    if (!result_is_ok(read)) return read;
    return result_is_ok(hashed) ? hashed : say("there is no memory to hash a password", RESULT_FULL);
}

struct result user_command_run(const struct user_command *command, enum user_act_kind kind, FILE *password_file, struct id *ret_id) {
    char name[LIMIT_USERNAME_BYTES], hash[CRYPTO_PASSWORD_HASH_BYTES];
    struct register_command row = {.is_admin = command->is_admin};
    struct user_act act;
    TRY(service_check_folder(command->data, service_errors()));
    TRY(user_command_read_name(command->name, name, &row.name));
    if (command->phone != NULL && !result_is_ok(phone_parse(text_of(command->phone), command->region, &row.phone))) {
        return say("--phone " PHONE_FAULT, RESULT_INVALID);
    }
    if (password_file != NULL) {
        TRY(hash_password(password_file, hash));
        row.password_hash = hash;
    }
    user_act_begin(&act, kind, &row);
    TRY(perform(command, &act));
    *ret_id = act.user_id;
    return result_ok();
}

/* ---- the list: read beside whoever writes ---- */

struct list {
    const struct user_command *command;
    struct id last;
    int64_t count; /* of the page */
};

static struct result user_listed(void *context, const struct row *row) {
    struct list *list = context;
    struct user user;
    TRY(row_user(row, 0, &user));
    list->last = user.id;
    list->count++;
    if (list->command->is_admin && !user.is_admin) return result_ok();
    char id[ID_TEXT_BYTES], time[CLOCK_TEXT_BYTES];
    struct text phone = user.phone.size == 0 ? TEXT("-") : phone_text(&user.phone);
    id_format(user.id, id);
    clock_format(user.created_at_us, time);
    printf("%.*s  %.*s  %-8s  %-16.*s  %.*s\n", (int)sizeof id, id, (int)sizeof time, time,
           user.is_disabled ? "disabled"
           : user.is_admin  ? "admin"
                            : "user",
           (int)phone.size, phone.data, (int)user.name_size, user.name);
    return result_ok();
}

struct result user_command_list(const struct user_command *command) {
    struct data data;
    struct batch *batch = NULL;
    struct list list = {.command = command, .count = LIST_PAGE};
    TRY(data_at(command->data, command->store_url, NULL, &data));
    TRY(data_open(command->data, &data, BATCH_READ, &batch));
    struct result outcome = result_ok();
    while (result_is_ok(outcome) && list.count == LIST_PAGE) {
        list.count = 0;
        ask_users(batch, list.last, USERS_ANY, LIST_PAGE, user_listed, &list);
        outcome = batch_run(batch);
        batch_end_round(batch);
    }
    batch_close(batch);
    return result_is_ok(outcome) ? outcome : say("the users could not be read to their end", outcome.code);
}
