/* Every wait has a bound. Opening: connect_timeout, for each host of the URL. A host that is gone: keepalives and tcp_user_timeout. A server that is there
 * but says nothing: silence_limit_ms. A statement that does not end: statement_timeout, and lock_timeout. A session whose process was stopped in
 * the middle of a transaction: idle_in_transaction_session_timeout, after which the server gives its locks back. What the URL says of the first
 * two counts more than what stands here. */
#include "store/postgres/backend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"

#define SERVER_VERSION_MIN 130000
#define SILENCE_WRITER_MS  30000
#define SILENCE_READER_MS  120000

/* ---- errors ---- */

bool backend_is_state(const PGresult *answer, const char *state) {
    const char *found = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    return found != NULL && strcmp(found, state) == 0;
}

/* By class of SQLSTATE (PostgreSQL's documentation, appendix A), and by itself where its class is of two minds. */
static enum result_code code_of(const char *state) {
    static const struct {
        const char *start;
        enum result_code code;
    } codes[] = {
        {"08", RESULT_UNAVAILABLE},    /* connection */
        {"22012", RESULT_CORRUPT},     /* division by zero: rows that a write was to touch are missing (gather.h) */
        {"22", RESULT_INVALID},        /* a value that no column takes */
        {"23", RESULT_CONFLICT},       /* a constraint */
        {"25006", RESULT_UNAVAILABLE}, /* read-only: this server is no primary any more */
        {"25P03", RESULT_UNAVAILABLE}, /* idle in transaction for too long */
        {"40", RESULT_UNAVAILABLE},    /* serialisation, deadlock: again */
        {"53100", RESULT_FULL},        /* disk */
        {"53200", RESULT_FULL},        /* memory */
        {"53", RESULT_UNAVAILABLE},    /* connections */
        {"55P03", RESULT_UNAVAILABLE}, /* lock_timeout */
        {"57014", RESULT_TIMEOUT},     /* statement_timeout */
        {"57", RESULT_UNAVAILABLE},    /* shutting down, starting up */
        {"42", RESULT_INVALID},        /* our SQL, or a right that we don't have */
        {"3F", RESULT_INVALID},        /* no such schema */
        {"XX001", RESULT_CORRUPT},     /* a page */
        {"XX002", RESULT_CORRUPT},     /* an index */
    };
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (strncmp(state, codes[i].start, strlen(codes[i].start)) == 0) return codes[i].code;
    }
    return RESULT_IO;
}

static void log_once(struct backend *backend, const char *doing, const char *state, const char *message, enum result_code code) {
    char line[SERVER_TEXT_BYTES];
    int size = (int)strcspn(message, "\n");
    snprintf(line, sizeof line, "%s: %.*s", doing, size, message);
    if (strcmp(line, backend->logged) == 0) return;
    memcpy(backend->logged, line, sizeof line);
    LOG(LOG_ERROR, "database_failed", LOG_STRING("doing", doing), LOG_STRING("state", state),
        LOG_TEXT("reason", ((struct text){message, (size_t)size})), LOG_STRING("result", result_name(result_error(code))));
}

struct result backend_lost(struct backend *backend, const char *doing) {
    const char *message = backend->handle == NULL ? "" : PQerrorMessage(backend->handle);
    log_once(backend, doing, "", message[0] == '\0' ? "the connection was lost" : message, RESULT_UNAVAILABLE);
    backend_close(backend);
    return result_error(RESULT_UNAVAILABLE);
}

struct result backend_failure(struct backend *backend, const PGresult *answer, const char *doing) {
    const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE), *message = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL) return backend_lost(backend, doing); /* libpq's own: it could not read or write */
    enum result_code code = code_of(state);
    log_once(backend, doing, state, message == NULL ? "" : message, code);
    if (strcmp(state, "25006") == 0 || strcmp(state, "25P03") == 0 || strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0)
        backend_close(backend);
    return result_error(code);
}

static void receive_notice(void *context, const PGresult *notice) {
    struct backend *backend = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (severity == NULL || strcmp(severity, "WARNING") != 0) return;
    backend->is_warned = true;
    LOG(LOG_WARN, "database_warned", LOG_STRING("reason", message == NULL ? "" : message));
}

/* ---- opening ---- */

/* A command line is read by everybody on the machine. */
static struct result check_url(const char *url) {
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &error);
    bool holds_password = false;
    if (options == NULL) { /* libpq's message may repeat the URL, and what is secret in it */
        PQfreemem(error);
        LOG(LOG_ERROR, "database_url_refused", LOG_STRING("reason", "it is neither postgres://… nor words like service=NAME"));
        return result_error(RESULT_INVALID);
    }
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        bool is_secret = strcmp(option->keyword, "password") == 0 || strcmp(option->keyword, "sslpassword") == 0;
        if (is_secret && option->val != NULL && option->val[0] != '\0') holds_password = true;
    }
    PQconninfoFree(options);
    if (!holds_password) return result_ok();
    LOG(LOG_ERROR, "database_url_refused",
        LOG_STRING(
            "reason",
            "it holds a password, which other users of this machine can read: name a file of passwords in PGPASSFILE, or use a service "
            "file (service=NAME, PGSERVICEFILE)"));
    return result_error(RESULT_INVALID);
}

struct result backend_prepare(struct backend *backend, const struct place *place, bool is_writer) {
    TRY(check_url(place->url));
    *backend = (struct backend){.schema = place->schema,
                                .is_writer = is_writer,
                                .silence_limit_ms = is_writer ? SILENCE_WRITER_MS : SILENCE_READER_MS};
    backend->url = strdup(place->url);
    return backend->url == NULL ? result_error(RESULT_FULL) : result_ok();
}

/* Plans are made for arrays whose length and tables whose size the planner does not know: on a table that was empty when a plan was made it would read
 * all of it for years. All our questions go by keys: indexes only, and for the writer in nested loops only. */
static struct result set_up_session(struct backend *backend) {
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SET search_path TO %s; SET jit TO off; SET enable_seqscan TO off; SET default_transaction_isolation TO 'read committed';"
             "SET default_transaction_read_only TO %s; SET statement_timeout TO '%s'; SET lock_timeout TO '5s';"
             "SET idle_in_transaction_session_timeout TO '%s'; SET enable_hashjoin TO %s; SET enable_mergejoin TO %s;"
             "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
             backend->schema->name, backend->is_writer ? "off" : "on", backend->is_writer ? "20s" : "1h", backend->is_writer ? "20s" : "0",
             backend->is_writer ? "off" : "on", backend->is_writer ? "off" : "on");
    return backend_execute(backend, sql);
}

static struct result check_server(struct backend *backend) {
    int version = PQserverVersion(backend->handle);
    const char *encoding = PQparameterStatus(backend->handle, "server_encoding");
    const char *reason = NULL;
    if (version < SERVER_VERSION_MIN) reason = "PostgreSQL 13 or newer is needed";
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0) reason = "the database's encoding must be UTF8";
    if (reason == NULL) return result_ok();
    LOG(LOG_ERROR, "database_refused", LOG_STRING("reason", reason), LOG_INTEGER("server_version", version));
    return result_error(RESULT_INVALID);
}

struct result backend_open(struct backend *backend) {
    /* What stands before the URL is a default, what stands behind it is not to be changed by it. A reader too asks the primary: another server may be
     * behind. */
    const char *const names[] = {"connect_timeout",  "keepalives_idle", "keepalives_interval",  "keepalives_count", "tcp_user_timeout",
                                 "application_name", "dbname",          "target_session_attrs", "client_encoding",  NULL};
    const char *const values[] = {"5", "10", "5", "3", "20000", "hamyan", backend->url, "read-write", "UTF8", NULL};
    backend_close(backend);
    backend->handle = PQconnectdbParams(names, values, 1);
    backend->number++;
    if (backend->handle == NULL) return result_error(RESULT_FULL);
    if (PQstatus(backend->handle) != CONNECTION_OK) return backend_lost(backend, "connect");
    PQsetNoticeReceiver(backend->handle, receive_notice, backend);
    struct result outcome = PQsetnonblocking(backend->handle, 1) == 0 ? check_server(backend) : backend_lost(backend, "connect");
    if (result_is_ok(outcome)) outcome = set_up_session(backend);
    if (!result_is_ok(outcome)) backend_close(backend);
    if (result_is_ok(outcome)) backend->logged[0] = '\0';
    return outcome;
}

void backend_close(struct backend *backend) {
    if (backend->handle != NULL) PQfinish(backend->handle);
    backend->handle = NULL;
}

void backend_free(struct backend *backend) {
    backend_close(backend);
    free(backend->url);
}

/* ---- sending and receiving ---- */

struct result backend_flush(struct backend *backend) {
    if (backend->handle == NULL) return result_error(RESULT_UNAVAILABLE);
    return PQflush(backend->handle) < 0 ? backend_lost(backend, "send") : result_ok();
}

/* Until something can be read, or written when something is left to write. */
static struct result wait_for_server(struct backend *backend, bool is_unsent) {
    struct pollfd socket = {.fd = PQsocket(backend->handle), .events = (short)(POLLIN | (is_unsent ? POLLOUT : 0))};
    int ready;
    do {
        ready = poll(&socket, 1, backend->silence_limit_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) return result_ok();
    log_once(backend, "wait", "", "the server has said nothing for too long", RESULT_UNAVAILABLE);
    backend_close(backend);
    return result_error(RESULT_UNAVAILABLE);
}

struct result backend_receive(struct backend *backend, PGresult **ret_answer) {
    *ret_answer = NULL;
    if (backend->handle == NULL) return result_error(RESULT_UNAVAILABLE);
    for (;;) {
        int unsent = PQflush(backend->handle);
        if (unsent < 0) return backend_lost(backend, "send");
        if (!PQisBusy(backend->handle)) break;
        TRY(wait_for_server(backend, unsent == 1));
        if (!PQconsumeInput(backend->handle)) return backend_lost(backend, "receive");
    }
    *ret_answer = PQgetResult(backend->handle);
    return result_ok();
}

void backend_cancel(struct backend *backend) {
    char error[SERVER_TEXT_BYTES];
    PGcancel *cancel = backend->handle == NULL ? NULL : PQgetCancel(backend->handle);
    if (cancel == NULL) return;
    if (!PQcancel(cancel, error, sizeof error)) LOG(LOG_WARN, "database_not_cancelled", LOG_STRING("reason", error));
    PQfreeCancel(cancel);
}

/* The last of the answers, or the first failure. */
static struct result receive_all(struct backend *backend, const char *doing, PGresult **ret_answer) {
    struct result outcome = result_ok();
    for (;;) {
        PGresult *answer = NULL;
        struct result received = backend_receive(backend, &answer);
        if (!result_is_ok(received)) return result_is_ok(outcome) ? received : outcome;
        if (answer == NULL) return outcome;
        ExecStatusType status = PQresultStatus(answer);
        bool is_failure = status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
        if (is_failure && result_is_ok(outcome)) outcome = backend_failure(backend, answer, doing);
        PQclear(*ret_answer);
        *ret_answer = answer;
    }
}

struct result backend_query(struct backend *backend, const char *sql, int count, const char *const *parameters, PGresult **ret_answer) {
    PGresult *answer = NULL;
    if (backend->handle == NULL) return result_error(RESULT_UNAVAILABLE);
    int sent =
        count == 0 ? PQsendQuery(backend->handle, sql) : PQsendQueryParams(backend->handle, sql, count, NULL, parameters, NULL, NULL, 0);
    struct result outcome = sent ? receive_all(backend, "a statement of the store's own", &answer) : backend_lost(backend, "send");
    if (result_is_ok(outcome) && ret_answer != NULL) {
        *ret_answer = answer;
    } else {
        PQclear(answer);
    }
    return outcome;
}

struct result backend_execute(struct backend *backend, const char *sql) {
    return backend_query(backend, sql, 0, NULL, NULL);
}

int64_t backend_integer(const PGresult *answer, int column) {
    CHECK(PQntuples(answer) == 1 && column < PQnfields(answer) && !PQgetisnull(answer, 0, column));
    return strtoll(PQgetvalue(answer, 0, column), NULL, 10);
}
