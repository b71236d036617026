/* GET /v1/audit-log: newest first, by who, what, about what, and when. */
#include "base/check.h"
#include "http/query.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/request.h"

#define LIST_AUDIT 'A' /* of its cursors */
#define LIST_BYTES 4096u

struct audit_reading {
    struct reading reading; /* first */
    const struct audit_questions *questions;
    struct text actor, act, subject;
    int64_t from_us, to_us, before, limit;
    struct buffer buffer;
    struct json_writer writer;
    int64_t left, last;
    bool has_more;
};

static void write_state(struct json_writer *writer, const char *name, struct text json) {
    json_key(writer, name);
    if (json.size == 0) {
        json_put_null(writer);
    } else {
        json_put_raw(writer, json);
    }
}

static void write_text(struct json_writer *writer, const char *name, struct text text) {
    if (text.size == 0) {
        json_null_member(writer, name);
    } else {
        json_text_member(writer, name, text);
    }
}

static void write_hash(struct json_writer *writer, const struct hash *hash) {
    char hex[2 * sizeof hash->bytes];
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        hex[2 * i] = "0123456789abcdef"[hash->bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[hash->bytes[i] & 15];
    }
    json_text_member(writer, "hash", (struct text){hex, sizeof hex});
}

static struct result entry_found(void *context, const struct row *row) {
    struct audit_reading *read = context;
    struct audit_entry entry;
    if (read->left == 0) {
        read->has_more = true;
        return result_ok();
    }
    TRY(row_audit(row, &entry));
    struct json_writer *writer = &read->writer;
    read->left--;
    read->last = entry.sequence;
    json_begin_object(writer);
    json_integer_member(writer, "sequence", entry.sequence);
    json_time_member(writer, "created_at", entry.created_at_us);
    json_text_member(writer, "actor", entry.actor);
    write_text(writer, "actor_name", entry.actor_name);
    write_text(writer, "address", entry.address);
    json_text_member(writer, "action", entry.act);
    write_text(writer, "subject", entry.subject);
    json_text_member(writer, "outcome", entry.outcome);
    write_state(writer, "before", entry.before);
    write_state(writer, "after", entry.after);
    write_text(writer, "request_id", entry.request_id);
    write_hash(writer, &entry.hash);
    json_end_object(writer);
    return result_ok();
}

static bool ask_page(struct reading *reading, struct batch *batch, uint32_t round) {
    struct audit_reading *read = (struct audit_reading *)reading;
    (void)round;
    read->left = read->limit;
    read->has_more = false;
    reply_page_begin(reading->exchange, &read->writer, &read->buffer, LIST_BYTES);
    const struct value values[] = {value_integer(read->before),   value_text(read->actor),      value_text(read->act),
                                   value_text(read->subject),     value_integer(read->from_us), value_integer(read->to_us),
                                   value_integer(read->limit + 1)};
    batch_ask(batch, read->questions->page, values, entry_found, read);
    return false;
}

static void answer_page(struct reading *reading) {
    struct audit_reading *read = (struct audit_reading *)reading;
    const int64_t words[PAGE_CURSOR_WORDS] = {read->last};
    reply_page(reading->exchange, &read->writer, LIST_AUDIT, read->has_more, words);
    exchange_finish(reading->exchange);
}

static bool read_filter(struct exchange *exchange, struct audit_reading *read) {
    struct faults faults;
    struct page_query query;
    faults_init(&faults, &exchange->arena);
    page_begin(&query, LIST_AUDIT);
    read->actor = read->act = read->subject = TEXT("");
    read->from_us = INT64_MIN;
    read->to_us = INT64_MAX;
    const struct query_member members[] = {
        PAGE_QUERY_MEMBERS(&query),
        {.name = "actor", .kind = QUERY_TEXT, .target = &read->actor, .min = 1, .max = 128},
        {.name = "action", .kind = QUERY_TEXT, .target = &read->act, .min = 1, .max = 128},
        {.name = "subject", .kind = QUERY_TEXT, .target = &read->subject, .min = 1, .max = 128},
        {.name = "from", .kind = QUERY_TIME, .target = &read->from_us},
        {.name = "to", .kind = QUERY_TIME, .target = &read->to_us},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(&query, &faults);
    if (query.page.has_cursor && query.page.cursor[0] < 1)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    read->limit = query.page.limit;
    read->before = query.page.has_cursor ? query.page.cursor[0] : INT64_MAX;
    return !request_refuse_faults(exchange, &faults);
}

void audit_list(struct exchange *exchange) {
    struct audit_reading *read = reading_begin(exchange, ask_page, answer_page, sizeof *read);
    if (read == NULL || !read_filter(exchange, read)) {
        exchange_finish(exchange);
        return;
    }
    read->questions = service_of(exchange)->audit;
    reading_start(&read->reading);
}
