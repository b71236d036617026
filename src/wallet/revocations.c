/* GET /v1/revocations: the sessions that ended before their access tokens did, out of memory, for services that take such tokens. A page that says nothing
 * new costs what /healthz costs: it is meant to be asked for every second. */
#include "wallet/revocations.h"

#include "base/check.h"
#include "http/query.h"
#include "service/request.h"
#include "wallet/wallet.h"

#define ITEM_BYTES 320u

static void write_id_or_null(struct json_writer *writer, const char *name, struct id id) {
    if (id_is_zero(id))
        json_null_member(writer, name);
    else
        json_id_member(writer, name, id);
}

/* One session, or all sessions of a user before one. */
static void write_revocation(struct json_writer *writer, const struct revocation *revocation) {
    static const struct id none;
    bool is_session = id_is_zero(revocation->cutoff);
    json_begin_object(writer);
    write_id_or_null(writer, "session_id", is_session ? revocation->id : none);
    write_id_or_null(writer, "user_id", is_session ? none : revocation->id);
    write_id_or_null(writer, "sessions_before", revocation->cutoff);
    write_id_or_null(writer, "kept_session_id", revocation->kept);
    json_time_member(writer, "expires_at", revocation->expires_at_us);
    json_end_object(writer);
}

static void reply_page_of(struct exchange *exchange, const struct page *page) {
    struct revocation *read = ARENA_NEW_ARRAY(&exchange->arena, struct revocation, (size_t)page->limit);
    if (read == NULL) {
        request_refuse_memory(exchange);
        return;
    }
    struct revocation_mark mark = {0};
    if (page->has_cursor) mark = (struct revocation_mark){page->cursor[0], page->cursor[1]};
    size_t count = revocations_read(wallet_of(exchange)->revocations, mark, read, (size_t)page->limit, &mark);
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, (count + 1) * ITEM_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_key(&writer, "data");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) write_revocation(&writer, &read[i]);
    /* Always one: what ends from now on is behind it. */
    reply_page(exchange, &writer, LIST_REVOCATIONS, true, (int64_t[]){mark.origin, mark.number});
}

void revocations_list(struct exchange *exchange) {
    struct faults faults;
    struct page_query query;
    faults_init(&faults, &exchange->arena);
    page_begin(&query, LIST_REVOCATIONS);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(&query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (!request_refuse_faults(exchange, &faults)) reply_page_of(exchange, &query.page);
    exchange_finish(exchange);
}
