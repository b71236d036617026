#include "wallet/session_list.h"

#include <string.h>

#include "base/check.h"
#include "http/query.h"
#include "service/reading.h"
#include "service/request.h"
#include "wallet/books.h"
#include "wallet/problems.h"
#include "wallet/sessions.h"
#include "wallet/tables.h"
#include "wallet/wallet.h"

#define SESSION_BYTES 256u

/* ---- the list: those that go on, newest first ---- */

struct list_reading {
    struct reading reading; /* first */
    struct id before;       /* sessions with smaller ids */
    int64_t now_us;
    size_t limit, count; /* one more than the limit: there is a next page */
    struct session *rows;
};

static struct result session_found(void *context, const struct row *row) {
    struct list_reading *read = context;
    CHECK(read->count <= read->limit);
    return row_session(row, 0, &read->rows[read->count++]);
}

static bool list_ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct list_reading *read = (struct list_reading *)reading;
    (void)round;
    read->count = 0;
    ask_sessions_of_user(batch, reading->exchange->caller.user_id, read->before, read->now_us, (int64_t)read->limit + 1, session_found,
                         read);
    return false;
}

static void write_session(struct json_writer *writer, const struct session *session, struct id current) {
    json_begin_object(writer);
    json_id_member(writer, "id", session->id);
    json_boolean_member(writer, "current", id_equal(session->id, current));
    json_time_member(writer, "created_at", session->created_at_us);
    json_time_member(writer, "expires_at", session->expires_at_us);
    json_end_object(writer);
}

static void list_answer(struct reading *reading) {
    const struct list_reading *read = (const struct list_reading *)reading;
    struct exchange *exchange = reading->exchange;
    size_t count = read->count > read->limit ? read->limit : read->count;
    int64_t words[PAGE_CURSOR_WORDS] = {0};
    if (read->count > read->limit) memcpy(words, read->rows[read->limit - 1].id.bytes, sizeof words);
    struct buffer buffer;
    struct json_writer writer;
    reply_page_begin(exchange, &writer, &buffer, (count + 1) * SESSION_BYTES);
    for (size_t i = 0; i < count; i++) write_session(&writer, &read->rows[i], exchange->caller.session_id);
    reply_page(exchange, &writer, LIST_SESSIONS, read->count > read->limit, words);
    exchange_finish(exchange);
}

static bool read_page(struct exchange *exchange, struct list_reading *read) {
    struct faults faults;
    struct page_query query;
    faults_init(&faults, &exchange->arena);
    page_begin(&query, LIST_SESSIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    read->now_us = clock_now_us(exchange->service->clock);
    read->limit = (size_t)query.page.limit;
    memset(read->before.bytes, 0xff, sizeof read->before.bytes);
    if (query.page.has_cursor) memcpy(read->before.bytes, query.page.cursor, sizeof read->before.bytes);
    read->rows = ARENA_NEW_ARRAY(&exchange->arena, struct session, read->limit + 1);
    if (read->rows != NULL) return true;
    request_refuse_memory(exchange);
    return false;
}

void sessions_list(struct exchange *exchange) {
    struct list_reading *read = reading_begin(exchange, list_ask, list_answer, sizeof *read);
    if (read == NULL || !read_page(exchange, read)) {
        exchange_finish(exchange);
    } else {
        reading_start(&read->reading);
    }
}

/* ---- their end ---- */

struct session_end {
    struct operation operation; /* first */
    struct id session_id;       /* zero: all but the caller's own */
    bool is_found;
};

static void load(struct engine *engine, struct operation *operation) {
    const struct session_end *end = (const struct session_end *)operation;
    if (!id_is_zero(end->session_id)) books_load_session(engine, end->session_id);
    books_load_user(engine, operation->exchange->caller.user_id);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct session_end *end = (struct session_end *)operation;
    const struct identity *caller = &operation->exchange->caller;
    struct ledger *ledger = books_ledger(engine);
    struct user *user = ledger_find_user(ledger, caller->user_id);
    end->is_found = user != NULL;
    if (user == NULL) return;
    if (id_is_zero(end->session_id)) {
        ledger_end_sessions(ledger, user, caller->session_id, now_us);
        return;
    }
    const struct session *session = ledger_find_session(ledger, end->session_id);
    end->is_found = session != NULL && id_equal(session->user_id, caller->user_id);
    if (!end->is_found) return;
    enum ledger_outcome outcome = ledger_end_session(ledger, end->session_id, now_us);
    CHECK(outcome == LEDGER_APPLIED);
}

static void render(struct operation *operation) {
    if (((const struct session_end *)operation)->is_found) {
        operation->answer.status = 204;
    } else {
        operation_answer_problem(operation, &problem_session_not_found, (struct text){0}, NULL, "You have no session with this id.");
    }
}

static const struct action end_action = {.name = "end sessions", .weight = 1, .load = load, .decide = decide, .render = render};

static void end_sessions(struct exchange *exchange, struct id session_id) {
    struct session_end *end = sessions_refuse_ends(exchange) ? NULL : operation_begin(exchange, &end_action, sizeof *end);
    if (end == NULL) {
        exchange_finish(exchange);
        return;
    }
    end->session_id = session_id;
    operation_submit(&end->operation);
}

void sessions_delete_others(struct exchange *exchange) { end_sessions(exchange, (struct id){{0}}); }

void sessions_delete_one(struct exchange *exchange) {
    struct id session_id;
    if (result_is_ok(id_parse(exchange->parameters[0], &session_id)) && !id_is_zero(session_id)) {
        end_sessions(exchange, session_id);
        return;
    }
    problem_reply(exchange, &problem_session_not_found, "You have no session with this id.");
    exchange_finish(exchange);
}
