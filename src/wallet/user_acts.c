#include "wallet/user_acts.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json/json.h"
#include "service/audit.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/users.h"

#define ACTOR "command line"

static const char *const kind_names[] = {
    [USER_ADD] = "add", [USER_SET_PASSWORD] = "set-password", [USER_MAKE_ADMIN] = "make-admin", [USER_REMOVE_ADMIN] = "remove-admin"};

/* ---- the operation ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct user_act *act = (const struct user_act *)operation;
    books_load_user_by_name(engine, act->command.name, books_ledger(engine)->currency);
    books_load_user_by_phone(engine, &act->command.phone, books_ledger(engine)->currency);
}

static struct text admin_word(bool is_admin) { return is_admin ? TEXT("{\"admin\":true}") : TEXT("{\"admin\":false}"); }

static void add(struct engine *engine, struct user_act *act, int64_t now_us) {
    struct user *user = NULL;
    act->outcome = ledger_register_user(books_ledger(engine), &act->command, now_us, &user);
    if (user == NULL) return;
    act->user_id = user->id;
    audit_note(engine, &act->operation, "user.create", user->id, TEXT(""), admin_word(user->is_admin), now_us);
}

static void set_admin(struct engine *engine, struct user_act *act, struct user *user, bool is_admin, int64_t now_us) {
    if (!ledger_set_admin(books_ledger(engine), user, is_admin, now_us)) return;
    audit_note(engine, &act->operation, is_admin ? "user.make_admin" : "user.remove_admin", user->id, admin_word(!is_admin),
               admin_word(is_admin), now_us);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct user_act *act = (struct user_act *)operation;
    if (act->kind == USER_ADD) {
        add(engine, act, now_us);
        return;
    }
    struct user *user = ledger_find_user_by_name(books_ledger(engine), act->command.name);
    act->outcome = user == NULL ? LEDGER_USER_NOT_FOUND : LEDGER_APPLIED;
    if (user == NULL) return;
    act->user_id = user->id;
    switch (act->kind) {
    case USER_ADD: break;
    case USER_SET_PASSWORD:
        ledger_set_password(books_ledger(engine), user, act->command.password_hash, false, now_us);
        audit_note(engine, operation, "user.set_password", user->id, TEXT(""), TEXT(""), now_us);
        break;
    case USER_MAKE_ADMIN: set_admin(engine, act, user, true, now_us); break;
    case USER_REMOVE_ADMIN: set_admin(engine, act, user, false, now_us); break;
    }
}

static const struct action act_action = {.name = "user act", .weight = 2, .load = load, .decide = decide};

void user_act_begin(struct user_act *act, enum user_act_kind kind, const struct register_command *command) {
    CHECK(command->name.size > 0 && command->name.size <= LIMIT_USERNAME_BYTES);
    *act = (struct user_act){.operation = {.action = &act_action, .store = {.weight = act_action.weight}, .actor = ACTOR},
                             .kind = kind,
                             .command = *command};
}

const char *user_act_refusal(const struct user_act *act) {
    if (!outcome_is_refusal(act->outcome)) return NULL;
    return act->outcome == LEDGER_USER_NOT_FOUND ? "There is no user with this name." : problem_detail_of_outcome(act->outcome);
}

/* ---- messages ---- */

void user_act_write(const struct user_act *act, struct buffer *message) {
    struct json_writer writer = {.buffer = message};
    json_begin_object(&writer);
    json_text_member(&writer, "act", text_of(kind_names[act->kind]));
    json_text_member(&writer, "name", act->command.name);
    if (act->command.phone.size > 0) json_text_member(&writer, "phone", phone_text(&act->command.phone));
    if (act->command.password_hash != NULL) json_text_member(&writer, "password_hash", text_of(act->command.password_hash));
    json_boolean_member(&writer, "admin", act->command.is_admin);
    json_end_object(&writer);
}

/* Copied: a message may have been written by a program of another version. */
struct message {
    char name[LIMIT_USERNAME_BYTES], hash[CRYPTO_PASSWORD_HASH_BYTES];
};

static bool read_kind(struct text word, enum user_act_kind *ret_kind) {
    for (size_t i = 0; i < ARRAY_COUNT(kind_names); i++) {
        *ret_kind = (enum user_act_kind)i;
        if (text_equal(word, text_of(kind_names[i]))) return true;
    }
    return false;
}

static struct result read_act(const struct json_value *root, struct message *message, struct user_act *ret_act) {
    struct register_command command = {.is_admin = json_get_flag(root, "admin")};
    enum user_act_kind kind;
    size_t size = 0;
    struct text phone = json_get_text(root, "phone"), hash = json_get_text(root, "password_hash");
    if (!read_kind(json_get_text(root, "act"), &kind)) return result_error(RESULT_INVALID);
    if (username_normalize(json_get_text(root, "name"), message->name, &size) != USERNAME_GOOD) return result_error(RESULT_INVALID);
    if (phone.size > 0 && !phone_of_e164(phone, &command.phone)) return result_error(RESULT_INVALID);
    bool needs_hash = kind == USER_ADD || kind == USER_SET_PASSWORD;
    if (hash.size >= sizeof message->hash || (hash.size > 0) != needs_hash) return result_error(RESULT_INVALID);
    memcpy(message->hash, hash.size > 0 ? hash.data : "", hash.size);
    message->hash[hash.size] = '\0';
    command.name = (struct text){message->name, size};
    command.password_hash = needs_hash ? message->hash : NULL;
    user_act_begin(ret_act, kind, &command);
    return result_ok();
}

static struct result parse(struct text request, struct message *message, struct user_act *ret_act) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, 16u * CONTROL_MESSAGE_BYTES);
    faults_init(&faults, &arena);
    struct result read = json_open(&arena, request, &faults, &document);
    if (result_is_ok(read)) read = read_act(json_root(document), message, ret_act);
    json_close(document);
    arena_release(&arena);
    return read;
}

static void write_reply(struct buffer *reply, const char *error, const char *detail, struct id user_id) {
    struct json_writer writer = {.buffer = reply};
    json_begin_object(&writer);
    if (error == NULL) json_id_member(&writer, "id", user_id);
    if (error != NULL) json_text_member(&writer, "error", text_of(error));
    if (detail != NULL) json_text_member(&writer, "detail", text_of(detail));
    json_end_object(&writer);
}

static struct result take_reply(const struct json_value *root, struct user_act *act, char *room, size_t room_bytes) {
    struct text error = json_get_text(root, "error"), detail = json_get_text(root, "detail");
    if (error.size == 0) return id_parse(json_get_text(root, "id"), &act->user_id);
    snprintf(room, room_bytes, "%.*s", (int)detail.size, detail.data);
    return result_error(text_equal(error, TEXT("refused")) ? RESULT_CONFLICT : RESULT_UNAVAILABLE);
}

struct result user_act_read_reply(struct text reply, struct user_act *act, char *room, size_t room_bytes) {
    struct arena arena;
    struct faults faults;
    struct json_document *document = NULL;
    arena_init(&arena, 16u * CONTROL_MESSAGE_BYTES);
    faults_init(&faults, &arena);
    snprintf(room, room_bytes, "%s", "The service's answer could not be read.");
    struct result read = json_open(&arena, reply, &faults, &document);
    if (result_is_ok(read)) read = take_reply(json_root(document), act, room, room_bytes);
    json_close(document);
    arena_release(&arena);
    return read;
}

/* ---- the service's end ---- */

struct asked_act {
    struct user_act act; /* first */
    struct user_acts *acts;
};

static void done(struct store_operation *store, struct result outcome) {
    struct user_acts *acts = ((struct asked_act *)operation_of(store))->acts;
    atomic_store(&acts->outcome, (int)outcome.code);
    waker_wake(&acts->done);
}

static struct result run(struct user_acts *acts, struct asked_act *asked) {
    asked->acts = acts;
    asked->act.operation.store.done = done;
    atomic_store(&acts->outcome, -1);
    waker_clear(&acts->done);
    TRY(store_submit(acts->store, &asked->act.operation.store));
    while (atomic_load(&acts->outcome) < 0) (void)waker_wait(&acts->done, -1); /* the store ends each, also when it stops */
    return result_error((enum result_code)atomic_load(&acts->outcome));
}

void user_acts_handle(void *self, struct text request, struct buffer *reply) {
    static const struct id none;
    struct message message;
    struct asked_act asked = {0};
    if (!result_is_ok(parse(request, &message, &asked.act))) {
        write_reply(reply, "failed", "The service does not know this command: it is of another version than the program that asked.", none);
        return;
    }
    struct result outcome = run(self, &asked);
    const char *refusal = result_is_ok(outcome) ? user_act_refusal(&asked.act) : NULL;
    if (!result_is_ok(outcome)) {
        write_reply(reply, "failed", result_name(outcome), none);
    } else {
        write_reply(reply, refusal == NULL ? NULL : "refused", refusal, asked.act.user_id);
    }
}

struct result user_acts_begin(struct user_acts *acts, struct store *store) {
    acts->store = store;
    return waker_init(&acts->done);
}

void user_acts_end(struct user_acts *acts) {
    if (acts->store != NULL) waker_close(&acts->done);
}
