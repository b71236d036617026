#include "service/inquiry.h"

#include "http/problem.h"
#include "service/engine.h"
#include "service/reading.h"
#include "service/request.h"

#define DOCUMENT_BYTES 256u /* besides the body */

struct inquiry {
    struct reading reading; /* first */
    struct hash lookup;
    bool is_under_way; /* before what is kept was asked: who is not, is kept already, or came later */
    bool is_found, has_room;
    bool is_done;
    struct kept_final final;
    int64_t arrived_us, created_at_us;
};

/* On a reader's thread, perhaps: only the reading and its exchange's arena are touched. */
static struct result record_found(void *context, const struct row *row) {
    struct inquiry *inquiry = context;
    struct exchange *exchange = inquiry->reading.exchange;
    const struct service *service = service_of(exchange);
    inquiry->is_found = true;
    inquiry->created_at_us = row_time(row, 6);
    inquiry->final = (struct kept_final){.status = (int)row_integer_between(row, 1, 0, 599)};
    inquiry->is_done = inquiry->final.status != 0;
    if (inquiry->is_done)
        inquiry->final.body = arena_copy(&exchange->arena, row_text(row, 4));
    else if (service->inquire != NULL)
        inquiry->is_done = service->inquire(exchange, row, &inquiry->final);
    inquiry->has_room = !inquiry->is_done || inquiry->final.body.data != NULL;
    return result_ok();
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct inquiry *inquiry = (struct inquiry *)reading;
    (void)round;
    inquiry->is_found = false;
    inquiry->has_room = true;
    inquiry->created_at_us = inquiry->arrived_us;
    const struct value values[] = {value_bytes(inquiry->lookup.bytes, sizeof inquiry->lookup.bytes)};
    batch_ask(batch, service_of(reading->exchange)->kept->find, values, record_found, inquiry);
    return false;
}

static void write_inquiry(struct json_writer *writer, const struct inquiry *inquiry) {
    json_begin_object(writer);
    json_text_member(writer, "state", inquiry->is_done ? TEXT("done") : TEXT("in_progress"));
    if (inquiry->is_done)
        json_integer_member(writer, "status", inquiry->final.status);
    else
        json_null_member(writer, "status");
    json_key(writer, "body");
    if (inquiry->is_done && inquiry->final.body.size > 0)
        json_put_raw(writer, inquiry->final.body);
    else
        json_put_null(writer);
    json_time_member(writer, "created_at", inquiry->created_at_us);
    json_time_member(writer, "expires_at", inquiry->created_at_us + IDEMPOTENCY_RETENTION_US);
    json_end_object(writer);
}

static void answer(struct reading *reading) {
    const struct inquiry *inquiry = (const struct inquiry *)reading;
    struct exchange *exchange = reading->exchange;
    if (!inquiry->is_found && !inquiry->is_under_way) {
        problem_reply(exchange, &problem_idempotency_key_not_found,
                      "You have sent no request with this key whose answer is kept: none came, or its answer was one that is not kept.");
    } else if (!inquiry->has_room) {
        request_refuse_memory(exchange);
    } else {
        struct buffer buffer;
        buffer_init(&buffer, &exchange->arena, DOCUMENT_BYTES + inquiry->final.body.size);
        struct json_writer writer = {.buffer = &buffer};
        write_inquiry(&writer, inquiry);
        reply_buffer(exchange, 200, "application/json", &buffer);
    }
    exchange_finish(exchange);
}

/* A key that no request can have had is one that is not found. */
void inquiry_get(struct exchange *exchange) {
    struct text key = exchange->parameters[0];
    struct inquiry *inquiry = reading_begin(exchange, ask, answer, sizeof *inquiry);
    if (inquiry == NULL) {
        exchange_finish(exchange);
        return;
    }
    if (key.size == 0 || key.size > IDEMPOTENCY_KEY_BYTES) {
        answer(&inquiry->reading);
        return;
    }
    inquiry->lookup = idempotency_lookup(&exchange->caller, key);
    inquiry->is_under_way = under_way_find(&service_of(exchange)->under_way, &inquiry->lookup, &inquiry->arrived_us);
    reading_start(&inquiry->reading);
}
