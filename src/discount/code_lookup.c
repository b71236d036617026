/* POST /v1/codes/lookup: what an administrator may know of a code that somebody has typed: whose it is, by whom it was used, and why nobody would get a place
 * with it now. */
#include "discount/code_lookup.h"

#include "discount/answer.h"
#include "discount/discount.h"
#include "discount/tables_codes.h"
#include "service/reading.h"
#include "service/request.h"

#define CODE_TYPED_MAX  4096
#define ANSWER_BYTES    1024u
#define REDEMPTIONS_MAX 100

struct lookup {
    struct reading reading;
    const struct board_slot *campaign;
    const struct code_slot *batch; /* NULL: the campaign's own code */
    struct code code;
    struct code_found found;
    int64_t uses, shown;
    struct buffer buffer; /* of its redemptions */
    struct json_writer writer;
};

/* ---- by whom ---- */

static struct result visit_uses(void *context, const struct row *row) {
    ((struct lookup *)context)->uses = row_integer(row, 0);
    return row_verdict(row);
}

static struct result visit_redemption(void *context, const struct row *row) {
    struct lookup *self = context;
    struct redemption redemption;
    TRY(sound_redemption_of_row(row, 0, &redemption));
    struct exchange *exchange = self->reading.exchange;
    board_show(board_slot(discount_of(exchange)->board, self->found.campaign_number - 1), &redemption, exchange->arrived_us);
    json_begin_object(&self->writer);
    json_id_member(&self->writer, "id", redemption.id);
    json_id_member(&self->writer, "user_id", redemption.user_id);
    json_text_member(&self->writer, "phone", phone_text(&redemption.phone));
    json_text_member(&self->writer, "status", text_of(redemption_status_name(redemption.status)));
    json_time_member(&self->writer, "claimed_at", redemption.claimed_at_us);
    json_end_object(&self->writer);
    return result_ok();
}

static bool ask(struct reading *reading, struct batch *batch, uint32_t round) {
    struct lookup *self = (struct lookup *)reading;
    (void)round;
    self->uses = 0;
    buffer_init(&self->buffer, &reading->exchange->arena, ANSWER_BYTES);
    self->writer = (struct json_writer){.buffer = &self->buffer};
    json_begin_array(&self->writer);
    ask_uses_of_code(batch, self->found.batch, self->found.index, visit_uses, self);
    ask_redemptions_by_code(batch, self->found.batch, self->found.index, REDEMPTIONS_MAX, visit_redemption, self);
    return false;
}

/* ---- why not ---- */

/* For somebody who has not won, with a phone that has not: what is left is the code and its campaign. */
static enum refusal refusal_of(const struct lookup *self, int64_t now_us) {
    struct campaign_view view = board_view(self->campaign);
    const struct redeem_facts facts = {
        .has_campaign = true,
        .has_own = IS_NOT,
        .is_code_dead = self->batch != NULL && code_slot_state(self->batch, self->found.index, now_us) != CODE_ACTIVE,
        .is_recovering = books_are_recovering(board_books(self->campaign)),
        .times = view_times(&view),
        .is_unapproved = view.is_unapproved != 0,
        .limits = {.max_per_user = 1,
                   .max_per_phone = 1,
                   .places = view.max_redemptions,
                   .taken = campaign_counted_places(view.max_redemptions, view.redeemed, view.returned),
                   .budget_minor = view.rules.budget_minor,
                   .spent_minor = view.spent_minor,
                   .gift_minor = view.rules.budget_minor == 0 ? 0 : 1,
                   .max_per_day = view.rules.max_per_day,
                   .of_day = campaign_taken_today(view.redeemed - view.day_returned, view.day_before, view.day_ends_at_us, now_us),
                   .funded = view.funded_places},
    };
    struct redeem_verdict verdict = redeem_decide(&facts, now_us);
    return verdict.step == REDEEM_REFUSE ? verdict.refusal : NOT_REFUSED;
}

static const char *words_for(const struct lookup *self, enum refusal refusal, int64_t now_us) {
    if (refusal != REFUSED_CODE_NOT_FOUND) return refusal_rule(refusal)->detail;
    switch (code_slot_state(self->batch, self->found.index, now_us)) {
    case CODE_REVOKED: return "The code was revoked, or all of its batch.";
    case CODE_USED: return "The code was used as often as it may be.";
    case CODE_EXPIRED: return "Its batch has expired.";
    case CODE_ACTIVE: break;
    }
    return refusal_rule(refusal)->detail;
}

static void write_refusal(struct json_writer *writer, const struct lookup *self, int64_t now_us) {
    enum refusal refusal = refusal_of(self, now_us);
    if (refusal == NOT_REFUSED) {
        json_null_member(writer, "refusal");
        return;
    }
    json_key(writer, "refusal");
    json_begin_object(writer);
    json_text_member(writer, "code", text_of(refusal_rule(refusal)->code));
    json_text_member(writer, "detail", text_of(words_for(self, refusal, now_us)));
    json_end_object(writer);
}

/* ---- the answer ---- */

static void write_batch_code(struct json_writer *writer, const struct lookup *self, const struct code_board *codes, int64_t now_us) {
    char written[PATTERN_BYTES];
    size_t size = code_slot_write(codes, self->batch, self->found.index, written);
    json_text_member(writer, "kind", TEXT("unique"));
    json_text_member(writer, "code", (struct text){written, size});
    json_id_member(writer, "batch", self->batch->id);
    json_integer_member(writer, "index", self->found.index);
    json_text_member(writer, "state", text_of(code_state_name(code_slot_state(self->batch, self->found.index, now_us))));
    json_integer_member(writer, "uses", self->uses);
    json_integer_member(writer, "max_uses", self->batch->max_uses);
    if (self->batch->expires_at_us == 0)
        json_null_member(writer, "expires_at");
    else
        json_time_member(writer, "expires_at", self->batch->expires_at_us);
}

static void write_shared_code(struct json_writer *writer, const struct lookup *self, int64_t now_us) {
    struct campaign_view view = board_view(self->campaign);
    bool is_used_up = view_taken(&view) >= view.max_redemptions, has_expired = campaign_gate(view_times(&view), now_us) == GATE_ENDED;
    json_text_member(writer, "kind", TEXT("shared"));
    json_text_member(writer, "code", code_text(&self->code));
    json_null_member(writer, "batch");
    json_null_member(writer, "index");
    json_text_member(writer, "state", text_of(code_state_name(has_expired ? CODE_EXPIRED : is_used_up ? CODE_USED : CODE_ACTIVE)));
    json_integer_member(writer, "uses", view_living(&view));
    json_integer_member(writer, "max_uses", view.max_redemptions);
    if (view.ends_at_us == 0)
        json_null_member(writer, "expires_at");
    else
        json_time_member(writer, "expires_at", view.ends_at_us);
}

static void answer(struct reading *reading) {
    struct lookup *self = (struct lookup *)reading;
    struct exchange *exchange = reading->exchange;
    const struct discount *discount = discount_of(exchange);
    int64_t now_us = clock_now_us(discount->service.clock);
    struct buffer buffer;
    buffer_init(&buffer, &exchange->arena, ANSWER_BYTES + self->buffer.size);
    struct json_writer writer = {.buffer = &buffer};
    json_begin_object(&writer);
    json_id_member(&writer, "campaign_id", self->campaign->id);
    if (self->batch != NULL)
        write_batch_code(&writer, self, discount->codes, now_us);
    else
        write_shared_code(&writer, self, now_us);
    write_refusal(&writer, self, now_us);
    json_key(&writer, "redemptions");
    if (self->batch != NULL) {
        json_end_array(&self->writer);
        json_put_raw(&writer, buffer_text(&self->buffer));
    } else {
        json_begin_array(&writer);
        json_end_array(&writer);
    }
    json_end_object(&writer);
    buffer.failed = buffer.failed || self->buffer.failed;
    reply_buffer(exchange, 200, "application/json", &buffer);
    exchange_finish(exchange);
}

/* ---- the request ---- */

static bool read_code(struct exchange *exchange, struct text *ret_typed, struct code *ret_code) {
    struct faults faults;
    struct json_document *document CLOSE_BODY_AT_END = NULL;
    const struct json_value *root = request_open_body(exchange, &faults, &document);
    if (root == NULL) return false;
    const struct json_member members[] = {
        {.name = "code", .kind = JSON_TEXT, .target = ret_typed, .required = true, .min = 1, .max = CODE_TYPED_MAX}};
    json_read(root, "", members, ARRAY_COUNT(members), &faults);
    if (request_refuse_faults(exchange, &faults)) return false;
    if (!result_is_ok(code_parse(*ret_typed, ret_code))) ret_code->size = 0;
    return true;
}

static void refuse(struct exchange *exchange, enum code_finding finding, const struct code *code) {
    const struct refusal_rule *rule = refusal_rule(REFUSED_CODE_NOT_FOUND);
    const struct problem problem = {rule->status, rule->code, rule->title};
    if (finding == CODE_UNREADABLE)
        problem_reply(exchange, &problem_code_key_missing, "The key of the batch that it may be of is not in codes.key.");
    else if (code->size == 0)
        problem_reply(exchange, &problem, "No code looks like this: letters and digits, 64 bytes at most.");
    else if (code_board_is_mistyped(discount_of(exchange)->codes, code))
        problem_reply(exchange, &problem, "It looks like the codes of a batch, but its check symbols do not fit: it is mistyped.");
    else
        problem_reply(exchange, &problem, "It is no campaign's code, and none of a batch.");
}

void code_lookup(struct exchange *exchange) {
    const struct discount *discount = discount_of(exchange);
    struct text typed = {0};
    struct code code = {0};
    struct code_found found = {0};
    struct lookup *self = NULL;
    enum code_finding finding = CODE_UNKNOWN;
    if (!read_code(exchange, &typed, &code)) {
        exchange_finish(exchange);
        return;
    }
    const struct board_slot *campaign = board_find_code(discount->board, &code);
    if (campaign == NULL && code.size > 0) finding = code_board_find(discount->codes, &code, &found);
    if (campaign == NULL && finding == CODE_FOUND) campaign = board_slot(discount->board, found.campaign_number - 1);
    if (campaign == NULL) refuse(exchange, finding, &code);
    if (campaign != NULL) self = reading_begin(exchange, ask, answer, sizeof *self);
    if (self == NULL) {
        exchange_finish(exchange);
        return;
    }
    self->campaign = campaign;
    self->code = code;
    self->found = found;
    self->batch = code_board_slot(discount->codes, found.batch);
    if (self->batch == NULL)
        answer(&self->reading); /* nothing of it is asked of the database */
    else
        reading_start(&self->reading);
}
