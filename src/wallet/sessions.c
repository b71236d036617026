/* Logging in, new tokens, logging out. A refresh token is the session's id and a secret, of which only a hash is kept. */
#include "wallet/sessions.h"

#include <string.h>

#include "auth/token.h"
#include "base/check.h"
#include "base/log.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/notices.h"
#include "wallet/problems.h"
#include "wallet/tables.h"
#include "wallet/users.h"
#include "wallet/wallet.h"

#define TOKEN_BYTES          (sizeof(struct id) + REFRESH_SECRET_BYTES)
#define TOKEN_TEXT_BYTES     64 /* base64url of TOKEN_BYTES */
#define ANSWER_BYTES         2048u
#define ANSWER_ROOM_BYTES    (8u * 1024) /* with the signature and what it is made of */
#define TOKEN_CHARACTERS_MAX 512
#define ACT_LOGIN            "session.create"

/* ---- refresh tokens ---- */

/* By it a token is known for one of ours when it is in no table any more: a copy of one that was used long ago. Nobody who can't make it can end a session
 * by guessing; who steals the key with the database could do that, and nothing else: what is good is in the table, and has 128 random bits. */
static void sign_secret(const struct wallet *wallet, struct refresh_secret *secret) {
    struct hash hash =
        crypto_hash_keyed((struct text){(const char *)secret->bytes, REFRESH_RANDOM_BYTES}, wallet->service.idempotency_secret);
    memcpy(secret->bytes + REFRESH_RANDOM_BYTES, hash.bytes, sizeof secret->bytes - REFRESH_RANDOM_BYTES);
}

static void make_secret(const struct wallet *wallet, struct refresh_secret *ret_secret) {
    crypto_random(ret_secret->bytes, REFRESH_RANDOM_BYTES);
    sign_secret(wallet, ret_secret);
}

static bool is_ours(const struct wallet *wallet, const struct refresh_secret *secret) {
    struct refresh_secret expected = *secret;
    sign_secret(wallet, &expected);
    bool is_same = crypto_equal(expected.bytes, secret->bytes, sizeof expected.bytes);
    crypto_wipe(&expected, sizeof expected);
    return is_same;
}

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

/* ---- the answer: made on the loop, and never kept ---- */

static struct result sign_access_token(struct exchange *exchange, const struct session_grant *grant, struct text *ret_token) {
    struct wallet *wallet = wallet_of(exchange);
    const struct user *user = &grant->user;
    char subject[ID_TEXT_BYTES], session[ID_TEXT_BYTES];
    id_format(user->id, subject);
    id_format(grant->session.id, session);
    int64_t now_us = clock_now_us(wallet->service.clock);
    struct token_claims claims = {
        .issuer = "wallet",
        .audiences = {"wallet", "discount"},
        .audience_count = 2,
        .subject = {subject, sizeof subject},
        .scope = user->is_admin ? TEXT("user admin") : TEXT("user"),
        .preferred_username = user_name(user),
        .phone_number = phone_text(&user->phone),
        .is_phone_verified = user->is_phone_verified,
        .session_id = {session, sizeof session},
        .token_id = id_make(&wallet->loops[exchange->loop_index].ids, now_us),
        .issued_at_us = now_us,
        .expires_at_us = now_us + wallet->access_lifetime_us,
    };
    return token_sign(wallet->service.keys, &claims, &exchange->arena, ret_token);
}

static void write_tokens(struct json_writer *writer, const struct wallet *wallet, struct text access, struct text refresh) {
    json_begin_object(writer);
    json_text_member(writer, "access_token", access);
    json_text_member(writer, "token_type", TEXT("Bearer"));
    json_integer_member(writer, "expires_in", wallet->access_lifetime_us / CLOCK_SECOND_US);
    json_text_member(writer, "refresh_token", refresh);
    json_integer_member(writer, "refresh_expires_in", wallet->refresh_lifetime_us / CLOCK_SECOND_US);
    json_end_object(writer);
}

static void reply_tokens(struct exchange *exchange, const struct session_grant *grant, struct refresh_secret *secret) {
    struct text access = {NULL, 0};
    struct result outcome = sign_access_token(exchange, grant, &access);
    struct text refresh = write_refresh_token(&exchange->arena, grant->session.id, secret);
    crypto_wipe(secret, sizeof *secret);
    if (!result_is_ok(outcome) || refresh.data == NULL) {
        LOG(LOG_ERROR, "token_not_signed", LOG_STRING("reason", result_name(outcome)));
        problem_reply(exchange, &problem_overloaded, "The token could not be signed.");
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    write_tokens(&writer, wallet_of(exchange), access, refresh);
    reply_buffer(exchange, 201, "application/json", &buffer);
}

static void send_grant(struct operation *operation, const struct session_grant *grant, struct refresh_secret *secret) {
    if (operation->fate != FATE_DECIDED || grant->outcome != LEDGER_APPLIED) {
        outcome_send(operation, grant->outcome);
        return;
    }
    reply_tokens(operation->exchange, grant, secret);
    exchange_finish(operation->exchange);
}

static void take_grant(struct ledger *ledger, const struct session *session, struct session_grant *ret_grant) {
    if (session == NULL) return;
    const struct user *user = ledger_find_user(ledger, session->user_id);
    CHECK(user != NULL);
    ret_grant->session = *session;
    ret_grant->user = *user;
}

/* ---- what limits them ---- */

static int64_t now_us_of(const struct exchange *exchange) { return clock_monotonic_us(exchange->service->clock); }

static bool refuse(struct exchange *exchange, int64_t wait_us) {
    if (wait_us > 0) request_refuse_tries(exchange, wait_us, "Too many failed attempts. Try again later.");
    return wait_us > 0;
}

bool sessions_refuse_attempt(struct exchange *exchange, const struct attempt *attempt) {
    return refuse(exchange, attempts_wait_us(wallet_of(exchange)->attempts, attempt, now_us_of(exchange)));
}

/* Before it is looked up whether the client is known. */
static bool refuse_anybody(struct exchange *exchange, const struct attempt *attempt) {
    return refuse(exchange, attempts_wait_of_anybody_us(wallet_of(exchange)->attempts, attempt, now_us_of(exchange)));
}

bool sessions_refuse_ends(struct exchange *exchange) {
    if (revocations_have_room(wallet_of(exchange)->revocations)) return false;
    problem_reply(exchange, &problem_overloaded, "Too many sessions have just ended.");
    return true;
}

/* ---- logging in ---- */

static void login_load(struct engine *engine, struct operation *operation) {
    books_load_user(engine, ((const struct login *)operation)->command.user_id);
}

static void login_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct login *login = (struct login *)operation;
    struct session *session = NULL;
    login->grant.outcome = ledger_start_session(books_ledger(engine), &login->command, now_us, &session);
    take_grant(books_ledger(engine), session, &login->grant);
    const struct user *user = &login->grant.user;
    if (login->grant.outcome == LEDGER_APPLIED && user->is_admin)
        audit_note_actor(engine, operation, ACT_LOGIN, user->id, user_name(user), now_us);
}

static void login_render(struct operation *operation) { outcome_render(operation, ((const struct login *)operation)->grant.outcome); }

static void login_send(struct operation *operation) {
    struct login *login = (struct login *)operation;
    if (login->grant.outcome == LEDGER_APPLIED) {
        metric_add(&wallet_of(operation->exchange)->metrics.logins_ok, 1);
        notices_login(operation->exchange, &login->grant.user);
    }
    send_grant(operation, &login->grant, &login->secret);
}

const struct action login_action = {.name = "login",
                                    .weight = 2,
                                    .answer_bytes = ANSWER_ROOM_BYTES,
                                    .load = login_load,
                                    .decide = login_decide,
                                    .render = login_render,
                                    .send = login_send};

static int64_t count(struct password_step *step) {
    const struct login *login = CONTAINER_OF(step, struct login, password);
    return attempts_begin(wallet_of(step->exchange)->attempts, &login->attempt, now_us_of(step->exchange));
}

/* Who tries to be an administrator is an administrator's business. */
static void note_failure(const struct exchange *exchange, const struct found_user *claimed, const struct problem *problem) {
    notices_login_refused(exchange, claimed->is_found ? &claimed->user : NULL, problem->code);
    if (claimed->is_found && claimed->user.is_admin) audit_refuse_actor(exchange, ACT_LOGIN, claimed->user.id, user_name(&claimed->user));
}

static void hashed(struct password_step *step) {
    struct login *login = CONTAINER_OF(step, struct login, next);
    if (!password_step_has_hash(step)) return;
    login->command.next_password_hash = step->job.hash;
    operation_submit(&login->operation);
}

/* The password was right. */
static void go_on(struct login *login) {
    struct exchange *exchange = login->password.exchange;
    attempts_succeeded(wallet_of(exchange)->attempts, &login->attempt, now_us_of(exchange));
    if (login->next_password.size == 0) {
        operation_submit(&login->operation);
        return;
    }
    bool is_ready = password_step_prepare(&login->next, exchange, login->next_password);
    password_wipe(login->next_password);
    if (is_ready) {
        password_step_hash(&login->next, hashed);
    } else {
        exchange_finish(exchange);
    }
}

static void matched(struct password_step *step) {
    struct login *login = CONTAINER_OF(step, struct login, password);
    struct exchange *exchange = step->exchange;
    if (step->job.matches) {
        go_on(login);
        return;
    }
    password_wipe(login->next_password);
    metric_add(&wallet_of(exchange)->metrics.logins_failed, 1);
    problem_reply(exchange, &problem_invalid_credentials, "%s", problem_detail_of_outcome(LEDGER_INVALID_CREDENTIALS));
    note_failure(exchange, &login->claimed, &problem_invalid_credentials);
    exchange_finish(exchange);
}

/* The user's hash is read first: what the typed password is compared with. */
struct login_reading {
    struct reading reading;                    /* first */
    struct text name, password, next_password; /* next: empty, it stays */
    struct attempt attempt;
    int64_t client;
    struct found_user found;
};

static bool login_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct login_reading *read = (struct login_reading *)reading;
    (void)round;
    read->found = (struct found_user){0};
    if (read->name.size > 0) ask_login(batch, read->name, read->client, login_found, &read->found);
    return false;
}

static struct login *begin_login(const struct login_reading *read) {
    struct exchange *exchange = read->reading.exchange;
    struct login *login = operation_begin(exchange, &login_action, sizeof *login);
    if (login == NULL || !password_step_prepare(&login->password, exchange, read->password)) return NULL;
    const struct user *user = &read->found.user;
    /* An unknown user has an empty hash: the pool spends the same time on it. */
    if (read->found.is_found) memcpy(login->password.job.hash, user->password_hash, sizeof login->password.job.hash);
    make_secret(wallet_of(exchange), &login->secret);
    login->attempt = read->attempt;
    login->claimed = read->found;
    login->password.count = count;
    login->next_password = read->next_password;
    login->command = (struct session_command){.user_id = read->found.is_found ? user->id : (struct id){{0}},
                                              .password_hash = login->password.job.hash,
                                              .token_hash = hash_secret(&login->secret),
                                              .refresh_lifetime_us = wallet_of(exchange)->refresh_lifetime_us,
                                              .client = read->client};
    return login;
}

static void login_read(struct reading *reading) {
    struct login_reading *read = (struct login_reading *)reading;
    read->attempt.is_known = read->found.is_known_client;
    bool is_refused = sessions_refuse_attempt(reading->exchange, &read->attempt);
    if (is_refused) note_failure(reading->exchange, &read->found, &problem_too_many_attempts);
    struct login *login = is_refused ? NULL : begin_login(read);
    password_wipe(read->password);
    if (login == NULL) {
        exchange_finish(reading->exchange);
    } else {
        password_step_match(&login->password, matched);
    }
}

/* An address is nobody's business once it has been compared: what is kept is a hash by a key of this database. Never 0. */
static int64_t hash_client(const struct exchange *exchange) {
    struct address client = exchange_payer(exchange);
    const struct wallet *wallet = exchange->self;
    int64_t hash = (int64_t)crypto_short_hash(address_text(&client), wallet->service.idempotency_secret);
    return hash == 0 ? 1 : hash;
}

static struct login_reading *begin_reading(struct exchange *exchange, struct text typed_name, struct text password,
                                           struct text next_password) {
    struct arena *arena = &exchange->arena;
    struct text name = username_fold(arena, typed_name);
    struct attempt attempt = {.username = name.size > 0 ? name : arena_copy(arena, text_cut(typed_name, 2 * LIMIT_USERNAME_BYTES)),
                              .client = exchange_payer(exchange)};
    if (refuse_anybody(exchange, &attempt)) {
        notices_login_refused(exchange, NULL, problem_too_many_attempts.code);
        return NULL;
    }
    struct login_reading *read = reading_begin(exchange, login_ask, login_read, sizeof *read);
    if (read == NULL) return NULL;
    read->name = name;
    read->attempt = attempt;
    read->client = hash_client(exchange);
    read->password = arena_copy(arena, password);
    if (next_password.size > 0) read->next_password = arena_copy(arena, next_password);
    password_wipe(exchange->body); /* the name was copied before */
    if (read->password.data != NULL && read->next_password.size == next_password.size) return read;
    request_refuse_memory(exchange);
    return NULL;
}

static struct login_reading *read_login(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text username = {"", 0}, password = {"", 0}, next = {NULL, 0};
    const struct json_member members[] = {
        {.name = "new_password", .kind = JSON_TEXT, .target = &next},
        {.name = "username", .kind = JSON_TEXT, .target = &username, .required = true, .min = 1, .max = LIMIT_BODY_BYTES},
        {.name = "password", .kind = JSON_TEXT, .target = &password, .required = true, .min = 1, .max = LIMIT_BODY_BYTES},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (next.data != NULL) password_check(next, "new_password", &faults);
    if (next.data != NULL && text_equal(next, password)) faults_add(&faults, "new_password", "invalid_value", "must be another one");
    if (request_refuse_faults(exchange, &faults) || (next.data != NULL && password_refuse_common(exchange, next))) return NULL;
    if (next.data != NULL && sessions_refuse_ends(exchange)) return NULL;
    return begin_reading(exchange, username, password, next);
}

void sessions_create(struct exchange *exchange) {
    struct login_reading *read = read_login(exchange);
    if (read == NULL) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

/* ---- new tokens ---- */

static void refresh_load(struct engine *engine, struct operation *operation) {
    const struct refresh_command *command = &((const struct refresh *)operation)->command;
    books_load_session(engine, command->session_id);
    books_load_token(engine, command->session_id, &command->token_hash);
}

static void refresh_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct refresh *refresh = (struct refresh *)operation;
    struct session *session = NULL;
    refresh->grant.outcome = ledger_refresh_session(books_ledger(engine), &refresh->command, now_us, &session);
    take_grant(books_ledger(engine), session, &refresh->grant);
}

static void refresh_render(struct operation *operation) { outcome_render(operation, ((const struct refresh *)operation)->grant.outcome); }

static void refresh_send(struct operation *operation) {
    struct refresh *refresh = (struct refresh *)operation;
    send_grant(operation, &refresh->grant, &refresh->secret);
}

const struct action refresh_action = {.name = "refresh",
                                      .weight = 2,
                                      .answer_bytes = ANSWER_ROOM_BYTES,
                                      .load = refresh_load,
                                      .decide = refresh_decide,
                                      .render = refresh_render,
                                      .send = refresh_send};

static struct refresh *read_refresh(struct exchange *exchange) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *body = request_open_body(exchange, &faults, &document);
    if (body == NULL) return NULL;
    struct text token = {"", 0};
    const struct json_member members[] = {
        {.name = "refresh_token", .kind = JSON_TEXT, .target = &token, .required = true, .min = 1, .max = TOKEN_CHARACTERS_MAX},
    };
    json_read(body, "", members, ARRAY_COUNT(members), &faults);
    if (request_refuse_faults(exchange, &faults)) return NULL;

    struct refresh_secret presented;
    const struct wallet *wallet = wallet_of(exchange);
    struct refresh_command command = {.refresh_lifetime_us = wallet->refresh_lifetime_us, .reuse_interval_us = wallet->reuse_interval_us};
    if (!result_is_ok(read_refresh_token(token, &command.session_id, &presented))) {
        problem_reply(exchange, &problem_token_invalid, "%s", problem_detail_of_outcome(LEDGER_TOKEN_INVALID));
        return NULL;
    }
    command.token_hash = hash_secret(&presented);
    command.is_ours = is_ours(wallet, &presented);
    crypto_wipe(&presented, sizeof presented);
    struct refresh *refresh = operation_begin(exchange, &refresh_action, sizeof *refresh);
    if (refresh == NULL) return NULL;
    make_secret(wallet_of(exchange), &refresh->secret);
    command.next_token_hash = hash_secret(&refresh->secret);
    refresh->command = command;
    return refresh;
}

void sessions_refresh(struct exchange *exchange) {
    struct refresh *refresh = read_refresh(exchange);
    if (refresh == NULL) {
        exchange_finish(exchange);
    } else {
        operation_submit(&refresh->operation);
    }
}

/* ---- the end ---- */

static void logout_load(struct engine *engine, struct operation *operation) {
    books_load_session(engine, ((const struct logout *)operation)->session_id);
}

static void logout_decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    enum ledger_outcome outcome = ledger_end_session(books_ledger(engine), ((const struct logout *)operation)->session_id, now_us);
    CHECK(outcome == LEDGER_APPLIED);
}

static void logout_render(struct operation *operation) { operation->answer.status = 204; }

const struct action logout_action = {.name = "logout", .weight = 1, .load = logout_load, .decide = logout_decide, .render = logout_render};

void sessions_delete_current(struct exchange *exchange) {
    struct logout *logout = sessions_refuse_ends(exchange) ? NULL : operation_begin(exchange, &logout_action, sizeof *logout);
    if (logout == NULL) {
        exchange_finish(exchange);
        return;
    }
    logout->session_id = exchange->caller.session_id;
    operation_submit(&logout->operation);
}
