/* POST /v1/codes/revocations: single codes, all of a request or none. */
#include "discount/code_revocations.h"

#include <inttypes.h>

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/requests.h"
#include "discount/working_codes.h"
#include "service/audit.h"
#include "service/request.h"

#define ANSWER_ROOM    2048u
#define CODE_TYPED_MAX 4096

struct revoked_code {
    struct code_found found;
    bool is_new; /* by this request */
};

struct code_revoking {
    struct discount_operation base; /* first */
    struct revoked_code *codes;
    size_t count;
    int64_t revoked;
};

/* ---- in the store ---- */

static void load(struct engine *engine, struct operation *operation) {
    const struct code_revoking *self = (const struct code_revoking *)operation;
    for (size_t i = 0; i < self->count; i++)
        CHECK(working_codes_ask(engine, self->codes[i].found.batch, self->codes[i].found.index)); /* by its weight */
}

static void note_batch(struct engine *engine, struct operation *operation, struct id batch_id, int64_t revoked, int64_t now_us) {
    struct text after = arena_print(operation->arena, "{\"revoked\":%" PRId64 "}", revoked);
    audit_note(engine, operation, "code.revoke", batch_id, TEXT(""), after.data == NULL ? TEXT("") : after, now_us);
}

/* One line of the audit log for each batch: the codes themselves stay out of it. */
static void note_all(struct engine *engine, struct operation *operation, int64_t now_us) {
    const struct working_set *set = engine_set(engine);
    const struct code_revoking *self = (const struct code_revoking *)operation;
    for (size_t i = 0; i < self->count; i++) {
        uint32_t number = self->codes[i].found.batch;
        int64_t revoked = 0;
        bool was_noted = false;
        for (size_t k = 0; k < self->count; k++) {
            if (self->codes[k].found.batch != number) continue;
            was_noted = was_noted || k < i;
            revoked += self->codes[k].is_new;
        }
        if (!was_noted && revoked > 0) note_batch(engine, operation, code_batch_by_number(&set->codes, number)->id, revoked, now_us);
    }
}

static void decide(struct engine *engine, struct operation *operation, int64_t now_us) {
    struct working_set *set = engine_set(engine);
    struct code_revoking *self = (struct code_revoking *)operation;
    discount_forget_outcome(&self->base, now_us);
    self->revoked = 0;
    for (size_t i = 0; i < self->count; i++) {
        struct revoked_code *code = &self->codes[i];
        struct code_entry *entry = code_entry_of(&set->codes, code->found.batch, code->found.index);
        CHECK(entry != NULL);
        code->is_new = code_revoke(&set->codes, entry) == CODE_DONE;
        self->revoked += code->is_new;
    }
    note_all(engine, operation, now_us);
}

static void render(struct operation *operation) {
    const struct code_revoking *self = (const struct code_revoking *)operation;
    struct buffer buffer;
    buffer_init(&buffer, operation->arena, 128);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_integer_member(&writer, "revoked", self->revoked);
    json_integer_member(&writer, "already_revoked", (int64_t)self->count - self->revoked);
    json_end_object(&writer);
    operation_answer(operation, 200, "application/json", &buffer);
}

static const struct action revoke_action = {.name = "revoke single codes",
                                            .weight = 1,
                                            .answer_bytes = ANSWER_ROOM,
                                            .load = load,
                                            .decide = decide,
                                            .render = render,
                                            .committed = discount_committed,
                                            .send = discount_send};

/* ---- the request ---- */

static void find_code(struct exchange *exchange, const struct json_value *item, size_t index, struct code_found *ret_code,
                      struct faults *faults) {
    const struct discount *discount = discount_of(exchange);
    char field[32];
    struct code code;
    struct text typed = json_text(item);
    snprintf(field, sizeof field, "codes[%zu]", index);
    if (typed.data == NULL || typed.size > CODE_TYPED_MAX) {
        faults_add(faults, field, "wrong_type", "must be a code");
        return;
    }
    enum code_finding finding = CODE_UNKNOWN;
    if (result_is_ok(code_parse(typed, &code))) finding = code_board_find(discount->codes, &code, ret_code);
    if (finding == CODE_FOUND) return;
    bool is_shared = finding == CODE_UNKNOWN && result_is_ok(code_parse(typed, &code)) && board_find_code(discount->board, &code) != NULL;
    faults_add(faults, field, "not_found", "%s",
               is_shared                    ? "is a campaign's shared code: pause or end the campaign"
               : finding == CODE_UNREADABLE ? "can't be told: the key of its batch is not in codes.key"
                                            : "is no code of any batch");
}

static bool read_codes(struct exchange *exchange, struct code_revoking *revoking) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    const struct json_value *codes = NULL;
    const struct json_member members[] = {
        {.name = "codes", .kind = JSON_ARRAY, .target = &codes, .required = true, .min = 1, .max = LIMIT_CODES_REVOKED}};
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    size_t count = codes == NULL ? 0 : json_array_count(codes);
    if (count > LIMIT_CODES_REVOKED) count = 0; /* refused already */
    revoking->codes = arena_take(&exchange->arena, (count + 1) * sizeof *revoking->codes);
    if (revoking->codes == NULL) {
        request_refuse_memory(exchange);
        return false;
    }
    for (size_t i = 0; i < count; i++) find_code(exchange, json_array_item(codes, i), i, &revoking->codes[i].found, &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    revoking->count = count;
    revoking->base.operation.store.weight = (uint32_t)count;
    operation_read_key(&revoking->base.operation, root);
    return true;
}

void code_revocations_create(struct exchange *exchange) {
    struct code_revoking *revoking = discount_begin(exchange, &revoke_action, sizeof *revoking);
    if (revoking == NULL || !read_codes(exchange, revoking)) {
        exchange_finish(exchange);
        return;
    }
    operation_submit(&revoking->base.operation);
}
