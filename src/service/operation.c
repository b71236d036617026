#include "service/operation.h"

#include "http/route.h"
#include "service/service.h"

#define ANSWER_BYTES_MIN (4u * 1024) /* of a problem with many faults */

void storage_refuse(struct exchange *exchange, struct result failure) {
    if (failure.code == RESULT_CORRUPT) {
        problem_reply(exchange, &problem_storage_corrupt,
                      "What is stored about this can't be right, and nothing was done with it. The log names the row; the operator's "
                      "verify finds all.");
    } else if (failure.code == RESULT_UNAVAILABLE && store_is_stopping(service_of(exchange)->store)) {
        problem_reply(exchange, &problem_shutting_down, "The service is stopping. Nothing was done.");
    } else if (failure.code == RESULT_TIMEOUT) {
        problem_reply(exchange, &problem_storage_unavailable,
                      "The storage did not say whether it was done. Ask again, with the same Idempotency-Key.");
    } else {
        problem_reply(exchange, &problem_storage_unavailable, "The storage does not answer. Nothing was done.");
    }
}

/* ---- beginning ---- */

/* That it says true or false, and once, and only where it may stand, route_dispatch has seen. */
static bool is_dry_run(const struct exchange *exchange) {
    for (size_t i = 0; i < exchange->query_count; i++) {
        if (!text_equal(exchange->query[i].name, TEXT("dry_run"))) continue;
        return (exchange->route->flags & ROUTE_DRY_RUN) != 0 && text_equal(exchange->query[i].value, TEXT("true"));
    }
    return false;
}

void *operation_begin(struct exchange *exchange, const struct action *action, size_t size) {
    CHECK(size >= sizeof(struct operation));
    struct operation *operation = arena_take_zeroed(&exchange->arena, size);
    if (operation == NULL) {
        problem_reply(exchange, &problem_overloaded, "The request needs more memory than one request may take.");
        return NULL;
    }
    operation->action = action;
    operation->store.weight = action->weight;
    operation->answer_bytes = action->answer_bytes;
    operation->exchange = exchange;
    operation->arena = &exchange->arena;
    operation->is_dry_run = operation->store.is_rehearsal = is_dry_run(exchange);
    exchange->operation = operation;
    return operation;
}

void operation_read_key(struct operation *operation, const struct json_value *body) {
    struct exchange *exchange = operation->exchange;
    if (operation->is_dry_run) return;
    idempotency_read(exchange, body, operation->action->secret_member, service_of(exchange)->idempotency_secret, &operation->idempotency);
}

void operation_name_key(struct operation *operation) {
    if (!operation->is_dry_run) idempotency_name(operation->exchange, &operation->idempotency);
}

/* ---- sending ---- */

static void reply_answer(struct exchange *exchange, const struct answer *answer, bool is_replay) {
    if (answer->location.size > 0) reply_location(exchange, answer->location);
    if (is_replay) reply_header(exchange, "Idempotent-Replayed", TEXT("true"));
    if (answer->etag.size > 0 && !is_replay) reply_header(exchange, "ETag", answer->etag);
    if (answer->retry_after.size > 0) reply_header(exchange, "Retry-After", answer->retry_after);
    if (answer->status == 204) {
        reply_empty(exchange, 204);
    } else {
        reply_set(exchange, answer->status, answer->content_type, answer->body);
    }
}

/* A refusal is what it would be; the rest says that it was not done. */
static void say_dry_run(struct operation *operation) {
    struct answer *answer = &operation->answer;
    if (operation->fate != FATE_DECIDED || answer->status > 299) return;
    struct text rest = answer->body.size < 2 ? TEXT("}") : (struct text){answer->body.data + 1, answer->body.size - 1};
    struct text body = arena_print(operation->arena, "{\"dry_run\":true%s%.*s", rest.size > 1 ? "," : "", (int)rest.size, rest.data);
    *answer = (struct answer){.status = 200, .content_type = "application/json", .body = body};
    if (body.data == NULL) operation_overflow(operation);
}

void operation_send(struct operation *operation) {
    struct exchange *exchange = operation->exchange;
    if (operation->fate == FATE_DECIDED && operation->answer.status == 0) operation->action->render(operation);
    if (operation->is_dry_run) say_dry_run(operation);
    switch (operation->fate) {
    case FATE_DECIDED: reply_answer(exchange, &operation->answer, operation->is_repeat); break;
    case FATE_REPLAYED: idempotency_replay(exchange, &operation->kept); break;
    case FATE_KEY_REUSED: idempotency_refuse(exchange, &operation->kept, &operation->idempotency); break;
    case FATE_OVERLOADED: problem_reply(exchange, &problem_overloaded, "The answer needs more memory than one request may take."); break;
    case FATE_WAITING: CHECK(operation->fate != FATE_WAITING); /* who took it over decides it again first */
    }
    exchange_finish(exchange);
}

static void send_on_loop(struct exchange *exchange) {
    struct operation *operation = exchange->operation;
    if (operation->action->send != NULL && !operation->is_dry_run) {
        operation->action->send(operation);
    } else {
        operation_send(operation);
    }
}

void operation_return(struct operation *operation) { exchange_continue(operation->exchange, send_on_loop); }

/* ---- to the store and back ---- */

static void set_under_way(struct operation *operation) {
    struct exchange *exchange = operation->exchange;
    if (operation->idempotency.key.size == 0) return;
    operation->under_way.lookup = operation->idempotency.lookup;
    operation->under_way.arrived_us = exchange->arrived_us;
    under_way_add(&service_of(exchange)->under_way, &operation->under_way);
}

static void set_arrived(struct operation *operation) {
    if (operation->idempotency.key.size > 0) under_way_remove(&operation->under_way);
}

static void done(struct store_operation *store, struct result outcome) {
    struct operation *operation = operation_of(store);
    exchange_take(operation->exchange, EXCHANGE_OF_STORE);
    set_arrived(operation);
    if (!result_is_ok(outcome)) {
        storage_refuse(operation->exchange, outcome);
        exchange_finish(operation->exchange);
    } else if (operation->action->committed != NULL && !operation->is_dry_run) {
        operation->action->committed(operation);
    } else {
        operation_return(operation);
    }
}

static bool has_room_for_answer(const struct operation *operation) {
    size_t needed = (operation->is_dry_run ? 2 : 1) * operation->answer_bytes + ANSWER_BYTES_MIN; /* it is written again (say_dry_run) */
    bool is_read = operation->idempotency.key.size == 0 || operation->idempotency.fingerprint.data != NULL;
    return is_read && operation->arena->limit_bytes - operation->arena->used_bytes >= needed;
}

void operation_submit(struct operation *operation) {
    struct exchange *exchange = operation->exchange;
    if (!has_room_for_answer(operation)) {
        problem_reply(exchange, &problem_overloaded, "The request needs more memory than one request may take.");
        exchange_finish(exchange);
        return;
    }
    operation->store.done = done;
    struct store *store = service_of(exchange)->store;
    set_under_way(operation);
    exchange_give(exchange, EXCHANGE_OF_STORE);
    struct result submitted = store_submit(store, &operation->store);
    if (result_is_ok(submitted)) return; /* it is the store's now */
    exchange_take(exchange, EXCHANGE_OF_STORE);
    set_arrived(operation);
    if (submitted.code == RESULT_FULL) {
        problem_reply(exchange, &problem_overloaded, "A queue is full. Nothing was done.");
    } else {
        storage_refuse(exchange, submitted);
    }
    exchange_finish(exchange);
}

/* ---- rendering ---- */

void operation_overflow(struct operation *operation) {
    operation->fate = FATE_OVERLOADED;
    operation->answer = (struct answer){0};
}

void operation_answer(struct operation *operation, int status, const char *content_type, const struct buffer *buffer) {
    operation->answer.status = status;
    operation->answer.content_type = content_type;
    operation->answer.body = buffer_text(buffer);
    if (buffer->failed) operation_overflow(operation);
}

void operation_answer_problem(struct operation *operation, const struct problem *problem, struct text members, const struct faults *faults,
                              const char *detail) {
    struct text request_id = {0};
    const char *base = "";
    if (operation->exchange != NULL) {
        request_id = operation->exchange->request_id;
        base = operation->exchange->service->public_url;
    }
    struct text body = problem_document(operation->arena, base, problem, request_id, members, faults, detail);
    operation->answer = (struct answer){.status = problem->status, .content_type = "application/problem+json", .body = body};
    if (body.data == NULL) operation_overflow(operation);
}
