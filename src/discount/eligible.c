#include "discount/eligible.h"

#include <inttypes.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/import.h"
#include "discount/requests.h"
#include "discount/tables_eligible.h"
#include "discount/working_set.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/request.h"

#define ANSWER_ROOM      2048u
#define ANSWER_BYTES     256u
#define LINE_BYTES_LEAST 8u /* of a phone number and the end of its line */

struct eligible_import {
    struct discount_operation base; /* first */
    struct import import;
    struct eligible *list;
    size_t count, capacity;
    uint32_t campaign_number;
    bool has_ended; /* the campaign */
    struct eligible_counts added, listed;
    struct eligible_addition addition;
};

/* ---- in the store ---- */

static struct result visit_listed(void *context, const struct row *row) {
    (void)row;
    ((struct eligible *)context)->is_listed = true;
    return result_ok();
}

static void load(struct engine *engine, struct operation *operation) {
    struct eligible_import *self = (struct eligible_import *)operation;
    self->listed = (struct eligible_counts){0, 0};
    working_set_recall(engine_set(engine), self->campaign_number);
    ask_eligible_counts(engine_batch(engine), self->campaign_number, eligible_counts_found, &self->listed);
    for (size_t i = 0; i < self->count; i++) {
        struct eligible *eligible = &self->list[i];
        eligible->is_listed = false;
        if (eligible->phone.size == 0)
            ask_eligible_user(engine_batch(engine), self->campaign_number, eligible->user_id, visit_listed, eligible);
        else
            ask_eligible_phone(engine_batch(engine), self->campaign_number, &eligible->phone, visit_listed, eligible);
    }
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct eligible_import *self = (struct eligible_import *)operation;
    discount_forget_outcome(&self->base, now_us);
    struct campaign *campaign = campaign_by_number(&set->campaigns, self->campaign_number);
    CHECK(campaign != NULL); /* it was on the board */
    self->has_ended = campaign_state(campaign, now_us) == CAMPAIGN_ENDED;
    self->added = eligible_count_new(self->list, self->count);
    if (self->has_ended || self->added.users + self->added.phones == 0) return;
    self->listed.users += self->added.users;
    self->listed.phones += self->added.phones;
    self->addition = (struct eligible_addition){self->campaign_number, self->list, self->count};
    CHECK(set->eligible == NULL); /* by its weight it is alone */
    set->eligible = &self->addition;
    campaign_note_act(campaign);
    discount_note_change(&self->base, campaign, "campaign_list_grown");
    struct text after = arena_print(operation->arena, "{\"sequence\":%" PRId64 ",\"users\":%" PRId64 ",\"phones\":%" PRId64 "}",
                                    campaign->sequence, self->listed.users, self->listed.phones);
    audit_note(engine, operation, "eligible.add", campaign->id, TEXT(""), after.data == NULL ? TEXT("") : after, now_us);
}

static void write_counts(struct json_writer *writer, const struct eligible_counts *counts) {
    json_integer_member(writer, "users", counts->users);
    json_integer_member(writer, "phones", counts->phones);
}

static void render(struct operation *operation) {
    const struct eligible_import *self = (const struct eligible_import *)operation;
    if (self->has_ended) {
        operation_answer_problem(operation, &problem_campaign_state_conflict, (struct text){0}, NULL, "The campaign has ended.");
        return;
    }
    struct buffer buffer;
    int64_t added = self->added.users + self->added.phones;
    buffer_init(&buffer, operation->arena, ANSWER_BYTES + self->import.told.size);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_integer_member(&writer, "added", added);
    json_integer_member(&writer, "already_listed", (int64_t)self->count - added);
    write_counts(&writer, &self->listed);
    import_write_skipped(&self->import, &writer);
    json_end_object(&writer);
    buffer.failed = buffer.failed || self->import.told.failed;
    operation_answer(operation, 200, "application/json", &buffer);
}

static const struct action add_action = {.name = "list the eligible",
                                         .weight = LIMIT_STORE_BATCH_WEIGHT, /* alone in its batch, however short it is */
                                         .answer_bytes = ANSWER_ROOM,
                                         .load = load,
                                         .decide = decide,
                                         .render = render,
                                         .committed = discount_committed,
                                         .send = discount_send};

/* ---- POST ---- */

static const char *add(struct eligible_import *self, const struct eligible *eligible) {
    if (self->count == self->capacity) return "is one more than a body of this size can hold";
    self->list[self->count++] = *eligible;
    return NULL;
}

static const char *take_user(void *context, struct text value) {
    struct eligible eligible = {.is_listed = false};
    if (!result_is_ok(id_parse(value, &eligible.user_id)) || id_is_zero(eligible.user_id)) return "must be the id of a user";
    return add(context, &eligible);
}

static const char *take_phone(void *context, struct text value) {
    struct eligible_import *self = context;
    struct eligible eligible = {.is_listed = false};
    if (!result_is_ok(phone_parse(value, self->base.discount->region, &eligible.phone))) return "must be a phone number";
    return add(self, &eligible);
}

static bool read_body(struct exchange *exchange, struct eligible_import *self) {
    static const struct import_column columns[] = {{"users", "user_id", take_user}, {"phones", "phone", take_phone}};
    self->import = (struct import){.columns = columns, .column_count = ARRAY_COUNT(columns), .context = self};
    self->capacity = exchange->body.size / LINE_BYTES_LEAST + 1;
    self->list = arena_take(&exchange->arena, self->capacity * sizeof *self->list);
    if (self->list == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    if (!import_read(exchange, &self->import)) return false;
    self->count = eligible_make_unique(self->list, self->count);
    return import_read_key(exchange, &self->base.operation);
}

void eligible_add(struct exchange *exchange) {
    const struct board_slot *slot = NULL;
    struct eligible_import *self = discount_begin(exchange, &add_action, sizeof *self);
    if (self != NULL && read_body(exchange, self)) slot = request_campaign(exchange);
    if (slot == NULL) {
        exchange_finish(exchange);
        return;
    }
    self->campaign_number = slot->number;
    operation_submit(&self->base.operation);
}

/* ---- GET ---- */

struct count_reading {
    struct reading reading;
    uint32_t campaign_number;
    struct eligible_counts counts;
};

static bool ask_counts(struct reading *reading, struct batch *batch, uint32_t round) {
    struct count_reading *self = (struct count_reading *)reading;
    (void)round;
    self->counts = (struct eligible_counts){0, 0};
    ask_eligible_counts(batch, self->campaign_number, eligible_counts_found, &self->counts);
    return false;
}

static void answer_counts(struct reading *reading) {
    const struct count_reading *self = (const struct count_reading *)reading;
    struct buffer buffer;
    buffer_init(&buffer, &reading->exchange->arena, ANSWER_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    write_counts(&writer, &self->counts);
    json_end_object(&writer);
    reply_buffer(reading->exchange, 200, "application/json", &buffer);
    exchange_finish(reading->exchange);
}

void eligible_count(struct exchange *exchange) {
    struct count_reading *reading = NULL;
    const struct board_slot *slot = request_campaign(exchange);
    if (slot != NULL) reading = reading_begin(exchange, ask_counts, answer_counts, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->campaign_number = slot->number;
    reading_start(&reading->reading);
}
