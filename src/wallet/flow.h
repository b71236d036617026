/* What the handlers share: reading a body, sending a command to the store, and answering what came of it.
 *
 * A function that gives NULL or false has set the exchange's answer, and its handler finishes the exchange: what was parsed lives partly in the
 * exchange's arena and must be closed first. Only flow_finish_*, flow_submit and flow_submit_password give the exchange away. */
#pragma once

#include "auth/password.h"
#include "http/problem.h"
#include "wallet/operation.h"
#include "wallet/wallet.h"

/* ---- reading ---- */

/* Parses the body and gives its root, an object; NULL: refused. The document must be closed. There may be faults already (a bad header,
 * a member that stands twice, a number beyond reading): the caller adds its own, and refuses them together. */
const struct json_value *flow_open_body(struct exchange *exchange, struct faults *faults, struct json_document **ret_document);
/* Sets 422 and returns true when there are faults. */
bool flow_refuse_faults(struct exchange *exchange, const struct faults *faults);
void flow_close_document(struct json_document **document);
#define CLOSE_AT_END __attribute__((cleanup(flow_close_document)))

/* Copies the text into the exchange's arena. When that is full, the fault list says so and the text is empty. */
struct text flow_keep_text(struct exchange *exchange, struct text text);

/* 3 to 32 of a-z 0-9 . _ - in any case, folded to lower case into the arena; a fault for `field` otherwise. */
struct text flow_read_username(struct exchange *exchange, struct text typed, const char *field, struct faults *faults);
/* Folds for a lookup: what is no username is empty. */
struct text flow_fold_username(struct exchange *exchange, struct text typed);
void flow_check_password(struct text password, const char *field, struct faults *faults); /* of a new one: 8 to 128 characters */

/* ---- answering ---- */

void flow_refuse(struct exchange *exchange, const struct problem *problem, const char *detail); /* sets the answer only */
void flow_refuse_storage(struct exchange *exchange, struct result failure);                     /* 503, by the kind of failure */
void flow_finish_problem(struct exchange *exchange, const struct problem *problem, const char *detail);
void flow_finish_storage(struct exchange *exchange, struct result failure); /* 503, by the kind of failure */
/* Sets what the writer has written, 200; 503 overloaded when the arena was too small. */
void flow_answer_json(struct exchange *exchange, const struct buffer *buffer);
/* The loop's reader; NULL: 503. One that could not be opened is tried again, at most once a second: a disk that failed for a moment when the
 * service started must not cost the loop its reads until the next start. */
void flow_open_reader(struct wallet *wallet, size_t loop_index); /* on the loop's thread, when it starts */
struct reader *flow_reader(struct exchange *exchange);
/* The letters of the lists' cursors. */
#define LIST_TRANSACTIONS      't'
#define LIST_ACCOUNTS          'a'
#define LIST_FUND_TRANSACTIONS 'f'
/* "next_cursor": a cursor of one word, or null for 0. */
void flow_write_next(struct json_writer *writer, struct arena *arena, char list, int64_t next);

/* ---- commands ---- */

/* An operation in the exchange's arena; NULL: 503 overloaded. */
struct wallet_operation *flow_begin(struct exchange *exchange, enum wallet_command kind);
/* Reads the Idempotency-Key; `body` may be NULL. */
void flow_read_idempotency(struct wallet_operation *operation, const struct json_value *body);
/* Gives the operation, and its exchange, to the store; the answer follows by itself. From any thread that owns them. */
void flow_submit(struct wallet_operation *operation);

/* A password to hash or to match before the operation is submitted. */
struct password_flow {
    struct password_job job;
    struct wallet_operation *operation;
    struct text username;      /* for counting failures */
    struct text next_password; /* change of password: hashed after the current one has matched */
};
struct password_flow *flow_begin_password(struct wallet_operation *operation, struct text password);
/* To the pool; `job.done` decides what comes then. Answers 503 overloaded when its queue is full. */
void flow_submit_password(struct password_flow *flow);
/* Wipes a secret in the arena. */
void flow_wipe(struct text secret);

/* On the loop, for sessions: signs the access token and answers (sessions.c). */
void sessions_answer(struct wallet_operation *operation);
/* 429 when this name has failed too often from this address: true. */
bool sessions_refuse_attempts(struct exchange *exchange, struct text username);
