/* A connection as this folder's files see it: libpq, with a bound on every wait. Nobody else includes this. */
#pragma once

#include <libpq-fe.h>

#include "store/driver.h"

#define SERVER_TEXT_BYTES 256

struct backend {
    PGconn *handle; /* NULL: closed, or lost and to be opened again */
    const struct schema *schema;
    char *url;            /* owned */
    bool is_writer;       /* else a reader's: the session writes nothing */
    bool is_warned;       /* by the server, since somebody last looked: a COMMIT with a warning is not one */
    uint64_t number;      /* of this opening: what was prepared on an earlier one is gone */
    int silence_limit_ms; /* a server that says nothing for so long is lost */
    char logged
        [SERVER_TEXT_BYTES]; /* the last failure that was logged, so that a server that is away does not fill the log; "" after a success */
};

/* `url` is copied, the schema's is not. RESULT_INVALID: no URL, or one that holds a password; RESULT_FULL. Opens nothing yet. */
struct result backend_prepare(struct backend *backend, const struct place *place, bool is_writer) MUST_CHECK;
/* A new session in place of the one before, if any. RESULT_UNAVAILABLE; RESULT_INVALID: a server that we don't serve from (too old, not UTF8). */
struct result backend_open(struct backend *backend) MUST_CHECK;
void backend_close(struct backend *backend); /* the session; what was prepared stays */
void backend_free(struct backend *backend);

/* One statement with text parameters, or, with none, several. *ret_answer (may be NULL) is the caller's to PQclear. */
struct result backend_query(struct backend *backend, const char *sql, int count, const char *const *parameters,
                            PGresult **ret_answer) MUST_CHECK;
struct result backend_execute(struct backend *backend, const char *sql) MUST_CHECK;
/* The next of libpq's results, NULL between statements. RESULT_UNAVAILABLE: the connection is lost, and closed. */
struct result backend_receive(struct backend *backend, PGresult **ret_answer) MUST_CHECK;
/* Out with what is queued, as far as it goes now. */
struct result backend_flush(struct backend *backend) MUST_CHECK;
/* Ends a statement that is under way. */
void backend_cancel(struct backend *backend);

/* The server's error in our words; logged once with what was being done, a constant phrase or a question's name. RESULT_UNAVAILABLE also closes. */
struct result backend_failure(struct backend *backend, const PGresult *answer, const char *doing);
struct result backend_lost(struct backend *backend, const char *doing);
bool backend_is_state(const PGresult *answer, const char *state); /* its SQLSTATE */

/* Columns of an answer in text form; CHECKs that they are there. */
int64_t backend_integer(const PGresult *answer, int column);
