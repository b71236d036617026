/* Batches of unique codes: made, listed, revoked. */
#include "discount/code_batches.h"

#include <inttypes.h>
#include <string.h>

#include "base/unicode.h"
#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/working_codes.h"
#include "http/query.h"
#include "service/audit.h"
#include "service/reading.h"
#include "service/request.h"

#define BATCH_BYTES   768u
#define ANSWER_ROOM   6144u /* with two pictures for the audit log */
#define LIST_BYTES    1024u
#define PICTURE_BYTES 512u
#define EXPIRY_UNREAD INT64_MIN /* no text stands for it */

struct batch_making {
    struct discount_operation base; /* first */
    struct code_batch_create create;
    enum code_verdict verdict;
    bool has_ended; /* the campaign */
    struct code_batch batch;
};

struct batch_change {
    struct discount_operation base; /* first */
    struct id id;
    enum code_verdict verdict;
    struct code_batch batch;
};

/* ---- answers ---- */

static void write_time_or_null(struct json_writer *writer, const char *name, int64_t time_us) {
    if (time_us == 0)
        json_null_member(writer, name);
    else
        json_time_member(writer, name, time_us);
}

/* Of foreign codes nobody knows how they were chosen. */
static void write_strength(struct json_writer *writer, const struct code_batch *batch) {
    if (code_batch_is_imported(batch)) {
        json_null_member(writer, "entropy_bits");
        json_null_member(writer, "years_to_guess");
        return;
    }
    struct pattern_strength strength = pattern_strength(batch->pattern.symbol_count, batch->count);
    json_key(writer, "entropy_bits");
    json_put_decimal(writer, strength.entropy_tenths, 10);
    json_key(writer, "years_to_guess");
    json_put_decimal(writer, strength.years_tenths, 10);
}

void code_batch_write(struct json_writer *writer, const struct code_batch *batch, struct id campaign_id, int64_t now_us) {
    json_id_member(writer, "id", batch->id);
    json_id_member(writer, "campaign_id", campaign_id);
    if (code_batch_is_imported(batch))
        json_null_member(writer, "pattern");
    else
        json_text_member(writer, "pattern", pattern_text(&batch->pattern));
    json_integer_member(writer, "count", batch->count);
    json_integer_member(writer, "max_uses", batch->max_uses);
    json_text_member(writer, "state", text_of(code_batch_state_name(code_batch_state(batch, now_us))));
    json_integer_member(writer, "used", batch->used);
    json_integer_member(writer, "uses", batch->uses);
    json_integer_member(writer, "revoked", batch->revoked_at_us != 0 ? batch->count : batch->revoked);
    write_strength(writer, batch);
    if (batch->note_size == 0)
        json_null_member(writer, "note");
    else
        json_text_member(writer, "note", code_batch_note(batch));
    write_time_or_null(writer, "expires_at", batch->expires_at_us);
    json_time_member(writer, "created_at", batch->created_at_us);
    write_time_or_null(writer, "revoked_at", batch->revoked_at_us);
}

static void write_batch(struct json_writer *writer, const struct code_batch *batch, struct id campaign_id, int64_t now_us) {
    json_begin_object(writer);
    code_batch_write(writer, batch, campaign_id, now_us);
    json_end_object(writer);
}

/* For the audit log. */
static struct text picture_of(const struct operation *operation, const struct code_batch *batch) {
    struct buffer buffer;
    if (operation->arena == NULL || batch == NULL) return TEXT("");
    buffer_init(&buffer, operation->arena, PICTURE_BYTES);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_text_member(&writer, "pattern", pattern_text(&batch->pattern));
    json_integer_member(&writer, "count", batch->count);
    json_integer_member(&writer, "max_uses", batch->max_uses);
    write_time_or_null(&writer, "expires_at", batch->expires_at_us);
    write_time_or_null(&writer, "revoked_at", batch->revoked_at_us);
    json_end_object(&writer);
    return buffer.failed ? TEXT("") : buffer_text(&buffer);
}

static void answer_batch(struct operation *operation, int status, const struct code_batch *batch, int64_t now_us) {
    struct buffer buffer;
    struct id campaign_id = discount_operation_of(operation)->campaign_id;
    buffer_init(&buffer, operation->arena, BATCH_BYTES + batch->note_size);
    struct json_writer writer = {.buffer = &buffer};
    write_batch(&writer, batch, campaign_id, now_us);
    operation_answer(operation, status, "application/json", &buffer);
    if (status != 201 || operation->fate == FATE_OVERLOADED) return;
    char campaign[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
    id_format(campaign_id, campaign);
    id_format(batch->id, id);
    operation->answer.location =
        arena_print(operation->arena, "/v1/campaigns/%.*s/code-batches/%.*s", (int)sizeof campaign, campaign, (int)sizeof id, id);
    if (operation->answer.location.data == NULL) operation_overflow(operation);
}

static void answer_problem(struct operation *operation, const struct problem *problem, const char *detail) {
    operation_answer_problem(operation, problem, (struct text){0}, NULL, detail);
}

static void answer_expiry(struct operation *operation) {
    struct faults *faults = ARENA_NEW(operation->arena, struct faults);
    if (faults == NULL) {
        operation_overflow(operation);
        return;
    }
    faults_init(faults, operation->arena);
    faults_add(faults, "expires_at", "out_of_range", "must be in the future");
    operation_answer_problem(operation, &problem_validation_failed, (struct text){0}, faults, "The request has 1 fault.");
}

/* ---- making: in the store ---- */

static void load_create(struct engine *engine, struct operation *operation) {
    working_set_recall(engine_set(engine), ((struct batch_making *)operation)->create.campaign_number);
}

static void decide_create(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct batch_making *self = (struct batch_making *)operation;
    struct code_batch *batch = NULL;
    discount_forget_outcome(&self->base, now_us);
    self->create.id = self->base.id;
    const struct campaign *campaign = campaign_by_number(&set->campaigns, self->create.campaign_number);
    CHECK(campaign != NULL); /* it was on the board */
    self->base.campaign_id = campaign->id;
    self->has_ended = campaign_state(campaign, now_us) == CAMPAIGN_ENDED;
    if (self->has_ended) return;
    const struct code_batch probe = {.pattern = self->create.pattern};
    struct code_batch alike = probe;
    memcpy(alike.key_check, self->create.key_check, sizeof alike.key_check);
    self->verdict = code_board_has_room(set->code_board, &alike) ? code_batch_create(&set->codes, &self->create, now_us, &batch)
                                                                 : CODE_TOO_MANY_BATCHES;
    if (batch == NULL) return;
    self->batch = *batch;
    audit_note(engine, operation, "code_batch.create", batch->id, TEXT(""), picture_of(operation, batch), now_us);
}

static void render_made(struct operation *operation) {
    struct batch_making *self = (struct batch_making *)operation;
    if (self->has_ended) {
        answer_problem(operation, &problem_campaign_state_conflict, "The campaign has ended.");
        return;
    }
    switch (self->verdict) {
    case CODE_DONE:
    case CODE_UNCHANGED: answer_batch(operation, 201, &self->batch, self->base.decided_us); return;
    case CODE_EXPIRY_NOT_FUTURE: answer_expiry(operation); return;
    case CODE_TOO_MANY_BATCHES:
        answer_problem(operation, &problem_too_many_code_batches, "There can be at most 4096 batches of codes, of 256 different patterns.");
        return;
    case CODE_BATCH_NOT_FOUND: answer_problem(operation, &problem_code_batch_not_found, "There is no such batch of codes."); return;
    }
}

static const struct action make_action = {.name = "create codes",
                                          .weight = 1,
                                          .answer_bytes = ANSWER_ROOM,
                                          .load = load_create,
                                          .decide = decide_create,
                                          .render = render_made,
                                          .committed = discount_committed,
                                          .send = discount_send};

/* ---- POST ---- */

static void refuse_weak(struct exchange *exchange, const struct code_batch_create *create, const struct pattern_strength *strength) {
    uint32_t needed = pattern_symbols_needed(create->count);
    struct text members =
        arena_print(&exchange->arena,
                    "\"entropy_bits\":%" PRId64 ".%" PRId64 ",\"years_to_guess\":%" PRId64 ".%" PRId64 ",\"symbols_needed\":%" PRIu32,
                    strength->entropy_tenths / 10, strength->entropy_tenths % 10, strength->years_tenths / 10, strength->years_tenths % 10,
                    needed);
    struct text detail =
        arena_print(&exchange->arena,
                    "A thousand guesses a second would meet one of these %" PRId64 " codes within %" PRId64 ".%" PRId64
                    " years: the pattern needs %" PRIu32 " # instead of %u.",
                    create->count, strength->years_tenths / 10, strength->years_tenths % 10, needed, create->pattern.symbol_count);
    problem_reply_members(exchange, &problem_pattern_too_weak, members, "%s", detail.data == NULL ? "" : detail.data);
}

static void read_note(struct exchange *exchange, struct text *note) {
    if (note->size > 0) *note = arena_copy(&exchange->arena, *note); /* the document is closed before the store reads it */
}

/* Without what can't be seen: it would be in each code that is exported. */
static void read_pattern(struct text typed, struct code_pattern *ret_pattern, struct faults *faults) {
    char seen[PATTERN_BYTES * 4];
    size_t size = 0;
    if (typed.size == 0 || typed.size > sizeof seen) return; /* which is a fault that was told */
    for (size_t offset = 0, from = 0; offset < typed.size; from = offset) {
        uint32_t character;
        if (!result_is_ok(text_next_character(typed, &offset, &character))) break; /* never: JSON is UTF-8 */
        if (unicode_is_ignorable(character)) continue;
        memcpy(seen + size, typed.data + from, offset - from);
        size += offset - from;
    }
    const char *fault = pattern_parse((struct text){seen, size}, ret_pattern);
    if (fault != NULL) faults_add(faults, "pattern", "invalid_format", "%s", fault);
}

static bool read_create(struct exchange *exchange, struct batch_making *making) {
    struct code_batch_create *create = &making->create;
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    struct text pattern = {0};
    create->max_uses = 1;
    create->expires_at_us = EXPIRY_UNREAD;
    const struct json_member members[] = {
        {.name = "count", .kind = JSON_INTEGER, .target = &create->count, .required = true, .min = 1, .max = CODE_COUNT_MAX},
        {.name = "pattern", .kind = JSON_TEXT, .target = &pattern, .required = true, .min = 1, .max = PATTERN_BYTES},
        {.name = "max_uses", .kind = JSON_INTEGER, .target = &create->max_uses, .min = 1, .max = CODE_USES_MAX},
        {.name = "expires_at", .kind = JSON_TIME, .target = &create->expires_at_us, .nullable = true},
        {.name = "note", .kind = JSON_TEXT, .target = &create->note, .nullable = true, .min = 1, .max = CODE_NOTE_CHARACTERS},
    };
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    read_pattern(pattern, &create->pattern, &faults);
    if (create->expires_at_us == EXPIRY_UNREAD)
        create->expires_at_us = 0;
    else if (create->expires_at_us <= 0)
        faults_add(&faults, "expires_at", "out_of_range", "must be in the future");
    if (request_refuse_faults(exchange, &faults)) return false;
    struct pattern_strength strength = pattern_strength(create->pattern.symbol_count, create->count);
    if (strength.is_weak) {
        refuse_weak(exchange, create, &strength);
        return false;
    }
    read_note(exchange, &create->note);
    operation_read_key(&making->base.operation, root);
    return true;
}

bool code_batch_take_key(struct exchange *exchange, struct code_batch_create *create) {
    const struct code_board *codes = discount_of(exchange)->codes;
    const struct code_key *key = code_board_unreadable(codes) > 0 ? NULL : code_board_key(codes);
    if (key == NULL) {
        problem_reply(exchange, &problem_code_key_missing,
                      "codes.key is not there, or not the one that this database's codes were made with.");
        return false;
    }
    memcpy(create->key_check, key->check, sizeof create->key_check);
    return true;
}

void code_batches_create(struct exchange *exchange) {
    struct batch_making *making = discount_begin(exchange, &make_action, sizeof *making);
    const struct board_slot *slot = making == NULL || !read_create(exchange, making) ? NULL : request_campaign(exchange);
    if (slot == NULL || !code_batch_take_key(exchange, &making->create)) {
        exchange_finish(exchange);
        return;
    }
    making->create.campaign_number = slot->number;
    discount_make_id(&making->base, clock_now_us(making->base.discount->service.clock));
    operation_submit(&making->base.operation);
}

/* ---- revoking ---- */

static void load_revoke(struct engine *engine, struct operation *operation) {
    struct working_set *set = engine_set(engine);
    const struct code_batch *batch = code_batch_by_id(&set->codes, ((struct batch_change *)operation)->id);
    CHECK(batch != NULL); /* it was on the board */
    working_set_recall(set, batch->campaign_number);
}

static void decide_revoke(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct batch_change *self = (struct batch_change *)operation;
    discount_forget_outcome(&self->base, now_us);
    struct code_batch *batch = code_batch_by_id(&set->codes, self->id);
    CHECK(batch != NULL); /* it was on the board */
    struct text before = picture_of(operation, batch);
    self->base.campaign_id = campaign_by_number(&set->campaigns, batch->campaign_number)->id;
    self->verdict = code_batch_revoke(batch, now_us);
    self->batch = *batch;
    if (self->verdict == CODE_DONE)
        audit_note(engine, operation, "code_batch.revoke", batch->id, before, picture_of(operation, batch), now_us);
}

static void render_revoked(struct operation *operation) {
    const struct batch_change *self = (const struct batch_change *)operation;
    answer_batch(operation, 200, &self->batch, self->base.decided_us);
}

static const struct action revoke_action = {.name = "revoke codes",
                                            .weight = 1,
                                            .answer_bytes = ANSWER_ROOM,
                                            .load = load_revoke,
                                            .decide = decide_revoke,
                                            .render = render_revoked,
                                            .committed = discount_committed,
                                            .send = discount_send};

const struct code_slot *request_code_batch(struct exchange *exchange) {
    struct id id;
    const struct code_slot *slot = NULL;
    const struct board_slot *campaign = request_campaign(exchange);
    if (campaign == NULL) return NULL;
    if (result_is_ok(id_parse(exchange->parameters[1], &id))) slot = code_board_find_id(discount_of(exchange)->codes, id);
    if (slot != NULL && slot->campaign_number == campaign->number) return slot;
    problem_reply(exchange, &problem_code_batch_not_found, "The campaign has no such batch of codes.");
    return NULL;
}

void code_batches_revoke(struct exchange *exchange) {
    struct batch_change *change = NULL;
    const struct code_slot *slot = request_code_batch(exchange);
    if (slot != NULL) change = discount_begin(exchange, &revoke_action, sizeof *change);
    if (change == NULL) {
        exchange_finish(exchange);
        return;
    }
    change->id = slot->id;
    operation_submit(&change->base.operation);
}

/* ---- reading ---- */

struct one_reading {
    struct reading reading;
    struct id id, campaign_id;
    struct found_code_batch found;
};

static bool ask_one(struct reading *reading, struct batch *batch, uint32_t round) {
    struct one_reading *self = (struct one_reading *)reading;
    (void)round;
    self->found.is_found = false;
    ask_code_batch(batch, self->id, code_batch_found, &self->found);
    return false;
}

static void answer_one(struct reading *reading) {
    const struct one_reading *self = (struct one_reading *)reading;
    struct exchange *exchange = reading->exchange;
    if (!self->found.is_found) { /* it was on the board */
        storage_refuse(exchange, result_error(RESULT_CORRUPT));
        exchange_finish(exchange);
        return;
    }
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, BATCH_BYTES + self->found.batch.note_size);
    struct json_writer writer = {.buffer = &buffer};
    write_batch(&writer, &self->found.batch, self->campaign_id, clock_now_us(discount_of(exchange)->service.clock));
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

void code_batches_get(struct exchange *exchange) {
    struct one_reading *reading = NULL;
    const struct code_slot *slot = request_code_batch(exchange);
    if (slot != NULL) reading = reading_begin(exchange, ask_one, answer_one, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->id = slot->id;
    reading->campaign_id = board_slot(discount_of(exchange)->board, slot->campaign_number - 1)->id;
    reading_start(&reading->reading);
}

struct list_reading {
    struct reading reading;
    const struct board_slot *slot;
    int64_t limit, before; /* this number */
    struct buffer buffer;
    struct json_writer writer;
    int64_t left, now_us;
    bool has_more;
    uint32_t last_number;
};

static struct result visit_batch(void *context, const struct row *row) {
    struct list_reading *self = context;
    if (self->left == 0) {
        self->has_more = true;
        return result_ok();
    }
    struct code_batch batch;
    TRY(sound_code_batch_of_row(row, &batch));
    self->left--;
    self->last_number = batch.number;
    write_batch(&self->writer, &batch, self->slot->id, self->now_us);
    return result_ok();
}

static bool ask_list(struct reading *reading, struct batch *batch, uint32_t round) {
    struct list_reading *self = (struct list_reading *)reading;
    (void)round;
    self->left = self->limit;
    self->has_more = false;
    reply_page_begin(reading->exchange, &self->writer, &self->buffer, LIST_BYTES);
    ask_code_batches_of(batch, self->slot->number, self->before, self->limit + 1, visit_batch, self);
    return false;
}

static void answer_list(struct reading *reading) {
    struct list_reading *self = (struct list_reading *)reading;
    const int64_t words[PAGE_CURSOR_WORDS] = {self->last_number};
    reply_page(reading->exchange, &self->writer, LIST_BATCHES, self->has_more, words);
    exchange_finish(reading->exchange);
}

static bool read_page(struct exchange *exchange, struct page_query *query) {
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    page_begin(query, LIST_BATCHES);
    const struct query_member members[] = {PAGE_QUERY_MEMBERS(query)};
    query_read(exchange, members, ARRAY_COUNT(members), &faults);
    page_finish(query, &faults);
    if (query->page.has_cursor && query->page.cursor[0] < 1)
        faults_add(&faults, "cursor", "invalid_format", "must be a next_cursor of this list");
    return !request_refuse_faults(exchange, &faults);
}

void code_batches_list(struct exchange *exchange) {
    struct page_query query;
    struct list_reading *reading = NULL;
    const struct board_slot *slot = read_page(exchange, &query) ? request_campaign(exchange) : NULL;
    if (slot != NULL) reading = reading_begin(exchange, ask_list, answer_list, sizeof *reading);
    if (reading == NULL) {
        exchange_finish(exchange);
        return;
    }
    reading->slot = slot;
    reading->limit = query.page.limit;
    reading->before = query.page.has_cursor ? query.page.cursor[0] : INT64_MAX;
    reading->now_us = clock_now_us(discount_of(exchange)->service.clock);
    reading_start(&reading->reading);
}
