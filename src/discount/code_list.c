/* GET /v1/campaigns/{id}/code-batches/{batch}/codes: a batch's codes, as JSON pages, or as CSV of any length. They are made while they are sent: nothing is
 * looked up. Who takes codes away is in the audit log before the first of them leaves. */
#include "discount/code_list.h"

#include <inttypes.h>
#include <string.h>

#include "base/csv.h"
#include "discount/answer.h"
#include "discount/code_batches.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "http/query.h"
#include "http/stream.h"
#include "service/audit.h"
#include "service/request.h"

#define ANSWER_ROOM    1024u
#define CSV_HEAD       "index,code,state"
#define CSV_LINE_BYTES (2u * PATTERN_BYTES + 48u) /* at most, with quotes and the apostrophe */
#define ITEM_BYTES     96u
#define ANY_STATE      (-1)

struct code_query {
    struct discount_operation base; /* first */
    const struct code_slot *slot;
    struct text audience; /* "spreadsheet" or empty */
    bool is_csv;
    int64_t after, limit; /* limit 0, of CSV: all */
    int state;            /* ANY_STATE, or one of enum code_state */
};

/* ---- in the store: the audit log ---- */

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct code_query *self = (struct code_query *)operation;
    discount_forget_outcome(&self->base, now_us);
    struct text what = arena_print(operation->arena, "{\"form\":\"%s\",\"after\":%" PRId64 ",\"limit\":%" PRId64 ",\"state\":\"%s\"}",
                                   self->is_csv ? "csv" : "json", self->after, self->limit,
                                   self->state == ANY_STATE ? "any" : code_state_name((enum code_state)self->state));
    audit_note(engine, operation, "code_batch.export", self->slot->id, TEXT(""), what.data == NULL ? TEXT("") : what, now_us);
}

/* ---- JSON ---- */

static void answer_page(const struct code_query *self) {
    struct exchange *exchange = self->base.operation.exchange;
    const struct code_board *codes = discount_of(exchange)->codes;
    int64_t now_us = clock_now_us(discount_of(exchange)->service.clock), index = self->after, left = self->limit;
    struct buffer buffer;
    struct json_writer writer;
    char code[PATTERN_BYTES], next[24];
    reply_page_begin(exchange, &writer, &buffer, (size_t)self->limit * ITEM_BYTES);
    int64_t last = index;
    while ((index = code_slot_next(self->slot, index, self->state, now_us)) != 0 && left-- > 0) {
        size_t size = code_slot_write(codes, self->slot, index, code);
        json_begin_object(&writer);
        json_integer_member(&writer, "index", index);
        json_text_member(&writer, "code", (struct text){code, size});
        json_text_member(&writer, "state", text_of(code_state_name(code_slot_state(self->slot, index, now_us))));
        json_end_object(&writer);
        last = index;
    }
    json_end_array(&writer);
    int size = snprintf(next, sizeof next, "%" PRId64, last);
    if (index != 0)
        json_text_member(&writer, "next_cursor", (struct text){next, (size_t)size});
    else
        json_null_member(&writer, "next_cursor");
    json_end_object(&writer);
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

/* ---- CSV ---- */

struct code_file {
    const struct code_board *codes;
    const struct code_slot *slot;
    const struct clock *clock;
    struct buffer buffer;
    struct csv_writer writer;
    int64_t next, left; /* next 0: there is none; left INT64_MAX: all */
    int state;
    bool has_begun;
};

static void write_line(struct code_file *file, int64_t index, int64_t now_us) {
    char code[PATTERN_BYTES];
    size_t size = code_slot_write(file->codes, file->slot, index, code);
    csv_put_integer(&file->writer, index);
    csv_put_text(&file->writer, (struct text){code, size});
    csv_put_text(&file->writer, text_of(code_state_name(code_slot_state(file->slot, index, now_us))));
    csv_end_line(&file->writer);
}

static enum stream_word pull(void *context, char *bytes, size_t capacity, size_t *ret_size) {
    struct code_file *file = context;
    int64_t now_us = clock_now_us(file->clock);
    file->buffer.size = 0;
    if (!file->has_begun) csv_begin(&file->writer, CSV_HEAD);
    file->has_begun = true;
    while (file->next != 0 && file->left > 0 && file->buffer.size + CSV_LINE_BYTES <= capacity) {
        write_line(file, file->next, now_us);
        file->left--;
        file->next = code_slot_next(file->slot, file->next, file->state, now_us);
    }
    if (file->buffer.failed || file->buffer.size > capacity) return STREAM_FAILED;
    memcpy(bytes, file->buffer.data, file->buffer.size);
    *ret_size = file->buffer.size;
    return file->next != 0 && file->left > 0 ? STREAM_MORE : STREAM_END;
}

static void answer_file(const struct code_query *self) {
    struct exchange *exchange = self->base.operation.exchange;
    const struct discount *discount = discount_of(exchange);
    struct code_file *file = ARENA_NEW(&exchange->arena, struct code_file);
    if (file == NULL) {
        request_refuse_memory(exchange);
        exchange_finish(exchange);
        return;
    }
    *file = (struct code_file){.codes = discount->codes,
                               .slot = self->slot,
                               .clock = discount->service.clock,
                               .left = self->limit == 0 ? INT64_MAX : self->limit,
                               .state = self->state};
    file->next = code_slot_next(self->slot, self->after, self->state, clock_now_us(file->clock));
    buffer_init(&file->buffer, &exchange->arena, STREAM_PIECE_BYTES);
    file->writer = (struct csv_writer){.buffer = &file->buffer, .is_for_spreadsheet = self->audience.size > 0};
    const struct stream_source source = {.pull = pull, .context = file};
    if (!result_is_ok(reply_stream(exchange, 200, "text/csv; charset=utf-8", &source)))
        problem_reply(exchange, &problem_overloaded, "There are as many long answers under way as there may be.");
    exchange_finish(exchange);
}

static void send_codes(struct operation *operation) {
    const struct code_query *self = (const struct code_query *)operation;
    if (self->is_csv)
        answer_file(self);
    else
        answer_page(self);
}

static void render(struct operation *operation) { (void)operation; } /* never kept: send_codes makes the answer */

static const struct action list_action = {
    .name = "take codes", .weight = 1, .answer_bytes = ANSWER_ROOM, .decide = decide, .render = render, .send = send_codes};

/* ---- the request ---- */

static bool read_query(struct exchange *exchange, struct code_query *query) {
    struct faults faults;
    struct text state = {0};
    faults_init(&faults, &exchange->arena);
    query->is_csv = route_wants_csv(exchange);
    query->limit = query->is_csv ? 0 : DEFAULT_PAGE_ITEMS;
    const struct query_member members[] = {
        {.name = "after", .kind = QUERY_INTEGER, .target = &query->after, .min = 0, .max = CODE_COUNT_MAX},
        {.name = "limit", .kind = QUERY_INTEGER, .target = &query->limit, .min = 1, .max = CODE_COUNT_MAX},
        {.name = "state", .kind = QUERY_CHOICE, .target = &state, .choices = "active|used|expired|revoked"},
        {.name = "for", .kind = QUERY_CHOICE, .target = &query->audience, .choices = "spreadsheet"},
    };
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    query->state = state.size == 0 ? ANY_STATE : code_state_named(state);
    if (!query->is_csv && query->limit > LIMIT_PAGE_ITEMS)
        faults_add(&faults, "limit", "out_of_range", "must be from 1 to %u, or ask for text/csv", LIMIT_PAGE_ITEMS);
    if (!query->is_csv && query->audience.size > 0)
        faults_add(&faults, "for", "invalid_choice", "is for text/csv only: ask for that by Accept");
    return !request_refuse_faults(exchange, &faults);
}

static const struct code_slot *request_readable_batch(struct exchange *exchange) {
    const struct code_slot *slot = request_code_batch(exchange);
    if (slot == NULL || code_slot_is_readable(discount_of(exchange)->codes, slot)) return slot;
    problem_reply(exchange, &problem_code_key_missing, "codes.key does not have the key that this batch was made with.");
    return NULL;
}

void code_list(struct exchange *exchange) {
    struct code_query *query = discount_begin(exchange, &list_action, sizeof *query);
    const struct code_slot *slot = query != NULL && read_query(exchange, query) ? request_readable_batch(exchange) : NULL;
    if (slot == NULL) {
        exchange_finish(exchange);
        return;
    }
    query->slot = slot;
    operation_submit(&query->base.operation);
}
