/* Registering, "who am I", and the password. */
#include <string.h>

#include "base/check.h"
#include "wallet/flow.h"
#include "wallet/problems.h"

static void hashed_for_registration(struct password_job *job) {
    struct password_flow *flow = CONTAINER_OF(job, struct password_flow, job);
    exchange_take(flow->operation->exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet_of(flow->operation->exchange)->metrics.password_queue, -1);
    flow_wipe(job->password);
    if (job->hash[0] == '\0') {
        flow_finish_problem(flow->operation->exchange, &problem_overloaded, "There is no memory to hash a password. Nothing was done.");
        return;
    }
    flow->operation->command.register_user.password_hash = job->hash;
    flow_submit(flow->operation);
}

static struct password_flow *read_registration(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text username = {NULL, 0}, password = {NULL, 0}, phone = {NULL, 0};
    const struct json_member members[] = {
        {.name = "username", .kind = JSON_TEXT, .target = &username, .required = true},
        {.name = "password", .kind = JSON_TEXT, .target = &password, .required = true},
        {.name = "phone", .kind = JSON_TEXT, .target = &phone},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);

    struct register_command command = {0};
    if (username.data != NULL) command.name = flow_read_username(exchange, username, "username", &faults);
    if (password.data != NULL) flow_check_password(password, "password", &faults);
    if (phone.data != NULL && !result_is_ok(phone_parse(phone, wallet_of(exchange)->region, &command.phone))) {
        faults_add(&faults, "phone", "invalid_format", "must be a phone number, like 09121234567 or +989121234567");
    }
    if (flow_refuse_faults(exchange, &faults)) return NULL;
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_REGISTER);
    if (operation == NULL) return NULL;
    operation->store.weight = 2;
    operation->command.register_user = command;
    flow_read_idempotency(operation, body);
    return flow_begin_password(operation, password);
}

void users_create(struct exchange *exchange) {
    struct password_flow *flow = read_registration(exchange);
    if (flow == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow->job.kind = PASSWORD_HASH;
    flow->job.done = hashed_for_registration;
    flow_submit_password(flow);
}

void users_get_me(struct exchange *exchange) {
    struct reader *reader = flow_reader(exchange);
    if (reader == NULL) {
        exchange_finish(exchange);
        return;
    }
    struct user user;
    bool found = false;
    struct result read = reader_user(reader, exchange->caller.user_id, &user, &found);
    if (!result_is_ok(read)) {
        flow_finish_storage(exchange, read);
        return;
    }
    if (!found) {
        flow_finish_problem(exchange, &problem_token_invalid, "The user of this token does not exist.");
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, 256);
    struct json_writer writer = {.buffer = &buffer};
    answer_write_user(&writer, &user);
    flow_answer_json(exchange, &buffer);
    exchange_finish(exchange);
}

/* ---- the password ---- */

static void hashed_for_change(struct password_job *job) {
    struct password_flow *flow = CONTAINER_OF(job, struct password_flow, job);
    exchange_take(flow->operation->exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet_of(flow->operation->exchange)->metrics.password_queue, -1);
    flow_wipe(job->password);
    if (job->hash[0] == '\0') {
        flow_finish_problem(flow->operation->exchange, &problem_overloaded, "There is no memory to hash a password. Nothing was done.");
        return;
    }
    flow->operation->command.change_password.next_password_hash = job->hash;
    flow_submit(flow->operation);
}

static void matched_for_change(struct password_job *job) {
    struct password_flow *flow = CONTAINER_OF(job, struct password_flow, job);
    struct exchange *exchange = flow->operation->exchange;
    struct wallet *wallet = wallet_of(exchange);
    exchange_take(exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet->metrics.password_queue, -1);
    flow_wipe(job->password);
    if (!job->matches) {
        attempts_failed(wallet->attempts, flow->username, text_of(exchange->remote_address), clock_monotonic_us(wallet->service.clock));
        flow_wipe(flow->next_password);
        flow_finish_problem(exchange, &problem_invalid_credentials, "The current password is wrong.");
        return;
    }
    attempts_succeeded(wallet->attempts, flow->username, text_of(exchange->remote_address));
    struct password_flow *next = flow_begin_password(flow->operation, flow->next_password);
    flow_wipe(flow->next_password);
    if (next == NULL) {
        exchange_finish(exchange);
        return;
    }
    next->job.kind = PASSWORD_HASH;
    next->job.done = hashed_for_change;
    flow_submit_password(next);
}

static bool read_change(struct exchange *exchange, struct text *ret_current, struct text *ret_next) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
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
    if (ret_next->data != NULL) flow_check_password(*ret_next, "new_password", &faults);
    if (flow_refuse_faults(exchange, &faults)) return false;
    *ret_current = flow_keep_text(exchange, *ret_current);
    *ret_next = flow_keep_text(exchange, *ret_next);
    if (ret_current->data != NULL && ret_next->data != NULL) return true;
    flow_refuse(exchange, &problem_overloaded, NULL);
    return false;
}

static struct password_flow *read_password_change(struct exchange *exchange) {
    struct text current = {NULL, 0}, next = {NULL, 0};
    if (!read_change(exchange, &current, &next)) return NULL;
    struct text username = {exchange->caller.name, exchange->caller.name_size};
    if (sessions_refuse_attempts(exchange, username)) return NULL;
    if (!revocations_have_room(wallet_of(exchange)->revocations)) {
        flow_refuse(exchange, &problem_overloaded, "Too many sessions have just ended.");
        return NULL;
    }
    struct reader *reader = flow_reader(exchange);
    if (reader == NULL) return NULL;
    struct user user;
    bool found = false;
    struct result read = reader_user(reader, exchange->caller.user_id, &user, &found);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return NULL;
    }
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_CHANGE_PASSWORD);
    struct password_flow *flow = operation == NULL ? NULL : flow_begin_password(operation, current);
    flow_wipe(current);
    if (flow == NULL) return NULL;
    if (found) memcpy(flow->job.hash, user.password_hash, sizeof flow->job.hash);
    operation->command.change_password = (struct password_command){.user_id = exchange->caller.user_id,
                                                                   .session_id = exchange->caller.session_id,
                                                                   .password_hash = flow->job.hash};
    flow->username = username;
    flow->next_password = next;
    return flow;
}

void users_change_password(struct exchange *exchange) {
    struct password_flow *flow = read_password_change(exchange);
    if (flow == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow->job.kind = PASSWORD_MATCH;
    flow->job.done = matched_for_change;
    flow_submit_password(flow);
}
