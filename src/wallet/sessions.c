/* Logging in, new tokens, logging out. A refresh token is the session's id and a secret, of which only a hash is kept. */
#include <string.h>

#include "auth/token.h"
#include "base/check.h"
#include "base/log.h"
#include "wallet/flow.h"
#include "wallet/problems.h"

#define SECRET_BYTES         32
#define TOKEN_BYTES          (sizeof(struct id) + SECRET_BYTES)
#define TOKEN_TEXT_BYTES     64 /* base64url of TOKEN_BYTES */
#define ANSWER_BYTES         2048
#define TOKEN_CHARACTERS_MAX 512

struct refresh_secret {
    uint8_t bytes[SECRET_BYTES];
};

static struct hash hash_secret(const struct refresh_secret *secret) {
    return crypto_hash((struct text){(const char *)secret->bytes, sizeof secret->bytes});
}

static struct text write_refresh_token(struct arena *arena, struct id session_id, const struct refresh_secret *secret) {
    uint8_t token[TOKEN_BYTES];
    memcpy(token, session_id.bytes, sizeof session_id.bytes);
    memcpy(token + sizeof session_id.bytes, secret->bytes, sizeof secret->bytes);
    CHECK(crypto_base64url_size(sizeof token) == TOKEN_TEXT_BYTES);
    char *text = arena_take(arena, TOKEN_TEXT_BYTES);
    if (text != NULL) crypto_base64url(token, sizeof token, text);
    crypto_wipe(token, sizeof token);
    return (struct text){text, text == NULL ? 0 : TOKEN_TEXT_BYTES};
}

static struct result read_refresh_token(struct text text, struct id *ret_session_id, struct refresh_secret *ret_secret) {
    uint8_t token[TOKEN_BYTES];
    size_t size = 0;
    if (text.size != TOKEN_TEXT_BYTES) return result_error(RESULT_INVALID);
    TRY(crypto_base64url_decode(text, token, sizeof token, &size));
    if (size != sizeof token) return result_error(RESULT_INVALID);
    memcpy(ret_session_id->bytes, token, sizeof ret_session_id->bytes);
    memcpy(ret_secret->bytes, token + sizeof ret_session_id->bytes, sizeof ret_secret->bytes);
    crypto_wipe(token, sizeof token);
    return result_ok();
}

/* ---- the answer ---- */

static struct result sign_access_token(struct wallet_operation *operation, struct text *ret_token) {
    struct exchange *exchange = operation->exchange;
    struct wallet *wallet = wallet_of(exchange);
    const struct user *user = &operation->user;
    char subject[ID_TEXT_BYTES], session[ID_TEXT_BYTES];
    id_format(user->id, subject);
    id_format(operation->session.id, session);
    int64_t now_us = clock_now_us(wallet->service.clock);
    struct token_claims claims = {
        .issuer = "wallet",
        .audiences = {"wallet", "discount"},
        .audience_count = 2,
        .subject = {subject, sizeof subject},
        .scope = user->is_admin ? TEXT("user admin") : TEXT("user"),
        .preferred_username = user_name(user),
        .phone_number = phone_text(&user->phone),
        .session_id = {session, sizeof session},
        .token_id = id_make(&wallet->loops[exchange->loop_index].ids, now_us),
        .issued_at_us = now_us,
        .expires_at_us = now_us + wallet->access_lifetime_us,
    };
    return token_sign(wallet->keys, &claims, &exchange->arena, ret_token);
}

void sessions_answer(struct wallet_operation *operation) {
    struct exchange *exchange = operation->exchange;
    struct wallet *wallet = wallet_of(exchange);
    struct text access = {NULL, 0};
    struct result outcome = sign_access_token(operation, &access);
    struct text refresh = write_refresh_token(&exchange->arena, operation->session.id, operation->secret);
    crypto_wipe(operation->secret, sizeof *operation->secret);
    if (!result_is_ok(outcome) || refresh.data == NULL) {
        LOG(LOG_ERROR, "token_not_signed", LOG_STRING("reason", result_name(outcome)));
        flow_finish_problem(exchange, &problem_overloaded, "The token could not be signed.");
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "access_token", access);
    json_text_member(&writer, "token_type", TEXT("Bearer"));
    json_integer_member(&writer, "expires_in", wallet->access_lifetime_us / CLOCK_SECOND_US);
    json_text_member(&writer, "refresh_token", refresh);
    json_integer_member(&writer, "refresh_expires_in", wallet->refresh_lifetime_us / CLOCK_SECOND_US);
    json_end_object(&writer);
    if (buffer.failed) {
        flow_finish_problem(exchange, &problem_overloaded, NULL);
        return;
    }
    reply_json(exchange, 201, buffer_text(&buffer));
    exchange_finish(exchange);
}

/* A fresh secret for the refresh token of the answer; NULL: refused. */
static struct refresh_secret *make_secret(struct wallet_operation *operation) {
    struct refresh_secret *secret = ARENA_NEW(operation->arena, struct refresh_secret);
    if (secret == NULL) {
        flow_refuse(operation->exchange, &problem_overloaded, NULL);
        return NULL;
    }
    crypto_random(secret->bytes, sizeof secret->bytes);
    operation->secret = secret;
    return secret;
}

/* ---- logging in ---- */

bool sessions_refuse_attempts(struct exchange *exchange, struct text username) {
    struct wallet *wallet = wallet_of(exchange);
    int64_t now_us = clock_monotonic_us(wallet->service.clock);
    int64_t wait_us = attempts_wait_us(wallet->attempts, username, text_of(exchange->remote_address), now_us);
    if (wait_us == 0) return false;
    struct text seconds = arena_print(&exchange->arena, "%lld", (long long)((wait_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US));
    if (seconds.data != NULL) reply_header(exchange, "Retry-After", seconds);
    flow_refuse(exchange, &problem_too_many_attempts, "Too many failed attempts. Try again later.");
    return true;
}

static void matched(struct password_job *job) {
    struct password_flow *flow = CONTAINER_OF(job, struct password_flow, job);
    struct exchange *exchange = flow->operation->exchange;
    struct wallet *wallet = wallet_of(exchange);
    struct text address = text_of(exchange->remote_address);
    exchange_take(exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet->metrics.password_queue, -1);
    flow_wipe(job->password);
    if (job->matches) {
        attempts_succeeded(wallet->attempts, flow->username, address);
        flow_submit(flow->operation);
        return;
    }
    metric_add(&wallet->metrics.logins_failed, 1);
    attempts_failed(wallet->attempts, flow->username, address, clock_monotonic_us(wallet->service.clock));
    flow_finish_problem(exchange, &problem_invalid_credentials, problem_detail_of_outcome(LEDGER_INVALID_CREDENTIALS));
}

static struct password_flow *begin_login(struct exchange *exchange, struct text typed_name, struct text password) {
    struct text name = flow_fold_username(exchange, typed_name);
    struct text counted = name.size > 0 ? name : flow_keep_text(exchange, text_cut(typed_name, 2 * LIMIT_USERNAME_BYTES));
    struct reader *reader = flow_reader(exchange);
    if (reader == NULL || sessions_refuse_attempts(exchange, counted)) return NULL;
    struct user user;
    bool found = false;
    struct result read = reader_user_by_name(reader, name, &user, &found);
    if (!result_is_ok(read)) {
        flow_refuse_storage(exchange, read);
        return NULL;
    }
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_START_SESSION);
    struct refresh_secret *secret = operation == NULL ? NULL : make_secret(operation);
    struct password_flow *flow = secret == NULL ? NULL : flow_begin_password(operation, password);
    if (flow == NULL) return NULL;
    /* An unknown user has an empty hash: the pool spends the same time on it. */
    if (found) memcpy(flow->job.hash, user.password_hash, sizeof flow->job.hash);
    operation->store.weight = 2;
    operation->command.start_session = (struct session_command){.user_id = found ? user.id : (struct id){{0}},
                                                                .password_hash = flow->job.hash,
                                                                .token_hash = hash_secret(secret),
                                                                .refresh_lifetime_us = wallet_of(exchange)->refresh_lifetime_us};
    flow->username = counted;
    return flow;
}

static struct password_flow *read_login(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text username = {"", 0}, password = {"", 0};
    const struct json_member members[] = {
        {.name = "username", .kind = JSON_TEXT, .target = &username, .required = true, .min = 1, .max = LIMIT_BODY_BYTES},
        {.name = "password", .kind = JSON_TEXT, .target = &password, .required = true, .min = 1, .max = LIMIT_BODY_BYTES},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    return flow_refuse_faults(exchange, &faults) ? NULL : begin_login(exchange, username, password);
}

void sessions_create(struct exchange *exchange) {
    struct password_flow *flow = read_login(exchange);
    if (flow == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow->job.kind = PASSWORD_MATCH;
    flow->job.done = matched;
    flow_submit_password(flow);
}

/* ---- new tokens, and the end ---- */

static struct wallet_operation *read_refresh(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_AT_END = NULL;
    const struct json_value *body = flow_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text token = {"", 0};
    const struct json_member members[] = {
        {.name = "refresh_token", .kind = JSON_TEXT, .target = &token, .required = true, .min = 1, .max = TOKEN_CHARACTERS_MAX},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (flow_refuse_faults(exchange, &faults)) return NULL;

    struct refresh_secret presented;
    struct refresh_command command = {.refresh_lifetime_us = wallet_of(exchange)->refresh_lifetime_us};
    if (!result_is_ok(read_refresh_token(token, &command.session_id, &presented))) {
        flow_refuse(exchange, &problem_token_invalid, problem_detail_of_outcome(LEDGER_TOKEN_INVALID));
        return NULL;
    }
    command.token_hash = hash_secret(&presented);
    crypto_wipe(&presented, sizeof presented);
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_REFRESH_SESSION);
    struct refresh_secret *next = operation == NULL ? NULL : make_secret(operation);
    if (next == NULL) return NULL;
    command.next_token_hash = hash_secret(next);
    operation->store.weight = 2;
    operation->command.refresh_session = command;
    return operation;
}

void sessions_refresh(struct exchange *exchange) {
    struct wallet_operation *operation = read_refresh(exchange);
    if (operation == NULL) {
        exchange_finish(exchange);
        return;
    }
    flow_submit(operation);
}

void sessions_delete_current(struct exchange *exchange) {
    if (!revocations_have_room(wallet_of(exchange)->revocations)) {
        flow_finish_problem(exchange, &problem_overloaded, "Too many sessions have just ended.");
        return;
    }
    struct wallet_operation *operation = flow_begin(exchange, COMMAND_END_SESSION);
    if (operation == NULL) {
        exchange_finish(exchange);
        return;
    }
    operation->command.end_session = exchange->caller.session_id;
    flow_submit(operation);
}
