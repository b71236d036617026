/* The audit log: who did what, from where, when, with what before and after, in both services alike. What is noted: every act of an administrator and
 * their logins, changes of passwords and of keys, and acts of administrators that were refused.
 *
 *   decide ─▶ audit_note ─▶ engine: save, in the transaction of the act ─▶ committed: one log line at info
 *   loop, a refusal is answered ─▶ audit_refused ─▶ store, a transaction of its own (of strangers: some of each burst)
 *
 * Each entry carries a hash over itself and the entry before (docs/ledger.md, "The audit log"); the tables refuse to change or delete one. */
#pragma once

#include <stdio.h>

#include "base/crypto.h"
#include "http/exchange.h"
#include "store/batch.h"

struct engine;
struct operation;
struct service;

struct audit_entry {
    int64_t sequence, created_at_us;
    struct text actor, actor_name, address, request_id, act, subject, outcome; /* empty: none */
    struct text before, after;                                                 /* JSON objects, or empty */
    struct hash hash;
};

struct audit_questions {
    const struct question *put;  /* all columns, in the order of struct audit_entry */
    const struct question *head; /* of the newest entry: all columns */
    /* All columns, newest first, below sequence $1; $2 actor (id or name), $3 act, $4 subject: empty for any; from $5 until before $6; $7 at most. */
    const struct question *page;
    const struct question *walk; /* all columns, oldest first, above sequence $1, $2 at most */
};
extern const struct audit_questions table_audit; /* tables.c; the same in both services */
#define AUDIT_COLUMNS "sequence, created_at, actor, actor_name, address, request_id, act, subject, outcome, state_before, state_after, hash"
/* RESULT_CORRUPT: the row was refused. Its texts are good until the visitor returns. */
struct result row_audit(const struct row *row, struct audit_entry *ret_entry) MUST_CHECK;
/* BLAKE2b-256 over its canonical encoding and the hash of the entry before. */
struct hash audit_hash(const struct audit_entry *entry, const struct hash *previous);

/* ---- for actions, in decide ---- */

/* The act of this operation's caller was done. `act`, `before` and `after` live until the batch is over: constants, or in the operation's arena. An operation
 * without an exchange is the system's, or whose it says. */
void audit_note(struct engine *engine, const struct operation *operation, const char *act, struct id subject, struct text before,
                struct text after, int64_t now_us);
/* The same, of an actor that the exchange does not know yet: who logs in. */
void audit_note_actor(struct engine *engine, const struct operation *operation, const char *act, struct id actor, struct text actor_name,
                      int64_t now_us);

/* ---- the engine's part ---- */

struct audit_note;
struct audit_trail {
    const struct audit_questions *questions; /* NULL: nothing is noted */
    bool is_known;                           /* the head is that of the database */
    int64_t sequence, created_at_us;
    struct hash hash;
    struct audit_note *first, **last; /* of the batch, in the engine's arena */
};
void audit_trail_forget(struct audit_trail *trail);
void audit_trail_load(struct audit_trail *trail, struct batch *batch);
void audit_trail_save(struct audit_trail *trail, struct batch *batch);
void audit_trail_committed(struct audit_trail *trail); /* writes the log lines */

/* ---- of a service ---- */

/* Before the store runs: looks whether the end of the log is as it was written (readiness), and notes it when the service's own keys are others than the last
 * time. */
struct result audit_begin(struct service *service, struct batch *batch) MUST_CHECK;
/* While it runs: they were others until now, and this was their JWKS document. Notes nothing when they are the same. */
void audit_keys_changed(struct service *service, struct text jwks_before);
/* For struct http_service: an answer was sent. On the loop. */
void audit_answered(struct exchange *exchange);
/* A refusal is set as the answer to one who said to be this administrator, but has not proven it. Some of each burst are noted. On the loop. */
void audit_refuse_actor(const struct exchange *exchange, const char *act, struct id actor, struct text actor_name);
void audit_list(struct exchange *exchange); /* GET /v1/audit-log */

/* ---- verify ---- */

struct audit_report {
    int64_t entries;
    struct hash head;
    int64_t broken; /* sequence of the first entry that does not fit; 0: none */
};
/* Those behind sequence `after`: whether the first of them fits what was before is left open. */
struct result audit_verify_from(struct batch *batch, const struct audit_questions *questions, int64_t after,
                                struct audit_report *ret_report) MUST_CHECK;
bool audit_report_print(const struct audit_report *report, FILE *out); /* false: it is broken */
struct result audit_verify(struct batch *batch, const struct audit_questions *questions, struct audit_report *ret_report) MUST_CHECK;
