/* Errors as application/problem+json (RFC 9457): type, title, status, detail, code, request_id, errors[], and members of the problem's own. */
#pragma once

#include "http/exchange.h"

#define PROBLEM_FOLDER "/problems/" /* and the code: where its page is */

/* A kind of problem: one constant each, so that a code always has one status and one title. */
struct problem {
    int status;
    const char *code;  /* stable, snake_case */
    const char *title; /* the same for each occurrence */
};

extern const struct problem problem_malformed_json;            /* 400 */
extern const struct problem problem_bad_request;               /* 400 what HTTP itself forbids */
extern const struct problem problem_token_missing;             /* 401 */
extern const struct problem problem_token_invalid;             /* 401 */
extern const struct problem problem_token_expired;             /* 401 */
extern const struct problem problem_token_revoked;             /* 401 */
extern const struct problem problem_forbidden;                 /* 403 */
extern const struct problem problem_route_not_found;           /* 404 */
extern const struct problem problem_method_not_allowed;        /* 405 */
extern const struct problem problem_not_acceptable;            /* 406 */
extern const struct problem problem_body_too_large;            /* 413 */
extern const struct problem problem_uri_too_long;              /* 414 */
extern const struct problem problem_unsupported_media_type;    /* 415 */
extern const struct problem problem_validation_failed;         /* 422 */
extern const struct problem problem_idempotency_key_reused;    /* 422 */
extern const struct problem problem_idempotency_key_not_found; /* 404 */
extern const struct problem problem_too_many_attempts;         /* 429 */
extern const struct problem problem_rate_limited;              /* 429 */
extern const struct problem problem_headers_too_large;         /* 431 */
extern const struct problem problem_storage_corrupt;           /* 500 a row that breaks its rules */
extern const struct problem problem_internal;                  /* 500 a defect of ours */
extern const struct problem problem_overloaded;                /* 503 */
extern const struct problem problem_storage_unavailable;       /* 503 */
extern const struct problem problem_shutting_down;             /* 503 */
extern const struct problem problem_keys_unavailable;          /* 503 */

/* What the page of a code says, at {public URL}/problems/{code}: to whoever met it for the first time. Plain text, sentences. */
struct problem_page {
    const struct problem *problem;
    const char *happened, *action;
};
/* Of the problems above; ended by one without a problem. Each room that has problems of its own has such a table beside them. */
extern const struct problem_page problem_pages[];
const struct problem_page *problem_find_page(const struct problem_page *pages, struct text code); /* NULL: none has this code */

/* Set the answer (not finish). `detail` is a sentence for a person; NULL, for the problems above alone: what their page says. 401 adds WWW-Authenticate (RFC 6750, section 3),
 * 429 and 503 add Retry-After: 1 unless one is set already. */
void problem_reply(struct exchange *exchange, const struct problem *problem, const char *detail, ...) __attribute__((format(printf, 3, 4)));
void problem_reply_faults(struct exchange *exchange, const struct problem *problem, const struct faults *faults);
/* With further members: `members` is JSON like `"starts_at":"2026-…","retry":true` in the arena, without braces. */
void problem_reply_members(struct exchange *exchange, const struct problem *problem, struct text members, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* 400 for a body that is no JSON; `offset` is json_open_faulty's. */
void problem_reply_malformed(struct exchange *exchange, size_t offset);
/* The document alone, for answers that are kept with an idempotency key. request_id is left out when empty. `base` is
 * the service's public_url. */
struct text problem_document(struct arena *arena, const char *base, const struct problem *problem, struct text request_id,
                             struct text members, const struct faults *faults, const char *detail);
