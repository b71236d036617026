#include "wallet/passwords.h"

#include "auth/opaque.h"
#include "base/check.h"
#include "http/problem.h"
#include "service/request.h"
#include "wallet/guessed_passwords.h"
#include "wallet/problems.h"
#include "wallet/wallet.h"

#define PASSWORD_CHARACTERS_MIN 8

void password_wipe(struct text secret) {
    /* It lies in the exchange's own arena: const is for its readers. */
    if (secret.size > 0) crypto_wipe((void *)(uintptr_t)secret.data, secret.size);
}

void password_check(struct text password, const char *field, struct faults *faults) {
    char buffer[OPAQUE_BYTES_MAX];
    struct text prepared = {0};
    size_t characters = 0;
    if (password.size == 0) {
        faults_add(faults, field, "too_short", "must be 8 to 128 characters");
        return;
    }
    struct result counted = opaque_prepare(password, buffer, &prepared);
    if (result_is_ok(counted)) counted = text_count_characters(prepared, &characters);
    if (counted.code == RESULT_FULL) characters = SIZE_MAX;
    crypto_wipe(buffer, sizeof buffer);
    if (counted.code == RESULT_INVALID) {
        faults_add(faults, field, "invalid_format", "must have no control characters, and none that can not be seen");
    } else if (characters < PASSWORD_CHARACTERS_MIN) {
        faults_add(faults, field, "too_short", "must be 8 to 128 characters");
    } else if (characters > LIMIT_PASSWORD_CHARACTERS) {
        faults_add(faults, field, "too_long", "must be 8 to 128 characters");
    }
}

bool password_refuse_common(struct exchange *exchange, struct text password) {
    if (!password_is_common(password)) return false;
    problem_reply(exchange, &problem_password_too_common, "This password is one of those that are tried first.");
    return true;
}

bool password_step_prepare(struct password_step *step, struct exchange *exchange, struct text password) {
    struct text copy = arena_copy(&exchange->arena, password);
    if (copy.data == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    step->exchange = exchange;
    step->job.password = copy;
    password_wipe(exchange->body);
    return true;
}

static void refuse(struct password_step *step) {
    struct exchange *exchange = step->exchange;
    if (step->job.end == PASSWORD_NOT_BEGUN && step->wait_us > 0) {
        request_refuse_tries(exchange, step->wait_us, "Too many attempts. Try again later.");
    } else if (step->job.end == PASSWORD_NOT_BEGUN) {
        metric_add(&wallet_of(exchange)->metrics.passwords_left, 1);
        problem_reply(exchange, &problem_overloaded, "The connection was closed before it was this password's turn. Nothing was done.");
    } else {
        problem_reply(exchange, &problem_overloaded, "There are too many passwords to be checked. Nothing was done.");
    }
    exchange_finish(exchange);
}

static bool begins(struct password_job *job) {
    struct password_step *step = CONTAINER_OF(job, struct password_step, job);
    if (exchange_has_hung_up(step->exchange)) return false;
    if (step->count != NULL) step->wait_us = step->count(step);
    return step->wait_us == 0;
}

static void ended(struct password_job *job) {
    struct password_step *step = CONTAINER_OF(job, struct password_step, job);
    exchange_take(step->exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet_of(step->exchange)->metrics.password_queue, -1);
    password_wipe(job->password);
    if (job->end == PASSWORD_WORKED) {
        step->done(step);
    } else {
        refuse(step);
    }
}

static void start(struct password_step *step, void (*done)(struct password_step *step)) {
    struct exchange *exchange = step->exchange;
    struct wallet *wallet = wallet_of(exchange);
    struct address address = exchange_payer(exchange), subnet = exchange_subnet(exchange);
    step->done = done;
    step->job.begins = begins;
    step->job.done = ended;
    step->job.address = address_text(&address);
    step->job.subnet = address_text(&subnet);
    metric_add(&wallet->metrics.password_queue, 1);
    exchange_give(exchange, EXCHANGE_OF_PASSWORD_POOL);
    struct result submitted = password_pool_submit(wallet->passwords, &step->job);
    if (result_is_ok(submitted)) return; /* it is the pool's now */
    exchange_take(exchange, EXCHANGE_OF_PASSWORD_POOL);
    metric_add(&wallet->metrics.password_queue, -1);
    problem_reply(exchange, &problem_overloaded, "The queue for passwords is full. Nothing was done.");
    exchange_finish(exchange);
}

void password_step_hash(struct password_step *step, void (*done)(struct password_step *step)) {
    step->job.kind = PASSWORD_HASH;
    start(step, done);
}

void password_step_match(struct password_step *step, void (*done)(struct password_step *step)) {
    step->job.kind = PASSWORD_MATCH;
    start(step, done);
}

bool password_step_has_hash(struct password_step *step) {
    if (step->job.hash[0] != '\0') return true;
    problem_reply(step->exchange, &problem_overloaded, "There is no memory to hash a password. Nothing was done.");
    exchange_finish(step->exchange);
    return false;
}
