/* Who may write: one row, `fence`, in each schema.
 *
 *   epoch       raised by each connection that becomes the writer's, also by one of the same process: what an earlier connection still has under way
 *               finds another epoch and fails
 *   sequence    of the newest commit, raised by each in its own transaction: after a connection was lost it says whether the last COMMIT was made
 *   holder      the process: host, pid, and what tells it from one that had the same pid before; and a random word
 *   expires_at  by the server's clock; until then nobody else becomes the writer, unless the holder is known to be dead
 *
 * A process that was stopped for longer than its lease and then continued has lost: its commits find another epoch. Nothing else is needed for the
 * books to stay right; that the lease is renewed in time only keeps a second process from pushing the first one out. */
#pragma once

#include "store/postgres/backend.h"

#define LEASE_SECONDS      10
#define LEASE_HOLDER_BYTES 256

struct lease {
    int64_t epoch;    /* of the connection that is open */
    int64_t sequence; /* of the newest commit that we know of */
    char holder[LEASE_HOLDER_BYTES];
    int64_t renewed_us; /* monotonic: the newest time at which expires_at was written */
    bool is_lost;       /* another process is the writer: for good */
};

/* Names this process. */
void lease_init(struct lease *lease);
/* Becomes the writer. RESULT_CONFLICT: another process is, and its lease lives; logged, with its name. */
struct result lease_take(struct lease *lease, struct backend *backend) MUST_CHECK;
/* On a new connection of the writer: the epoch is raised, so that nothing of the old connection can be committed any more. *ret_sequence: of the newest commit
 * that the database has. RESULT_CONFLICT: another process is the writer; is_lost is set. */
struct result lease_resume(struct lease *lease, struct backend *backend, int64_t *ret_sequence) MUST_CHECK;
/* Between transactions; is_lost as above, with RESULT_CONFLICT. */
struct result lease_renew(struct lease *lease, struct backend *backend) MUST_CHECK;
void lease_release(struct lease *lease, struct backend *backend); /* the next one need not wait */
/* Another process is the writer, or the database is not the one that our commits went to. */
void lease_lose(struct lease *lease, const char *reason);

#define LEASE_TABLE                                                                                                           \
    "CREATE TABLE fence (only_row bigint PRIMARY KEY CHECK (only_row = 1), epoch bigint NOT NULL, sequence bigint NOT NULL, " \
    "holder text NOT NULL, expires_at timestamptz NOT NULL) WITH (fillfactor = 10);"                                          \
    "INSERT INTO fence VALUES (1, 0, 0, '', '-infinity');"

/* Part of a commit: $1 our epoch, $2 the sequence before. Touches one row, or another process is the writer. */
extern const struct question lease_commit_question;
/* Part of a commit that has nothing to write. */
extern const struct question lease_check_question;
