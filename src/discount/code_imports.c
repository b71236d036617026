/* Foreign codes: of each a keyed hash and its last four characters are kept. Each import is a batch, and its codes redeem, are looked up, revoked and reported as those
 * of any other. */
#include "discount/code_imports.h"

#include <inttypes.h>

#include "discount/answer.h"
#include "discount/code_batches.h"
#include "discount/discount.h"
#include "discount/import.h"
#include "discount/requests.h"
#include "discount/working_codes.h"
#include "service/audit.h"
#include "service/request.h"

#define ANSWER_ROOM      4096u
#define ANSWER_BYTES     1024u
#define LINE_BYTES_LEAST 2u /* of a code and the end of its line */

enum import_verdict { IMPORT_DONE, IMPORT_ENDED, IMPORT_TAKEN, IMPORT_FULL };

struct code_import {
    struct discount_operation base; /* first */
    struct import import;
    struct code_batch_create create;
    struct imported_code *codes;
    size_t count, capacity;
    struct map seen;    /* of this body, by hash */
    bool may_be_repeat; /* an answer may be kept for its Idempotency-Key */
    enum import_verdict verdict;
    struct code_batch batch;
    struct code_addition addition;
};

/* ---- in the store ---- */

static enum import_verdict check(const struct working_set *set, const struct code_import *self, int64_t now_us) {
    const struct campaign *campaign = campaign_by_number(&set->campaigns, self->create.campaign_number);
    CHECK(campaign != NULL); /* it was on the board */
    if (campaign_state(campaign, now_us) == CAMPAIGN_ENDED) return IMPORT_ENDED;
    /* Another import may have come between: this thread is the one that shows them. */
    for (size_t i = 0; i < self->count; i++) {
        if (code_board_is_imported(set->code_board, &self->codes[i].hash)) return IMPORT_TAKEN;
    }
    return IMPORT_DONE;
}

static void load(struct engine *engine, struct operation *operation) {
    working_set_recall(engine_set(engine), ((struct code_import *)operation)->create.campaign_number);
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct code_import *self = (struct code_import *)operation;
    struct code_batch *batch = NULL;
    discount_forget_outcome(&self->base, now_us);
    self->create.id = self->base.id;
    self->base.campaign_id = campaign_by_number(&set->campaigns, self->create.campaign_number)->id;
    self->verdict = check(set, self, now_us);
    if (self->verdict == IMPORT_DONE && code_batch_create(&set->codes, &self->create, now_us, &batch) != CODE_DONE)
        self->verdict = IMPORT_FULL;
    if (self->verdict != IMPORT_DONE) return;
    self->batch = *batch;
    self->addition = (struct code_addition){batch->number, self->codes, self->count};
    CHECK(set->imported == NULL); /* by its weight it is alone */
    set->imported = &self->addition;
    struct text after = arena_print(operation->arena, "{\"count\":%" PRId64 "}", batch->count);
    audit_note(engine, operation, "code.import", batch->id, TEXT(""), after.data == NULL ? TEXT("") : after, now_us);
}

static void answer_problem(struct operation *operation, const struct problem *problem, const char *detail) {
    operation_answer_problem(operation, problem, (struct text){0}, NULL, detail);
}

static void answer_made(struct code_import *self) {
    struct operation *operation = &self->base.operation;
    char campaign[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, ANSWER_BYTES + self->import.told.size);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    code_batch_write(&writer, &self->batch, self->base.campaign_id, self->base.decided_us);
    import_write_skipped(&self->import, &writer);
    json_end_object(&writer);
    buffer.failed = buffer.failed || self->import.told.failed;
    operation_answer(operation, 201, "application/json", &buffer);
    id_format(self->base.campaign_id, campaign);
    id_format(self->batch.id, id);
    operation->answer.location =
        arena_print(operation->arena, "/v1/campaigns/%.*s/code-batches/%.*s", (int)sizeof campaign, campaign, (int)sizeof id, id);
    if (operation->answer.location.data == NULL) operation_overflow(operation);
}

static void render(struct operation *operation) {
    struct code_import *self = (struct code_import *)operation;
    switch (self->verdict) {
    case IMPORT_DONE: answer_made(self); return;
    case IMPORT_ENDED: answer_problem(operation, &problem_campaign_state_conflict, "The campaign has ended."); return;
    case IMPORT_TAKEN: answer_problem(operation, &problem_code_taken, "One of the codes was imported by somebody else meanwhile."); return;
    case IMPORT_FULL:
        answer_problem(operation, &problem_too_many_code_batches, "There can be at most 4096 batches of codes, and each import is one.");
        return;
    }
}

static const struct action import_action = {.name = "import codes",
                                            .weight = LIMIT_STORE_BATCH_WEIGHT, /* alone in its batch, however short it is */
                                            .answer_bytes = ANSWER_ROOM,
                                            .load = load,
                                            .decide = decide,
                                            .render = render,
                                            .committed = discount_committed,
                                            .send = discount_send};

/* ---- POST ---- */

/* The repeat of an import meets its own codes: the store, which knows the first answer, judges them. */
static bool is_code_already(const struct code_import *self, const struct code *code) {
    const struct discount *discount = self->base.discount;
    struct code_found found;
    if (board_find_code(discount->board, code) != NULL) return true;
    return !self->may_be_repeat && code_board_find(discount->codes, code, &found) == CODE_FOUND;
}

static const char *take_code(void *context, struct text value) {
    struct code_import *self = context;
    const struct discount *discount = self->base.discount;
    struct imported_code *imported = &self->codes[self->count];
    struct code code;
    if (!result_is_ok(code_parse(value, &code))) return "must be letters and digits, 64 bytes at most without the separators";
    if (is_code_already(self, &code)) return "is a code already, of a campaign or a batch";
    if (self->count == self->capacity) return "is one more than one import can hold";
    *imported = (struct imported_code){.last_size = 0};
    (void)code_board_hash_imported(discount->codes, &code, &imported->hash);
    struct text key = {(const char *)imported->hash.bytes, sizeof imported->hash.bytes};
    if (map_get(&self->seen, key) != NULL) return "stands there twice";
    if (!result_is_ok(map_put(&self->seen, key, imported))) return "is one more than one import can hold";
    imported_code_set_last(imported, &code);
    self->count++;
    return NULL;
}

static bool read_lines(struct exchange *exchange, struct code_import *self) {
    static const struct import_column columns[] = {{"codes", "code", take_code}};
    self->import = (struct import){.columns = columns, .column_count = ARRAY_COUNT(columns), .context = self};
    if (!import_read(exchange, &self->import)) return false;
    if (self->count > 0) return import_read_key(exchange, &self->base.operation);
    struct faults faults;
    faults_init(&faults, &exchange->arena);
    faults_add(&faults, "codes", "too_short", "must have at least one code that can be imported");
    return !request_refuse_faults(exchange, &faults);
}

/* So many codes as the body can hold, in memory that is there only while it is read and until its answer is sent. */
static bool read_body(struct exchange *exchange, struct code_import *self) {
    self->capacity = 1;
    for (size_t i = 0; i < exchange->body.size; i++) self->capacity += exchange->body.data[i] == '\n' || exchange->body.data[i] == ',';
    self->codes = arena_take(&exchange->arena, (self->capacity + 1) * sizeof *self->codes);
    if (self->codes == NULL || !result_is_ok(map_init(&self->seen, self->capacity))) {
        request_refuse_memory(exchange);
        return false;
    }
    operation_name_key(&self->base.operation);
    const struct idempotency_request *idempotency = &self->base.operation.idempotency;
    self->may_be_repeat = idempotency->key.size > 0 && board_may_be_kept(self->base.discount->board, &idempotency->lookup);
    bool is_read = read_lines(exchange, self);
    map_free(&self->seen);
    return is_read;
}

void code_imports_create(struct exchange *exchange) {
    const struct board_slot *slot = NULL;
    struct code_import *self = discount_begin(exchange, &import_action, sizeof *self);
    if (self != NULL && code_batch_take_key(exchange, &self->create) && read_body(exchange, self)) slot = request_campaign(exchange);
    if (slot == NULL) {
        exchange_finish(exchange);
        return;
    }
    self->create.campaign_number = slot->number;
    self->create.count = (int64_t)self->count;
    self->create.max_uses = 1;
    discount_make_id(&self->base, clock_now_us(self->base.discount->service.clock));
    operation_submit(&self->base.operation);
}
