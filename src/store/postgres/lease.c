#include "store/postgres/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"

#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)
#define NEW_EXPIRY       "clock_timestamp() + interval '" TEXT_OF(LEASE_SECONDS) " seconds'"

const struct question lease_commit_question = {.name = "fence",
                                               .sql = "UPDATE fence SET sequence = sequence + 1, expires_at = " NEW_EXPIRY
                                                      " WHERE only_row = 1 AND epoch = $1 AND sequence = $2",
                                               .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};
const struct question lease_check_question = {
    .name = "fence",
    .sql = "SELECT 1 / count(*)::integer FROM fence WHERE only_row = 1 AND epoch = $1 AND sequence = $2",
    .parameters = {COLUMN_INTEGER, COLUMN_INTEGER}};

/* ---- who we are, and whether another one still lives ---- */

static void read_line(const char *path, char *line, size_t capacity) {
    FILE *file = fopen(path, "re");
    line[0] = '\0';
    if (file == NULL) return;
    if (fgets(line, (int)capacity, file) == NULL) line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    fclose(file);
}

/* Where a pid means something: this boot of this host, this namespace. No blanks in it. */
static void read_surroundings(char *text, size_t capacity) {
    char host[64] = "", boot[64] = "", space[64] = "";
    if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    ssize_t size = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[size < 0 ? 0 : size] = '\0';
    snprintf(text, capacity, "%s/%s/%s", host, boot, space);
}

/* When the process began, in ticks since the boot: the 22nd word of its stat, the 20th behind its name, which may hold anything. "" when there is none. */
static void read_start(int64_t pid, char *text, size_t capacity) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    read_line(path, line, sizeof line);
    char *word = strrchr(line, ')');
    for (int i = 0; i < 20 && word != NULL; i++) word = strchr(word + 1, ' ');
    snprintf(text, capacity, "%.*s", word == NULL ? 0 : (int)strcspn(word + 1, " "), word == NULL ? "" : word + 1);
}

void lease_init(struct lease *lease) {
    char surroundings[192], start[32];
    uint64_t word;
    *lease = (struct lease){0};
    read_surroundings(surroundings, sizeof surroundings);
    read_start(getpid(), start, sizeof start);
    crypto_random(&word, sizeof word);
    snprintf(lease->holder, sizeof lease->holder, "%s %lld %s %016" PRIx64, surroundings, (long long)getpid(), start, word);
}

/* Only where that is certain: the same boot of the same host and no such process, or another one that has its pid now. */
static bool is_known_dead(const char *holder) {
    char surroundings[192], ours[192], start[32], start_now[32];
    long long pid = 0;
    if (sscanf(holder, "%191s %lld %31s", surroundings, &pid, start) != 3 || pid <= 0) return false;
    read_surroundings(ours, sizeof ours);
    if (strcmp(surroundings, ours) != 0) return false;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return true;
    read_start(pid, start_now, sizeof start_now);
    return start_now[0] != '\0' && strcmp(start, start_now) != 0;
}

/* ---- the row ---- */

void lease_lose(struct lease *lease, const char *reason) {
    if (!lease->is_lost) LOG(LOG_ERROR, "lease_lost", LOG_STRING("reason", reason), LOG_INTEGER("epoch", lease->epoch));
    lease->is_lost = true;
}

static struct result refuse(const char *holder, int64_t left_ms) {
    LOG(LOG_ERROR, "database_in_use", LOG_STRING("holder", holder), LOG_INTEGER("lease_left_ms", left_ms),
        LOG_STRING("reason", "another process writes there; if it has ended, its lease ends by itself"));
    return result_error(RESULT_CONFLICT);
}

/* In a transaction: the row is locked, so that a COMMIT of an earlier connection has been made or cannot be made any more. */
static struct result look_and_raise(struct lease *lease, struct backend *backend, bool is_first, int64_t *ret_sequence) {
    PGresult *answer = NULL;
    TRY(backend_query(
        backend,
        "SELECT sequence, holder, (extract(epoch FROM greatest(expires_at, '2000-01-01') - clock_timestamp()) * 1000)::bigint FROM fence "
        "WHERE only_row = $1 FOR UPDATE",
        1, (const char *const[]){"1"}, &answer));
    if (PQntuples(answer) != 1) {
        PQclear(answer);
        LOG(LOG_ERROR, "database_refused", LOG_STRING("reason", "the row of the fence is missing"));
        return result_error(RESULT_CORRUPT);
    }
    const char *holder = PQgetvalue(answer, 0, 1);
    int64_t left_ms = backend_integer(answer, 2);
    *ret_sequence = backend_integer(answer, 0);
    struct result outcome = result_ok();
    if (is_first && left_ms > 0 && !is_known_dead(holder)) outcome = refuse(holder, left_ms);
    if (!is_first && strcmp(holder, lease->holder) != 0) {
        lease_lose(lease, "another process has become the writer");
        outcome = result_error(RESULT_CONFLICT);
    }
    PQclear(answer);
    TRY(outcome);
    TRY(backend_query(backend,
                      "UPDATE fence SET epoch = epoch + 1, holder = $1, expires_at = " NEW_EXPIRY " WHERE only_row = 1 RETURNING epoch", 1,
                      (const char *const[]){lease->holder}, &answer));
    lease->epoch = backend_integer(answer, 0);
    PQclear(answer);
    return result_ok();
}

/* A COMMIT with a warning may be on this server alone: what is concluded from it could be lost with it. */
static struct result raise_epoch(struct lease *lease, struct backend *backend, bool is_first, int64_t *ret_sequence) {
    TRY(backend_execute(backend, "BEGIN"));
    struct result outcome = look_and_raise(lease, backend, is_first, ret_sequence);
    backend->is_warned = false;
    if (result_is_ok(outcome)) {
        outcome = backend_execute(backend, "COMMIT");
    } else if (backend->handle != NULL) {
        struct result undone = backend_execute(backend, "ROLLBACK");
        if (!result_is_ok(undone)) backend_close(backend);
    }
    if (result_is_ok(outcome) && backend->is_warned) return backend_lost(backend, "raise the epoch");
    if (result_is_ok(outcome)) lease->renewed_us = clock_monotonic_us(&clock_system);
    return outcome;
}

struct result lease_take(struct lease *lease, struct backend *backend) {
    TRY(raise_epoch(lease, backend, true, &lease->sequence));
    LOG(LOG_INFO, "lease_taken", LOG_INTEGER("epoch", lease->epoch), LOG_INTEGER("sequence", lease->sequence));
    return result_ok();
}

struct result lease_resume(struct lease *lease, struct backend *backend, int64_t *ret_sequence) {
    return raise_epoch(lease, backend, false, ret_sequence);
}

struct result lease_renew(struct lease *lease, struct backend *backend) {
    char epoch[32];
    PGresult *answer = NULL;
    snprintf(epoch, sizeof epoch, "%" PRId64, lease->epoch);
    TRY(backend_query(backend, "UPDATE fence SET expires_at = " NEW_EXPIRY " WHERE only_row = 1 AND epoch = $1", 1,
                      (const char *const[]){epoch}, &answer));
    bool is_ours = strcmp(PQcmdTuples(answer), "1") == 0;
    PQclear(answer);
    if (!is_ours) {
        lease_lose(lease, "another process has become the writer");
        return result_error(RESULT_CONFLICT);
    }
    lease->renewed_us = clock_monotonic_us(&clock_system);
    return result_ok();
}

void lease_release(struct lease *lease, struct backend *backend) {
    char epoch[32];
    if (backend->handle == NULL || lease->is_lost || lease->epoch == 0) return;
    snprintf(epoch, sizeof epoch, "%" PRId64, lease->epoch);
    struct result released = backend_query(backend, "UPDATE fence SET expires_at = '-infinity' WHERE only_row = 1 AND epoch = $1", 1,
                                           (const char *const[]){epoch}, NULL);
    (void)released; /* it ends by itself */
}
