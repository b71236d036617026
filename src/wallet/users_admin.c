#include "wallet/users_admin.h"

#include <string.h>

#include "base/check.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/sessions.h"
#include "wallet/tables.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define RECORD_BYTES    512u
#define PHONE_TYPED_MAX 64

/* ---- the document ---- */

static struct text state_name(const struct user *user) { return user->is_disabled ? TEXT("disabled") : TEXT("active"); }

static void write_record(struct json_writer *writer, const struct user *user) {
    json_begin_object(writer);
    json_id_member(writer, "id", user->id);
    json_text_member(writer, "username", user_name(user));
    write_text_or_null(writer, "phone", phone_text(&user->phone));
    json_boolean_member(writer, "phone_verified", user->is_phone_verified);
    json_text_member(writer, "state", state_name(user));
    json_boolean_member(writer, "admin", user->is_admin);
    json_boolean_member(writer, "password_temporary", user->is_password_temporary);
    json_time_member(writer, "created_at", user->created_at_us);
    json_end_object(writer);
}

/* ---- the list ---- */

struct users_reading {
    struct reading reading; /* first */
    struct id after;
    struct text username; /* folded; empty: any */
    struct phone phone;
    bool is_nobody; /* no user can have such a name */
    enum user_state state;
    size_t limit, count; /* one more than the limit: there is a next page */
    struct user *rows;
};

static struct result user_row_found(void *context, const struct row *row) {
    struct users_reading *read = context;
    CHECK(read->count <= read->limit);
    return row_user(row, 0, &read->rows[read->count++]);
}

/* A username or a phone number names one user at most: the other filters are for that one alone. */
static struct result named_found(void *context, const struct row *row) {
    struct users_reading *read = context;
    TRY(user_row_found(context, row));
    const struct user *user = &read->rows[0];
    bool matches = id_compare(user->id, read->after) > 0 && (read->phone.size == 0 || phone_equal(&user->phone, &read->phone)) &&
                   (read->state == USERS_ANY || user->is_disabled == (read->state == USERS_DISABLED));
    if (!matches) read->count = 0;
    return result_ok();
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct users_reading *read = (struct users_reading *)reading;
    (void)round;
    read->count = 0;
    if (read->is_nobody) return false;
    if (read->username.size > 0) {
        ask_user_by_name(batch, read->username, named_found, read);
    } else if (read->phone.size > 0) {
        ask_user_by_phone(batch, &read->phone, named_found, read);
    } else {
        ask_users(batch, read->after, read->state, (int64_t)read->limit + 1, user_row_found, read);
    }
    return false;
}

static void list_answer(struct reading *reading) {
    const struct users_reading *read = (const struct users_reading *)reading;
    struct exchange *exchange = reading->exchange;
    size_t count = read->count > read->limit ? read->limit : read->count;
    int64_t words[PAGE_CURSOR_WORDS] = {0};
    if (read->count > read->limit) memcpy(words, read->rows[read->limit - 1].id.bytes, sizeof words);
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(exchange, &writer, &buffer, (count + 1) * RECORD_BYTES);
    for (size_t i = 0; i < count; i++) write_record(&writer, &read->rows[i]);
    reply_page(exchange, &writer, LIST_USERS, read->count > read->limit, words);
    exchange_finish(exchange);
}

static enum user_state state_named(struct text name) {
    if (text_equal(name, TEXT("active"))) return USERS_ACTIVE;
    return text_equal(name, TEXT("disabled")) ? USERS_DISABLED : USERS_ANY;
}

static bool read_filter(struct exchange *exchange, struct users_reading *read) {
    struct faults faults;
    struct page_query query;
    faults_init(&faults, &exchange->arena);
    page_begin(&query, LIST_USERS);
    struct text username = {"", 0}, phone = {"", 0}, state = {"", 0};
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query),
        {.name = "username", .kind = QUERY_TEXT, .target = &username, .min = 1, .max = LIMIT_URI_BYTES},
        {.name = "phone", .kind = QUERY_TEXT, .target = &phone, .min = 1, .max = PHONE_TYPED_MAX},
        {.name = "state", .kind = QUERY_CHOICE, .target = &state, .choices = "active|disabled"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (phone.size > 0) phone_read(phone, wallet_of(exchange)->region, &read->phone, "phone", &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    if (username.size > 0) read->username = username_fold(&exchange->arena, username);
    read->is_nobody = username.size > 0 && read->username.size == 0;
    read->state = state_named(state);
    read->limit = (size_t)query.page.limit;
    if (query.page.has_cursor) memcpy(read->after.bytes, query.page.cursor, sizeof read->after.bytes);
    read->rows = ARENA_NEW_ARRAY(&exchange->arena, struct user, read->limit + 1);
    if (read->rows != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

void users_list(struct exchange *exchange) {
    struct users_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read == NULL || !read_filter(exchange, read)) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

/* ---- one ---- */

/* What is no id is nobody's. */
static bool read_id(struct exchange *exchange, struct id *ret_id) {
    if (result_is_ok(id_parse(exchange->parameters[0], ret_id)) && !id_is_zero(*ret_id)) return true;
    problem_reply(exchange, &problem_user_not_found, "There is no user with this id.");
    return false;
}

struct user_reading {
    struct reading reading; /* first */
    struct id id;
    struct found_user found;
};

static bool get_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct user_reading *read = (struct user_reading *)reading;
    (void)round;
    read->found.is_found = false;
    ask_user(batch, read->id, user_found, &read->found);
    return false;
}

static void get_answer(struct reading *reading) {
    const struct user_reading *read = (const struct user_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (read->found.is_found) {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, RECORD_BYTES);
        struct json_writer writer = {.buffer = &buffer};
        write_record(&writer, &read->found.user);
        reply_buffer(exchange, 200, "application/json", &buffer);
    } else {
        problem_reply(exchange, &problem_user_not_found, "There is no user with this id.");
    }
    exchange_finish(exchange);
}

void users_get(struct exchange *exchange) {
    struct id id;
    struct user_reading *read = read_id(exchange, &id) ? reading_begin(exchange, get_ask, get_answer, sizeof *read) : NULL;
    if (read == NULL) {
        exchange_finish(exchange);
        return;
    }
    read->id = id;
    reading_start(&read->reading);
}

/* ---- what is done to a user ---- */

struct treatment {
    struct operation operation; /* first */
    struct id user_id;
    struct password_step password; /* of a temporary one */
    bool is_found;
    struct user user; /* found: as it is then */
};

static struct treatment *treatment_of(struct operation *operation) { return (struct treatment *)operation; }

static void load(struct engine *engine, struct operation *operation) { books_load_user(engine, treatment_of(operation)->user_id); }

static struct user *find(struct engine *engine, struct operation *operation) {
    struct treatment *treatment = treatment_of(operation);
    struct user *user = ledger_find_user(books_ledger(engine), treatment->user_id);
    treatment->is_found = user != NULL;
    return user;
}

static void set_state(struct engine *engine, struct operation *operation, bool is_disabled, int64_t now_us) {
    static const struct text words[] = {{"{\"state\":\"active\"}", 18}, {"{\"state\":\"disabled\"}", 20}};
    struct user *user = find(engine, operation);
    if (user == NULL) return;
    if (ledger_set_disabled(books_ledger(engine), user, is_disabled, now_us))
        audit_note(engine, operation, is_disabled ? "user.disable" : "user.enable", user->id, words[!is_disabled], words[is_disabled],
                   now_us);
    treatment_of(operation)->user = *user;
}
static void decide_disable(struct engine *engine, struct operation *operation, int64_t now_us) {
    set_state(engine, operation, true, now_us);
}
static void decide_enable(struct engine *engine, struct operation *operation, int64_t now_us) {
    set_state(engine, operation, false, now_us);
}

static void decide_password(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct user *user = find(engine, operation);
    if (user == NULL) return;
    struct text before = user->is_password_temporary ? TEXT("{\"temporary\":true}") : TEXT("{\"temporary\":false}");
    ledger_set_password(books_ledger(engine), user, treatment_of(operation)->password.job.hash, true, now_us);
    audit_note(engine, operation, "user.set_password", user->id, before, TEXT("{\"temporary\":true}"), now_us);
}

static void decide_end(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct user *user = find(engine, operation);
    if (user == NULL) return;
    ledger_end_sessions(books_ledger(engine), user, (struct id){{0}}, now_us);
    audit_note(engine, operation, "user.end_sessions", user->id, TEXT(""), TEXT(""), now_us);
}

static bool refuse_nobody(struct operation *operation) {
    if (treatment_of(operation)->is_found) return false;
    operation_answer_problem(operation, &problem_user_not_found, (struct text){0}, NULL, "There is no user with this id.");
    return true;
}

static void render_nothing(struct operation *operation) {
    if (!refuse_nobody(operation)) operation->answer.status = 204;
}

static void render_record(struct operation *operation) {
    if (refuse_nobody(operation)) return;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, RECORD_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_record(&writer, &treatment_of(operation)->user);
    operation_answer(operation, 200, "application/json", &buffer);
}

static const struct action disable_action = {
    .name = "disable user", .weight = 1, .answer_bytes = RECORD_BYTES, .load = load, .decide = decide_disable, .render = render_record};
static const struct action enable_action = {
    .name = "enable user", .weight = 1, .answer_bytes = RECORD_BYTES, .load = load, .decide = decide_enable, .render = render_record};
static const struct action password_action = {
    .name = "set password", .weight = 1, .load = load, .decide = decide_password, .render = render_nothing};
static const struct action end_action = {
    .name = "end user's sessions", .weight = 1, .load = load, .decide = decide_end, .render = render_nothing};

/* NULL: it is answered, and the handler finishes the exchange. */
static struct treatment *begin(struct exchange *exchange, const struct action *action) {
    struct id id;
    if (!read_id(exchange, &id) || sessions_refuse_ends(exchange)) return NULL;
    struct treatment *treatment = operation_begin(exchange, action, sizeof *treatment);
    if (treatment != NULL) treatment->user_id = id;
    return treatment;
}

static void treat(struct exchange *exchange, const struct action *action) {
    struct treatment *treatment = begin(exchange, action);
    if (treatment == NULL) {
        exchange_finish(exchange);
    } else {
        operation_submit(&treatment->operation);
    }
}

void users_disable(struct exchange *exchange) { treat(exchange, &disable_action); }
void users_enable(struct exchange *exchange) { treat(exchange, &enable_action); }
void users_end_sessions(struct exchange *exchange) { treat(exchange, &end_action); }

static void hashed(struct password_step *step) {
    struct treatment *treatment = CONTAINER_OF(step, struct treatment, password);
    if (password_step_has_hash(step)) operation_submit(&treatment->operation);
}

static bool read_password(struct exchange *exchange, struct text *ret_password) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return false;
    struct text password = {NULL, 0};
    const struct json_member members[] = {{.name = "password", .kind = JSON_TEXT, .target = &password, .required = true}};
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (password.data != NULL) password_check(password, "password", &faults);
    if (request_refuse_faults(exchange, &faults) || password_refuse_common(exchange, password)) return false;
    *ret_password = arena_copy(&exchange->arena, password);
    password_wipe(exchange->body);
    if (ret_password->data != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

void users_set_password(struct exchange *exchange) {
    struct text password;
    struct treatment *treatment = read_password(exchange, &password) ? begin(exchange, &password_action) : NULL;
    if (treatment == NULL || !password_step_prepare(&treatment->password, exchange, password)) {
        exchange_finish(exchange);
        return;
    }
    password_wipe(password);
    password_step_hash(&treatment->password, hashed);
}
