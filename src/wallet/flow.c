#include "wallet/flow.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "http/route.h"
#include "wallet/problems.h"

/* Room that must be left in the arena before a command goes to the store: its answer must fit whatever the decision is. */
#define ANSWER_ROOM_BYTES      (32u * 1024)
#define CREDIT_ITEM_ROOM_BYTES 1024u

#define PASSWORD_CHARACTERS_MIN 8
#define READER_PAUSE_US         CLOCK_SECOND_US

/* ---- reading ---- */

void flow_close_document(struct json_document **document) { json_close(*document); }

const struct json_value *flow_open_body(struct exchange *exchange, struct faults *faults, struct json_document **ret_document) {
    faults_init(faults, &exchange->arena);
    route_check_headers(exchange, faults);
    struct result opened = json_open_faulty(&exchange->arena, exchange->body, faults, ret_document);
    if (!result_is_ok(opened)) {
        if (opened.code == RESULT_FULL) {
            flow_refuse(exchange, &problem_overloaded, NULL);
        } else {
            flow_refuse(exchange, &problem_malformed_json, "The body is not JSON.");
        }
        return NULL;
    }
    const struct json_value *root = json_root(*ret_document);
    if (json_is_object(root)) return root;
    faults_add(faults, "", "wrong_type", "the body must be an object");
    problem_reply_faults(exchange, &problem_validation_failed, faults);
    return NULL;
}

bool flow_refuse_faults(struct exchange *exchange, const struct faults *faults) {
    if (!faults_any(faults)) return false;
    problem_reply_faults(exchange, &problem_validation_failed, faults);
    return true;
}

struct text flow_keep_text(struct exchange *exchange, struct text text) {
    return arena_copy(&exchange->arena, text);
}

static bool is_username_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

struct text flow_fold_username(struct exchange *exchange, struct text typed) {
    char folded[LIMIT_USERNAME_BYTES];
    if (typed.size < 3 || typed.size > sizeof folded) return (struct text){"", 0};
    for (size_t i = 0; i < typed.size; i++) {
        char byte = typed.data[i];
        folded[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
        if (!is_username_byte(folded[i])) return (struct text){"", 0};
    }
    return arena_copy(&exchange->arena, (struct text){folded, typed.size});
}

struct text flow_read_username(struct exchange *exchange, struct text typed, const char *field, struct faults *faults) {
    struct text name = flow_fold_username(exchange, typed);
    if (typed.size > 0 && typed.size < 3) {
        faults_add(faults, field, "too_short", "must be 3 to 32 characters");
    } else if (typed.size > LIMIT_USERNAME_BYTES) {
        faults_add(faults, field, "too_long", "must be 3 to 32 characters");
    } else if (name.size == 0) {
        faults_add(faults, field, "invalid_format", "must be of the characters a-z 0-9 . _ -");
    }
    return name;
}

void flow_check_password(struct text password, const char *field, struct faults *faults) {
    size_t characters = 0;
    struct result counted = text_count_characters(password, &characters);
    if (!result_is_ok(counted)) {
        faults_add(faults, field, "invalid_format", "must be UTF-8");
    } else if (characters < PASSWORD_CHARACTERS_MIN) {
        faults_add(faults, field, "too_short", "must be 8 to 128 characters");
    } else if (characters > LIMIT_PASSWORD_CHARACTERS) {
        faults_add(faults, field, "too_long", "must be 8 to 128 characters");
    }
}

/* ---- answering ---- */

void flow_refuse(struct exchange *exchange, const struct problem *problem, const char *detail) {
    if (detail == NULL) {
        problem_reply(exchange, problem, NULL);
    } else {
        problem_reply(exchange, problem, "%s", detail);
    }
}

void flow_refuse_storage(struct exchange *exchange, struct result failure) {
    if (failure.code == RESULT_UNAVAILABLE) {
        flow_refuse(exchange, &problem_shutting_down, "The service is stopping. Nothing was done.");
    } else {
        flow_refuse(exchange, &problem_storage_unavailable, "The storage does not answer. Nothing was done.");
    }
}

void flow_finish_problem(struct exchange *exchange, const struct problem *problem, const char *detail) {
    flow_refuse(exchange, problem, detail);
    exchange_finish(exchange);
}

void flow_finish_storage(struct exchange *exchange, struct result failure) {
    flow_refuse_storage(exchange, failure);
    exchange_finish(exchange);
}

void flow_answer_json(struct exchange *exchange, const struct buffer *buffer) {
    if (buffer->failed) {
        flow_refuse(exchange, &problem_overloaded, NULL);
    } else {
        reply_json(exchange, 200, buffer_text(buffer));
    }
}

void flow_open_reader(struct wallet *wallet, size_t loop_index) {
    struct wallet_loop *loop = &wallet->loops[loop_index];
    loop->reader_due_us = clock_monotonic_us(wallet->service.clock) + READER_PAUSE_US;
    struct result opened = reader_open(wallet->database_path, &wallet->service.commits, &loop->reader);
    if (result_is_ok(opened)) return;
    loop->reader = NULL;
    LOG(LOG_ERROR, "reader_not_opened", LOG_STRING("reason", result_name(opened)), LOG_INTEGER("loop", loop_index));
}

struct reader *flow_reader(struct exchange *exchange) {
    struct wallet *wallet = wallet_of(exchange);
    const struct wallet_loop *loop = &wallet->loops[exchange->loop_index];
    bool is_due = loop->reader == NULL && clock_monotonic_us(wallet->service.clock) >= loop->reader_due_us;
    if (is_due) flow_open_reader(wallet, exchange->loop_index);
    if (loop->reader == NULL) flow_refuse_storage(exchange, result_error(RESULT_IO));
    return loop->reader;
}

void flow_write_next(struct json_writer *writer, struct arena *arena, char list, int64_t next) {
    if (next == 0) {
        json_null_member(writer, "next_cursor");
        return;
    }
    const int64_t words[PAGE_CURSOR_WORDS] = {next};
    json_text_member(writer, "next_cursor", page_cursor(arena, list, words));
}

/* ---- commands ---- */

struct wallet_operation *flow_begin(struct exchange *exchange, enum wallet_command kind) {
    struct wallet_operation *operation = ARENA_NEW(&exchange->arena, struct wallet_operation);
    if (operation == NULL) {
        flow_refuse(exchange, &problem_overloaded, NULL);
        return NULL;
    }
    operation->store.kind = kind;
    operation->store.weight = 1;
    operation->arena = &exchange->arena;
    operation->exchange = exchange;
    exchange->operation = operation;
    return operation;
}

void flow_read_idempotency(struct wallet_operation *operation, const struct json_value *body) {
    struct wallet *wallet = wallet_of(operation->exchange);
    idempotency_read(operation->exchange, body, wallet->idempotency_secret, &operation->idempotency);
}

static void count_outcome(struct wallet_metrics *metrics, const struct wallet_operation *operation) {
    if (operation->replay != REPLAY_NONE) return;
    if (operation->store.kind == COMMAND_TRANSFER && operation->outcome == LEDGER_APPLIED) metric_add(&metrics->transfers, 1);
    if (operation->store.kind == COMMAND_START_SESSION && operation->outcome == LEDGER_APPLIED) metric_add(&metrics->logins_ok, 1);
    if (operation->store.kind != COMMAND_CREDIT) return;
    int64_t applied = 0, replayed = 0;
    const struct credit_batch *batch = &operation->command.credit;
    for (size_t i = 0; i < batch->count; i++) {
        applied += batch->outcomes[i].outcome == LEDGER_APPLIED;
        replayed += batch->outcomes[i].outcome == LEDGER_REPLAYED;
    }
    metric_add(&metrics->credits_applied, applied);
    metric_add(&metrics->credits_replayed, replayed);
    metric_add(&metrics->credits_rejected, (int64_t)batch->count - applied - replayed);
}

static void send_answer(struct exchange *exchange, const struct wallet_operation *operation) {
    const struct answer *answer = &operation->answer;
    if (answer->status == 503) {
        flow_finish_problem(exchange, &problem_overloaded, NULL);
        return;
    }
    if (answer->status == 401) { /* never kept, and it needs its challenge */
        flow_finish_problem(exchange, problem_of_outcome(operation->outcome), problem_detail_of_outcome(operation->outcome));
        return;
    }
    if (answer->location.size > 0) reply_header(exchange, "Location", answer->location);
    if (answer->status == 204) {
        reply_empty(exchange, 204);
    } else {
        reply_set(exchange, answer->status, answer->content_type, answer->body);
    }
    exchange_finish(exchange);
}

/* On the loop again: the command is decided and on disk. */
static void answer(struct exchange *exchange) {
    struct wallet_operation *operation = exchange->operation;
    count_outcome(&wallet_of(exchange)->metrics, operation);
    if (!result_is_ok(operation->failure)) {
        flow_finish_problem(exchange, &problem_overloaded, NULL);
        return;
    }
    if (operation->replay == REPLAY_KEPT) {
        idempotency_replay(exchange, &operation->kept);
        exchange_finish(exchange);
        return;
    }
    if (operation->replay == REPLAY_REFUSED) {
        idempotency_refuse(exchange, &operation->kept, &operation->idempotency);
        exchange_finish(exchange);
        return;
    }
    bool is_session = operation->store.kind == COMMAND_START_SESSION || operation->store.kind == COMMAND_REFRESH_SESSION;
    if (is_session && operation->outcome == LEDGER_APPLIED) {
        sessions_answer(operation);
        return;
    }
    if (operation->answer.status == 0) answer_render(operation, exchange->request_id);
    send_answer(exchange, operation);
}

static void done(struct store_operation *store, struct result outcome) {
    struct wallet_operation *operation = operation_of(store);
    struct exchange *exchange = operation->exchange;
    exchange_take(exchange, EXCHANGE_OF_STORE);
    if (!result_is_ok(outcome)) {
        flow_finish_storage(exchange, outcome);
        return;
    }
    exchange_continue(exchange, answer);
}

static bool has_room_for_answer(const struct wallet_operation *operation) {
    size_t needed = ANSWER_ROOM_BYTES;
    if (operation->store.kind == COMMAND_CREDIT) needed += operation->command.credit.count * CREDIT_ITEM_ROOM_BYTES;
    return operation->arena->limit_bytes - operation->arena->used_bytes >= needed;
}

void flow_submit(struct wallet_operation *operation) {
    struct exchange *exchange = operation->exchange;
    if (!has_room_for_answer(operation)) {
        flow_finish_problem(exchange, &problem_overloaded, NULL);
        return;
    }
    operation->store.done = done;
    struct store *store = wallet_of(exchange)->service.store;
    exchange_give(exchange, EXCHANGE_OF_STORE);
    struct result submitted = store_submit(store, &operation->store);
    if (result_is_ok(submitted)) return; /* it is the store's now */
    exchange_take(exchange, EXCHANGE_OF_STORE);
    if (submitted.code == RESULT_FULL) {
        flow_finish_problem(exchange, &problem_overloaded, "A queue is full. Nothing was done.");
    } else {
        flow_finish_storage(exchange, submitted);
    }
}

/* ---- passwords ---- */

void flow_wipe(struct text secret) {
    /* It lies in the exchange's own arena: const is for its readers. */
    if (secret.size > 0) crypto_wipe((void *)(uintptr_t)secret.data, secret.size);
}

struct password_flow *flow_begin_password(struct wallet_operation *operation, struct text password) {
    struct password_flow *flow = ARENA_NEW(operation->arena, struct password_flow);
    struct text copy = flow == NULL ? (struct text){NULL, 0} : arena_copy(operation->arena, password);
    if (copy.data == NULL) {
        flow_refuse(operation->exchange, &problem_overloaded, NULL);
        return NULL;
    }
    flow->operation = operation;
    flow->job.password = copy;
    flow_wipe(operation->exchange->body);
    return flow;
}

void flow_submit_password(struct password_flow *flow) {
    struct exchange *exchange = flow->operation->exchange;
    struct wallet *wallet = wallet_of(exchange);
    metric_add(&wallet->metrics.password_queue, 1);
    exchange_give(exchange, EXCHANGE_OF_PASSWORD_POOL);
    struct result submitted = password_pool_submit(wallet->passwords, &flow->job);
    if (result_is_ok(submitted)) return; /* it is the pool's now */
    exchange_take(exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet->metrics.password_queue, -1);
    flow_finish_problem(exchange, &problem_overloaded, "The queue for passwords is full. Nothing was done.");
}
