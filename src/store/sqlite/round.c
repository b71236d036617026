/* One read transaction for all that a loop reads in a round.
 *
 * Why: a statement outside of a transaction begins and ends one of its own, which is two locks on the file (two system calls) and a look at the
 * WAL's index. A loop that answers thirty requests between two waits needs that once.
 *
 * Invariant: what database_refresh says OK to sees every commit that ended before its call. For the writer counts each commit after it is visible
 * and before anybody is told, and a reader takes the count before its transaction can see anything: the transaction's state is at least as new as
 * that count. While the count is the same no commit has ended since; when it differs the transaction is begun anew.
 *
 *   writer   COMMIT ──▶ count + 1 ──▶ done ──▶ 2xx                reader   take count ──▶ BEGIN ──▶ first SELECT takes the state
 *                                      └── a client's next request ──────▶ count differs: COMMIT, take count, BEGIN
 *
 * The transaction must end with the round: a loop that waits for its next request with an old state would keep the WAL from being begun anew. */
#include "base/check.h"
#include "store/sqlite/connection.h"

void database_count_commits(struct database *database, struct batch_commits *commits) {
    CHECK(database->mode == DATABASE_WRITE && database->commits_made == NULL);
    database->commits_made = commits;
}

void database_follow(struct database *database, const struct batch_commits *commits) {
    CHECK(database->mode == DATABASE_READ && sqlite3_get_autocommit(database->handle));
    database->commits_followed = commits;
}

struct result database_refresh(struct database *database) {
    if (database->commits_followed == NULL) return result_ok();
    uint64_t count = atomic_load(&database->commits_followed->count);
    if (!sqlite3_get_autocommit(database->handle)) {
        if (count == database->commits_seen) return result_ok();
        database_end_round(database);
    }
    database->commits_seen = count;
    return statement_run(&database->begin_read); /* the state is taken by the first statement, not by this one */
}

void database_end_round(struct database *database) {
    if (sqlite3_get_autocommit(database->handle)) return;
    struct result ended = statement_run(&database->commit);
    if (!result_is_ok(ended) || !sqlite3_get_autocommit(database->handle)) database_rollback(database);
}
