/* Registering, "who am I", and the password. */
#include "wallet/users.h"

#include <string.h>

#include "base/check.h"
#include "base/unicode.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/sessions.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

/* ---- names and documents ---- */

static bool is_username_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

enum username_verdict username_normalize(struct text typed, char folded[LIMIT_USERNAME_BYTES], size_t *ret_size) {
    size_t size = 0;
    struct result normalized = unicode_normalize(typed, UNICODE_PLAIN, folded, LIMIT_USERNAME_BYTES, &size);
    if (normalized.code == RESULT_FULL) return USERNAME_TOO_LONG;
    if (!result_is_ok(normalized)) return USERNAME_ILL_FORMED;
    for (size_t i = 0; i < size; i++) {
        if (folded[i] >= 'A' && folded[i] <= 'Z') folded[i] = (char)(folded[i] + ('a' - 'A'));
        if (!is_username_byte(folded[i])) return USERNAME_ILL_FORMED;
    }
    *ret_size = size;
    return size < LIMIT_USERNAME_BYTES_MIN ? USERNAME_TOO_SHORT : USERNAME_GOOD;
}

/* Names that speak for the service (RFC 2142 has some of them), or that programs read as something else. */
static const char *const reserved_names[] = {
    "abuse",    "admin",    "administrator", "anonymous",  "api",     "billing",   "contact",   "discount", "everyone", "hamyan",
    "help",     "helpdesk", "hostmaster",    "info",       "login",   "me",        "moderator", "noreply",  "null",     "official",
    "operator", "owner",    "payments",      "postmaster", "root",    "sales",     "security",  "service",  "staff",    "superuser",
    "support",  "system",   "undefined",     "wallet",     "walletd", "discountd", "webmaster",
};

bool username_is_reserved(struct text name) {
    char bare[LIMIT_USERNAME_BYTES];
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        if (strchr("._-", name.data[i]) == NULL) bare[size++] = name.data[i];
    }
    for (size_t i = 0; i < ARRAY_COUNT(reserved_names); i++) {
        if (text_equal((struct text){bare, size}, text_of(reserved_names[i]))) return true;
    }
    return false;
}

struct text username_fold(struct arena *arena, struct text typed) {
    char folded[LIMIT_USERNAME_BYTES];
    size_t size;
    if (username_normalize(typed, folded, &size) != USERNAME_GOOD) return (struct text){"", 0};
    return arena_copy(arena, (struct text){folded, size});
}

struct text username_read(struct arena *arena, struct text typed, const char *field, struct faults *faults) {
    char folded[LIMIT_USERNAME_BYTES];
    size_t size = 0;
    switch (username_normalize(typed, folded, &size)) {
    case USERNAME_GOOD: return arena_copy(arena, (struct text){folded, size});
    case USERNAME_TOO_SHORT: faults_add(faults, field, "too_short", "must be 3 to 32 characters"); break;
    case USERNAME_TOO_LONG: faults_add(faults, field, "too_long", "must be 3 to 32 characters"); break;
    case USERNAME_ILL_FORMED: faults_add(faults, field, "invalid_format", "must be of the characters a-z 0-9 . _ -"); break;
    }
    return (struct text){"", 0};
}

void phone_read(struct text typed, const char *region, struct phone *ret_phone, const char *field, struct faults *faults) {
    if (result_is_ok(phone_parse(typed, region, ret_phone))) return;
    faults_add(faults, field, "invalid_format", PHONE_FAULT);
}

void write_text_or_null(struct json_writer *writer, const char *name, struct text value) {
    if (value.size == 0) {
        json_null_member(writer, name);
    } else {
        json_text_member(writer, name, value);
    }
}

void user_write(struct json_writer *writer, const struct user *user) {
    json_begin_object(writer);
    json_id_member(writer, "id", user->id);
    json_text_member(writer, "username", user_name(user));
    write_text_or_null(writer, "phone", phone_text(&user->phone));
    json_time_member(writer, "created_at", user->created_at_us);
    json_end_object(writer);
}

/* ---- registering ---- */

static void register_load(struct engine *engine, struct operation *operation) {
    const struct registration *registration = (const struct registration *)operation;
    books_load_user_by_name(engine, registration->command.name, books_ledger(engine)->currency);
    books_load_user_by_phone(engine, &registration->command.phone, books_ledger(engine)->currency);
}

static void register_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct registration *registration = (struct registration *)operation;
    struct user *user = NULL;
    registration->outcome = ledger_register_user(books_ledger(engine), &registration->command, now_us, &user);
    if (user != NULL) registration->user = *user;
}

static void register_render(struct operation *operation) {
    const struct registration *registration = (const struct registration *)operation;
    if (outcome_is_refusal(registration->outcome)) {
        outcome_render(operation, registration->outcome);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, USER_DOCUMENT_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    user_write(&writer, &registration->user);
    operation->answer.location = TEXT("/v1/users/me");
    operation_answer(operation, 201, "application/json", &buffer);
}

const struct action register_action = {.name = "register",
                                       .weight = 2,
                                       .answer_bytes = USER_DOCUMENT_BYTES,
                                       .secret_member = "password",
                                       .load = register_load,
                                       .decide = register_decide,
                                       .render = register_render};

static void hashed_for_registration(struct password_step *step) {
    struct registration *registration = CONTAINER_OF(step, struct registration, password);
    if (!password_step_has_hash(step)) return;
    registration->command.password_hash = step->job.hash;
    operation_submit(&registration->operation);
}

static struct registration *read_registration(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text username = {NULL, 0}, password = {NULL, 0}, phone = {NULL, 0};
    const struct json_member members[] = {
        {.name = "username", .kind = JSON_TEXT, .target = &username, .required = true},
        {.name = "password", .kind = JSON_TEXT, .target = &password, .required = true},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);

    struct register_command command = {0};
    if (username.data != NULL) command.name = username_read(&exchange->arena, username, "username", &faults);
    if (command.name.size > 0 && username_is_reserved(command.name)) faults_add(&faults, "username", "reserved", "is a reserved name");
    if (password.data != NULL) password_check(password, "password", &faults);
    if (phone.data != NULL) phone_read(phone, wallet_of(exchange)->region, &command.phone, "phone", &faults);
    if (request_refuse_faults(exchange, &faults) || password_refuse_common(exchange, password)) return NULL;
    struct registration *registration = operation_begin(exchange, &register_action, sizeof *registration);
    if (registration == NULL) return NULL;
    registration->command = command;
    operation_read_key(&registration->operation, body);
    return password_step_prepare(&registration->password, exchange, password) ? registration : NULL;
}

static int64_t count_registration(struct password_step *step) {
    return attempts_begin_register(wallet_of(step->exchange)->attempts, exchange_payer(step->exchange),
                                   clock_monotonic_us(step->exchange->service->clock));
}

static bool refuse(struct exchange *exchange, int64_t wait_us) {
    if (wait_us > 0)
        request_refuse_tries(exchange, wait_us, "Too many accounts were registered or changed from this address. Try again later.");
    return wait_us > 0;
}

bool users_refuse_asking(struct exchange *exchange) {
    return refuse(exchange, attempts_register_wait_us(wallet_of(exchange)->attempts, exchange_payer(exchange),
                                                      clock_monotonic_us(exchange->service->clock)));
}

bool users_count_asking(struct exchange *exchange) {
    return !refuse(exchange, attempts_begin_register(wallet_of(exchange)->attempts, exchange_payer(exchange),
                                                     clock_monotonic_us(exchange->service->clock)));
}

void users_create(struct exchange *exchange) {
    struct registration *registration = users_refuse_asking(exchange) ? NULL : read_registration(exchange);
    if (registration == NULL) {
        exchange_finish(exchange);
    } else {
        registration->password.count = count_registration;
        password_step_hash(&registration->password, hashed_for_registration);
    }
}

/* ---- who am I ---- */

struct me {
    struct reading reading; /* first */
    struct found_user found;
};

static bool me_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct me *me = (struct me *)reading;
    (void)round;
    ask_user(batch, reading->exchange->caller.user_id, user_found, &me->found);
    return false;
}

static void me_answer(struct reading *reading) {
    const struct me *me = (const struct me *)reading;
    struct exchange *exchange = reading->exchange;
    if (me->found.is_found) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, USER_DOCUMENT_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        user_write(&writer, &me->found.user);
        reply_buffer(exchange, 200, "application/json", &buffer);
    } else {
        problem_reply(exchange, &problem_token_invalid, "The user of this token does not exist.");
    }
    exchange_finish(exchange);
}

void users_get_me(struct exchange *exchange) {
    struct me *me = reading_begin(exchange, me_ask, me_answer, sizeof *me);
    if (me == NULL) {
        exchange_finish(exchange);
    } else {
        reading_start(&me->reading);
    }
}

/* ---- the password ---- */

static void change_load(struct engine *engine, struct operation *operation) {
    books_load_user(engine, ((const struct password_change *)operation)->command.user_id);
}

static void change_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct password_change *change = (struct password_change *)operation;
    change->outcome = ledger_change_password(books_ledger(engine), &change->command, now_us);
    if (change->outcome == LEDGER_APPLIED)
        audit_note(engine, operation, "password.change", change->command.user_id, TEXT(""), TEXT(""), now_us);
}

static void change_render(struct operation *operation) {
    const struct password_change *change = (const struct password_change *)operation;
    if (outcome_is_refusal(change->outcome)) {
        outcome_render(operation, change->outcome);
    } else {
        operation->answer.status = 204;
    }
}

static void change_send(struct operation *operation) { outcome_send(operation, ((const struct password_change *)operation)->outcome); }

const struct action change_password_action = {
    .name = "change password", .weight = 1, .load = change_load, .decide = change_decide, .render = change_render, .send = change_send};

static void hashed_for_change(struct password_step *step) {
    struct password_change *change = CONTAINER_OF(step, struct password_change, next);
    if (!password_step_has_hash(step)) return;
    change->command.next_password_hash = step->job.hash;
    operation_submit(&change->operation);
}

/* Whoever has a session stands where the user has logged in. */
static struct attempt attempt_of_caller(const struct exchange *exchange) {
    return (struct attempt){.username = {exchange->caller.name, exchange->caller.name_size},
                            .client = exchange_payer(exchange),
                            .is_known = true};
}

static int64_t count_change(struct password_step *step) {
    struct attempt attempt = attempt_of_caller(step->exchange);
    return attempts_begin(wallet_of(step->exchange)->attempts, &attempt, clock_monotonic_us(step->exchange->service->clock));
}

static void matched_for_change(struct password_step *step) {
    struct password_change *change = CONTAINER_OF(step, struct password_change, current);
    struct exchange *exchange = step->exchange;
    if (step->job.matches) {
        struct attempt attempt = attempt_of_caller(exchange);
        attempts_succeeded(wallet_of(exchange)->attempts, &attempt, clock_monotonic_us(exchange->service->clock));
    }
    bool goes_on = step->job.matches && password_step_prepare(&change->next, exchange, change->next_password);
    password_wipe(change->next_password);
    if (goes_on) {
        password_step_hash(&change->next, hashed_for_change);
        return;
    }
    if (!step->job.matches) problem_reply(exchange, &problem_invalid_credentials, "The current password is wrong.");
    exchange_finish(exchange);
}

/* The user's hash is read first: what the typed one is compared with. */
struct change_reading {
    struct reading reading; /* first */
    struct text current, next;
    struct found_user found;
};

static bool change_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    (void)round;
    ask_user(batch, reading->exchange->caller.user_id, user_found, &((struct change_reading *)reading)->found);
    return false;
}

static struct password_change *begin_change(const struct change_reading *read) {
    struct exchange *exchange = read->reading.exchange;
    struct password_change *change = operation_begin(exchange, &change_password_action, sizeof *change);
    if (change == NULL || !password_step_prepare(&change->current, exchange, read->current)) return NULL;
    if (read->found.is_found) memcpy(change->current.job.hash, read->found.user.password_hash, sizeof change->current.job.hash);
    change->command = (struct password_command){.user_id = exchange->caller.user_id,
                                                .session_id = exchange->caller.session_id,
                                                .password_hash = change->current.job.hash};
    change->next_password = read->next;
    change->current.count = count_change;
    return change;
}

static void change_read(struct reading *reading) {
    const struct change_reading *read = (const struct change_reading *)reading;
    struct password_change *change = begin_change(read);
    password_wipe(read->current);
    if (change == NULL) {
        exchange_finish(reading->exchange);
    } else {
        password_step_match(&change->current, matched_for_change);
    }
}

static bool read_change(struct exchange *exchange, struct text *ret_current, struct text *ret_next) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return false;
    const struct json_member members[] = {
        {.name = "current_password",
         .kind = JSON_TEXT,
         .target = ret_current,
         .required = true,
         .min = 1,
         .max = LIMIT_PASSWORD_CHARACTERS},
        {.name = "new_password", .kind = JSON_TEXT, .target = ret_next, .required = true},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (ret_next->data != NULL) password_check(*ret_next, "new_password", &faults);
    if (request_refuse_faults(exchange, &faults) || password_refuse_common(exchange, *ret_next)) return false;
    *ret_current = arena_copy(&exchange->arena, *ret_current);
    *ret_next = arena_copy(&exchange->arena, *ret_next);
    password_wipe(exchange->body);
    if (ret_current->data != NULL && ret_next->data != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

static struct change_reading *begin_reading(struct exchange *exchange) {
    struct text current = {NULL, 0}, next = {NULL, 0};
    if (!read_change(exchange, &current, &next)) return NULL;
    struct attempt attempt = attempt_of_caller(exchange);
    if (sessions_refuse_attempt(exchange, &attempt)) return NULL;
    if (sessions_refuse_ends(exchange)) return NULL;
    struct change_reading *read = reading_begin(exchange, change_ask, change_read, sizeof *read);
    if (read == NULL) return NULL;
    read->current = current;
    read->next = next;
    return read;
}

void users_change_password(struct exchange *exchange) {
    struct change_reading *read = begin_reading(exchange);
    if (read == NULL) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}
